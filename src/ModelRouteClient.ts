/**
 * The client: the ModelRoute API as an Effect service.
 *
 * Each operation has one span, such as `modelroute.executions.run`. Its attributes include the attempts, the outcome and
 * the id of the execution. Each wait has a span event, a metric and a log line. The level is Debug, or Info for a retry
 * after 5 seconds or more. The gate logs one line when the limit is used up and one when it has reset.
 *
 * The API key, webhook secrets, the query of presigned URLs and the texts of a request never appear in errors, logs,
 * spans or metrics. The API key is sent to the API only.
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
import * as Execution from "./Execution.js"
import * as IdempotencyKey from "./IdempotencyKey.js"
import * as ModelRouteError from "./ModelRouteError.js"
import type { InvalidRequest, RequestFailure } from "./ModelRouteError.js"
import * as RateLimitGate from "./RateLimitGate.js"
import * as RetryPolicy from "./RetryPolicy.js"
import * as apiKeys from "./internal/apiKeys/methods.js"
import type { ApiKeys } from "./internal/apiKeys/methods.js"
import * as executions from "./internal/executions/methods.js"
import type { Executions } from "./internal/executions/types.js"
import * as files from "./internal/files/methods.js"
import type { Files } from "./internal/files/types.js"
import { reportTransportSend } from "./internal/http/attemptInterceptor.js"
import { makeAttemptTimeout } from "./internal/http/attemptTimeout.js"
import * as clientOptions from "./internal/http/clientOptions.js"
import { makeRequestMethod } from "./internal/http/rawRequest.js"
import type { RequestSender } from "./internal/http/requestSender.js"
import { SharedTimer } from "./internal/http/sharedTimer.js"
import { storageClient, withoutRedirects } from "./internal/http/transports.js"
import { addTraceHeaders, runSafely } from "./internal/telemetry.js"
import type { WebhookEndpoints } from "./internal/webhooks/endpointTypes.js"
import * as webhookEndpoints from "./internal/webhooks/endpoints.js"

/**
 * Options of a client. Only the API key has no default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** API key. Sent as a bearer token to the API only. Rejected if it is empty or contains white space. API page "Authentication". */
  readonly apiKey: Redacted.Redacted
  /** Base URL of the API. Default: `https://api.modelroute.ai`. */
  readonly baseUrl?: string | undefined
  /** Decides when and how often a failed request is retried. Default: `RetryPolicy.standard`. */
  readonly retry?: RetryPolicy.RetryPolicy | undefined
  /**
   * Decides which errors may be retried, whatever the schedule of `retry` or `RetryPolicy.withPolicy`. Without an idempotency key a
   * write is retried only if it was certainly not executed. Default: `ModelRouteError.isRetryable`.
   */
  readonly retryWhile?: ((error: ModelRouteError.ModelRouteError) => boolean) | undefined
  /**
   * Delays between the polls of a wait for an execution. Use `Webhook.pollSchedule` if webhooks end the waits. Default:
   * `Execution.pollSchedule`.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  /** Time limit of each attempt, including the response body. Default: 30 seconds. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /**
   * Transforms the HTTP client for the API, for example to log requests or to add a header or a proxy. It is applied last and can
   * read the API key. It must not retry requests, and neither must the `HttpClient` in the context. `retry` alone decides what may be
   * sent twice. Default: no transformation.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
  /** Sends the trace headers `traceparent` and `b3` to the API, which is a third party. Default: `false`. */
  readonly propagateTraceContext?: boolean | undefined
}

export type { ApiKeys } from "./internal/apiKeys/methods.js"
export type { AwaitOptions, CreateOptions, Executions, RunOptions, WatchOptions } from "./internal/executions/types.js"
export type { Files, UploadOptions } from "./internal/files/types.js"
export type { WebhookEndpoints } from "./internal/webhooks/endpointTypes.js"

/**
 * The methods of a client. No method requires a service. All failures are in its type. Interruption ends a request or
 * a wait immediately. `cancelOnInterrupt` can delay it by up to 10 seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Methods on executions. */
  readonly executions: Executions
  /** Methods on files. */
  readonly files: Files
  /** Methods on webhook endpoints. */
  readonly webhookEndpoints: WebhookEndpoints
  /** Methods on API keys. */
  readonly apiKeys: ApiKeys
  /**
   * Returns the current state of the client's rate limit gate.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const client = yield* ModelRouteClient.ModelRouteClient
   *   const { limit, remaining } = yield* client.rateLimit
   *   yield* Effect.log(`${remaining} of ${limit} requests remain`)
   * })
   * ```
   */
  readonly rateLimit: Effect.Effect<RateLimitGate.Snapshot>
  /**
   * Sends a request to an endpoint that has no method, and returns the JSON of the response, or `undefined` if the body is empty.
   * `path` begins with `/` and may contain a query. Without a key from `IdempotencyKey.withKey`, a POST or PATCH is retried only if it
   * was certainly not executed. Fails with `InvalidRequest` for a method, path or body that cannot be sent.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const client = yield* ModelRouteClient.ModelRouteClient
   *   return yield* client.request("GET", "/models?limit=10")
   * })
   * ```
   */
  readonly request: (method: HttpMethod, path: string, body?: unknown) => Effect.Effect<unknown, RequestFailure>
}

/**
 * The tag of the client.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Execution, ModelRouteClient } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const client = yield* ModelRouteClient.ModelRouteClient
 *   return yield* client.executions.get(Execution.ExecutionId.make("exec_1"))
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class ModelRouteClient extends Context.Tag("effect-modelroute/ModelRouteClient")<ModelRouteClient, Service>() {}

const defaultBaseUrl = "https://api.modelroute.ai"

/**
 * Creates a client over the `HttpClient` in the context. `FetchHttpClient.layer` works on every platform.
 * `NodeHttpClient.layerUndici` from `@effect/platform-node` works on Node. The client has its own rate limit gate unless a `RateLimitGate` is provided.
 * Fails with `InvalidRequest` if an option is not valid.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Effect, Layer, Redacted } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const client = yield* ModelRouteClient.make({ apiKey: Redacted.make("my-api-key") })
 *   return yield* client.executions.run({ model: "flux-1.1-pro", input: { prompt: "a lighthouse" } })
 * }).pipe(Effect.provide(Layer.merge(FetchHttpClient.layer, IdempotencyKey.layer)))
 * ```
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
    const provided = yield* Effect.serviceOption(RateLimitGate.RateLimitGate)
    const clientGate = Option.isSome(provided) ? provided.value : yield* RateLimitGate.make
    const gate = Effect.map(
      Effect.serviceOption(RateLimitGate.RateLimitGate),
      Option.getOrElse(() => clientGate)
    )
    yield* clientOptions.checkOptions(options)
    const apiKey = yield* clientOptions.checkApiKey(options.apiKey)
    const baseUrl = yield* clientOptions.normalizeBaseUrl(options.baseUrl ?? defaultBaseUrl)
    const duration = yield* clientOptions.checkAttemptTimeout(options.attemptTimeout ?? "30 seconds")
    if (clientOptions.isUnencrypted(baseUrl)) {
      yield* runSafely(Effect.logWarning(`The API key is sent in clear text to ${baseUrl}: use an https URL`))
    }
    const timer = new SharedTimer()
    const sender: RequestSender = {
      client: withoutRedirects(http).pipe(
        HttpClient.mapRequest(HttpClientRequest.prependUrl(baseUrl)),
        HttpClient.mapRequest(HttpClientRequest.bearerToken(apiKey)),
        options.propagateTraceContext === true ? HttpClient.mapRequestEffect(addTraceHeaders) : Function.identity,
        // The transformed client can send a request several times. Each of them is reported.
        options.transformClient === undefined
          ? Function.identity
          : Function.flow(
              HttpClient.transform((effect) => Effect.zipRight(reportTransportSend, effect)),
              options.transformClient
            ),
        // The operation has a span already. Outermost, so that `transformClient` can enable the tracer again.
        HttpClient.withTracerDisabledWhen(() => true)
      ),
      baseUrl,
      admission: Effect.map(gate, ({ admission }) => admission),
      policy: options.retry ?? RetryPolicy.standard,
      retryWhile: options.retryWhile ?? ModelRouteError.isRetryable,
      secrets: [Redacted.value(apiKey)],
      attemptLimits: { duration, withTimeout: makeAttemptTimeout(timer, Duration.toMillis(duration)) },
      timer
    }
    return ModelRouteClient.of({
      executions: executions.make(sender, keys, options.pollSchedule ?? Execution.pollSchedule),
      files: files.make(sender, storageClient(http)),
      webhookEndpoints: webhookEndpoints.make(sender),
      apiKeys: apiKeys.make(sender),
      rateLimit: Effect.flatMap(gate, ({ snapshot }) => snapshot),
      request: makeRequestMethod(sender)
    })
  })

/**
 * Provides a client. Each call of `layer` creates another client, so keep the layer in a constant. Fails with `InvalidRequest` if an
 * option is not valid.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer, Redacted } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 *
 * export const ModelRouteLive = ModelRouteClient.layer({
 *   apiKey: Redacted.make("my-api-key"),
 *   attemptTimeout: "10 seconds"
 * }).pipe(Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer]))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<ModelRouteClient, InvalidRequest, HttpClient.HttpClient | IdempotencyKey.IdempotencyKey> =>
  Layer.effect(ModelRouteClient, make(options))

const optionsConfig: Config.Config<Pick<Options, "apiKey" | "baseUrl">> = Config.all({
  apiKey: Config.redacted("MODELROUTE_API_KEY"),
  baseUrl: Config.option(Config.nonEmptyString("MODELROUTE_BASE_URL"))
}).pipe(Config.map(({ apiKey, baseUrl }) => ({ apiKey, baseUrl: Option.getOrUndefined(baseUrl) })))

const variableNames: { readonly [field: string]: string } = {
  apiKey: "MODELROUTE_API_KEY",
  baseUrl: "MODELROUTE_BASE_URL"
}

const loadOptions = Effect.mapError(optionsConfig, (error) =>
  ConfigError.isMissingData(error) && error.path.includes("MODELROUTE_API_KEY")
    ? ConfigError.MissingData(error.path, "Set it to your API key from the dashboard.")
    : error
)

/**
 * Provides a client with `MODELROUTE_API_KEY` and the optional `MODELROUTE_BASE_URL` from the configuration, by default from the
 * environment. Fails with a `ConfigError` that names the variable if it is missing or not valid.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 *
 * export const ModelRouteLive = ModelRouteClient.layerConfig().pipe(
 *   Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer])
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Omit<Options, "apiKey"> = {}
): Layer.Layer<ModelRouteClient, ConfigError.ConfigError, HttpClient.HttpClient | IdempotencyKey.IdempotencyKey> =>
  Layer.effect(
    ModelRouteClient,
    Effect.flatMap(loadOptions, ({ apiKey, baseUrl }) =>
      Effect.mapError(make({ ...options, apiKey, baseUrl: baseUrl ?? options.baseUrl }), (error) =>
        ConfigError.InvalidData([variableNames[error.field] ?? error.field], error.message)
      )
    )
  )
