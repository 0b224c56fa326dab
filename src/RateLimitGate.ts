/**
 * Admission control for the rate limit of the API. All requests of a client pass a gate, which admits as many as the
 * limit allows and queues the others. Each client has a gate of its own unless one is provided. Clients with the same
 * API key should share one.
 *
 * Cancels go first. Creates, polls of waits, and all other requests take turns, so that none of them starves. Within
 * each group, retries go first, and then the order is first in, first out.
 *
 * The retry policy decides whether a request waits. Without a retry of `RateLimited` the request fails immediately.
 * The error has 0 `attempts`, and its `retryAfter` is the whole wait. Polls wait for any policy until their deadline.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fromGate, makeUnlimited, type Service } from "./internal/rateLimit/admission.js"
import { Gate } from "./internal/rateLimit/gate.js"
import type { Snapshot } from "./internal/rateLimit/snapshot.js"

export type { Service } from "./internal/rateLimit/admission.js"
export type { Snapshot } from "./internal/rateLimit/snapshot.js"

/**
 * The tag of a gate. A client uses the gate that is provided to the effect that calls it. Otherwise it uses the gate
 * that it was built with, or its own.
 *
 * @example
 * ```ts
 * import { Console, Effect } from "effect"
 * import { RateLimitGate } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const gate = yield* RateLimitGate.RateLimitGate
 *   const { remaining, waiting } = yield* gate.snapshot
 *   yield* Console.log(`${remaining ?? "unknown"} requests remain, ${waiting} wait`)
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class RateLimitGate extends Context.Tag("effect-modelroute/RateLimitGate")<RateLimitGate, Service>() {}

/**
 * Creates a gate. It learns the limit from the headers of the responses. It reads `X-RateLimit-*`, `Retry-After` and
 * `Date`, and needs no options.
 *
 * A client that is alone on its API key is never rejected if the responses contain the remaining requests, a reset and
 * `Date`. A new gate sends one request first. For 1 second after the first response it assumes other clients.
 *
 * The gate detects other clients by the remaining requests. Each of several gates can cause about one rejection per
 * window. Without the remaining requests, the gate learns how many requests a window accepts. That costs 1 or 2
 * rejections per window. After a rejection without a usable reset, it sends at most one request a second.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { RateLimitGate, type ModelRouteClient } from "effect-modelroute"
 *
 * // All calls share one gate, because the clients use the same API key.
 * export const listAll = (clients: ReadonlyArray<ModelRouteClient.Service>) =>
 *   Effect.gen(function* () {
 *     const gate = yield* RateLimitGate.make
 *     return yield* Effect.forEach(clients, (client) => client.request("GET", "/executions"), {
 *       concurrency: "unbounded"
 *     }).pipe(Effect.provideService(RateLimitGate.RateLimitGate, gate))
 *   })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Service> = Effect.sync(() => fromGate(new Gate()))

/**
 * Provides one gate to clients with the same API key. Provide it to the layers of the clients, or to an effect whose
 * calls share the gate. Merged beside the clients, the layer has no effect.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { IdempotencyKey, ModelRouteClient, RateLimitGate } from "effect-modelroute"
 *
 * export const client = ModelRouteClient.layerConfig().pipe(
 *   Layer.provide(RateLimitGate.layer),
 *   Layer.provide([IdempotencyKey.layer, FetchHttpClient.layer])
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<RateLimitGate> = Layer.effect(RateLimitGate, make)

/**
 * Sends every request at once, without a gate. Only the retry policy then handles the rate limit, after a 429 response.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { IdempotencyKey, ModelRouteClient, RateLimitGate } from "effect-modelroute"
 *
 * export const client = ModelRouteClient.layerConfig().pipe(
 *   Layer.provide(RateLimitGate.layerUnlimited),
 *   Layer.provide([IdempotencyKey.layer, FetchHttpClient.layer])
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerUnlimited: Layer.Layer<RateLimitGate> = Layer.sync(RateLimitGate, makeUnlimited)

/**
 * Returns the current state of the gate in the context.
 *
 * @example
 * ```ts
 * import { Console, Effect, Schedule } from "effect"
 * import { RateLimitGate } from "effect-modelroute"
 *
 * export const report = RateLimitGate.snapshot.pipe(
 *   Effect.flatMap(({ inFlight, waiting }) => Console.log(`${inFlight} in flight, ${waiting} waiting`)),
 *   Effect.repeat(Schedule.spaced("10 seconds"))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const snapshot: Effect.Effect<Snapshot, never, RateLimitGate> = Effect.flatMap(
  RateLimitGate,
  (service) => service.snapshot
)
