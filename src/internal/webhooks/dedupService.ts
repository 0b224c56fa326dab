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
 * Service that handles each event once and records the handled events.
 *
 * @since 0.1.0
 * @category models
 */
export interface DedupService {
  /**
   * Handles an event that has not been handled before. Returns `true` if this call handled the event. Returns `false`
   * if the event was handled before.
   *
   * Other deliveries of an event wait while the event is being handled. If the handler fails, the next delivery handles
   * the event. Set a timeout for the handler, because a handler that never ends blocks all other deliveries of its
   * event.
   *
   * An event is recorded after its handler has succeeded. If the process dies before the event is recorded, the event
   * is handled again. Events are handled at least once.
   *
   * Fails with the errors of `handle`. Fails with `PlatformError` if the record cannot be read or written.
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
 * Service tag for the record of handled events. Use this tag as the `dedup` option of `Webhook.handler`. A custom
 * implementation can record an event in the same transaction that handles the event.
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
 * Options of `Webhook.layerDedup`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredDedupOptions {
  /**
   * Minimum retention of a handled event. Default: 24 hours. A shorter value is raised to 24 hours, because the API
   * repeats a delivery for up to 24 hours.
   */
  readonly ttl?: Duration.DurationInput | undefined
  /** Prefix of every key in the store. Default: `modelroute-webhook-`. */
  readonly prefix?: string | undefined
}
