/**
 * Controls when requests are sent, so that clients respect the rate limit of the API. Every request of a client passes
 * through a rate limit gate. The gate admits as many requests as the rate limit allows and queues the other requests.
 *
 * Each client creates its own gate unless the context contains a gate. Clients with the same API key should share one
 * gate. `ClusterRateLimitGate` shares a gate between processes.
 *
 * Cancel requests have the highest priority. The other requests form three groups: create requests, polls and all other
 * requests. The gate admits requests of these groups in turn, so that no group waits forever. Within a group, retries
 * precede first attempts. Otherwise, the order is first in, first out.
 *
 * The retry policy determines whether a request waits in the queue. If the policy does not retry `RateLimited`, a
 * request that would have to wait fails immediately. The error has 0 `attempts`, and its `retryAfter` is the expected
 * wait. Polls are an exception. Under every policy, a poll can wait in the queue until the `timeout` of the wait for
 * its execution.
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
 * The tag of a gate. A gate in the context of a call has precedence over the gate of the client.
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
 * Creates a gate. The gate needs no options, because the gate reads the limit from the response headers
 * `X-RateLimit-*`, `Retry-After` and `Date`.
 *
 * A client receives no 429 if no other client uses the API key and the headers are complete. Complete headers contain
 * the remaining requests, a reset and `Date`. A new gate first sends a single request. Because other clients may share
 * the key, the gate then uses only a part of the limit for 1 second.
 *
 * The gate detects other clients if the number of remaining requests falls faster than the gate sends requests. If
 * several gates share a key, each gate can cause about one 429 per window. Without the number of remaining requests,
 * the gate estimates the limit. The estimate causes one or two 429 responses per window. After a 429 without a usable
 * reset, the gate sends at most one request per second.
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
 * Provides a gate for clients with the same API key. Provide this layer to the layers of the clients, or to an effect
 * that contains the calls. If the layer is only merged with the layers of the clients, the clients do not use the gate.
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
 * Provides a gate that admits every request immediately. The rate limit is then handled only by the retry policy, which
 * waits after a 429.
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
