/**
 * Builds a simulator from its options.
 *
 * @internal
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as monotonic from "../data/monotonic.js"
import * as ApiKeyApi from "./apiKeys/api.js"
import * as ApiKeyRecord from "./apiKeys/apiKeyRecord.js"
import * as ApiKeys from "./apiKeys/apiKeys.js"
import * as Account from "./executions/account.js"
import * as ExecutionApi from "./executions/api.js"
import * as Executions from "./executions/executions.js"
import * as Ledger from "./executions/ledger.js"
import { defaultModel, type Model, models } from "./executions/model.js"
import * as Money from "./executions/money.js"
import * as ScheduledEvents from "./executions/scheduledEvents.js"
import { transient } from "./faults/fault.js"
import * as Faults from "./faults/faults.js"
import * as FileApi from "./files/api.js"
import * as FileRecord from "./files/fileRecord.js"
import * as Files from "./files/files.js"
import * as Storage from "./files/storage.js"
import * as Uploads from "./files/uploads.js"
import type { ApiHandlers } from "./http/apiCall.js"
import * as ErrorResponses from "./http/errorResponses.js"
import * as RateLimiter from "./http/rateLimiter.js"
import type { RequestHead } from "./http/request.js"
import * as RequestLog from "./http/requestLog.js"
import * as Server from "./http/server.js"
import * as Ids from "./ids.js"
import type { Options, RateLimit } from "./options.js"
import * as RingBuffer from "./ringBuffer.js"
import type { Service } from "./service.js"
import { signedMillis } from "./time.js"
import * as WebhookApi from "./webhooks/api.js"
import type { DeliveryRecord } from "./webhooks/deliveryRecord.js"
import * as Endpoints from "./webhooks/endpoints.js"
import * as Receiver from "./webhooks/receiver.js"
import * as Webhooks from "./webhooks/webhooks.js"

const defaultMaxUploadBytes = 157_286_400

/** The state of the simulator and the settings that several modules share. */
interface State {
  readonly seed: number
  /** Time by which the server's clock is ahead of Effect's `Clock`, in milliseconds. */
  readonly skew: number
  readonly ids: Ids.Ids
  readonly account: Account.Account
  readonly scheduledEvents: ScheduledEvents.ScheduledEvents<Executions.Execution>
  readonly executions: Executions.Executions
  readonly uploads: Uploads.Uploads
  readonly files: Files.Files
  readonly endpoints: Endpoints.Endpoints
  readonly apiKeys: ApiKeys.ApiKeys
  readonly faults: Faults.Faults
  readonly log: RequestLog.RequestLog
  readonly deliveries: RingBuffer.RingBuffer<DeliveryRecord>
  readonly webhookSecret: string
}

const makeFaults = ({ faults = [], randomFaults }: Options): Faults.Faults => {
  const script = Faults.make(randomFaults && { ...randomFaults, faults: randomFaults.faults ?? transient })
  script.append(faults)
  return script
}

const makeState = (options: Options): State => {
  const seed = options.seed ?? 1
  const capacity = options.recordRequests ?? 10_000
  const ids = Ids.make(seed)
  const account = Account.make(Money.parse(options.balance ?? "100.00"))
  const scheduledEvents = ScheduledEvents.make<Executions.Execution>()
  const executions = Executions.make({
    scheduledEvents,
    account,
    ids,
    expiresAfterMillis: Duration.toMillis(options.expiresAfter ?? "5 minutes"),
    keyTtlMillis: Duration.toMillis(options.keyTtl ?? "24 hours")
  })
  const uploads = Uploads.make(ids, options.confirm !== "absent")
  return {
    seed,
    skew: signedMillis(options.clockSkew ?? 0),
    ids,
    account,
    scheduledEvents,
    executions,
    uploads,
    files: Files.make(executions, uploads),
    endpoints: Endpoints.make(ids),
    apiKeys: ApiKeys.make(ids, options.apiKeys),
    faults: makeFaults(options),
    log: RequestLog.make(capacity),
    deliveries: RingBuffer.make(capacity),
    webhookSecret: options.webhooks?.secret ?? ids.webhookSecret()
  }
}

/**
 * Returns a function that finds the model of a slug. Throws a `RangeError` if the cost of a model is not a decimal
 * string.
 */
const makeModels = (options: Options): ((slug: string) => Model) => {
  const bySlug = new Map(Object.entries({ ...models, ...options.models }))
  const fallback = options.defaultModel ?? defaultModel
  for (const { cost } of [fallback, ...bySlug.values()]) {
    Money.parse(cost)
  }
  return (slug) => bySlug.get(slug) ?? fallback
}

const makeWebhooks = (
  options: Options,
  state: State,
  client: () => HttpClient.HttpClient,
  scope: Scope.Scope
): Webhooks.Webhooks => {
  const { deliveries, endpoints, executions, ids, scheduledEvents, skew, webhookSecret } = state
  const { deliveryFault = () => "deliver", payload = "full" } = options.webhooks ?? {}
  return Webhooks.make({
    executions,
    scheduledEvents,
    endpoints,
    ids,
    delivery: { client, log: deliveries, deliveryFault, skew },
    style: { shape: payload, skew, organization: ids.organization },
    secret: webhookSecret,
    scope
  })
}

const makeApi = (
  options: Options,
  state: State,
  errorResponses: ErrorResponses.ErrorResponses,
  storageBase: (request: RequestHead) => string,
  { sendTest }: Webhooks.Webhooks
): ApiHandlers => {
  const { apiKeys, endpoints, executions, files, seed, skew, uploads } = state
  return {
    ...ExecutionApi.make({ executions, files, errorResponses, model: makeModels(options), skew }),
    ...FileApi.make({
      files,
      uploads,
      errorResponses,
      seed,
      skew,
      download: options.download ?? "json",
      confirm: options.confirm ?? "needed",
      storageBase
    }),
    ...WebhookApi.make({
      endpoints,
      errorResponses,
      style: { shape: options.webhooks?.endpointShape ?? "long", skew },
      sendTest
    }),
    ...ApiKeyApi.make(apiKeys, errorResponses, skew)
  }
}

/** Returns the limiter of a rate limit. Throws a `RangeError` if `limit` or `window` is invalid. */
const makeLimiter = ({ kind = "fixed", limit, offset = 0, window }: RateLimit): RateLimiter.RateLimiter => {
  const windowMillis = Duration.toMillis(window)
  if (!Number.isInteger(limit) || limit < 1) {
    throw new RangeError(`rateLimit.limit is ${limit}. Use a whole number above 0, or "rateLimit: false" for no limit`)
  }
  if (!(windowMillis > 0 && windowMillis < Infinity)) {
    throw new RangeError("rateLimit.window must be a finite duration above 0")
  }
  switch (kind) {
    case "fixed":
      return RateLimiter.fixedWindow(limit, windowMillis, Duration.toMillis(offset))
    case "sliding":
      return RateLimiter.slidingWindow(limit, windowMillis)
    case "bucket":
      return RateLimiter.tokenBucket(limit, windowMillis)
  }
}

const makeServer = (options: Options, state: State, webhooks: Webhooks.Webhooks): Server.Server => {
  const { apiKeys, faults, files, ids, log, seed, skew, uploads } = state
  const errorResponses = ErrorResponses.make(ids)
  const storageBase = (request: RequestHead) => options.storageOrigin ?? request.storage
  const maxUpload = options.maxUpload ?? defaultMaxUploadBytes
  const rateLimit = options.rateLimit ?? { limit: 60, window: "60 seconds" }
  return Server.make({
    api: makeApi(options, state, errorResponses, storageBase, webhooks),
    faults,
    ids,
    errorResponses,
    webhooks,
    storage: Storage.make({ files, uploads, seed, skew, ranges: options.ranges ?? true, maxUpload }),
    log,
    limiter: rateLimit === false ? RateLimiter.unlimited : makeLimiter(rateLimit),
    roundReset: rateLimit !== false && rateLimit.rounding === "down" ? Math.floor : Math.ceil,
    isAuthorized: apiKeys.isAuthorized,
    date: options.date ?? true,
    retryAfter: options.retryAfter ?? false,
    skew,
    storageBase,
    maxUpload,
    onRequest: options.onRequest ?? (() => Effect.void)
  })
}

/**
 * Returns a client for deliveries, which does not follow redirects and creates no spans. Sets `RequestInit`, because a
 * delivery would otherwise inherit the `RequestInit` of the API request that caused the delivery.
 */
const toDeliveryClient = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  client.pipe(
    HttpClient.transformResponse(Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })),
    HttpClient.withTracerDisabledWhen(() => true)
  )

/**
 * Builds a simulator. Sends deliveries with `fetch` unless the option `webhooks.client` is set. Interrupts the
 * deliveries when `scope` closes. Throws a `RangeError` if an amount is not a decimal string or the rate limit is
 * invalid.
 *
 * @internal
 */
export const unsafeMake = (options: Options, fetch: HttpClient.HttpClient, scope: Scope.Scope): Service => {
  const state = makeState(options)
  const { account, apiKeys, deliveries, executions, faults, log, uploads, webhookSecret } = state
  let client = toDeliveryClient(options.webhooks?.client ?? fetch)
  const webhooks = makeWebhooks(options, state, () => client, scope)
  const { handle, uploadLimit } = makeServer(options, state, webhooks)

  const afterSettling = <A>(f: (now: number) => A): Effect.Effect<A> =>
    Effect.map(monotonic.now, (now) => {
      executions.settle(now)
      return f(now)
    })

  return {
    ledger: afterSettling((now) => Ledger.make(executions, account, now)),
    requests: Effect.sync(log.all),
    balance: afterSettling(account.balance),
    files: Effect.sync(() => Array.from(uploads.all(), FileRecord.make)),
    fileBytes: (id) => Effect.sync(() => Option.fromNullable(uploads.get(id)?.content?.read())),
    apiKeys: Effect.sync(() => apiKeys.all().map(ApiKeyRecord.make)),
    deliveries: Effect.sync(deliveries.all),
    webhookSecret: Redacted.make(webhookSecret),
    deliverTo: (app) =>
      Effect.map(Receiver.make(app), (receiver) => {
        client = toDeliveryClient(receiver)
      }),
    inject: (...more) => Effect.sync(() => faults.append(more)),
    pendingFaults: Effect.sync(faults.pending),
    topUp: (amount) => Effect.sync(() => account.topUp(Money.parse(amount))),
    handle,
    uploadLimit
  }
}
