/**
 * The client of the ModelRoute API, as an Effect service.
 *
 * Each call of a method that sends requests creates one span, such as `modelroute.executions.run`. These attributes
 * follow the semantic conventions of OpenTelemetry:
 *
 * - `gen_ai.provider.name` and `gen_ai.request.model`, if the model is known
 * - `error.type`, if the call fails. The value is the tag of the error, `interrupted` or `defect`. The value is
 *   `CallerFailure` if an effect of the caller fails.
 * - `http.response.status_code`, if the error contains an HTTP status
 *
 * The other attributes are `modelroute.operation`, `modelroute.attempts`, `modelroute.execution_id`,
 * `modelroute.file_id` and `modelroute.cost_dollars`.
 *
 * A call can wait before a retry, before a poll or in the queue of the rate limit gate. Each of these waits adds the
 * event `modelroute.wait` to the span and updates the metric `modelroute_wait_seconds`. A wait before a retry or a poll
 * also writes a log line with the attributes of the event. The log level is Info for a retry after 5 seconds or more,
 * otherwise Debug. The gate writes a log line when the rate limit is exhausted and when the rate limit resets.
 *
 * Errors, logs, spans and metrics never contain API keys, webhook secrets, queries of presigned URLs or texts from
 * requests. The client sends the API key only to the API.
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
import {
  attemptFiberOptions,
  type FetchOptions,
  findFetchOptions,
  storageClient,
  withoutRedirects
} from "./internal/http/transports.js"
import { addTraceHeaders, runSafely } from "./internal/telemetry.js"
import type { WebhookEndpoints } from "./internal/webhooks/endpointTypes.js"
import * as webhookEndpoints from "./internal/webhooks/endpoints.js"

/**
 * Options of a client. Only `apiKey` is required.
 *
 * | Option                  | Default                         | Meaning                                            |
 * | ----------------------- | ------------------------------- | -------------------------------------------------- |
 * | `apiKey`                | none                            | the API key                                        |
 * | `baseUrl`               | `https://api.modelroute.ai`     | the base URL of the API                            |
 * | `retry`                 | `RetryPolicy.standard`          | the delay and the number of retries                |
 * | `retryWhile`            | `ModelRouteError.isRetryable`   | the errors that may be retried                     |
 * | `pollSchedule`          | `Execution.pollSchedule`        | the delays between the polls of an execution       |
 * | `attemptTimeout`        | 30 seconds                      | the timeout of each attempt, including the body    |
 * | `transformClient`       | no transformation               | a transformation of the HTTP client                |
 * | `propagateTraceContext` | `false`                         | whether requests to the API contain trace headers  |
 *
 * `layerConfig` reads `apiKey` from `MODELROUTE_API_KEY` and `baseUrl` from `MODELROUTE_BASE_URL`. The options of
 * single calls are in `CreateOptions`, `AwaitOptions`, `RunOptions`, `WatchOptions` and `UploadOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The API key. The client sends the key as a bearer token, and only to the API. If a header cannot contain the key,
   * the creation of the client fails with `InvalidRequest`. See the API page "Authentication".
   */
  readonly apiKey: Redacted.Redacted
  /** The base URL of the API. Default: `https://api.modelroute.ai`. */
  readonly baseUrl?: string | undefined
  /** Determines when and how often a failed request is retried. Default: `RetryPolicy.standard`. */
  readonly retry?: RetryPolicy.RetryPolicy | undefined
  /**
   * Returns `true` for an error that may be retried. Also applies to policies that `RetryPolicy.withPolicy` sets. A
   * write without an idempotency key is retried only if the API certainly did not process the write. Default:
   * `ModelRouteError.isRetryable`.
   */
  readonly retryWhile?: ((error: ModelRouteError.ModelRouteError) => boolean) | undefined
  /**
   * The delays between the polls of an execution. If webhook events end the waits, use `Webhook.pollSchedule`, which
   * polls less often. Default: `Execution.pollSchedule`.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  /**
   * The timeout of each attempt, from the start of the request to the end of the response body. Default: 30 seconds.
   */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /**
   * Transforms the HTTP client that calls the API. For example, a transformation can log requests or add a header. The
   * transformed client receives complete requests, which contain the API key. Default: no transformation.
   *
   * Neither the transformed client nor the `HttpClient` in the context may retry requests. Only the policy in `retry`
   * may send a request again.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
  /**
   * Sends the trace headers `traceparent` and `b3` to the API. Disabled by default, because the API is a third party.
   * Default: `false`.
   */
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
 * The methods of a client. No method requires an Effect service. The error type of each method contains all its
 * failures.
 *
 * An interruption immediately ends the request or the wait of a call. With the option `cancelOnInterrupt`, the
 * interruption can take up to 10 seconds longer, because the client cancels the execution.
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
   * Sends a request to an endpoint without a dedicated method. `path` begins with `/` and may contain a query. Returns
   * the JSON of the response, or `undefined` if the body is empty.
   *
   * A POST or PATCH is not retried after an ambiguous failure, unless `IdempotencyKey.withKey` sets a key. A failure is
   * ambiguous if the API may have processed the request. Fails with `InvalidRequest` if the method, the path or the
   * body is invalid. Fails with another `RequestFailure` if the request fails.
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
 * Applies the caller's transformation to the HTTP client. The transformed client can send several requests per attempt.
 * Each of these requests is therefore reported to the interceptor of the attempt.
 */
const transformClient = (
  transform: (client: HttpClient.HttpClient) => HttpClient.HttpClient,
  fetchOptions: FetchOptions
): ((client: HttpClient.HttpClient) => HttpClient.HttpClient) =>
  Function.flow(
    // Redirects are disabled inside the transformed client, because a transformation can replace the options of
    // `fetch`.
    (client: HttpClient.HttpClient) => withoutRedirects(client, fetchOptions),
    HttpClient.transform((effect) => Effect.zipRight(reportTransportSend, effect)),
    transform
  )

/**
 * Creates a client that sends its requests with the `HttpClient` in the context. `FetchHttpClient.layer` provides this
 * service on every platform. On Node, `NodeHttpClient.layerUndici` from `@effect/platform-node` is an alternative. The
 * client uses the `RateLimitGate` in the context. Without this service, the client creates its own gate. Fails with
 * `InvalidRequest` if an option is invalid.
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
    const fetchOptions = yield* findFetchOptions(http)
    const client = http.pipe(
      HttpClient.mapRequest(
        Function.flow(HttpClientRequest.prependUrl(baseUrl), HttpClientRequest.bearerToken(apiKey))
      ),
      options.propagateTraceContext === true ? HttpClient.mapRequestEffect(addTraceHeaders) : Function.identity,
      options.transformClient === undefined ? Function.identity : transformClient(options.transformClient, fetchOptions)
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
        withTimeout: makeAttemptTimeout(timer, Duration.toMillis(duration), attemptFiberOptions(fetchOptions))
      },
      timer
    }
    const fileMethods = files.make(sender, storageClient(http, fetchOptions))
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
 * Provides a client. Each call of `layer` returns a layer with its own client. Assign the layer to a constant to use
 * one client everywhere. Fails with `InvalidRequest` if an option is invalid.
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
 * Provides a client from the configuration variables `MODELROUTE_API_KEY` and `MODELROUTE_BASE_URL`.
 * `MODELROUTE_BASE_URL` is optional. The default `ConfigProvider` reads environment variables. Fails with `ConfigError`
 * if a variable or an option is missing or invalid. The error contains the name of the variable.
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
