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
import * as Execution from "./Execution.js"
import * as IdempotencyKey from "./IdempotencyKey.js"
import * as ModelRouteError from "./ModelRouteError.js"
import type { InvalidRequest, RequestFailure } from "./ModelRouteError.js"
import * as RateLimitGate from "./RateLimitGate.js"
import * as RetryPolicy from "./RetryPolicy.js"
import * as apiKeys from "./internal/apiKeys.js"
import type { ApiKeys } from "./internal/apiKeys.js"
import * as executions from "./internal/executions/methods.js"
import type { Executions } from "./internal/executions/types.js"
import * as files from "./internal/files/methods.js"
import type { Files } from "./internal/files/types.js"
import { reportTransportSend } from "./internal/http/attemptInterceptor.js"
import * as TimeLimit from "./internal/http/attemptTimeout.js"
import * as clientOptions from "./internal/http/clientOptions.js"
import { makeRequestMethod } from "./internal/http/rawRequest.js"
import type { RequestSender } from "./internal/http/requestSender.js"
import { SharedTimer } from "./internal/http/sharedTimer.js"
import { storageClient, withoutRedirects } from "./internal/http/transports.js"
import { addTraceHeaders, runSafely } from "./internal/telemetry.js"
import type { WebhookEndpoints } from "./internal/webhooks/endpointTypes.js"
import * as webhookEndpoints from "./internal/webhooks/endpoints.js"

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

export type { ApiKeys } from "./internal/apiKeys.js"
export type { AwaitOptions, CreateOptions, Executions, RunOptions, WatchOptions } from "./internal/executions/types.js"
export type { Files, UploadOptions } from "./internal/files/types.js"
export type { WebhookEndpoints as Webhooks } from "./internal/webhooks/endpointTypes.js"

/**
 * All of the client: executions, files, webhook endpoints, API keys, and a way to every other endpoint.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly executions: Executions
  readonly files: Files
  readonly webhookEndpoints: WebhookEndpoints
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
        // Below it, each time that it sends a request is counted.
        options.transformClient === undefined
          ? Function.identity
          : Function.flow(
              HttpClient.transform((effect) => Effect.zipRight(reportTransportSend, effect)),
              options.transformClient
            ),
        // The span of the operation says it all; outermost, so that `transformClient` can switch it on again.
        HttpClient.withTracerDisabledWhen(() => true)
      ),
      baseUrl,
      admission: Effect.map(gate, ({ admission }) => admission),
      policy: options.retry ?? RetryPolicy.standard,
      retryWhile: options.retryWhile ?? ModelRouteError.isRetryable,
      secrets: [Redacted.value(apiKey)],
      attemptLimits: { duration, withTimeout: TimeLimit.makeAttemptTimeout(timer, Duration.toMillis(duration)) },
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
