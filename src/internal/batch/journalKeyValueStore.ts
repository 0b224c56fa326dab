/**
 * A journal in a `KeyValueStore`, whose values may be torn: a process that is killed while it sets one leaves it empty, or cut
 * anywhere.
 *
 * Each item has two values, written in turn: the one that is being written is never the one that holds the newest entry. A store
 * cannot list its keys, so before an item gets its first entry, its name is written in a list, one for each call that has
 * such items, numbered without a gap. An item is listed again where a kill came between the two; its entry tells which
 * list counts.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { JournalError } from "../../ModelRouteError.js"
import { freeSlot } from "../data/freeSlot.js"
import { sha256Hex } from "../data/sha256.js"
import { stringify } from "../data/jsonText.js"
import { JournalEntry, revision } from "./journalEntry.js"
import type { JournalService } from "./journal.js"

/** How many items are read or written at once. */
const concurrency = 16

/** For how many items, and how many batches, it is known where the next write goes. */
const mostKnown = 16_384

/** Batches that are written at the same time rarely share one. */
const lockCount = 16

/** What a value holds. */
const Kept = Schema.Struct({
  /** Counts the writes of the item, from 1. */
  sequence: Schema.NonNegativeInt,
  /** The list that has the item. */
  list: Schema.NonNegativeInt,
  entry: JournalEntry
})
type Kept = typeof Kept.Type

const KeptText = Schema.parseJson(Kept)
const encode = (kept: Kept) => Effect.flatMap(Schema.encode(Kept)(kept), (json) => Effect.try(() => stringify(json)))
const decode = Schema.decodeOption(KeptText)

type Slot = 0 | 1

/** Where an item's newest entry is. */
interface Place {
  readonly slot: Slot
  readonly sequence: number
  readonly list: number
  readonly revision: number
}

/** "unsure" while it is being looked for: whoever writes meanwhile knows better. */
interface Known {
  readonly place: Place | "none" | "unsure"
}

const placeOf = (slot: Slot, { entry, list, sequence }: Kept): Place => ({
  slot,
  sequence,
  list,
  revision: revision(entry)
})

/** Names of files have room for 255 characters, keys for more. */
const nameOf = (what: unknown): string => sha256Hex(JSON.stringify(what)).slice(0, 32)

/** A list that is torn is cut within a name whose item was not written any more. */
const namesIn = (list: string): ReadonlyArray<string> => list.split("\n").filter((line) => /^[0-9a-f]{32}$/.test(line))

const quoted = (key: string): string => JSON.stringify(key.length > 100 ? `${key.slice(0, 100)}…` : key)

const failure = (message: string, detail?: string): JournalError =>
  new JournalError({
    operation: "Batch.run",
    attempts: 0,
    message: `Batch.run: ${message}`,
    ...(detail === undefined ? {} : { detail })
  })

const couldNot = (verb: string, key: string) =>
  Effect.mapError((error: PlatformError) =>
    failure(
      `the journal could not ${verb} ${quoted(key)} in its store. When the store works, run the batch again: it goes on.`,
      error.message
    )
  )

/** @internal `prefix` begins the name of every value. One process at a time may write to a batch. */
export const make = (
  store: KeyValueStore.KeyValueStore,
  { prefix }: { readonly prefix: string }
): Effect.Effect<JournalService> =>
  Effect.sync(() => {
    const slotKey = (item: string, slot: Slot) => `${prefix}${item}-${slot}`
    const listKey = (batch: string, n: number) => `${prefix}${batch}-n${n}`

    const get = (key: string) => couldNot("read", key)(store.get(key))
    const has = (key: string) => couldNot("look for", key)(store.has(key))
    const remove = (key: string) =>
      Effect.catchIf(
        store.remove(key),
        (error) => error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.void
      ).pipe(couldNot("remove", key))

    /** What has begun is ended, and then known: otherwise the next one to set this value might do so at the same time. */
    const set = (key: string, value: string, then: () => void) =>
      Effect.uninterruptible(Effect.zipRight(couldNot("write", key)(store.set(key, value)), Effect.sync(then)))

    const known = new Map<string, Known>()
    const know = <V>(map: Map<string, V>, key: string, value: V): void => {
      map.delete(key)
      map.set(key, value)
      for (const oldest of map.keys()) {
        if (map.size <= mostKnown) return
        map.delete(oldest)
      }
    }
    /** What is delivered is not written again. */
    const keepPlace = (item: string, step: JournalEntry["step"], place: Place): void => {
      if (step === "Delivered") known.delete(item)
      else know(known, item, { place })
    }

    /** The first list number that may be free, by the names of the batches. */
    const nextList = new Map<string, number>()

    const locks = Array.from({ length: lockCount }, () => Effect.unsafeMakeSemaphore(1))
    const alone = (batch: string) => {
      const lock = locks[Number.parseInt(batch.slice(0, 4), 16) % lockCount]
      return <A, E>(effect: Effect.Effect<A, E>) => (lock === undefined ? effect : lock.withPermits(1)(effect))
    }

    /** The newest entry of an item. `key` is the item's own, if it is known. */
    const look = (batch: string, item: string, key?: string) =>
      Effect.gen(function* () {
        // A foreign value, or one of an item whose name is the same by chance, is no more than a torn one.
        const isOf = ({ entry }: Kept) => (key === undefined ? nameOf([batch, entry.key]) === item : entry.key === key)
        const read = (value: Option.Option<string>) =>
          Option.getOrUndefined(Option.filter(Option.flatMap(value, decode), isOf))
        let damaged: readonly [string, string] | undefined
        for (;;) {
          const first = yield* get(slotKey(item, 0))
          if (Option.isNone(first)) return undefined
          const second = yield* get(slotKey(item, 1))
          const [a, b] = [read(first), read(second)]
          const isSecond =
            b !== undefined &&
            (a === undefined || (revision(b.entry) - revision(a.entry) || b.sequence - a.sequence) > 0)
          if (isSecond) return { kept: b, place: placeOf(1, b) }
          if (a !== undefined) return { kept: a, place: placeOf(0, a) }
          // The first write was torn: nothing has come of it.
          if (Option.isNone(second)) return undefined
          // Another process may have set one after the other while they were read: then they are others now.
          if (damaged?.[0] === first.value && damaged[1] === second.value) {
            return yield* failure(
              `both values of the item ${key === undefined ? item : quoted(key)} in the journal are unreadable: ` +
                `"${slotKey(item, 0)}" and "${slotKey(item, 1)}". No kill leaves them so: the store is damaged. Restore ` +
                "them, or remove both: then the item is submitted again, under its first idempotency key."
            )
          }
          damaged = [first.value, second.value]
        }
      })

    const placeNow = (batch: string, item: string, key: string): Effect.Effect<Place | undefined, JournalError> =>
      Effect.suspend(() => {
        const { place } = known.get(item) ?? { place: "unsure" }
        if (place === "unsure") return Effect.map(look(batch, item, key), (found) => found?.place)
        return Effect.succeed(place === "none" ? undefined : place)
      })

    const put = (item: string, entry: JournalEntry, before: Place | undefined, listed: number) =>
      Effect.gen(function* () {
        const slot = before?.slot === 0 ? 1 : 0
        const kept: Kept = { sequence: (before?.sequence ?? 0) + 1, list: before?.list ?? listed, entry }
        const value = yield* Effect.mapError(encode(kept), () =>
          failure(`the entry of the item ${quoted(entry.key)} cannot be written as JSON. Nothing was written for it.`)
        )
        yield* set(slotKey(item, slot), value, () => keepPlace(item, entry.step, placeOf(slot, kept)))
      })

    /** Lists items that have no entry yet, and gives the number of their list. */
    const enlist = (batch: string, items: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const n = yield* freeSlot((n) => has(listKey(batch, n)), nextList.get(batch))
        yield* set(listKey(batch, n), items.map((item) => `${item}\n`).join(""), () => know(nextList, batch, n + 1))
        return n
      })

    const forget = (item: string) =>
      // Downwards: what has no first value has no second one.
      Effect.zipRight(remove(slotKey(item, 1)), remove(slotKey(item, 0))).pipe(
        Effect.ensuring(Effect.sync(() => void known.delete(item)))
      )

    return {
      read: (batch, keys) =>
        Effect.forEach(
          keys,
          (key) =>
            Effect.gen(function* () {
              const item = nameOf([batch, key])
              const looking: Known = { place: "unsure" }
              know(known, item, looking)
              const found = yield* look(batch, item, key)
              if (known.get(item) === looking) {
                if (found === undefined) know(known, item, { place: "none" })
                else keepPlace(item, found.kept.entry.step, found.place)
              }
              return Option.map(Option.fromNullable(found), ({ kept }) => kept.entry)
            }),
          { concurrency }
        ),
      write: (batch, entries) =>
        Effect.gen(function* () {
          const items = yield* Effect.forEach(
            entries,
            (entry) => {
              const item = nameOf([batch, entry.key])
              return Effect.map(placeNow(batch, item, entry.key), (before) => ({ item, entry, before }))
            },
            { concurrency }
          )
          const due = items.filter(({ before, entry }) => before === undefined || revision(entry) >= before.revision)
          const first = due.filter(({ before }) => before === undefined).map(({ item }) => item)
          const list = first.length === 0 ? 0 : yield* enlist(nameOf(batch), first)
          yield* Effect.forEach(due, ({ before, entry, item }) => put(item, entry, before, list), {
            concurrency,
            discard: true
          })
        }).pipe(alone(nameOf(batch))),
      entries: (batch) =>
        Stream.paginateChunkEffect(0, (n) =>
          Effect.gen(function* () {
            const list = yield* get(listKey(nameOf(batch), n))
            if (Option.isNone(list)) return [Chunk.empty<JournalEntry>(), Option.none<number>()] as const
            const found = yield* Effect.forEach(namesIn(list.value), (item) => look(batch, item), { concurrency })
            const kept = found.flatMap((each) => (each?.kept.list === n ? [each.kept.entry] : []))
            return [Chunk.unsafeFromArray(kept), Option.some(n + 1)] as const
          })
        ),
      remove: (batch) =>
        Effect.gen(function* () {
          const name = nameOf(batch)
          nextList.delete(name)
          // Downwards, so that a process that is killed leaves the lists without a gap, and each with its items.
          for (let n = (yield* freeSlot((n) => has(listKey(name, n)))) - 1; n >= 0; n--) {
            const list = yield* get(listKey(name, n))
            const items = namesIn(Option.getOrElse(list, () => ""))
            yield* Effect.forEach(items, forget, { concurrency, discard: true })
            yield* remove(listKey(name, n))
          }
        }).pipe(alone(nameOf(batch)))
    }
  })
