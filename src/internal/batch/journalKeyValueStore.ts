/**
 * Keeps the journal in a `KeyValueStore`. If the process is killed during the write of a value, the value may be empty
 * or truncated. Each item therefore has two values, called slots. Each write replaces the slot with the older entry, so
 * the newest complete entry is never lost.
 *
 * A `KeyValueStore` cannot list its keys. Before new items are written, the hashes of these items are therefore stored
 * in a list. The lists of a batch are numbered from 0 without a gap, so that `entries` finds all lists. If the process
 * is killed between the two writes, the next write stores the same hashes in another list. Each entry contains the
 * number of its own list, so that `entries` emits the entry only once.
 *
 * @internal
 */
import type * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { JournalError } from "../../ModelRouteError.js"
import { findFreeSlot } from "../data/freeSlot.js"
import { type JournalEntry, revision } from "./journalEntry.js"
import type { JournalService } from "./journal.js"
import { journalError, quote } from "./journalFailure.js"
import {
  decodeStoredEntry,
  encodeStoredEntry,
  hashName,
  itemsIn,
  type JournalValues,
  makeValues,
  type Slot,
  type StoredEntry
} from "./journalValues.js"

/** Maximum number of items that are read or written concurrently. */
const concurrency = 16

/** Maximum number of items or batches in each cache. */
const maxCached = 16_384

/** Number of write locks. The hash of a batch selects its lock, so that few concurrent batches share a lock. */
const lockCount = 16

/** Position of the newest entry of an item. */
interface Position {
  readonly slot: Slot
  readonly sequence: number
  readonly list: number
  readonly revision: number
}

/**
 * Cached position of an item. A read first caches a new object with the position `pending`. When the read ends, the
 * found position replaces only this object. A later write caches another object, so the read does not overwrite the
 * position from the write.
 */
interface CachedPosition {
  readonly position: Position | "none" | "pending"
}

/** State that the methods of a journal share. The keys of the maps are hashes of items or batches. */
interface State {
  readonly values: JournalValues
  readonly positions: Map<string, CachedPosition>
  /** Smallest list number that may be unused, by batch. */
  readonly nextLists: Map<string, number>
  readonly locks: ReadonlyArray<Effect.Semaphore>
}

interface FoundEntry {
  readonly stored: StoredEntry
  readonly position: Position
}

const toPosition = (slot: Slot, { entry, list, sequence }: StoredEntry): Position => ({
  slot,
  sequence,
  list,
  revision: revision(entry)
})

/** Adds a value to a bounded cache. Removes the oldest values if the cache is full. */
const cache = <V>(map: Map<string, V>, key: string, value: V): void => {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= maxCached) return
    map.delete(oldest)
  }
}

/**
 * Caches the position of an item. After the step `Delivered`, removes the item from the cache, because the item is not
 * written again.
 */
const cachePosition = (state: State, item: string, step: JournalEntry["step"], position: Position): void => {
  if (step === "Delivered") state.positions.delete(item)
  else cache(state.positions, item, { position })
}

/** Runs an effect under the lock of a batch, so that writes and removals of the batch do not overlap. */
const withLock =
  ({ locks }: State, batch: string) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const lock = locks[Number.parseInt(batch.slice(0, 4), 16) % lockCount]
    return lock === undefined ? effect : lock.withPermits(1)(effect)
  }

const damagedItem = ({ slotKey }: JournalValues, item: string, key: string | undefined): JournalError =>
  journalError(
    "Batch.run",
    `both values of the item ${key === undefined ? item : quote(key)} in the journal are unreadable: ` +
      `"${slotKey(item, 0)}" and "${slotKey(item, 1)}". A killed process damages at most one value, so the store is damaged. ` +
      "Restore the values, or remove both. If you remove both values, the item is submitted again under its first " +
      "idempotency key."
  )

/**
 * Returns the newest entry of an item, or `undefined` if the item has no entry. `item` is the hash of the item. `key`
 * is absent if only this hash is known. Fails with `JournalError` if the store fails or both slots are unreadable.
 */
const findEntry = (
  { values: { get, slotKey }, values }: State,
  batch: string,
  item: string,
  key?: string
): Effect.Effect<FoundEntry | undefined, JournalError> =>
  Effect.gen(function* () {
    // The store may contain a value of another program, or of another item with the same hash. Such a value counts as
    // unreadable.
    const isOfItem = ({ entry }: StoredEntry) =>
      key === undefined ? hashName([batch, entry.key]) === item : entry.key === key
    const read = (value: Option.Option<string>) =>
      Option.getOrUndefined(Option.filter(Option.flatMap(value, decodeStoredEntry), isOfItem))
    let unreadable: readonly [string, string] | undefined
    for (;;) {
      const first = yield* get(slotKey(item, 0))
      if (Option.isNone(first)) return undefined
      const second = yield* get(slotKey(item, 1))
      const [a, b] = [read(first), read(second)]
      const isSecondNewer =
        b !== undefined && (a === undefined || (revision(b.entry) - revision(a.entry) || b.sequence - a.sequence) > 0)
      if (isSecondNewer) return { stored: b, position: toPosition(1, b) }
      if (a !== undefined) return { stored: a, position: toPosition(0, a) }
      // If only the first slot exists and is unreadable, the first write was truncated. The item has then not been
      // submitted, so the item counts as new.
      if (Option.isNone(second)) return undefined
      // Another process may write both slots between the two reads. Unreadable values are therefore read again, and the
      // store is damaged only if the values have not changed.
      if (unreadable?.[0] === first.value && unreadable[1] === second.value) {
        return yield* damagedItem(values, item, key)
      }
      unreadable = [first.value, second.value]
    }
  })

const currentPosition = (
  state: State,
  batch: string,
  item: string,
  key: string
): Effect.Effect<Position | undefined, JournalError> =>
  Effect.suspend(() => {
    const { position } = state.positions.get(item) ?? { position: "pending" }
    if (position === "pending") return Effect.map(findEntry(state, batch, item, key), (found) => found?.position)
    return Effect.succeed(position === "none" ? undefined : position)
  })

/** Writes an entry to the slot that does not contain the newest entry. */
const putEntry = (
  state: State,
  item: string,
  entry: JournalEntry,
  before: Position | undefined,
  newList: number
): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    const slot = before?.slot === 0 ? 1 : 0
    const stored: StoredEntry = { sequence: (before?.sequence ?? 0) + 1, list: before?.list ?? newList, entry }
    const value = yield* encodeStoredEntry(stored)
    yield* state.values.set(state.values.slotKey(item, slot), value, () =>
      cachePosition(state, item, entry.step, toPosition(slot, stored))
    )
  })

/**
 * Returns the smallest list number that the batch does not use. The search starts at `from`, so the batch must use every
 * smaller number.
 */
const firstFreeList = ({ values }: State, batch: string, from?: number): Effect.Effect<number, JournalError> =>
  findFreeSlot((n) => values.has(values.listKey(batch, n)), from)

/** Stores the hashes of new items in a new list and returns the number of the list. */
const addList = (state: State, batch: string, items: ReadonlyArray<string>): Effect.Effect<number, JournalError> =>
  Effect.gen(function* () {
    const { nextLists, values } = state
    const n = yield* firstFreeList(state, batch, nextLists.get(batch))
    yield* values.set(values.listKey(batch, n), items.map((item) => `${item}\n`).join(""), () =>
      cache(nextLists, batch, n + 1)
    )
    return n
  })

const readEntry = (
  state: State,
  batch: string,
  key: string
): Effect.Effect<Option.Option<JournalEntry>, JournalError> =>
  Effect.gen(function* () {
    const item = hashName([batch, key])
    const pending: CachedPosition = { position: "pending" }
    cache(state.positions, item, pending)
    const found = yield* findEntry(state, batch, item, key)
    if (state.positions.get(item) === pending) {
      if (found === undefined) cache(state.positions, item, { position: "none" })
      else cachePosition(state, item, found.stored.entry.step, found.position)
    }
    return Option.map(Option.fromNullable(found), ({ stored }) => stored.entry)
  })

const writeEntries = (
  state: State,
  batch: string,
  entries: ReadonlyArray<JournalEntry>
): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    const writes = yield* Effect.forEach(
      entries,
      (entry) => {
        const item = hashName([batch, entry.key])
        return Effect.map(currentPosition(state, batch, item, entry.key), (before) => ({ item, entry, before }))
      },
      { concurrency }
    )
    const due = writes.filter(({ before, entry }) => before === undefined || revision(entry) >= before.revision)
    const newItems = due.filter(({ before }) => before === undefined).map(({ item }) => item)
    const list = newItems.length === 0 ? 0 : yield* addList(state, hashName(batch), newItems)
    yield* Effect.forEach(due, ({ before, entry, item }) => putEntry(state, item, entry, before, list), {
      concurrency,
      discard: true
    })
  }).pipe(withLock(state, hashName(batch)))

const streamEntries = (state: State, batch: string): Stream.Stream<JournalEntry, JournalError> =>
  Stream.paginateChunkEffect(0, (n) =>
    Effect.gen(function* () {
      const list = yield* state.values.get(state.values.listKey(hashName(batch), n))
      if (Option.isNone(list)) return [Chunk.empty<JournalEntry>(), Option.none<number>()] as const
      const found = yield* Effect.forEach(itemsIn(list.value), (item) => findEntry(state, batch, item), { concurrency })
      const entries = found.flatMap((each) => (each?.stored.list === n ? [each.stored.entry] : []))
      return [Chunk.unsafeFromArray(entries), Option.some(n + 1)] as const
    })
  )

const removeItem = ({ positions, values }: State, item: string): Effect.Effect<void, JournalError> =>
  // The second slot is removed first. Otherwise, a killed process could leave only the second slot. A later write of
  // the first slot would then make the old entry visible again.
  Effect.zipRight(values.remove(values.slotKey(item, 1)), values.remove(values.slotKey(item, 0))).pipe(
    Effect.ensuring(Effect.sync(() => void positions.delete(item)))
  )

const removeBatch = (state: State, batchId: string): Effect.Effect<void, JournalError> => {
  const batch = hashName(batchId)
  return Effect.gen(function* () {
    const { nextLists, values } = state
    nextLists.delete(batch)
    // The last list is removed first. If the process is killed, the remaining lists therefore have no gap and contain
    // all remaining items.
    for (let n = (yield* firstFreeList(state, batch)) - 1; n >= 0; n--) {
      const list = yield* values.get(values.listKey(batch, n))
      const items = itemsIn(Option.getOrElse(list, () => ""))
      yield* Effect.forEach(items, (item) => removeItem(state, item), { concurrency, discard: true })
      yield* values.remove(values.listKey(batch, n))
    }
  }).pipe(withLock(state, batch))
}

/**
 * Creates a journal in a `KeyValueStore`. The key of each value begins with `prefix`. Only one process at a time may
 * write to a batch.
 *
 * @internal
 */
export const make = (
  store: KeyValueStore.KeyValueStore,
  { prefix }: { readonly prefix: string }
): Effect.Effect<JournalService> =>
  Effect.sync(() => {
    const state: State = {
      values: makeValues(store, prefix),
      positions: new Map(),
      nextLists: new Map(),
      locks: Array.from({ length: lockCount }, () => Effect.unsafeMakeSemaphore(1))
    }
    return {
      read: (batch, keys) => Effect.forEach(keys, (key) => readEntry(state, batch, key), { concurrency }),
      write: (batch, entries) => writeEntries(state, batch, entries),
      entries: (batch) => streamEntries(state, batch),
      remove: (batch) => removeBatch(state, batch)
    }
  })
