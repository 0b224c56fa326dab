/**
 * Declares the operations of a running simulator.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { ApiKeyRecord } from "./apiKeys/apiKeyRecord.js"
import type { Balance } from "./executions/account.js"
import type { Ledger } from "./executions/ledger.js"
import type { Fault } from "./faults/types.js"
import type { FileRecord } from "./files/fileRecord.js"
import type { RequestRecord } from "./http/requestLog.js"
import type { Server } from "./http/server.js"
import type { DeliveryRecord } from "./webhooks/deliveryRecord.js"

/**
 * Inspects and controls a running simulator. No operation fails.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * Returns all executions that the server created, and their charges.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.gen(function* () {
   *   const simulator = yield* Simulator.Simulator
   *   const { charged, executions } = yield* simulator.ledger
   *   yield* Effect.log(`${executions.length} executions cost ${charged} dollars`)
   * })
   * ```
   */
  readonly ledger: Effect.Effect<Ledger>
  /**
   * Returns the latest requests in the order of arrival. The option `recordRequests` limits their number.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.gen(function* () {
   *   const simulator = yield* Simulator.Simulator
   *   const requests = yield* simulator.requests
   *   return requests.filter(({ operation }) => operation === "executions.create").length
   * })
   * ```
   */
  readonly requests: Effect.Effect<ReadonlyArray<RequestRecord>>
  /**
   * Returns the balance of the account.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.balance)
   * ```
   */
  readonly balance: Effect.Effect<Balance>
  /**
   * Returns one record for each upload that a client started, in the order of creation.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.files)
   * ```
   */
  readonly files: Effect.Effect<ReadonlyArray<FileRecord>>
  /**
   * Returns the bytes of an uploaded file. Returns `None` if the file does not exist or the upload is incomplete.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.gen(function* () {
   *   const simulator = yield* Simulator.Simulator
   *   const files = yield* simulator.files
   *   return yield* Effect.forEach(files, ({ id }) => simulator.fileBytes(id))
   * })
   * ```
   */
  readonly fileBytes: (id: string) => Effect.Effect<Option.Option<Uint8Array>>
  /**
   * Returns the API keys in the order of their creation.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.apiKeys)
   * ```
   */
  readonly apiKeys: Effect.Effect<ReadonlyArray<ApiKeyRecord>>
  /**
   * Returns the latest requests that delivered events, in the order of sending. The option `recordRequests` limits
   * their number.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.gen(function* () {
   *   const simulator = yield* Simulator.Simulator
   *   const deliveries = yield* simulator.deliveries
   *   return deliveries.filter(({ outcome }) => outcome === "no response")
   * })
   * ```
   */
  readonly deliveries: Effect.Effect<ReadonlyArray<DeliveryRecord>>
  /** Secret that signs deliveries to the `webhook_url` of an execution. */
  readonly webhookSecret: Redacted.Redacted
  /**
   * Sends all later webhook deliveries to an HTTP app in memory instead of to their URLs. The app runs in the fiber of
   * the delivery, so that both use the same `Clock`. Requires the services of the app except `HttpServerRequest`, which
   * the simulator provides.
   *
   * @example
   * ```ts
   * import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.gen(function* () {
   *   const simulator = yield* Simulator.Simulator
   *   yield* simulator.deliverTo(HttpServerResponse.empty({ status: 204 }))
   * })
   * ```
   *
   * @example
   * ```ts
   * import { Effect, Fiber, Layer, Redacted, TestClock, TestContext } from "effect"
   * import { IdempotencyKey, ModelRouteClient, Webhook } from "effect-modelroute"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * const client = ModelRouteClient.layer({
   *   apiKey: Redacted.make("sk_anything"),
   *   pollSchedule: Webhook.pollSchedule
   * }).pipe(Layer.provideMerge(Layer.merge(Simulator.layer(), IdempotencyKey.layerSequence("key"))))
   *
   * // The webhook event ends the wait before the first poll. The client sends only the create request.
   * export const test = Effect.gen(function* () {
   *   const { executions } = yield* ModelRouteClient.ModelRouteClient
   *   const simulator = yield* Simulator.Simulator
   *   yield* simulator.deliverTo(
   *     Webhook.handler({ secrets: simulator.webhookSecret, onEvent: Webhook.notifyClient })
   *   )
   *   const request = { model: "flux-1.1-pro", input: { prompt: "a fox" }, webhookUrl: "https://backend.test/" }
   *   const fiber = yield* Effect.fork(executions.run(request))
   *   yield* TestClock.adjust("10 seconds")
   *   yield* Fiber.join(fiber)
   *   return (yield* simulator.requests).map(({ operation }) => operation)
   * }).pipe(Effect.provide([client, TestContext.TestContext]))
   * ```
   */
  readonly deliverTo: <E, R>(
    app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ) => Effect.Effect<void, never, Exclude<R, HttpServerRequest.HttpServerRequest>>
  /**
   * Appends scripted faults after the pending faults. Each fault applies to the next request that matches the fault.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.gen(function* () {
   *   const simulator = yield* Simulator.Simulator
   *   yield* simulator.inject(Simulator.Fault.dropAfter, Simulator.Fault.badGateway)
   * })
   * ```
   */
  readonly inject: (...faults: ReadonlyArray<Fault>) => Effect.Effect<void>
  /**
   * Returns the number of later requests that the pending faults will affect. The number is 0 after all scripted faults
   * have been applied.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.pendingFaults)
   * ```
   */
  readonly pendingFaults: Effect.Effect<number>
  /**
   * Adds an amount in dollars to the balance. Dies with a `RangeError` if the amount is not a decimal string.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Simulator from "effect-modelroute/Simulator"
   *
   * export const program = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.topUp("25.00"))
   * ```
   */
  readonly topUp: (amount: string) => Effect.Effect<void>
  /** @internal Handles one request. */
  readonly handle: Server["handle"]
  /** @internal */
  readonly uploadLimit: Server["uploadLimit"]
}
