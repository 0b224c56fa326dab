/**
 * Which events have been handled, in a `KeyValueStore`.
 *
 * A store cannot list its keys, so each event has two: a slot, numbered within the hour, that names the entry for the day on
 * which it has expired; and the entry, the time of its handling under the hash of its id. The slot is written before the event
 * is handled, so that between its being handled and its being remembered there is but one write. No value is ever changed in
 * a way that another one depends on: a process that is killed while it writes leaves at worst one torn value, and that is
 * enough to know what it would have been.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { freeSlot } from "../data/freeSlot.js"
import { sha256Hex } from "../data/sha256.js"
import { safely } from "../telemetry.js"
import type { Handled } from "./dedup.js"

/** The unit in which expired entries are cleaned up, in milliseconds. */
const unit = 3_600_000
const hourOf = (at: number): number => Math.floor(at / unit)

/** How many hours are looked through where nothing tells how far the cleaning has come. */
const lookBack = 24 * 7

/** The dot tells a number from the first digits of one. */
const write = (n: number): string => `${n}.`
const read = (value: Option.Option<string>): number | undefined =>
  Option.isSome(value) && /^\d{1,16}\.$/.test(value.value) ? Number(value.value.slice(0, -1)) : undefined

const isHash = (value: string): boolean => /^[0-9a-f]{64}$/.test(value)

/** @internal `ttl` in milliseconds; cleans up in the background, as long as the scope is open. */
export const make = (
  store: KeyValueStore.KeyValueStore,
  { prefix, ttl }: { readonly prefix: string; readonly ttl: number }
): Effect.Effect<Handled, never, Scope.Scope> =>
  Effect.gen(function* () {
    const entryKey = (hash: string) => `${prefix}${hash}`
    const slotKey = (hour: number, n: number) => `${prefix}${hour}-${n}`
    const cleanedKey = `${prefix}cleaned`

    const remove = (key: string): Effect.Effect<void, PlatformError> =>
      Effect.catchIf(
        store.remove(key),
        (error) => error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.void // by another process
      )

    const freeSlotOf = (hour: number, from = 0) => freeSlot((n) => store.has(slotKey(hour, n)), from)

    const lock = yield* Effect.makeSemaphore(1)
    let next = { hour: Number.NaN, n: 0 }

    /** One after the other, so that no slot is left out, even by a process that is killed. */
    const takeSlot = (hour: number, hash: string) =>
      lock.withPermits(1)(
        Effect.gen(function* () {
          const n = yield* freeSlotOf(hour, next.hour === hour ? next.n : 0)
          yield* store.set(slotKey(hour, n), hash)
          next = { hour, n: n + 1 }
        })
      )

    /** Downwards, so that a process that is killed leaves the slots without a gap. */
    const cleanHour = (hour: number) =>
      Effect.gen(function* () {
        for (let n = (yield* freeSlotOf(hour)) - 1; n >= 0; n--) {
          const hash = Option.getOrElse(yield* store.get(slotKey(hour, n)), () => "")
          if (isHash(hash)) {
            const entry = yield* store.get(entryKey(hash))
            // An event that came again after its time has an entry that is younger than this slot.
            const isOf = hourOf(read(entry) ?? 0) <= hour
            if (Option.isSome(entry) && isOf) yield* remove(entryKey(hash))
          }
          yield* remove(slotKey(hour, n))
        }
      })

    const clean = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const end = hourOf(now - ttl)
      const cleaned = read(yield* store.get(cleanedKey))
      // One that lies in the future was written under a clock that was wrong.
      const known = cleaned !== undefined && cleaned <= hourOf(now)
      const from = known ? cleaned : Math.max(0, end - lookBack)
      if (!(from < end)) return
      for (let hour = from; hour < end; hour++) yield* cleanHour(hour)
      yield* store.set(cleanedKey, write(end))
    })

    let looked = Number.NEGATIVE_INFINITY
    const due = yield* Effect.makeLatch(true)
    yield* due.await.pipe(
      Effect.zipRight(due.close),
      Effect.zipRight(clean),
      Effect.catchAllCause((cause) =>
        safely(
          Effect.logWarning("Webhook.layerDedup could not clean up its store and tries again within the hour", cause)
        )
      ),
      Effect.forever,
      Effect.forkScoped
    )

    /** Handled, while the store could not be written to. */
    const unsaved = new Map<string, number>()
    const keep = (hash: string, now: number) => {
      for (const [oldest, at] of unsaved) {
        if (at + ttl > now) break
        unsaved.delete(oldest)
      }
      unsaved.set(hash, now)
    }

    /** `slot` is the hour in which a slot was taken: an entry of a later hour would outlive it. */
    const remember = (hash: string, slot?: number) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.gen(function* () {
          const hour = hourOf(now)
          if (slot !== hour) yield* takeSlot(hour, hash)
          yield* store.set(entryKey(hash), write(now))
          unsaved.delete(hash)
          const expired = hourOf(now - ttl)
          if (expired <= looked) return
          looked = expired
          yield* due.open
        }).pipe(Effect.tapErrorCause(() => Effect.sync(() => keep(hash, now))))
      )

    return {
      open: (id) =>
        Effect.gen(function* () {
          const hash = sha256Hex(id)
          if (unsaved.has(hash)) {
            yield* remember(hash)
            return undefined
          }
          const now = yield* Clock.currentTimeMillis
          const entry = yield* store.get(entryKey(hash))
          const at = read(entry)
          // A torn entry was written, too, after the event had been handled.
          if (Option.isSome(entry) && (at === undefined || at + ttl > now)) return undefined
          const slot = hourOf(now)
          yield* takeSlot(slot, hash)
          return remember(hash, slot)
        })
    }
  })
