/**
 * The memory of handled events as a service.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { orThrow, checksOf } from "../errors/optionChecks.js"
import * as once from "./dedup.js"
import * as store from "./dedupKeyValueStore.js"
import { Memory } from "./dedupMemory.js"
import type { EventId } from "./event.js"

/**
 * Which events have been handled.
 *
 * @since 0.1.0
 * @category models
 */
export interface DedupService {
  /**
   * Handles an event unless it has been handled before: `true` when it was handled now, `false` when it had been. While an event
   * is being handled, another delivery of it waits for the end, and handles it itself if that has failed. An event is remembered
   * after it was handled with success, never before: a process that dies in between gets it again, so that it is handled at least
   * once. One `handle` that never ends keeps all others of its event waiting: give it a time limit. Fails with `PlatformError`
   * when the memory cannot be read or written.
   */
  readonly once: <E, R>(id: EventId, handle: Effect.Effect<void, E, R>) => Effect.Effect<boolean, E | PlatformError, R>
}

/**
 * The memory of handled events, for the `dedup` of `handler`. A service of your own can remember an event in the same transaction
 * that handles it.
 *
 * @since 0.1.0
 * @category tags
 */
export class Dedup extends Context.Tag("effect-modelroute/Webhook/Dedup")<Dedup, DedupService>() {}

/**
 * How long to remember.
 *
 * @since 0.1.0
 * @category models
 */
export interface DedupOptions {
  /** How long an event is remembered at least. Default 24 hours; less counts as 24 hours, since the API delivers so long. */
  readonly ttl?: Duration.DurationInput | undefined
}

/**
 * How long to remember, and where.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredDedupOptions extends DedupOptions {
  /** What every key in the store begins with. Default `modelroute-webhook-`. */
  readonly prefix?: string | undefined
}

/** @internal */
export const ttlOf = (options: DedupOptions): number =>
  Math.max(86_400_000, orThrow(checksOf("Webhook.Dedup").duration("ttl", options.ttl ?? "24 hours", "zero")))

/** @internal */
export const inMemory = (ttl: number): DedupService => once.make(new Memory(ttl))

/**
 * Remembers in the memory of this process: after a restart, an event that comes again is handled again. About 250 bytes per
 * event of the last `ttl`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDedupMemory = (options: DedupOptions = {}): Layer.Layer<Dedup> => {
  const ttl = ttlOf(options)
  return Layer.sync(Dedup, () => inMemory(ttl))
}

/**
 * Remembers in a `KeyValueStore`, also over restarts and crashes. Two small values per event, and nothing that grows: what has
 * expired is removed in the background, each hour with the first event, and at the start what has expired meanwhile. Several processes can share a
 * store; two of them that get the same event at the same moment both handle it, since a `KeyValueStore` cannot lock.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDedup = (
  options: StoredDedupOptions = {}
): Layer.Layer<Dedup, never, KeyValueStore.KeyValueStore> => {
  const ttl = ttlOf(options)
  return Layer.scoped(
    Dedup,
    KeyValueStore.KeyValueStore.pipe(
      Effect.flatMap((values) => store.make(values, { ttl, prefix: options.prefix ?? "modelroute-webhook-" })),
      Effect.map(once.make)
    )
  )
}
