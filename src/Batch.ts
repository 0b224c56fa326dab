/**
 * Batches: thousands of executions that can be started, watched, stopped, killed and restarted. A journal records each step of each
 * item. A later run continues where an earlier one stopped, submits nothing twice and loses nothing.
 *
 * @since 0.1.0
 */
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Journal, type JournalService } from "./internal/batch/journal.js"
import { JournalEntry, JournalStep, revision } from "./internal/batch/journalEntry.js"
import * as journalKeyValueStore from "./internal/batch/journalKeyValueStore.js"
import * as journalMemory from "./internal/batch/journalMemory.js"
import type { Failed, NotAttempted, Outcome, Succeeded } from "./internal/batch/outcome.js"
import type { Progress } from "./internal/batch/progress.js"
import type { RetryBudgetOptions } from "./internal/batch/retryBudget.js"
import * as implementation from "./internal/batch/run.js"
import type { StopReason } from "./internal/batch/stopSignal.js"
import type { Batch, Options } from "./internal/batch/types.js"
import { ModelRouteClient } from "./ModelRouteClient.js"
import type { InvalidRequest, JournalError } from "./ModelRouteError.js"

export {
  type Batch,
  type Failed,
  Journal,
  JournalEntry,
  type JournalService,
  JournalStep,
  type NotAttempted,
  type Options,
  type Outcome,
  type Progress,
  type RetryBudgetOptions,
  revision,
  type StopReason,
  type Succeeded
}

/**
 * A batch with its progress and a way to stop it. Nothing happens before its `outcomes` are run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, EI = never, RI = never, E = never, E2 = never, R = never>(
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R>
): Effect.Effect<Batch<A, E, E2 | EI, R | RI>, never, ModelRouteClient | Journal> =>
  Effect.zipWith(ModelRouteClient, Journal, (client, journal) => implementation.make(client, journal, items, options))

/**
 * Runs a batch, or goes on with it where an earlier run has stopped: submits each item once, waits for it, and gives one outcome per
 * item. Items are read as they are needed. One that fails does not end the batch; the first `InsufficientBalance` or `Unauthorized`
 * stops submissions: what runs is waited for, and the rest is `NotAttempted`, until the batch is run again. Interrupted or killed, it
 * leaves the executions running; the next run waits for them. Fails with `InvalidRequest` for an option that cannot work, with
 * `JournalError` when a step cannot be written down, and as the input and the effects in its options fail. One run of a batch at a
 * time: two gain nothing, and where the account is refused to one of them (402, 401), the other may pay for an item once more.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = <A, EI = never, RI = never, E = never, E2 = never, R = never>(
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R>
): Stream.Stream<Outcome<A, E>, E2 | EI | InvalidRequest | JournalError, R | RI | ModelRouteClient | Journal> =>
  Stream.unwrap(Effect.map(make(items, options), ({ outcomes }) => outcomes))

/**
 * Keeps the journal in the memory of this process: a batch goes on after a failure or an interruption, not after a restart. It grows
 * with each item, by its output and about 1 KB.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerJournalMemory: Layer.Layer<Journal> = Layer.effect(Journal, journalMemory.make)

/**
 * Where in the store.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredJournalOptions {
  /** What every key in the store begins with. Default `modelroute-batch-`. */
  readonly prefix?: string | undefined
}

/**
 * Keeps the journal in a `KeyValueStore`, such as a directory (`KeyValueStore.layerFileSystem`): two values per item, written in
 * turn, so that a process that is killed while it writes leaves the one before. Against a power cut it is as safe as the store;
 * `SqlJournal` waits for the disk.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerJournal = (
  options: StoredJournalOptions = {}
): Layer.Layer<Journal, never, KeyValueStore.KeyValueStore> =>
  Layer.effect(
    Journal,
    Effect.flatMap(KeyValueStore.KeyValueStore, (store) =>
      journalKeyValueStore.make(store, { prefix: options.prefix ?? "modelroute-batch-" })
    )
  )
