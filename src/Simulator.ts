/**
 * A stateful simulator of the ModelRoute API. It simulates executions with a duration and a cost, a rate limit,
 * idempotency keys, files, webhooks and faults. It uses Effect's `Clock`, so that a test can control the time with
 * `TestClock`.
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
import type { Options, RateLimit, WebhookOptions } from "./internal/simulator/options.js"
import type { Service } from "./internal/simulator/service.js"
import type { DeliveryAttempt, DeliveryFault, DeliveryRecord } from "./internal/simulator/webhooks/deliveryRecord.js"
import type { EndpointShape } from "./internal/simulator/webhooks/endpointView.js"
import type { PayloadShape } from "./internal/simulator/webhooks/event.js"

export {
  adjustUntilDone,
  /**
   * The faults that the simulator can inject into single requests.
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
 * Creates a simulator with its own state. Webhook deliveries stop when the scope closes. Dies if an amount in the
 * options is not a decimal string.
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
 * Provides a new simulator without an `HttpClient`. Use this layer with `httpApp`.
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
 * Provides a new simulator and an `HttpClient` that sends all requests to the simulator in memory. The simulated
 * storage handles URLs under the storage origin. The simulated API handles all other URLs.
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
 * uploads to the storage. Faults that break the connection require `effect-modelroute/SimulatorServer`. On another
 * server, the response body fails instead.
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
