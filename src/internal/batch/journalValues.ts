/**
 * Defines the keys, the encoding and the errors of the values of a journal in a `KeyValueStore`.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { JournalError } from "../../ModelRouteError.js"
import { stringify } from "../data/jsonText.js"
import { sha256Hex } from "../data/sha256.js"
import { JournalEntry } from "./journalEntry.js"
import { journalError, notEncodable, quote } from "./journalFailure.js"

const StoredEntry = Schema.Struct({
  /** Number of the write that stored this entry. The first write of an item has the number 1. */
  sequence: Schema.NonNegativeInt,
  /** Number of the list that contains the hash of the item. */
  list: Schema.NonNegativeInt,
  entry: JournalEntry
})

/** @internal Content of a slot. */
export type StoredEntry = typeof StoredEntry.Type

/** @internal */
export const encodeStoredEntry = (stored: StoredEntry): Effect.Effect<string, JournalError> =>
  Schema.encode(StoredEntry)(stored).pipe(
    Effect.flatMap((json) => Effect.try(() => stringify(json))),
    Effect.mapError(() => notEncodable(stored.entry.key))
  )

/** @internal Decodes a stored entry. Returns `None` if the value is truncated or from another program. */
export const decodeStoredEntry: (value: string) => Option.Option<StoredEntry> = Schema.decodeOption(
  Schema.parseJson(StoredEntry)
)

/** @internal Index of one of the two slots of an item. */
export type Slot = 0 | 1

/**
 * Returns a hash of 32 hexadecimal digits as the name of a batch or an item. The name of a file can have at most 255
 * characters, but batch ids and item keys have no limit.
 *
 * @internal
 */
export const hashName = (parts: unknown): string => sha256Hex(JSON.stringify(parts)).slice(0, 32)

/**
 * Returns the hashes of the items in a list. Skips a truncated hash, because an item is written only after its hash.
 *
 * @internal
 */
export const itemsIn = (list: string): ReadonlyArray<string> =>
  list.split("\n").filter((line) => /^[0-9a-f]{32}$/.test(line))

/** @internal */
export interface JournalValues {
  readonly slotKey: (item: string, slot: Slot) => string
  readonly listKey: (batch: string, list: number) => string
  readonly get: (key: string) => Effect.Effect<Option.Option<string>, JournalError>
  readonly has: (key: string) => Effect.Effect<boolean, JournalError>
  /**
   * Writes a value and then runs `onWritten`. The write is uninterruptible, because an interrupted write could overlap
   * with the next write of the same value.
   */
  readonly set: (key: string, value: string, onWritten: () => void) => Effect.Effect<void, JournalError>
  /** Removes a value. Succeeds if the value is missing. */
  readonly remove: (key: string) => Effect.Effect<void, JournalError>
}

const describeFailure = (verb: string, key: string) =>
  Effect.mapError((error: PlatformError) =>
    journalError(
      "Batch.run",
      `the journal could not ${verb} ${quote(key)} in its store. Run the batch again after you have repaired the store. The batch resumes from the journal.`,
      error.message
    )
  )

/** @internal Returns the functions that read and write the values of a journal. Each key begins with `prefix`. */
export const makeValues = (store: KeyValueStore.KeyValueStore, prefix: string): JournalValues => ({
  slotKey: (item, slot) => `${prefix}${item}-${slot}`,
  listKey: (batch, list) => `${prefix}${batch}-n${list}`,
  get: (key) => describeFailure("read", key)(store.get(key)),
  has: (key) => describeFailure("check", key)(store.has(key)),
  set: (key, value, onWritten) =>
    Effect.uninterruptible(
      Effect.zipRight(describeFailure("write", key)(store.set(key, value)), Effect.sync(onWritten))
    ),
  remove: (key) =>
    Effect.catchIf(
      store.remove(key),
      (error) => error._tag === "SystemError" && error.reason === "NotFound",
      () => Effect.void
    ).pipe(describeFailure("remove", key))
})
