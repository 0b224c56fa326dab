/**
 * The gate before the rate limit: all requests of a client pass through it, and it lets no more pass than the limit has room
 * for. A client has one of its own unless it is given one; clients with the same API key should share one.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as admission from "./internal/rateLimit/admission.js"
import type { Service } from "./internal/rateLimit/admission.js"
import * as gate from "./internal/rateLimit/gate.js"
import type { Snapshot } from "./internal/rateLimit/snapshot.js"

export type { Service } from "./internal/rateLimit/admission.js"
export type { Snapshot } from "./internal/rateLimit/snapshot.js"

/**
 * The gate in the context. The requests of a client pass the nearest one: the one provided to the effect that calls it, else the one that
 * the client was built with, else a gate of its own.
 *
 * @since 0.1.0
 * @category tags
 */
export class RateLimitGate extends Context.Tag("effect-modelroute/RateLimitGate")<RateLimitGate, Service>() {}

/**
 * A new gate, which knows nothing yet.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Service> = Effect.sync(() => admission.fromGate(new gate.Gate()))

/**
 * One gate for clients with the same API key: for all clients that it is provided to, as in `Layer.provide(clients,
 * RateLimitGate.layer)`, or for all calls of an effect that it is provided to.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<RateLimitGate> = Layer.effect(RateLimitGate, make)

/**
 * No gate: every request is sent at once, and the rate limit is met by the retry policy alone.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerUnlimited: Layer.Layer<RateLimitGate> = Layer.sync(RateLimitGate, admission.makeUnlimited)

/**
 * What the gate in the context knows and does now.
 *
 * @since 0.1.0
 * @category combinators
 */
export const snapshot: Effect.Effect<Snapshot, never, RateLimitGate> = Effect.flatMap(
  RateLimitGate,
  (service) => service.snapshot
)
