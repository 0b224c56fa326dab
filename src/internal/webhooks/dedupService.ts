/**
 * Declares the service that records handled events.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { EventId } from "./event.js"

/**
 * Records which events have been handled.
 *
 * @since 0.1.0
 * @category models
 */
export interface DedupService {
  /**
   * Handles an event unless it has been handled before. Returns `true` if it was handled now, and `false` if it was
   * handled before. Fails as `handle` does, and with `PlatformError` if the record cannot be read or written.
   *
   * While an event is being handled, its other deliveries wait. If the handler fails, the next delivery handles the
   * event. A handler that never ends blocks all other deliveries of its event, so give it a time limit.
   *
   * An event is recorded after its handler has succeeded. If the process dies in between, the event is handled again.
   * Events are handled at least once.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { Webhook } from "effect-modelroute"
   *
   * export const handle = (event: Webhook.Event) =>
   *   Effect.flatMap(Webhook.Dedup, (dedup) =>
   *     dedup.handleOnce(event.id, Effect.timeout(Effect.log(event.type), "10 seconds"))
   *   )
   * ```
   */
  readonly handleOnce: <E, R>(
    id: EventId,
    handle: Effect.Effect<void, E, R>
  ) => Effect.Effect<boolean, E | PlatformError, R>
}

/**
 * The record of handled events, for the `dedup` option of `Webhook.handler`. An implementation of your own can record
 * an event in the same transaction that handles it.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Webhook } from "effect-modelroute"
 *
 * const handled = new Set<string>()
 *
 * export const DedupTest = Layer.succeed(Webhook.Dedup, {
 *   handleOnce: (id, handle) =>
 *     handled.has(id)
 *       ? Effect.succeed(false)
 *       : Effect.as(
 *           Effect.tap(handle, () => handled.add(id)),
 *           true
 *         )
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Dedup extends Context.Tag("effect-modelroute/Webhook/Dedup")<Dedup, DedupService>() {}

/**
 * Options of `layerDedupMemory`.
 *
 * @since 0.1.0
 * @category models
 */
export interface DedupOptions {
  /**
   * Minimum time for which an event is recorded. Default: 24 hours. A shorter time counts as 24 hours, because the API
   * repeats a delivery for that long.
   */
  readonly ttl?: Duration.DurationInput | undefined
}

/**
 * Options of `layerDedup`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredDedupOptions extends DedupOptions {
  /** Prefix of every key in the store. Default: `modelroute-webhook-`. */
  readonly prefix?: string | undefined
}
