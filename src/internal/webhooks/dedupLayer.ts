/**
 * Creates the layers of `Dedup`.
 *
 * @internal
 */
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { checksOf, orThrow } from "../errors/optionChecks.js"
import * as dedup from "./dedup.js"
import * as dedupKeyValueStore from "./dedupKeyValueStore.js"
import { InMemoryEvents } from "./dedupMemory.js"
import { Dedup, type DedupService, type StoredDedupOptions } from "./dedupService.js"

/** Minimum time for which a handled event is recorded, because the API repeats a delivery for up to 24 hours. */
const minTtlMillis = Duration.toMillis("24 hours")

const ttlMillisOf = (options: StoredDedupOptions): number =>
  Math.max(minTtlMillis, orThrow(checksOf("Webhook.Dedup").duration("ttl", options.ttl ?? "24 hours", "zero")))

/** @internal */
export const makeInMemory = (): DedupService => dedup.make(new InMemoryEvents(minTtlMillis))

/**
 * Records handled events in the memory of the process. Each event is recorded for 24 hours and uses about 250 bytes of
 * memory. After a restart, a repeated delivery is handled again, because the restart removes all records.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Webhook } from "effect-modelroute"
 *
 * export const app = Webhook.handler({
 *   secrets: Redacted.make("whsec_…"),
 *   dedup: Webhook.Dedup,
 *   onEvent: (event) => Effect.log(event.type)
 * }).pipe(Effect.provide(Webhook.layerDedupMemory))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDedupMemory: Layer.Layer<Dedup> = Layer.sync(Dedup, makeInMemory)

/**
 * Records handled events in a `KeyValueStore`, so that the records survive restarts and crashes. Writes two small
 * values for each event. Removes expired values in the background, at startup and after the first event of each hour.
 *
 * Several processes can share a store. Two simultaneous deliveries of an event to two processes are both handled,
 * because a `KeyValueStore` has no locks. `ttl` is the minimum retention of a handled event, 24 hours by default.
 * Throws `InvalidRequest` if `ttl` is not a duration.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { KeyValueStore } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Webhook } from "effect-modelroute"
 *
 * export const DedupLive = Webhook.layerDedup({ ttl: "3 days" }).pipe(
 *   Layer.provide(KeyValueStore.layerFileSystem("./webhooks")),
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDedup = (
  options: StoredDedupOptions = {}
): Layer.Layer<Dedup, never, KeyValueStore.KeyValueStore> => {
  const ttlMillis = ttlMillisOf(options)
  return Layer.scoped(
    Dedup,
    KeyValueStore.KeyValueStore.pipe(
      Effect.flatMap((store) =>
        dedupKeyValueStore.make(store, { ttlMillis, prefix: options.prefix ?? "modelroute-webhook-" })
      ),
      Effect.map(dedup.make)
    )
  )
}
