/**
 * A stateful stand-in for the ModelRoute API: executions that take their time and cost money, a rate limit, idempotency
 * keys, files, webhooks, and faults on demand. It lives on the `Clock`, so that under `TestClock` minutes pass at once.
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
import type { Balance } from "./internal/simulator/executions/account.js"
import type { ApiKeyRecord } from "./internal/simulator/apiKeys/apiKeyRecord.js"
import type { DeliveryAttempt, DeliveryRecord, DeliveryFault } from "./internal/simulator/webhooks/deliveryRecord.js"
import type { EndpointShape } from "./internal/simulator/webhooks/endpointView.js"
import type { PayloadShape } from "./internal/simulator/webhooks/event.js"
import * as Fault from "./internal/simulator/faults/fault.js"
import type { FileRecord } from "./internal/simulator/files/fileRecord.js"
import type { Ledger, LedgerEntry } from "./internal/simulator/executions/ledger.js"
import * as MemoryClient from "./internal/simulator/http/memoryClient.js"
import type { Model } from "./internal/simulator/executions/model.js"
import { models } from "./internal/simulator/executions/model.js"
import type { Operation } from "./internal/simulator/http/routes.js"
import type { Options, RateLimit, WebhookOptions } from "./internal/simulator/options.js"
import type { RequestRecord } from "./internal/simulator/http/requestLog.js"
import * as ServerApp from "./internal/simulator/http/serverApp.js"
import type { Service } from "./internal/simulator/service.js"
import { unsafeMake } from "./internal/simulator/service.js"

export {
  /**
   * What can go wrong with one request, as values.
   *
   * @since 0.1.0
   * @category models
   */
  Fault,
  models
}
export type {
  ApiKeyRecord,
  Balance,
  DeliveryAttempt,
  DeliveryRecord,
  DeliveryFault,
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
 * The running simulator.
 *
 * @since 0.1.0
 * @category tags
 */
export class Simulator extends Context.Tag("effect-modelroute/Simulator")<Simulator, Service>() {}

/**
 * A new server with a state of its own. With the scope its deliveries of events end.
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
 * A new server, and no way in: for `httpApp`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerService = (options?: Options): Layer.Layer<Simulator> => Layer.scoped(Simulator, make(options))

/**
 * A new server in memory, and the `HttpClient` that leads to it whatever the host: URLs under the storage's origin
 * go to the storage, all others to the API.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Simulator | HttpClient.HttpClient> =>
  Layer.effect(HttpClient.HttpClient, Effect.map(Simulator, MemoryClient.make)).pipe(
    Layer.provideMerge(layerService(options))
  )

/**
 * The server for a port, for example through `HttpServer.serve`. Bodies over 10 MiB are refused, but for uploads to the
 * storage. To break connections as well, serve it with `effect-modelroute/SimulatorServer`; elsewhere a connection that
 * should break is an answer whose body fails.
 *
 * @since 0.1.0
 * @category constructors
 */
export const httpApp: HttpApp.Default<never, Simulator> = Effect.flatMap(Simulator, ServerApp.make)
