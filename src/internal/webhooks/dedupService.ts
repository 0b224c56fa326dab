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
   * Runs `handle` if the event has not been handled before. Returns `true` if this call handled the event, and `false`
   * if the event had already been handled.
   *
   * While an event is being handled, other calls for the same event wait. If `handle` fails, the next call handles the
   * event. Set a timeout for `handle`. If `handle` never ends, all other deliveries of the same event wait forever.
   *
   * An event is recorded after `handle` has succeeded. If the process ends before the event is recorded, the next
   * delivery is handled again. Therefore each event is handled at least once.
   *
   * Fails with the error `E` of `handle`. Fails with `PlatformError` if the record of handled events cannot be read or
   * written.
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
 * Service tag of `DedupService`, which handles each event once. Pass this tag as the option `dedup` of
 * `Webhook.handler`. A custom implementation can handle and record an event in the same database transaction.
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
   * Minimum time for which a handled event is recorded. The API repeats a delivery for up to 24 hours, so a lower value
   * is raised to 24 hours. Default: 24 hours.
   */
  readonly ttl?: Duration.DurationInput | undefined
  /** Prefix of every key in the store. Default: `modelroute-webhook-`. */
  readonly prefix?: string | undefined
}
