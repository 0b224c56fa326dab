/**
 * A stateful simulator of the ModelRoute API. The simulator supports executions with a duration and a cost, a rate
 * limit, idempotency keys, files, webhooks and faults. The simulator uses Effect's `Clock`, so a test can control the
 * time with `TestClock`.
 *
 * ### Faults
 *
 * Pass faults in the option `faults`, or inject faults with `Service.inject` while the simulator runs. A fault applies
 * to the next API request. `Fault.on` and `Fault.times` select other requests.
 *
 * | Fault                        | Effect                                                               |
 * | ---------------------------- | -------------------------------------------------------------------- |
 * | `apiError(code, options?)`   | responds with an error of the API                                    |
 * | `executionOutcome(outcome)`  | sets the terminal status of the next execution that is created       |
 * | `dropBefore`                 | resets the connection before the server processes the request        |
 * | `dropAfter`                  | resets the connection after the server processes the request         |
 * | `cutBody(options?)`          | resets the connection during the response body                       |
 * | `truncateCleanly(options?)`  | ends the response before the end of the body                         |
 * | `delay(duration, phase?)`    | delays the request or the response                                   |
 * | `hang(phase?)`               | never responds                                                       |
 * | `raw(response)`              | responds with any status, headers and body                           |
 * | `badGateway`                 | responds with the HTML page of a gateway and the status 502          |
 * | `emptyOk`                    | processes the request and responds with 200 and an empty body        |
 * | `skewDate(by)`               | shifts the Date header by a duration                                 |
 * | `withoutHeaders(...names)`   | omits response headers. Default: Date and the rate limit headers     |
 * | `resetUnit(unit)`            | changes the unit of `X-RateLimit-Reset`                              |
 * | `on(matcher, fault)`         | applies a fault only to requests that match the matcher              |
 * | `times(n, fault)`            | applies a fault to the next `n` requests                             |
 * | `transient`                  | all faults that a client can ignore or handle with a retry           |
 *
 * ### Options
 *
 * | Option          | Default        | Meaning                                                            |
 * | --------------- | -------------- | ------------------------------------------------------------------ |
 * | `models`        | none           | additional models, each with a duration, a cost and an output      |
 * | `defaultModel`  | 10 s, $0.040   | duration and cost of all other models                              |
 * | `balance`       | `100.00`       | initial balance in dollars                                         |
 * | `rateLimit`     | 60 per minute  | limit, window and kind of the rate limit, or `false`               |
 * | `retryAfter`    | `false`        | adds a Retry-After header to each 429                              |
 * | `faults`        | none           | faults that apply to the next requests                             |
 * | `randomFaults`  | none           | faults that apply to each request with a probability               |
 * | `apiKeys`       | any key        | authorized API keys                                                |
 * | `expiresAfter`  | 5 minutes      | time after which a running execution becomes EXPIRED               |
 * | `keyTtl`        | 24 hours       | lifetime of an idempotency key                                     |
 * | `date`          | `true`         | adds a Date header to each response                                |
 * | `clockSkew`     | 0              | offset of the server's clock from Effect's `Clock`                 |
 * | `webhooks`      | see `Options`  | secret, HTTP client, JSON shapes and faults of webhook deliveries  |
 * | `download`      | `json`         | response of a download request: `json`, `bytes` or `redirect`      |
 * | `confirm`       | `needed`       | support of confirm requests for uploads                            |
 * | `maxUpload`     | 150 MiB        | maximum size of an upload                                          |
 * | `ranges`        | `true`         | support of Range requests                                          |
 * | `storageOrigin` | see `Options`  | URL prefix of presigned URLs                                       |
 * | `seed`          | 1              | seed of all ids and secrets                                        |
 * | `recordRequests`| 10,000         | maximum length of the request log and of the delivery log          |
 * | `onRequest`     | none           | effect that runs before the server sends a response                |
 *
 * ### Recipes
 *
 * `examples/simulator-recipes.test.ts` in the repository contains these recipes as tests.
 *
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * const { apiError, executionOutcome } = Simulator.Fault
 *
 * // Moderation rejects the create request. No execution is created.
 * export const rejectedAtCreate = Simulator.layer({ faults: [apiError("CONTENT_MODERATION_REJECTED")] })
 *
 * // Moderation rejects the result. The execution ends with FAILED and is not charged.
 * export const rejectedLater = Simulator.layer({
 *   faults: [executionOutcome({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" })]
 * })
 * ```
 *
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * // The balance covers no execution. `Service.topUp` adds to the balance.
 * export const noBalance = Simulator.layer({ balance: "0.01" })
 * ```
 *
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * // A 429 with a rate limit that resets in 20 seconds.
 * export const rateLimited = Simulator.layer({
 *   faults: [Simulator.Fault.apiError("RATE_LIMITED", { resetIn: "20 seconds" })]
 * })
 *
 * // A rate limit of 5 requests per second.
 * export const lowLimit = Simulator.layer({ rateLimit: { limit: 5, window: "1 second" } })
 * ```
 *
 * @example
 * ```ts
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * const { dropAfter, on, times } = Simulator.Fault
 *
 * // The responses to the first three create requests are lost. The executions exist and are charged.
 * export const lostResponses = Simulator.layer({ faults: [on("executions.create", times(3, dropAfter))] })
 * ```
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Webhook } from "effect-modelroute"
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * // Each webhook event is delivered twice. `Webhook.handler` handles each event once.
 * export const deliveredTwice = Simulator.layer({ webhooks: { deliveryFault: () => "twice" } })
 *
 * export const receive = Effect.gen(function* () {
 *   const { deliverTo, webhookSecret } = yield* Simulator.Simulator
 *   yield* deliverTo(Webhook.handler({ secrets: webhookSecret, onEvent: (event) => Effect.log(event.type) }))
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { adjustUntilDone, type AdjustOptions } from "./internal/simulator/adjustUntilDone.js"
import type { ApiKeyRecord } from "./internal/simulator/apiKeys/apiKeyRecord.js"
import type { Balance } from "./internal/simulator/executions/account.js"
import type { Ledger, LedgerEntry } from "./internal/simulator/executions/ledger.js"
import { type Model, models } from "./internal/simulator/executions/model.js"
import * as Fault from "./internal/simulator/faults/fault.js"
import type { FileRecord } from "./internal/simulator/files/fileRecord.js"
import * as MemoryClient from "./internal/simulator/http/memoryClient.js"
import type { RequestRecord } from "./internal/simulator/http/requestLog.js"
import type { Operation } from "./internal/simulator/http/routes.js"
import * as ServerApp from "./internal/simulator/http/serverApp.js"
import { unsafeMake } from "./internal/simulator/make.js"
import type { Options, RandomFaults, RateLimit, WebhookOptions } from "./internal/simulator/options.js"
import type { Service } from "./internal/simulator/service.js"
import type { DeliveryAttempt, DeliveryFault, DeliveryRecord } from "./internal/simulator/webhooks/deliveryRecord.js"
import type { EndpointShape } from "./internal/simulator/webhooks/endpointView.js"
import type { PayloadShape } from "./internal/simulator/webhooks/event.js"

export {
  adjustUntilDone,
  /**
   * The faults that can be injected into requests to the simulator and into its executions. `Fault.Fault` is the type
   * of a fault.
   *
   * @since 0.1.0
   * @category models
   */
  Fault,
  models
}
export type {
  AdjustOptions,
  ApiKeyRecord,
  Balance,
  DeliveryAttempt,
  DeliveryFault,
  DeliveryRecord,
  EndpointShape,
  FileRecord,
  Ledger,
  LedgerEntry,
  Model,
  Operation,
  Options,
  PayloadShape,
  RandomFaults,
  RateLimit,
  RequestRecord,
  Service,
  WebhookOptions
}

/**
 * The tag of the simulator service.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const program = Effect.gen(function* () {
 *   const simulator = yield* Simulator.Simulator
 *   return yield* simulator.ledger
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Simulator extends Context.Tag("effect-modelroute/Simulator")<Simulator, Service>() {}

/**
 * Creates a simulator with its own state. When the scope closes, the simulator stops its webhook deliveries. Dies if an
 * amount in the options is not a decimal string or if the rate limit is invalid.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const program = Effect.gen(function* () {
 *   const simulator = yield* Simulator.make({ balance: "5.00" })
 *   return yield* simulator.balance
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.all([HttpClient.HttpClient, Effect.scope]).pipe(
    Effect.map(([fetch, scope]) => unsafeMake(options, fetch, scope)),
    Effect.provide(FetchHttpClient.layer)
  )

/**
 * Provides a new simulator without an `HttpClient`. Use this layer with `httpApp`, which serves the simulator over
 * HTTP.
 *
 * @example
 * ```ts
 * import * as HttpServer from "@effect/platform/HttpServer"
 * import * as Layer from "effect/Layer"
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * // Needs the `HttpServer` of a platform.
 * export const server = HttpServer.serve(Simulator.httpApp).pipe(Layer.provide(Simulator.layerService()))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerService = (options?: Options): Layer.Layer<Simulator> => Layer.scoped(Simulator, make(options))

/**
 * Provides a new simulator and an `HttpClient` that sends all requests to the simulator in memory. A request whose URL
 * begins with the option `storageOrigin` reaches the simulated object storage. All other requests reach the simulated
 * API.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * const layer = ModelRouteClient.layer({ apiKey: Redacted.make("sk_test") }).pipe(
 *   Layer.provide([Simulator.layer(), IdempotencyKey.layer])
 * )
 *
 * export const program = Effect.gen(function* () {
 *   const client = yield* ModelRouteClient.ModelRouteClient
 *   return yield* client.executions.run({ model: "flux-1.1-pro", input: { prompt: "a lighthouse" } })
 * }).pipe(Effect.provide(layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Simulator | HttpClient.HttpClient> =>
  Layer.effect(HttpClient.HttpClient, Effect.map(Simulator, MemoryClient.make)).pipe(
    Layer.provideMerge(layerService(options))
  )

/**
 * The HTTP app of the simulator, for example for `HttpServer.serve`. Rejects request bodies of more than 10 MiB, except
 * uploads to the simulated object storage. The faults that break a connection need the server of
 * `effect-modelroute/SimulatorServer`. On another server, such a fault makes the response body fail instead.
 *
 * @example
 * ```ts
 * import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
 * import * as HttpServer from "@effect/platform/HttpServer"
 * import * as Layer from "effect/Layer"
 * import { createServer } from "node:http"
 * import * as Simulator from "effect-modelroute/Simulator"
 *
 * export const server = HttpServer.serve(Simulator.httpApp).pipe(
 *   Layer.provide([Simulator.layerService(), NodeHttpServer.layer(createServer, { port: 8787 })])
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const httpApp: HttpApp.Default<never, Simulator> = Effect.flatMap(Simulator, ServerApp.make)
