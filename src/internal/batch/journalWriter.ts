/**
 * Writes the entries of a run to the journal. Combines all entries that wait for a write into one write.
 *
 * @internal
 */
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { JournalError } from "../../ModelRouteError.js"
import { type JournalEntry, revision } from "./journalEntry.js"
import type { JournalService } from "./journal.js"

/**
 * Writes an entry to the journal. Returns when the entry is stored. Fails with `JournalError` if the write fails.
 *
 * @internal
 */
export type WriteEntry = (entry: JournalEntry) => Effect.Effect<void, JournalError>

const maxEntriesPerWrite = 256

interface PendingWrite {
  readonly entry: JournalEntry
  readonly done: Deferred.Deferred<void, JournalError>
}

/**
 * Returns the newest pending entry of each item key. Two pending entries can have the same key, because the input can
 * contain a key several times.
 */
const latestPerItem = (pending: Chunk.Chunk<PendingWrite>): ReadonlyArray<JournalEntry> => {
  const entries = new Map<string, JournalEntry>()
  for (const { entry } of pending) {
    const other = entries.get(entry.key)
    if (other === undefined || revision(other) <= revision(entry)) entries.set(entry.key, entry)
  }
  return Array.from(entries.values())
}

/** @internal Starts a writer that runs until the scope closes. Returns the function that writes an entry. */
export const make = (journal: JournalService, batchId: string): Effect.Effect<WriteEntry, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<PendingWrite>()
    // A write is uninterruptible, so that all fibers that wait for the write receive its result. The wait for the next
    // entry is interruptible. Otherwise, the scope could not close in an uninterruptible region.
    yield* Effect.flatMap(Effect.interruptible(Queue.takeBetween(queue, 1, maxEntriesPerWrite)), (pending) =>
      Effect.flatMap(Effect.exit(journal.write(batchId, latestPerItem(pending))), (exit) =>
        Effect.forEach(pending, ({ done }) => Deferred.done(done, exit), { discard: true })
      )
    ).pipe(Effect.uninterruptible, Effect.forever, Effect.forkScoped)
    return (entry) =>
      Effect.flatMap(Deferred.make<void, JournalError>(), (done) =>
        Effect.zipRight(Queue.offer(queue, { entry, done }), Deferred.await(done))
      )
  })
