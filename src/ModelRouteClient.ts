/**
 * The client of the ModelRoute API, as an Effect service.
 *
 * Each operation creates one span, such as `modelroute.executions.run`. These attributes follow the semantic conventions
 * of OpenTelemetry:
 *
 * - `gen_ai.provider.name` and `gen_ai.request.model`, if the model is known
 * - `error.type`, if the operation fails. The value is the tag of the error, `interrupted` or `defect`. The value is
 *   `CallerFailure` if an effect of the caller fails.
 * - `http.response.status_code`, if the error contains an HTTP status
 *
 * The other attributes are `modelroute.operation`, `modelroute.attempts`, `modelroute.execution_id`,
 * `modelroute.file_id` and `modelroute.cost_dollars`. Each wait adds a span event `modelroute.wait` and updates the
 * metric `modelroute_wait_seconds`. A wait before a retry or a poll also writes a log line with the same attributes.
 * The log level is Debug, or Info for a retry after 5 seconds or more. The gate writes a log line when the rate limit
 * is exhausted and when the rate limit resets.
 *
 * Errors, logs, spans and metrics never contain API keys, webhook secrets, queries of presigned URLs or request texts.
 * The client sends the API key only to the API.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import type * as ConfigError from "effect/ConfigError"
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
import { withConfig } from "./internal/http/clientConfig.js"
import * as clientOptions from "./internal/http/clientOptions.js"
import { makeRequestMethod } from "./internal/http/rawRequest.js"
import type { RequestSender } from "./internal/http/requestSender.js"
import { SharedTimer } from "./internal/http/sharedTimer.js"
import { attemptFiberOptions, storageClient, withoutRedirects } from "./internal/http/transports.js"
import { addTraceHeaders, runSafely } from "./internal/telemetry.js"
import type { WebhookEndpoints } from "./internal/webhooks/endpointTypes.js"
import * as webhookEndpoints from "./internal/webhooks/endpoints.js"

/**
 * Options of a client. Only `apiKey` is required.
 *
 * | Option                  | Default                         | What it sets                                       |
 * | ----------------------- | ------------------------------- | -------------------------------------------------- |
 * | `apiKey`                | none                            | the API key                                        |
 * | `baseUrl`               | `https://api.modelroute.ai`     | the base URL of the API                            |
 * | `retry`                 | `RetryPolicy.standard`          | the delay and the number of retries                |
 * | `retryWhile`            | `ModelRouteError.isRetryable`   | the errors that may be retried                     |
 * | `pollSchedule`          | `Execution.pollSchedule`        | the delays between polls                           |
 * | `attemptTimeout`        | 30 seconds                      | the timeout of each attempt, including the body    |
 * | `transformClient`       | no transformation               | a transformation of the HTTP client                |
 * | `propagateTraceContext` | `false`                         | whether requests to the API contain trace headers  |
 *
 * `layerConfig` reads `apiKey` from `MODELROUTE_API_KEY` and `baseUrl` from `MODELROUTE_BASE_URL`. The options of one
 * call are in `CreateOptions`, `AwaitOptions`, `RunOptions`, `WatchOptions` and `UploadOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The API key. The client sends the key as a bearer token, and only to the API. The client fails with
   * `InvalidRequest` if the key is empty or contains white space. See the API page "Authentication".
   */
  readonly apiKey: Redacted.Redacted
  /** The base URL of the API. Default: `https://api.modelroute.ai`. */
  readonly baseUrl?: string | undefined
  /** Determines when and how often a failed request is retried. Default: `RetryPolicy.standard`. */
  readonly retry?: RetryPolicy.RetryPolicy | undefined
  /**
   * Selects the errors that may be retried. The predicate also limits policies from `RetryPolicy.withPolicy`. A write
   * without an idempotency key is retried only if the API certainly did not execute the write. Default:
   * `ModelRouteError.isRetryable`.
   */
  readonly retryWhile?: ((error: ModelRouteError.ModelRouteError) => boolean) | undefined
  /**
   * The delays between the polls of an execution. Use `Webhook.pollSchedule` if webhooks end the waits. Default:
   * `Execution.pollSchedule`.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  /** The timeout of each attempt, including the response body. Default: 30 seconds. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /**
   * Transforms the HTTP client that calls the API. For example, a transformation can log requests or add a header. The
   * transformation runs last, so the transformation can read the API key. Default: no transformation.
   *
   * Neither the transformed client nor the `HttpClient` in the context may retry requests. Only the policy in `retry`
   * may send a request again.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
  /** Sends the trace headers `traceparent` and `b3` to the API, which is a third party. Default: `false`. */
  readonly propagateTraceContext?: boolean | undefined
}

export type { ApiKeys } from "./internal/apiKeys/methods.js"
export type {
  AwaitOptions,
  CreateOptions,
  ModelOption,
  RunOptions,
  WatchOptions
} from "./internal/executions/optionTypes.js"
export type { Executions } from "./internal/executions/types.js"
export type { Files, UploadOptions } from "./internal/files/types.js"
export type { WebhookEndpoints } from "./internal/webhooks/endpointTypes.js"

/**
 * The methods of a client. No method requires a service. The type of a method lists all its failures. An interruption
 * immediately ends a request or a wait. The option `cancelOnInterrupt` can delay the interruption by up to 10 seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The methods for executions. */
  readonly executions: Executions
  /** The methods for files. */
  readonly files: Files
  /** The methods for webhook endpoints. */
  readonly webhookEndpoints: WebhookEndpoints
  /** The methods for API keys. */
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
   * Sends a request to an endpoint without a dedicated method. Returns the JSON of the response, or `undefined` if the
   * body is empty. `path` begins with `/` and may contain a query. A POST or PATCH without a key from
   * `IdempotencyKey.withKey` is not retried after an ambiguous failure. Fails with `InvalidRequest` if the method, the
   * path or the body is invalid.
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
 * The tag of the client service.
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

/**
 * Applies the caller's transformation to the HTTP client. Reports each request to the interceptor of the attempt, because
 * the transformed client can send several requests per attempt.
 */
const transformClient = (
  transform: (client: HttpClient.HttpClient) => HttpClient.HttpClient
): ((client: HttpClient.HttpClient) => HttpClient.HttpClient) =>
  Function.flow(
    // Disables redirects below the transformation, because the transformation can replace the options of `fetch`.
    withoutRedirects,
    HttpClient.transform((effect) => Effect.zipRight(reportTransportSend, effect)),
    transform
  )

/**
 * Creates a client with the `HttpClient` in the context. `FetchHttpClient.layer` works on every platform.
 * `NodeHttpClient.layerUndici` from `@effect/platform-node` works on Node. The client creates a rate limit gate unless
 * the context contains a `RateLimitGate`. Fails with `InvalidRequest` if an option is invalid.
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
    const gateOf = (context: Context.Context<never>): RateLimitGate.Service =>
      Option.getOrElse(Context.getOption(context, RateLimitGate.RateLimitGate), () => clientGate)
    yield* clientOptions.checkOptions(options)
    const apiKey = yield* clientOptions.checkApiKey(options.apiKey)
    const baseUrl = yield* clientOptions.normalizeBaseUrl(options.baseUrl ?? clientOptions.defaultBaseUrl)
    const duration = yield* clientOptions.checkAttemptTimeout(options.attemptTimeout ?? "30 seconds")
    if (clientOptions.isUnencrypted(baseUrl)) {
      yield* runSafely(Effect.logWarning(`The API key is sent to ${baseUrl} without encryption. Use an https URL`))
    }
    const timer = new SharedTimer()
    const client = http.pipe(
      HttpClient.mapRequest(
        Function.flow(HttpClientRequest.prependUrl(baseUrl), HttpClientRequest.bearerToken(apiKey))
      ),
      options.propagateTraceContext === true ? HttpClient.mapRequestEffect(addTraceHeaders) : Function.identity,
      options.transformClient === undefined ? Function.identity : transformClient(options.transformClient)
    )
    const sender: RequestSender = {
      client,
      baseUrl,
      admissionOf: (context) => gateOf(context).admission,
      policy: options.retry ?? RetryPolicy.standard,
      retryWhile: options.retryWhile ?? ModelRouteError.isRetryable,
      secrets: [Redacted.value(apiKey)],
      attemptLimits: {
        duration,
        withTimeout: makeAttemptTimeout(timer, Duration.toMillis(duration), attemptFiberOptions)
      },
      timer
    }
    const fileMethods = files.make(sender, storageClient(http))
    return ModelRouteClient.of({
      executions: executions.make(sender, keys, options.pollSchedule ?? Execution.pollSchedule, fileMethods.upload),
      files: fileMethods,
      webhookEndpoints: webhookEndpoints.make(sender),
      apiKeys: apiKeys.make(sender),
      rateLimit: Effect.contextWithEffect((context: Context.Context<never>) => gateOf(context).snapshot),
      request: makeRequestMethod(sender)
    })
  })

/**
 * Provides a client. Each call of `layer` creates another client, so assign the layer to a constant. Fails with
 * `InvalidRequest` if an option is invalid.
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

/**
 * Provides a client from the configuration variables `MODELROUTE_API_KEY` and `MODELROUTE_BASE_URL`. The second
 * variable is optional. The default `ConfigProvider` reads environment variables. Fails with `ConfigError` if a
 * variable is missing or invalid. The error contains the name of the variable.
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
    withConfig(({ apiKey, baseUrl }) => make({ ...options, apiKey, baseUrl: baseUrl ?? options.baseUrl }))
  )
