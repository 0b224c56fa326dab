/**
 * Where the entries of batches are kept.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { JournalError } from "../../ModelRouteError.js"
import type { JournalEntry } from "./journalEntry.js"

/**
 * A store of entries, by batch and by the key of their item. Both are any text that is not empty.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalService {
  /** The entry last written for each of these items, in their order. */
  readonly read: (
    batch: string,
    keys: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Option.Option<JournalEntry>>, JournalError>
  /**
   * Puts each entry in the place of the one before, unless that has a higher `revision`, and returns when all are kept. A process
   * that is killed meanwhile leaves for each item one or the other. One run of a batch calls it again when it has returned, with
   * each item at most once per call.
   */
  readonly write: (batch: string, entries: ReadonlyArray<JournalEntry>) => Effect.Effect<void, JournalError>
  /** All entries of a batch, in any order, each once. */
  readonly entries: (batch: string) => Stream.Stream<JournalEntry, JournalError>
  /**
   * Forgets a batch. One that is unknown is no failure. Run again, its items have their first idempotency keys: as long as the API
   * knows them, it gives the executions that were submitted under them. An item that was submitted under a later key, after a
   * refusal of the account (402, 401), by `resubmit`, or changed after it had failed, would be paid for again.
   */
  readonly remove: (batch: string) => Effect.Effect<void, JournalError>
}

/**
 * The journal of batches in the context: with it a batch goes on where an earlier run has stopped, for whatever reason.
 *
 * @since 0.1.0
 * @category tags
 */
export class Journal extends Context.Tag("effect-modelroute/Batch/Journal")<Journal, JournalService>() {}
