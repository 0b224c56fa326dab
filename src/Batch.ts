/**
 * Runs batches of thousands of executions. A journal records each step of each item. A run that is interrupted or
 * crashes can be repeated. The new run continues the batch from the journal, so that no item is lost or submitted
 * twice.
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
import type { Batch, ItemRequest, Options } from "./internal/batch/types.js"
import { ModelRouteClient } from "./ModelRouteClient.js"
import type { InvalidRequest, JournalError } from "./ModelRouteError.js"

export {
  type Batch,
  type Failed,
  type ItemRequest,
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
 * Creates a batch without starting the batch. The batch starts when its stream `outcomes` runs. The batch also contains
 * its progress and an effect that stops the batch.
 *
 * @example
 * ```ts
 * import { Console, Effect, Stream } from "effect"
 * import { Batch } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const batch = yield* Batch.make(["a red fox", "a blue whale"], {
 *     id: "catalogue",
 *     key: (prompt) => prompt,
 *     request: (prompt) => ({ model: "flux-1.1-pro", input: { prompt } })
 *   })
 *   yield* Stream.runDrain(batch.outcomes)
 *   const { cost, succeeded } = yield* batch.progress.get
 *   yield* Console.log(`${succeeded} succeeded for $${cost}`)
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, EI = never, RI = never, E = never, E2 = never, R = never, Out = unknown>(
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R, Out>
): Effect.Effect<Batch<A, E, E2 | EI, R | RI, Out>, never, ModelRouteClient | Journal> =>
  Effect.zipWith(ModelRouteClient, Journal, (client, journal) => implementation.make(client, journal, items, options))

/**
 * Runs a batch. Submits each item once, waits for its execution and emits one outcome per item. If an earlier run did
 * not finish the batch, continues the batch. Reads the items on demand, so that the items do not all have to fit in
 * memory.
 *
 * A failed item does not end the batch. The first `InsufficientBalance` or `Unauthorized` stops further submissions.
 * The batch then waits for the running executions. The items that were not submitted have the outcome `NotAttempted`,
 * and the next run submits these items.
 *
 * An interruption or a crash does not cancel the running executions. The next run waits for these executions.
 *
 * Fails with `InvalidRequest` if an option is invalid. Fails with `JournalError` if the journal cannot be read or
 * written. Also fails with the errors of the input stream, of `beforeSubmit` and of `deliver`.
 *
 * Run a batch in only one process at a time. Two concurrent runs may pay for an item twice if the API rejects one run
 * with a 401 or 402.
 *
 * @example
 * ```ts
 * import { Console, Stream } from "effect"
 * import { Batch } from "effect-modelroute"
 *
 * export const program = Batch.run(["a red fox", "a blue whale"], {
 *   id: "catalogue",
 *   key: (prompt) => prompt,
 *   request: (prompt) => ({ model: "flux-1.1-pro", input: { prompt } }),
 *   maxCost: "25.00"
 * }).pipe(
 *   Stream.runForEach((outcome) =>
 *     outcome._tag === "Succeeded"
 *       ? Console.log(outcome.key, outcome.completed.output)
 *       : Console.error(outcome.key, outcome._tag)
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = <A, EI = never, RI = never, E = never, E2 = never, R = never, Out = unknown>(
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R, Out>
): Stream.Stream<Outcome<A, E, Out>, E2 | EI | InvalidRequest | JournalError, R | RI | ModelRouteClient | Journal> =>
  Stream.unwrap(Effect.map(make(items, options), ({ outcomes }) => outcomes))

/**
 * Provides a journal in the memory of this process. A new run in the same process continues a batch after a failure or
 * an interruption. After a restart of the process, the journal is empty. Each item uses about 1 KB of memory plus the
 * size of its output.
 *
 * This journal works in tests with `TestClock`. Journals in files or databases take real time, so their tests need
 * `Simulator.adjustUntilDone`.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Batch, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 *
 * export const layer = Layer.merge(
 *   Batch.layerJournalMemory,
 *   Layer.provide(ModelRouteClient.layerConfig(), [FetchHttpClient.layer, IdempotencyKey.layer])
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerJournalMemory: Layer.Layer<Journal> = Layer.effect(Journal, journalMemory.make)

/**
 * Options of `layerJournal`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredJournalOptions {
  /** The prefix of the keys that the journal uses in the `KeyValueStore`. Default: `modelroute-batch-`. */
  readonly prefix?: string | undefined
}

/**
 * Provides a journal in a `KeyValueStore`, such as a directory (`KeyValueStore.layerFileSystem`).
 *
 * The journal stores two values for each item and overwrites the older of the two values. If the process is killed
 * during a write, the newer value stays intact. A power failure can undo writes that the store has not flushed to the
 * disk. `SqlJournal` can wait until each write is on the disk.
 *
 * @example
 * ```ts
 * import { KeyValueStore } from "@effect/platform"
 * import { NodeContext } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { Batch } from "effect-modelroute"
 *
 * export const journal = Batch.layerJournal().pipe(
 *   Layer.provide(KeyValueStore.layerFileSystem("./journal")),
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
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
