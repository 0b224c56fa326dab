/**
 * Records handled events in a `KeyValueStore`. Cleanup must find expired events, but a store cannot list its keys.
 * Therefore each event has two values in the store:
 *
 * - The entry contains the time when the event was handled. The key of the entry is the hash of the event id.
 * - The slot contains the same hash. The key of the slot consists of an hour and a number. Cleanup reads the slots of an
 *   hour to find the entries of this hour.
 *
 * The slot is written before the event is handled, and the entry afterwards. A value is torn if the process was killed
 * during the write, so that the store contains only a part. A torn entry still marks its event as handled.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { findFreeSlot } from "../data/freeSlot.js"
import { sha256Hex } from "../data/sha256.js"
import { runSafely } from "../telemetry.js"
import type { HandledEvents } from "./dedup.js"

const hourMillis = 3_600_000
const hourOf = (millis: number): number => Math.floor(millis / hourMillis)

/** Number of expired hours that a cleanup checks if the store contains no valid record of an earlier cleanup. */
const firstCleanupHours = 24 * 7

/**
 * Encodes a number with a dot at its end. If the dot is missing, the number is incomplete, because the process was
 * killed during the write.
 */
const encodeNumber = (n: number): string => `${n}.`
const decodeNumber = (value: Option.Option<string>): number | undefined =>
  Option.isSome(value) && /^\d{1,16}\.$/.test(value.value) ? Number(value.value.slice(0, -1)) : undefined

const isHash = (value: string): boolean => /^[0-9a-f]{64}$/.test(value)

interface EventStore {
  readonly store: KeyValueStore.KeyValueStore
  readonly ttlMillis: number
  readonly entryKey: (hash: string) => string
  readonly slotKey: (hour: number, n: number) => string
  /** Key of the value that contains the first hour that has not been cleaned up. */
  readonly cleanedKey: string
}

const removeKey = ({ store }: EventStore, key: string): Effect.Effect<void, PlatformError> =>
  Effect.catchIf(
    store.remove(key),
    // Another process that shares the store may have removed the value.
    (error) => error._tag === "SystemError" && error.reason === "NotFound",
    () => Effect.void
  )

const findFreeNumber = ({ slotKey, store }: EventStore, hour: number, from = 0): Effect.Effect<number, PlatformError> =>
  findFreeSlot((n) => store.has(slotKey(hour, n)), from)

/**
 * Removes the slots of an hour and their entries. Starts with the last slot. Otherwise, a killed process would leave a
 * gap before the remaining slots, and cleanup would not find these slots.
 */
const cleanHour = (events: EventStore, hour: number): Effect.Effect<void, PlatformError> =>
  Effect.gen(function* () {
    const { entryKey, slotKey, store } = events
    for (let n = (yield* findFreeNumber(events, hour)) - 1; n >= 0; n--) {
      const hash = Option.getOrElse(yield* store.get(slotKey(hour, n)), () => "")
      if (isHash(hash)) {
        const entry = yield* store.get(entryKey(hash))
        // If the event was handled again after its expiry, its entry is newer than this slot and must be kept.
        const isExpired = hourOf(decodeNumber(entry) ?? 0) <= hour
        if (Option.isSome(entry) && isExpired) yield* removeKey(events, entryKey(hash))
      }
      yield* removeKey(events, slotKey(hour, n))
    }
  })

const cleanUp = (events: EventStore): Effect.Effect<void, PlatformError> =>
  Effect.gen(function* () {
    const { cleanedKey, store, ttlMillis } = events
    const now = yield* Clock.currentTimeMillis
    const end = hourOf(now - ttlMillis)
    const cleaned = decodeNumber(yield* store.get(cleanedKey))
    // An hour in the future was recorded while the clock was wrong, so the recorded hour is ignored.
    const isKnown = cleaned !== undefined && cleaned <= hourOf(now)
    const start = isKnown ? cleaned : Math.max(0, end - firstCleanupHours)
    if (!(start < end)) return
    for (let hour = start; hour < end; hour++) yield* cleanHour(events, hour)
    yield* store.set(cleanedKey, encodeNumber(end))
  })

/**
 * Starts a cleanup in the background and returns an effect. Each run of the effect requests another cleanup. The
 * cleanups stop when the scope closes.
 */
const forkCleanup = (events: EventStore): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const requested = yield* Effect.makeLatch(true)
    yield* requested.await.pipe(
      Effect.zipRight(requested.close),
      Effect.zipRight(cleanUp(events)),
      Effect.catchAllCause((cause) =>
        runSafely(
          Effect.logWarning(
            "Webhook.layerDedup could not clean up its store. The first event of the next hour starts another cleanup",
            cause
          )
        )
      ),
      Effect.forever,
      Effect.forkScoped
    )
    return Effect.asVoid(requested.open)
  })

/** Returns a function that writes the hash of an event id into the next free slot of an hour. */
const makeSlotWriter = (
  events: EventStore
): Effect.Effect<(hour: number, hash: string) => Effect.Effect<void, PlatformError>> =>
  Effect.map(Effect.makeSemaphore(1), (lock) => {
    let next = { hour: Number.NaN, n: 0 }
    return (hour, hash) =>
      // One write at a time leaves no gap in the slots, even if the process is killed during a write.
      lock.withPermits(1)(
        Effect.gen(function* () {
          const n = yield* findFreeNumber(events, hour, next.hour === hour ? next.n : 0)
          yield* events.store.set(events.slotKey(hour, n), hash)
          next = { hour, n: n + 1 }
        })
      )
  })

/**
 * Handled events whose entries could not be written to the store. The next delivery of such an event is not handled
 * again, but its entry is written.
 */
class UnsavedEvents {
  private readonly handledAt = new Map<string, number>()

  constructor(private readonly ttlMillis: number) {}

  has(hash: string): boolean {
    return this.handledAt.has(hash)
  }

  delete(hash: string): void {
    this.handledAt.delete(hash)
  }

  /** Adds a handled event and removes the events that have expired. */
  add(hash: string, now: number): void {
    for (const [oldest, at] of this.handledAt) {
      if (at + this.ttlMillis > now) break
      this.handledAt.delete(oldest)
    }
    this.handledAt.set(hash, now)
  }
}

/**
 * Returns a function that writes the entry of a handled event. `slotHour` is the hour of the event's slot, or
 * `undefined` if the event has no slot.
 */
const makeRecorder = (
  events: EventStore,
  unsaved: UnsavedEvents,
  writeSlot: (hour: number, hash: string) => Effect.Effect<void, PlatformError>,
  requestCleanup: Effect.Effect<void>
) => {
  let cleanedUpTo = Number.NEGATIVE_INFINITY
  return (hash: string, slotHour?: number): Effect.Effect<void, PlatformError> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.gen(function* () {
        const hour = hourOf(now)
        // Cleanup finds an entry through the slot of the hour of the entry. If the hour has changed since the slot was
        // written, the entry needs a slot of the new hour. Otherwise, cleanup would never remove the entry.
        if (slotHour !== hour) yield* writeSlot(hour, hash)
        yield* events.store.set(events.entryKey(hash), encodeNumber(now))
        unsaved.delete(hash)
        const expired = hourOf(now - events.ttlMillis)
        if (expired <= cleanedUpTo) return
        cleanedUpTo = expired
        yield* requestCleanup
      }).pipe(Effect.tapErrorCause(() => Effect.sync(() => unsaved.add(hash, now))))
    )
}

/**
 * Creates a record of handled events in a `KeyValueStore`. Removes expired events in the background until the scope
 * closes.
 *
 * @internal
 */
export const make = (
  store: KeyValueStore.KeyValueStore,
  { prefix, ttlMillis }: { readonly prefix: string; readonly ttlMillis: number }
): Effect.Effect<HandledEvents, never, Scope.Scope> =>
  Effect.gen(function* () {
    const events: EventStore = {
      store,
      ttlMillis,
      entryKey: (hash) => `${prefix}${hash}`,
      slotKey: (hour, n) => `${prefix}${hour}-${n}`,
      cleanedKey: `${prefix}cleaned`
    }
    const unsaved = new UnsavedEvents(ttlMillis)
    const writeSlot = yield* makeSlotWriter(events)
    const record = makeRecorder(events, unsaved, writeSlot, yield* forkCleanup(events))

    return {
      start: (id) =>
        Effect.gen(function* () {
          const hash = sha256Hex(id)
          if (unsaved.has(hash)) {
            yield* record(hash)
            return undefined
          }
          const now = yield* Clock.currentTimeMillis
          const entry = yield* store.get(events.entryKey(hash))
          const handledAt = decodeNumber(entry)
          // A torn entry marks its event as handled, because an entry is written only after its event was handled.
          if (Option.isSome(entry) && (handledAt === undefined || handledAt + ttlMillis > now)) return undefined
          const hour = hourOf(now)
          yield* writeSlot(hour, hash)
          return record(hash, hour)
        })
    }
  })
