/**
 * Defines the journal of batches as a service.
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
 * Store of journal entries. The id of a batch and the key of an item identify an entry. The id and the key can be any
 * non-empty text.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalService {
  /**
   * Returns the newest entry of each key, in the order of the keys. Returns `None` for a missing entry. Fails with
   * `JournalError` if the store cannot be read.
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
   * stored. If the process is killed during a write, each item must keep either its old or its new entry. A batch
   * starts a write only after its previous write has ended. Each call contains at most one entry per item. Fails with
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
   * Streams all entries of a batch in any order. Emits each entry once. Fails with `JournalError` if the store cannot
   * be read.
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
   * If the batch runs again, each item uses its first idempotency key. Until this key expires, the API returns the
   * execution that was created under this key. An item whose latest execution has a later key is executed and charged
   * again. An item has a later key after a 401, a 402, a resubmission, or a change of a failed request.
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
 * Tag of the journal service. `Batch.run` reads the steps of earlier runs from the journal and continues from these
 * steps.
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
