/**
 * The journal of batches as a service.
 *
 * @internal
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { JournalError } from "../../ModelRouteError.js"
import type { JournalEntry } from "./journalEntry.js"

/**
 * A store of journal entries. Each entry belongs to the id of a batch and the key of an item. Both can be any text that
 * is not empty.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalService {
  /**
   * Returns the newest entry of each of these items, in the order of the keys. Fails with `JournalError` if the store
   * cannot be read.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { Batch } from "effect-modelroute"
   *
   * export const program = Effect.flatMap(Batch.Journal, (journal) => journal.read("catalogue", ["item-1", "item-2"]))
   * ```
   */
  readonly read: (
    batch: string,
    keys: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Option.Option<JournalEntry>>, JournalError>
  /**
   * Replaces the entry of each item, unless the stored entry has a higher `revision`. Returns when all entries are
   * stored. If the process is killed during a write, each item keeps its old entry or its new one. A run of a batch
   * starts no second write before the first returns, and passes each item at most once per call. Fails with
   * `JournalError` if the store cannot be written.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { Batch } from "effect-modelroute"
   *
   * export const copyEntry = (entry: Batch.JournalEntry) =>
   *   Effect.flatMap(Batch.Journal, (journal) => journal.write("catalogue-copy", [entry]))
   * ```
   */
  readonly write: (batch: string, entries: ReadonlyArray<JournalEntry>) => Effect.Effect<void, JournalError>
  /**
   * Streams all entries of a batch, each once, in any order. Fails with `JournalError` if the store cannot be read.
   *
   * @example
   * ```ts
   * import { Console, Effect, Stream } from "effect"
   * import { Batch } from "effect-modelroute"
   *
   * export const program = Effect.flatMap(Batch.Journal, (journal) =>
   *   Stream.runForEach(journal.entries("catalogue"), ({ key, step }) => Console.log(`${key}: ${step}`))
   * )
   * ```
   */
  readonly entries: (batch: string) => Stream.Stream<JournalEntry, JournalError>
  /**
   * Removes all entries of a batch. Succeeds if the batch is unknown. Fails with `JournalError` if the store cannot be
   * written.
   *
   * When the batch runs again, its items use their first idempotency keys. The API returns the existing executions
   * while it remembers these keys. An item that was submitted under a later key would be paid for again: after a 401 or
   * 402, by `resubmit`, or with a changed request after a failure.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { Batch } from "effect-modelroute"
   *
   * export const program = Effect.flatMap(Batch.Journal, (journal) => journal.remove("catalogue"))
   * ```
   */
  readonly remove: (batch: string) => Effect.Effect<void, JournalError>
}

/**
 * The tag of the journal. `Batch.run` reads the steps of earlier runs from it and continues from there.
 *
 * @since 0.1.0
 * @category tags
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Batch } from "effect-modelroute"
 *
 * // A journal that logs each write to the journal below it.
 * export const layerLogged = Layer.effect(
 *   Batch.Journal,
 *   Effect.map(Batch.Journal, (journal) => ({
 *     ...journal,
 *     write: (batch: string, entries: ReadonlyArray<Batch.JournalEntry>) =>
 *       Effect.zipRight(Effect.logDebug(`${batch}: ${entries.length} entries`), journal.write(batch, entries))
 *   }))
 * ).pipe(Layer.provide(Batch.layerJournalMemory))
 * ```
 */
export class Journal extends Context.Tag("effect-modelroute/Batch/Journal")<Journal, JournalService>() {}
