/**
 * The options and the interface of a batch.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as Subscribable from "effect/Subscribable"
import type * as Execution from "../../Execution.js"
import type { AwaitFailure, InvalidRequest, JournalError, SubmissionOutcomeUnknown } from "../../ModelRouteError.js"
import type { WatchOptions } from "../executions/types.js"
import type { Outcome } from "./outcome.js"
import type { Progress } from "./progress.js"
import type { RetryBudgetOptions } from "./retryBudget.js"

/**
 * Options of a batch. `E` is the error of an effect in `request`, which fails its item. `E2` is the error of the other
 * effects, which fails the batch. `R` is what the effects require.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A, E = never, E2 = never, R = never> {
  /**
   * Name of the batch. A run with the same id continues the batch. The first idempotency key of an item is derived
   * from the id, the item's key and its request. A run without the journal therefore finds the execution again. New
   * work needs a new id.
   */
  readonly id: string
  /**
   * Returns the key of an item, the same in every run, such as the number in a catalogue. Items with the same key are
   * the same item. It is executed once. Each position in the input gets its own outcome, one after the other, and
   * `deliver` may run for each of them.
   */
  readonly key: (item: A, index: number) => string
  /**
   * Returns the request of an item, or an effect that makes the request, such as an upload.
   *
   * An effect runs only for an item that has to be submitted. Its failure fails the item. A defect of the effect ends
   * the batch. The request that an effect made is kept until the API accepts it, and is sent again unchanged until
   * `version` changes.
   *
   * A later run detects a changed request if the request takes no effect, or if `version` is set. An exception fails
   * the item with `InvalidRequest`.
   */
  readonly request: (item: A, index: number) => Execution.CreateRequest | Effect.Effect<Execution.CreateRequest, E, R>
  /**
   * Returns a text that changes when the request of an item changes, such as a hash of its input. A later run compares
   * it. Needed only if an effect makes the request. Default: the request itself, or nothing for an effect.
   */
  readonly version?: ((item: A, index: number) => string) | undefined
  /** How many items are processed at once, from the submission to the end of `deliver`. Default: 20. */
  readonly concurrency?: number | undefined
  /** Order of the outcomes: as the items end, or as in the input. Default: `completion`. */
  readonly order?: "completion" | "input" | undefined
  /** Number of items, for `Progress.estimatedEnd`. Default: the size of the input, if it has one. */
  readonly total?: number | undefined
  /**
   * How long the API remembers an idempotency key. Its documentation does not say. A submission without a response is
   * sent again under its key within this time. After that, the item fails with `SubmissionOutcomeUnknown`. Default: 24
   * hours.
   */
  readonly keyTtl?: Duration.DurationInput | undefined
  /**
   * Limit of the costs and holds of the batch, earlier runs included. Dollars, as a decimal string. Default: no limit.
   *
   * The batch submits nothing that would exceed the limit. The API holds more than an execution costs, so that a part
   * of the limit may stay unused. For example, it holds 0.048 for a cost of 0.040, and a limit of 0.20 is enough for 4
   * executions. While the hold of a model is unknown, the batch submits one item of this model at a
   * time. This first item may exceed the limit, unless `hold` is set. A submission of an earlier run whose outcome is
   * unknown is sent again even if the limit is reached.
   */
  readonly maxCost?: string | undefined
  /**
   * Returns the expected hold of an item for `maxCost`. Dollars, as a decimal string. Default: the highest hold that
   * the API has reported for the model.
   */
  readonly hold?: ((item: A, index: number) => string) | undefined
  /**
   * Runs before each group of submissions, such as to check the balance, for which the API has no endpoint. Gets the
   * number of submissions in the group: at most `concurrency` and at most 64. If it returns `false`, the batch submits
   * nothing more. Default: nothing.
   */
  readonly beforeSubmit?: ((count: number) => Effect.Effect<boolean, E2, R>) | undefined
  /**
   * Processes an outcome, such as saving the result, before the stream emits it. Runs for up to `concurrency` outcomes
   * at once. A later run does not repeat it for an outcome that counts as delivered.
   * An outcome that does not count yet when the process ends is delivered again: at least once.
   *
   * If it returns `false`, the batch continues, but the outcome does not count as delivered and a later run tries
   * again. A failure ends the batch. Default: nothing.
   */
  readonly deliver?: ((outcome: Outcome<A, E>) => Effect.Effect<unknown, E2, R>) | undefined
  /**
   * Returns whether an item is submitted again as a new execution, such as `({ _tag, retryable }) => retryable || _tag
   * === "ExecutionExpired"`.
   *
   * Runs for an item that failed for good in an earlier run, whose execution the API did not find (404 or 410), or
   * whose submission has an unknown outcome. An item is submitted again at most once per run. `maxCost` no longer
   * counts the replaced execution. Default: only if the item failed for good and its request has changed.
   */
  readonly resubmit?: ((error: AwaitFailure | SubmissionOutcomeUnknown, item: A) => boolean) | undefined
  /** How long to wait for each execution, and when to poll. Default: as the client. */
  readonly wait?: Pick<WatchOptions, "pollSchedule" | "timeout"> | undefined
  /** Limit of the retries of all items together. `false`: only the limits of the client's retry policy. */
  readonly retryBudget?: RetryBudgetOptions | false | undefined
}

/**
 * A batch that is ready to run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batch<A, E = never, E2 = never, R = never> {
  /**
   * Runs the batch and emits one outcome per item. The consumer sets the pace: items wait while it does not ask for the
   * next outcome. An outcome counts as delivered when the consumer asks for the next one. An interruption waits for the
   * end of a journal write.
   *
   * Fails with `InvalidRequest` if an option is invalid or if the batch has already run, and with `JournalError` if the
   * journal cannot be read or written.
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
   *   yield* Stream.runForEach(batch.outcomes, ({ _tag, key }) => Console.log(`${key}: ${_tag}`))
   * })
   * ```
   */
  readonly outcomes: Stream.Stream<Outcome<A, E>, E2 | InvalidRequest | JournalError, R>
  /**
   * The progress of the batch. `changes` emits the newest state after each step of an item, and does not end.
   *
   * @example
   * ```ts
   * import { Console, Effect, Stream } from "effect"
   * import { Batch } from "effect-modelroute"
   *
   * export const report = <A, E, E2, R>(batch: Batch.Batch<A, E, E2, R>) =>
   *   batch.progress.changes.pipe(
   *     Stream.throttle({ cost: () => 1, units: 1, duration: "1 second", strategy: "enforce" }),
   *     Stream.runForEach(({ failed, succeeded }) => Console.log(`${succeeded} succeeded, ${failed} failed`)),
   *     Effect.forkScoped
   *   )
   * ```
   */
  readonly progress: Subscribable.Subscribable<Progress>
  /**
   * Stops the submissions. The batch waits for its running executions. It sends a create without a response again under
   * its key, to learn its outcome. The remaining items are `NotAttempted`.
   *
   * @example
   * ```ts
   * import { Effect, Stream } from "effect"
   * import type { Batch } from "effect-modelroute"
   *
   * export const runForAnHour = <A, E, E2, R>(batch: Batch.Batch<A, E, E2, R>) =>
   *   Effect.gen(function* () {
   *     yield* Effect.forkScoped(Effect.delay(batch.stop, "1 hour"))
   *     yield* Stream.runDrain(batch.outcomes)
   *   })
   * ```
   */
  readonly stop: Effect.Effect<void>
}
