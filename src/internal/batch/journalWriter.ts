/**
 * The one who writes to the journal: what many items have to write at the same time goes in one call.
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

/** @internal Returns when the entry is kept. */
export type Write = (entry: JournalEntry) => Effect.Effect<void, JournalError>

/** The most entries that go in one call. */
const most = 256

interface Waiting {
  readonly entry: JournalEntry
  readonly kept: Deferred.Deferred<void, JournalError>
}

/** One for each item: the delivery of one and the next step of another with the same key can meet. */
const latest = (waiting: Chunk.Chunk<Waiting>): ReadonlyArray<JournalEntry> => {
  const entries = new Map<string, JournalEntry>()
  for (const { entry } of waiting) {
    const other = entries.get(entry.key)
    if (other === undefined || revision(other) < revision(entry)) entries.set(entry.key, entry)
  }
  return Array.from(entries.values())
}

/** @internal Writes as long as the scope is open. */
export const make = (journal: JournalService, batch: string): Effect.Effect<Write, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<Waiting>()
    // What has begun to be written is written, and whoever waits for it hears of it. Its own wait ends with the scope, also where
    // the batch itself cannot be interrupted.
    yield* Effect.flatMap(Effect.interruptible(Queue.takeBetween(queue, 1, most)), (waiting) =>
      Effect.flatMap(Effect.exit(journal.write(batch, latest(waiting))), (exit) =>
        Effect.forEach(waiting, ({ kept }) => Deferred.done(kept, exit), { discard: true })
      )
    ).pipe(Effect.uninterruptible, Effect.forever, Effect.forkScoped)
    return (entry) =>
      Effect.flatMap(Deferred.make<void, JournalError>(), (kept) =>
        Effect.zipRight(Queue.offer(queue, { entry, kept }), Deferred.await(kept))
      )
  })
