/**
 * Records handled events in a `KeyValueStore`. A store cannot list its keys, so each event has two values:
 *
 * - The entry contains the time when the event was handled. Its key is the hash of the event id.
 * - The slot contains the hash. Its key consists of an hour and a number. Cleanup uses the slots to find the entries of
 *   an hour.
 *
 * The slot is written before the event is handled, and the entry afterwards. If the process is killed during a write,
 * the value can be torn. A torn entry still marks its event as handled.
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

/** Number of expired hours that cleanup checks if no earlier cleanup is recorded. */
const firstCleanupHours = 24 * 7

/** Encodes a number with a dot at its end. A number without the dot is the result of a torn write. */
const encodeNumber = (n: number): string => `${n}.`
const decodeNumber = (value: Option.Option<string>): number | undefined =>
  Option.isSome(value) && /^\d{1,16}\.$/.test(value.value) ? Number(value.value.slice(0, -1)) : undefined

const isHash = (value: string): boolean => /^[0-9a-f]{64}$/.test(value)

interface EventStore {
  readonly store: KeyValueStore.KeyValueStore
  readonly ttlMillis: number
  readonly entryKey: (hash: string) => string
  readonly slotKey: (hour: number, n: number) => string
  /** Key of the value that contains the first hour without a cleanup. */
  readonly cleanedKey: string
}

const removeKey = ({ store }: EventStore, key: string): Effect.Effect<void, PlatformError> =>
  Effect.catchIf(
    store.remove(key),
    // Another process may have removed the value.
    (error) => error._tag === "SystemError" && error.reason === "NotFound",
    () => Effect.void
  )

const findFreeNumber = ({ slotKey, store }: EventStore, hour: number, from = 0): Effect.Effect<number, PlatformError> =>
  findFreeSlot((n) => store.has(slotKey(hour, n)), from)

/**
 * Removes the slots of an hour and their entries. Starts with the last slot, so that a killed process leaves no gap.
 */
const cleanHour = (events: EventStore, hour: number): Effect.Effect<void, PlatformError> =>
  Effect.gen(function* () {
    const { entryKey, slotKey, store } = events
    for (let n = (yield* findFreeNumber(events, hour)) - 1; n >= 0; n--) {
      const hash = Option.getOrElse(yield* store.get(slotKey(hour, n)), () => "")
      if (isHash(hash)) {
        const entry = yield* store.get(entryKey(hash))
        // The entry is newer than its slot if the event was handled again after its expiry.
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
    // An hour in the future is invalid, because the hour was recorded while the clock was wrong.
    const isKnown = cleaned !== undefined && cleaned <= hourOf(now)
    const start = isKnown ? cleaned : Math.max(0, end - firstCleanupHours)
    if (!(start < end)) return
    for (let hour = start; hour < end; hour++) yield* cleanHour(events, hour)
    yield* store.set(cleanedKey, encodeNumber(end))
  })

/**
 * Starts a cleanup in the background. Each run of the returned effect requests another cleanup. Stops when the scope
 * closes.
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

/** Returns a function that writes the hash of an event into the next free slot of an hour. */
const makeSlotWriter = (
  events: EventStore
): Effect.Effect<(hour: number, hash: string) => Effect.Effect<void, PlatformError>> =>
  Effect.map(Effect.makeSemaphore(1), (lock) => {
    let next = { hour: Number.NaN, n: 0 }
    return (hour, hash) =>
      // Sequential writes leave no gap in the slots, even if the process is killed.
      lock.withPermits(1)(
        Effect.gen(function* () {
          const n = yield* findFreeNumber(events, hour, next.hour === hour ? next.n : 0)
          yield* events.store.set(events.slotKey(hour, n), hash)
          next = { hour, n: n + 1 }
        })
      )
  })

/** Handled events that could not be written to the store. */
class UnsavedEvents {
  private readonly handledAt = new Map<string, number>()

  constructor(private readonly ttlMillis: number) {}

  has(hash: string): boolean {
    return this.handledAt.has(hash)
  }

  delete(hash: string): void {
    this.handledAt.delete(hash)
  }

  /** Adds an event and removes the expired events. */
  add(hash: string, now: number): void {
    for (const [oldest, at] of this.handledAt) {
      if (at + this.ttlMillis > now) break
      this.handledAt.delete(oldest)
    }
    this.handledAt.set(hash, now)
  }
}

/**
 * Returns a function that writes the entry of a handled event. `slotHour` is the hour of its slot, if the slot exists.
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
        // The entry needs a slot of its own hour, because cleanup keeps entries that are newer than their slot.
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

/** @internal Creates a record of handled events in a store. Cleans up in the background until the scope closes. */
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
          // A torn entry counts as handled, because an entry is written only after its event was handled.
          if (Option.isSome(entry) && (handledAt === undefined || handledAt + ttlMillis > now)) return undefined
          const hour = hourOf(now)
          yield* writeSlot(hour, hash)
          return record(hash, hour)
        })
    }
  })
