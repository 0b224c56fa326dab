/**
 * The simulator, put together from its parts.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as monotonic from "../data/monotonic.js"
import type { Balance } from "./executions/account.js"
import * as Account from "./executions/account.js"
import type { Head } from "./http/response.js"
import type { ApiKeyRecord } from "./apiKeys/apiKeyRecord.js"
import * as ApiKeyRecordOf from "./apiKeys/apiKeyRecord.js"
import * as ApiKeys from "./apiKeys/apiKeys.js"
import * as Bounded from "./ringBuffer.js"
import type { DeliveryRecord } from "./webhooks/deliveryRecord.js"
import * as Endpoints from "./webhooks/endpoints.js"
import * as ExecutionApi from "./executions/api.js"
import type { Execution } from "./executions/executions.js"
import * as Executions from "./executions/executions.js"
import * as Fault from "./faults/fault.js"
import * as Faults from "./faults/faults.js"
import * as FileApi from "./files/api.js"
import type { FileRecord } from "./files/fileRecord.js"
import * as FileRecordOf from "./files/fileRecord.js"
import * as Files from "./files/files.js"
import * as Ids from "./ids.js"
import * as KeyApi from "./apiKeys/api.js"
import type { Ledger } from "./executions/ledger.js"
import * as LedgerOf from "./executions/ledger.js"
import { defaultModel, models } from "./executions/model.js"
import * as Money from "./executions/money.js"
import type { Options, RateLimit } from "./options.js"
import * as RateLimiter from "./http/rateLimiter.js"
import * as Receiver from "./webhooks/receiver.js"
import * as Refusals from "./http/errorResponses.js"
import type { RequestRecord } from "./http/requestLog.js"
import * as RequestLog from "./http/requestLog.js"
import type { Handler } from "./http/server.js"
import * as Server from "./http/server.js"
import * as Storage from "./files/storage.js"
import { signedMillis } from "./time.js"
import * as Upcoming from "./executions/scheduledEvents.js"
import * as Uploads from "./files/uploads.js"
import * as WebhookApi from "./webhooks/api.js"
import * as Webhooks from "./webhooks/webhooks.js"

/**
 * The server, seen from the other side than its clients.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly ledger: Effect.Effect<Ledger>
  /** In the order in which they came in. */
  readonly requests: Effect.Effect<ReadonlyArray<RequestRecord>>
  readonly balance: Effect.Effect<Balance>
  /** The files that clients have begun to upload, in that order. */
  readonly files: Effect.Effect<ReadonlyArray<FileRecord>>
  /** The bytes of an uploaded file, as they are kept; none before they have arrived. */
  readonly fileBytes: (id: string) => Effect.Effect<Option.Option<Uint8Array>>
  /** In the order in which they were made. */
  readonly apiKeys: Effect.Effect<ReadonlyArray<ApiKeyRecord>>
  /** The attempts to deliver events, in the order in which they went out. */
  readonly deliveries: Effect.Effect<ReadonlyArray<DeliveryRecord>>
  /** Signs what goes to an execution's own `webhook_url`. */
  readonly webhookSecret: Redacted.Redacted
  /**
   * From now on hands every delivery to this app, in memory and whatever its URL: in the fiber that delivers, and so on its
   * Clock. For the test of a backend, such as `deliverTo(Webhook.handler({ secrets: simulator.webhookSecret, … }))`.
   */
  readonly deliverTo: <E, R>(app: HttpApp.Default<E, R>) => Effect.Effect<void, never, R>
  /** Appends to the script of faults. */
  readonly inject: (...faults: ReadonlyArray<Fault.Fault>) => Effect.Effect<void>
  /** How many faults of the script have not struck yet. */
  readonly pendingFaults: Effect.Effect<number>
  /** Adds dollars, as a decimal string; anything else is a defect. */
  readonly topUp: (amount: string) => Effect.Effect<void>
  /** @internal One exchange as plain data. */
  readonly handle: Handler["handle"]
  /** @internal */
  readonly uploadLimit: Handler["uploadLimit"]
}

const limiterOf = ({ kind = "fixed", limit, offset = 0, window }: RateLimit): RateLimiter.RateLimiter => {
  const length = Duration.toMillis(window)
  switch (kind) {
    case "fixed":
      return RateLimiter.fixedWindow(limit, length, Duration.toMillis(offset))
    case "sliding":
      return RateLimiter.slidingWindow(limit, length)
    case "bucket":
      return RateLimiter.tokenBucket(limit, length)
  }
}

/** A redirect is no success, and whatever the client of the API has set for its own requests does not travel along. */
const deliveryClient = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  client.pipe(
    HttpClient.transformResponse(Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })),
    HttpClient.withTracerDisabledWhen(() => true)
  )

/** @internal `fetch` carries the deliveries of events unless the options say otherwise; they end with the scope. */
export const unsafeMake = (options: Options, fetch: HttpClient.HttpClient, scope: Scope.Scope): Service => {
  const seed = options.seed ?? 1
  const skew = signedMillis(options.clockSkew ?? 0)
  const ids = Ids.make(seed)
  const account = Account.make(Money.parse(options.balance ?? "100.00"))
  const upcoming = Upcoming.make<Execution>()
  const executions = Executions.make({
    upcoming,
    account,
    ids,
    expiresAfter: Duration.toMillis(options.expiresAfter ?? "5 minutes"),
    keyTtl: Duration.toMillis(options.keyTtl ?? "24 hours")
  })
  const known = new Map(Object.entries({ ...models, ...options.models }))
  const otherwise = options.defaultModel ?? defaultModel
  for (const { cost } of [otherwise, ...known.values()]) {
    Money.parse(cost)
  }
  const storageBase = (request: Head) => options.storageOrigin ?? request.storage
  const { randomFaults } = options
  const chance = randomFaults && { ...randomFaults, faults: randomFaults.faults ?? Fault.transient }
  const faults = Faults.make(chance)
  faults.append(options.faults ?? [])
  const capacity = options.recordRequests ?? 10_000
  const log = RequestLog.make(capacity)
  const rateLimit = options.rateLimit ?? { limit: 60, window: "60 seconds" }
  const refusals = Refusals.make(ids)
  const apiKeys = ApiKeys.make(ids, options.apiKeys)
  const uploads = Uploads.make(ids, options.confirm !== "absent")
  const files = Files.make(executions, uploads)
  const endpoints = Endpoints.make(ids)
  const {
    client = fetch,
    deliveryFault: disturb = () => "deliver",
    endpointShape = "long",
    payload = "full"
  } = options.webhooks ?? {}
  const webhookSecret = options.webhooks?.secret ?? ids.webhookSecret()
  const deliveries = Bounded.make<DeliveryRecord>(capacity)
  let carrier = deliveryClient(client)
  const webhooks = Webhooks.make({
    executions,
    upcoming,
    endpoints,
    ids,
    courier: { client: () => carrier, log: deliveries, disturb, skew },
    style: { shape: payload, skew, organization: ids.organization },
    secret: webhookSecret,
    scope
  })
  const maxUpload = options.maxUpload ?? 157_286_400
  const { handle, uploadLimit } = Server.make({
    api: {
      ...ExecutionApi.make({
        executions,
        files,
        refusals,
        model: (slug) => known.get(slug) ?? otherwise,
        skew
      }),
      ...FileApi.make({
        files,
        uploads,
        refusals,
        seed,
        skew,
        download: options.download ?? "json",
        confirm: options.confirm ?? "needed",
        storageBase
      }),
      ...WebhookApi.make({
        endpoints,
        refusals,
        style: { shape: endpointShape, skew },
        test: webhooks.test
      }),
      ...KeyApi.make(apiKeys, refusals, skew)
    },
    faults,
    ids,
    refusals,
    webhooks,
    storage: Storage.make({ files, uploads, seed, skew, ranges: options.ranges ?? true, maxUpload }),
    log,
    limiter: rateLimit === false ? RateLimiter.unlimited : limiterOf(rateLimit),
    roundReset: rateLimit !== false && rateLimit.rounding === "down" ? Math.floor : Math.ceil,
    authorized: apiKeys.lets,
    date: options.date ?? true,
    retryAfter: options.retryAfter ?? false,
    skew,
    storageBase,
    maxUpload,
    onRequest: options.onRequest ?? (() => Effect.void)
  })

  const settled = <A>(f: (now: number) => A): Effect.Effect<A> =>
    Effect.map(monotonic.now, (now) => {
      executions.settle(now)
      return f(now)
    })

  return {
    ledger: settled((now) => LedgerOf.make(executions, account, now)),
    requests: Effect.sync(log.all),
    balance: settled(account.balance),
    files: Effect.sync(() => Array.from(uploads.all(), FileRecordOf.make)),
    fileBytes: (id) => Effect.sync(() => Option.fromNullable(uploads.get(id)?.content?.read())),
    apiKeys: Effect.sync(() => apiKeys.all().map(ApiKeyRecordOf.make)),
    deliveries: Effect.sync(deliveries.all),
    webhookSecret: Redacted.make(webhookSecret),
    deliverTo: (app) =>
      Effect.map(Receiver.make(app), (receiver) => {
        carrier = deliveryClient(receiver)
      }),
    inject: (...more) => Effect.sync(() => faults.append(more)),
    pendingFaults: Effect.sync(faults.pending),
    topUp: (amount) => Effect.sync(() => account.topUp(Money.parse(amount))),
    handle,
    uploadLimit
  }
}
