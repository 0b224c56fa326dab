/**
 * Runs batches of thousands of executions that can be watched, stopped, killed and restarted. A journal records each
 * step of each item. A later run continues where an earlier one stopped, submits nothing twice and loses nothing.
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
 * Makes a batch with its progress and an effect to stop it. Nothing happens before `outcomes` runs.
 *
 * @since 0.1.0
 * @category constructors
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
 */
export const make = <A, EI = never, RI = never, E = never, E2 = never, R = never>(
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R>
): Effect.Effect<Batch<A, E, E2 | EI, R | RI>, never, ModelRouteClient | Journal> =>
  Effect.zipWith(ModelRouteClient, Journal, (client, journal) => implementation.make(client, journal, items, options))

/**
 * Runs a batch. Submits each item once, waits for its execution and emits one outcome per item. Continues a batch that
 * an earlier run did not finish. Reads the items as it needs them, and never holds
 * all of them in memory.
 *
 * A failed item does not end the batch. The first `InsufficientBalance` or `Unauthorized` stops the submissions. The
 * batch then waits for its running executions, and the remaining items are `NotAttempted` until the next run. After an
 * interruption or a crash, the executions keep running, and the next run waits for them.
 *
 * Fails with `InvalidRequest` if an option is invalid, and with `JournalError` if the journal cannot be read or
 * written. A failure of the input, of `beforeSubmit` or of `deliver` also ends the batch.
 *
 * Run a batch in one process at a time. If the API rejects the account in one of two concurrent runs (401, 402), the
 * other run may pay for an item a second time.
 *
 * @since 0.1.0
 * @category constructors
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
 */
export const run = <A, EI = never, RI = never, E = never, E2 = never, R = never>(
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R>
): Stream.Stream<Outcome<A, E>, E2 | EI | InvalidRequest | JournalError, R | RI | ModelRouteClient | Journal> =>
  Stream.unwrap(Effect.map(make(items, options), ({ outcomes }) => outcomes))

/**
 * Keeps the journal in the memory of this process. A batch continues after a failure or an interruption, but not after
 * a restart. Each item takes about 1 KB and the size of its output. Use it in tests with `TestClock`, which does not wait
 * for the real time that files and databases take.
 *
 * @since 0.1.0
 * @category layers
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
 */
export const layerJournalMemory: Layer.Layer<Journal> = Layer.effect(Journal, journalMemory.make)

/**
 * Options of the journal in a `KeyValueStore`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredJournalOptions {
  /** Prefix of each key in the store. Default: `modelroute-batch-`. */
  readonly prefix?: string | undefined
}

/**
 * Keeps the journal in a `KeyValueStore`, such as a directory (`KeyValueStore.layerFileSystem`).
 *
 * Each item has two values, which are written in turn. A process that is killed during a write leaves the earlier value
 * intact. A power failure may lose what the store has not written to the disk. `SqlJournal` waits for the disk.
 *
 * @since 0.1.0
 * @category layers
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
