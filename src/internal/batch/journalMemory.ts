/**
 * Keeps the journal in the memory of the process.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type JournalEntry, revision } from "./journalEntry.js"
import type { JournalService } from "./journal.js"

/** @internal Creates an empty journal. */
export const make: Effect.Effect<JournalService> = Effect.sync(() => {
  const batches = new Map<string, Map<string, JournalEntry>>()
  const itemsOf = (batch: string): ReadonlyMap<string, JournalEntry> =>
    batches.get(batch) ?? new Map<string, JournalEntry>()
  return {
    read: (batch, keys) =>
      Effect.sync(() => {
        const items = itemsOf(batch)
        return keys.map((key) => Option.fromNullable(items.get(key)))
      }),
    write: (batch, entries) =>
      Effect.sync(() => {
        const items = batches.get(batch) ?? new Map<string, JournalEntry>()
        batches.set(batch, items)
        for (const entry of entries) {
          const before = items.get(entry.key)
          if (before === undefined || revision(entry) >= revision(before)) items.set(entry.key, entry)
        }
      }),
    // The array is a snapshot, because a concurrent write must not change the stream.
    entries: (batch) => Stream.suspend(() => Stream.fromIterable(Array.from(itemsOf(batch).values()))),
    remove: (batch) => Effect.sync(() => void batches.delete(batch))
  }
})
