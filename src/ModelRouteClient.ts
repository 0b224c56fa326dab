/**
 * The client: ModelRoute as an Effect service.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Function from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import type * as ApiKey from "./ApiKey.js"
import * as Execution from "./Execution.js"
import type * as File from "./File.js"
import * as IdempotencyKey from "./IdempotencyKey.js"
import type { Sender } from "./internal/http/retryLoop.js"
import { Alarm } from "./internal/http/sharedTimer.js"
import * as apiKeys from "./internal/apiKeys.js"
import { countSend } from "./internal/http/attemptInterceptor.js"
import * as executions from "./internal/executions/methods.js"
import * as files from "./internal/files/methods.js"
import { request } from "./internal/http/rawRequest.js"
import * as settings from "./internal/http/clientOptions.js"
import * as TimeLimit from "./internal/http/attemptTimeout.js"
import { propagated, safely } from "./internal/telemetry.js"
import { storageClient, withoutRedirects } from "./internal/http/transports.js"
import * as webhookEndpoints from "./internal/webhooks/endpoints.js"
import * as ModelRouteError from "./ModelRouteError.js"
import type {
  AwaitFailure,
  AwaitTimeout,
  InvalidRequest,
  RequestFailure,
  ResultFailure,
  UploadFailure
} from "./ModelRouteError.js"
import * as RateLimitGate from "./RateLimitGate.js"
import * as RetryPolicy from "./RetryPolicy.js"
import type * as WebhookEndpoint from "./WebhookEndpoint.js"

/**
 * What a client is made of: only the API key has no default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Sent as a bearer token, and to no host but the API's. Refused when empty or with white space in it. */
  readonly apiKey: Redacted.Redacted
  /** Default `https://api.modelroute.ai`. */
  readonly baseUrl?: string | undefined
  /** When a failed request is sent again. Default `RetryPolicy.standard`. */
  readonly retry?: RetryPolicy.RetryPolicy | undefined
  /**
   * Which errors are retried, whatever the schedule in `retry` or `RetryPolicy.withPolicy`: the schedule decides when and how often.
   * Without an idempotency key a write is retried only if it was certainly not executed. Default `ModelRouteError.isRetryable`.
   */
  readonly retryWhile?: ((error: ModelRouteError.ModelRouteError) => boolean) | undefined
  /** When to look at executions that are waited for. Default `Execution.pollSchedule`; with webhooks `Webhook.pollSchedule`. */
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  /** The time limit of each attempt, its answer's body included. Default 30 seconds. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /**
   * Applied last to the client that talks to the API: logging, a further header, a proxy. It can see the API key. Repeating what
   * fails is for `retry`, which knows what may be sent twice; neither this nor the `HttpClient` in the context should do so.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
  /** Whether the trace goes on at the API (`traceparent` and `b3` headers). Default false: it is a third party. */
  readonly propagateTraceContext?: boolean | undefined
}

/**
 * Options of a create.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateOptions {
  /** In place of a key from the service: to take up a create whose outcome is not known. */
  readonly idempotencyKey?: string | undefined
}

/**
 * How long and how often to look at an execution.
 *
 * @since 0.1.0
 * @category models
 */
export interface WatchOptions {
  /**
   * How long to wait at most. Default: until 30 seconds after the execution's `expiresAt` (at most 24 hours), without one 10
   * minutes.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * When to look; fed with the execution as last seen. Default: the client's own. Where the rate limit is nearly used
   * up the intervals are at least twice as long; what another fiber has seen of the same execution meanwhile counts as a look.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  /**
   * Whether the first look comes at once, not after the schedule's first delay: for an execution that may have ended meanwhile, as
   * after a restart. Default false.
   */
  readonly lookFirst?: boolean | undefined
}

/**
 * Options of a wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface AwaitOptions extends WatchOptions {
  /**
   * Whether to cancel the execution when the waiting fiber is interrupted, which takes at most 10 seconds; a cancel that the
   * rate limit holds up goes on for at most 5 minutes. `timeout` cancels nothing. Default false.
   */
  readonly cancelOnInterrupt?: boolean | undefined
}

/**
 * Options of a create and of the wait for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions<E = never> extends CreateOptions, AwaitOptions {
  /**
   * Run once the create is accepted, with the execution as its answer shows it, before the wait for it begins: to write its id
   * down. If it fails, `run` fails with that; the execution goes on. Default: nothing.
   */
  readonly onAccepted?: ((execution: Execution.Execution) => Effect.Effect<void, E>) | undefined
}

/**
 * The methods on executions. None has a requirement; each lists its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Executions {
  /**
   * Submits an execution, under one idempotency key and with the same bytes on every attempt. API page "Creating
   * executions".
   */
  readonly create: (
    request: Execution.CreateRequest,
    options?: CreateOptions
  ) => Effect.Effect<Execution.Execution, RequestFailure>
  /** The execution as it is now. API page "Polling". */
  readonly get: (id: Execution.ExecutionId) => Effect.Effect<Execution.Execution, RequestFailure>
  /**
   * Returns the result of an execution that has ended, without waiting. Fails with `ExecutionNotReady` if it has not ended or the
   * API has no output yet, and with the tagged error of its code if it is FAILED.
   */
  readonly result: (id: Execution.ExecutionId) => Effect.Effect<Execution.Completed, ResultFailure>
  /** Cancels an execution and gives it as it then is; one that has ended already is no failure. */
  readonly cancel: (id: Execution.ExecutionId) => Effect.Effect<Execution.Execution, RequestFailure>
  /**
   * Takes note of an execution as something other than a request has shown it, and wakes whoever waits for it in this client.
   * `Webhook.awaiter` calls it with what webhooks bring.
   */
  readonly observe: (execution: Execution.Execution) => Effect.Effect<void>
  /** One element per change of status, the terminal one last: a FAILED execution is an element, not a failure. */
  readonly watch: (
    id: Execution.ExecutionId,
    options?: WatchOptions
  ) => Stream.Stream<Execution.Execution, RequestFailure | AwaitTimeout>
  /**
   * Waits until the execution has ended. Looks first after 2 seconds, then at growing intervals of up to 15 seconds. A look
   * that fails with what may pass is not the end of the wait. A FAILED execution fails with the tagged error of its code.
   */
  readonly await: (
    id: Execution.ExecutionId,
    options?: AwaitOptions
  ) => Effect.Effect<Execution.Completed, AwaitFailure>
  /** Submits and waits: `create` and `await` in one. */
  readonly run: <E = never>(
    request: Execution.CreateRequest,
    options?: RunOptions<E>
  ) => Effect.Effect<Execution.Completed, AwaitFailure | E>
}

/**
 * Options of an upload (API page "Uploading files").
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadOptions {
  /** `INPUT` (default): for executions; `UPLOAD`: for storage. */
  readonly purpose?: "INPUT" | "UPLOAD" | (string & {}) | undefined
  /** Where it is stored. Default: the API's own, `US`. */
  readonly region?: "US" | "EU" | "APAC" | (string & {}) | undefined
  /** How many days it is kept, 1 to 365. Default: what the organization has set. */
  readonly ttlDays?: number | undefined
  /**
   * Uploads as the older edition of the API wants it: `contentType` is declared and has to be the file's own; `filename` is by
   * default the source's name. `purpose`, `region` and `ttlDays` are not sent then.
   */
  readonly older?: { readonly contentType: string; readonly filename?: string | undefined } | undefined
  /**
   * Whether the upload is confirmed in the end. Default `true`, with `older` `false`. `"ifThere"`: an API without that endpoint
   * (404, 405) is no failure.
   */
  readonly confirm?: boolean | "ifThere" | undefined
  /** Bytes; a larger source is refused before anything is sent. Default 150 MiB (157,286,400), the API's own limit. */
  readonly maxSize?: number | undefined
  /** Run with each chunk that the transport has taken, last with all of them; the transport waits for it. */
  readonly onProgress?: ((progress: File.Progress) => Effect.Effect<void>) | undefined
}

/**
 * The methods on files. None has a requirement; each lists its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Files {
  /**
   * Uploads a file: asks for a URL, puts the bytes there, confirms. The bytes are streamed with their length announced; storage
   * gets no header of ours. A URL that has expired is asked for once more; other refusals of the storage are an
   * `UnexpectedResponse`. The bytes as a whole have no time limit, but whenever the storage takes none of them for the time of
   * an attempt, that attempt fails. `FileTooLarge` comes before anything is sent, a failure of the source as it is. API page
   * "Uploading files".
   */
  readonly upload: <E = never>(
    source: File.Source<E>,
    options?: UploadOptions
  ) => Effect.Effect<File.FileId, UploadFailure | E>
  /**
   * The same as a stream: how far the upload is, and last of all the file's id. A consumer that is slow misses steps and does not
   * hold the upload up; one that stops ends it.
   */
  readonly uploadProgress: <E = never>(
    source: File.Source<E>,
    options?: UploadOptions
  ) => Stream.Stream<File.Upload, UploadFailure | E>
  /**
   * The bytes of a file, whichever way the API hands them out. The API key is never sent to the storage host. Each chunk has
   * the time limit of an attempt. What breaks off goes on where it stopped, as the retry policy says, by a `Range` request where
   * the storage allows it. API page "Downloading files"; `File.toPath` writes them to a file.
   */
  readonly download: (id: File.FileId) => Stream.Stream<Uint8Array, RequestFailure>
  /** A link to a file for a limited time, for someone without an API key. */
  readonly url: (id: File.FileId) => Effect.Effect<File.DownloadLink, RequestFailure>
}

/**
 * The methods on the endpoints that the API delivers webhooks to. They need an API key with full access. None has a
 * requirement; each lists its failures. To receive what they deliver: module `Webhook`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Webhooks {
  /**
   * Registers an endpoint. The answer alone has the secret that signs its deliveries. Never sent again after a failure that
   * leaves open whether it was carried out: `list` tells. API page "Webhook setup".
   */
  readonly create: (request: WebhookEndpoint.CreateRequest) => Effect.Effect<WebhookEndpoint.Registered, RequestFailure>
  /** All endpoints, without their secrets. */
  readonly list: Effect.Effect<ReadonlyArray<WebhookEndpoint.Endpoint>, RequestFailure>
  /** Changes what is given, and gives the endpoint as it then is. */
  readonly update: (
    id: WebhookEndpoint.EndpointId,
    changes: WebhookEndpoint.Changes
  ) => Effect.Effect<WebhookEndpoint.Endpoint, RequestFailure>
  /** Removes an endpoint; one that a repeated request finds gone is no failure. */
  readonly remove: (id: WebhookEndpoint.EndpointId) => Effect.Effect<void, RequestFailure>
  /** Has a test event delivered to an endpoint. Gives the answer's JSON as it is, since no page tells its shape. */
  readonly test: (id: WebhookEndpoint.EndpointId) => Effect.Effect<unknown, RequestFailure>
}

/**
 * The methods on API keys. They need an API key with full access. None has a requirement; each lists its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiKeys {
  /**
   * Makes a new key in place of one, which keeps working for 1 hour; also of the client's own, which goes on with the old one.
   * Never sent again after a failure that leaves open whether it was carried out: a second rotation would make a second key.
   * API page "Authentication".
   */
  readonly rotate: (id: ApiKey.KeyId) => Effect.Effect<ApiKey.Rotated, RequestFailure>
}

/**
 * All of the client: executions, files, webhook endpoints, API keys, and a way to every other endpoint.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly executions: Executions
  readonly files: Files
  readonly webhooks: Webhooks
  readonly apiKeys: ApiKeys
  /** What the client's `RateLimitGate` knows and does now. */
  readonly rateLimit: Effect.Effect<RateLimitGate.Snapshot>
  /**
   * The way to an endpoint that has no method here: the answer's JSON as it is (`undefined` when empty). `path` begins with
   * `/` and may hold a query. Whatever the policy, a POST or PATCH is sent again only after a 429 or when no connection was
   * made, unless `withKey` gives it a key.
   */
  readonly request: (method: HttpMethod, path: string, body?: unknown) => Effect.Effect<unknown, RequestFailure>
}

/**
 * The client in the context: `yield* ModelRouteClient.ModelRouteClient`.
 *
 * @since 0.1.0
 * @category tags
 */
export class ModelRouteClient extends Context.Tag("effect-modelroute/ModelRouteClient")<ModelRouteClient, Service>() {}

const defaultBaseUrl = "https://api.modelroute.ai"

/**
 * A client over whatever `HttpClient` is there, with a `RateLimitGate` of its own unless one is provided. Fails with
 * `InvalidRequest` for an API key or base URL that cannot work.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Service, InvalidRequest, HttpClient.HttpClient | IdempotencyKey.IdempotencyKey> =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const keys = yield* IdempotencyKey.IdempotencyKey
    const given = yield* Effect.serviceOption(RateLimitGate.RateLimitGate)
    const own = Option.isSome(given) ? given.value : yield* RateLimitGate.make
    const gate = Effect.map(
      Effect.serviceOption(RateLimitGate.RateLimitGate),
      Option.getOrElse(() => own)
    )
    yield* settings.check(options)
    const apiKey = yield* settings.apiKey(options.apiKey)
    const baseUrl = yield* settings.baseUrl(options.baseUrl ?? defaultBaseUrl)
    const duration = yield* settings.attemptTimeout(options.attemptTimeout ?? "30 seconds")
    if (settings.isUnencrypted(baseUrl)) {
      yield* safely(Effect.logWarning(`The API key is sent in clear text to ${baseUrl}: use an https URL`))
    }
    const alarm = new Alarm()
    const sender: Sender = {
      client: withoutRedirects(http).pipe(
        HttpClient.mapRequest(HttpClientRequest.prependUrl(baseUrl)),
        HttpClient.mapRequest(HttpClientRequest.bearerToken(apiKey)),
        options.propagateTraceContext === true ? HttpClient.mapRequestEffect(propagated) : Function.identity,
        // Below it, each time that it sends a request is counted.
        options.transformClient === undefined
          ? Function.identity
          : Function.flow(
              HttpClient.transform((effect) => Effect.zipRight(countSend, effect)),
              options.transformClient
            ),
        // The span of the operation says it all; outermost, so that `transformClient` can switch it on again.
        HttpClient.withTracerDisabledWhen(() => true)
      ),
      baseUrl,
      passage: Effect.map(gate, ({ passage }) => passage),
      policy: options.retry ?? RetryPolicy.standard,
      retryWhile: options.retryWhile ?? ModelRouteError.isRetryable,
      secrets: [Redacted.value(apiKey)],
      limits: { duration, within: TimeLimit.make(alarm, Duration.toMillis(duration)) },
      alarm
    }
    return ModelRouteClient.of({
      executions: executions.make(sender, keys, options.pollSchedule ?? Execution.pollSchedule),
      files: files.make(sender, storageClient(http)),
      webhooks: webhookEndpoints.make(sender),
      apiKeys: apiKeys.make(sender),
      rateLimit: Effect.flatMap(gate, ({ snapshot }) => snapshot),
      request: request(sender)
    })
  })

/**
 * The client as a layer. It is built anew at each call of `layer`, so keep it in a constant. Fails with `InvalidRequest` for
 * an API key or base URL that cannot work.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<ModelRouteClient, InvalidRequest, HttpClient.HttpClient | IdempotencyKey.IdempotencyKey> =>
  Layer.effect(ModelRouteClient, make(options))

const config: Config.Config<Pick<Options, "apiKey" | "baseUrl">> = Config.all({
  apiKey: Config.redacted("MODELROUTE_API_KEY"),
  baseUrl: Config.option(Config.nonEmptyString("MODELROUTE_BASE_URL"))
}).pipe(Config.map(({ apiKey, baseUrl }) => ({ apiKey, baseUrl: Option.getOrUndefined(baseUrl) })))

const variables: { readonly [field: string]: string } = {
  apiKey: "MODELROUTE_API_KEY",
  baseUrl: "MODELROUTE_BASE_URL"
}

const variablesSet = Effect.mapError(config, (error) =>
  ConfigError.isMissingData(error) && error.path.includes("MODELROUTE_API_KEY")
    ? ConfigError.MissingData(error.path, "Set it to your API key, as the dashboard shows it.")
    : error
)

/**
 * The client with `MODELROUTE_API_KEY` and, where it is set, `MODELROUTE_BASE_URL` from the configuration (by default the
 * environment). Fails with a `ConfigError` that names the variable where one is missing or cannot work.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Omit<Options, "apiKey"> = {}
): Layer.Layer<ModelRouteClient, ConfigError.ConfigError, HttpClient.HttpClient | IdempotencyKey.IdempotencyKey> =>
  Layer.effect(
    ModelRouteClient,
    Effect.flatMap(variablesSet, ({ apiKey, baseUrl }) =>
      Effect.mapError(make({ ...options, apiKey, baseUrl: baseUrl ?? options.baseUrl }), (error) =>
        ConfigError.InvalidData([variables[error.field] ?? error.field], error.message)
      )
    )
  )
