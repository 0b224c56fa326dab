/**
 * Defines the options and the interface of a batch.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as Subscribable from "effect/Subscribable"
import type * as Execution from "../../Execution.js"
import type { AwaitFailure, InvalidRequest, JournalError, SubmissionOutcomeUnknown } from "../../ModelRouteError.js"
import type { Request } from "../typedModels/types.js"
import type { WatchOptions } from "../executions/optionTypes.js"
import type { Outcome } from "./outcome.js"
import type { Progress } from "./progress.js"
import type { RetryBudgetOptions } from "./retryBudget.js"

/**
 * Request of an item. A request without a typed model is possible only if `Out` is `unknown`.
 *
 * @since 0.1.0
 * @category models
 */
export type ItemRequest<Out, E = never, R = never> =
  | Request<Out, E, R>
  | (unknown extends Out ? Execution.CreateRequest | Effect.Effect<Execution.CreateRequest, E, R> : never)

/**
 * Options of a batch. `E` is the error type of an effect in `request`, and an error `E` fails the item. `E2` is the
 * error type of `beforeSubmit` and `deliver`, and an error `E2` fails the batch. `R` is the context that the effects
 * require. `Out` is the type of the decoded outputs. `Out` is `unknown` if the requests have no typed model.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A, E = never, E2 = never, R = never, Out = unknown> {
  /**
   * Name of the batch. A run with the same id continues the batch. The first idempotency key of an item depends on the
   * batch id, the item key and the request. If the journal is lost, a later run uses the same key, and the API returns
   * the existing execution. Use a new id for new work.
   */
  readonly id: string
  /**
   * Returns the key of an item, for example the number in a catalogue. The key must be the same in every run. If
   * several items have the same key, the batch creates only one execution for these items. Each of these items has its
   * own outcome, and `deliver` may run for each outcome. The batch processes these items one after the other.
   */
  readonly key: (item: A, index: number) => string
  /**
   * Returns the request of an item, or an effect that creates the request. For example, an effect can upload a file.
   *
   * The effect runs only if the item must be submitted. A failure of the effect fails the item. A defect of the effect
   * ends the batch. The journal keeps the request from the effect until the API accepts the request. A later run sends
   * the recorded request unchanged, unless `version` has changed.
   *
   * A later run compares the request of an item with the recorded request. A request from an effect is compared only if
   * `version` is set. If the requests differ, the item fails with `InvalidRequest`, even if the execution of the item
   * is already paid for. To allow a change that does not affect the result, such as a new `webhookUrl`, set `version`.
   *
   * An exception fails the item with `InvalidRequest`.
   *
   * With a typed model, return `Model.request(model, input)`, or `Model.requestEffect(model, effect)` if an effect
   * creates the input. The batch decodes the output of each outcome, also in a later run. The batch uploads the sources
   * in an input before the submission of the item. Without a `version`, a later run does not compare a request that
   * contains a source. If the items have several models, declare the type of the result as `Model.Request<A | B>`.
   */
  readonly request: (item: A, index: number) => ItemRequest<Out, E, R>
  /**
   * Returns a text that changes when the request of an item changes, such as a hash of the input. A later run compares
   * these texts instead of the requests. Set `version` if `request` returns an effect. Also set `version` if a part of
   * the request can differ between runs, such as `webhookUrl`. Default: a later run compares plain requests, and does
   * not compare requests from an effect.
   */
  readonly version?: ((item: A, index: number) => string) | undefined
  /**
   * Maximum number of items that are processed concurrently, from the submission to the end of `deliver`. Default: 20.
   */
  readonly concurrency?: number | undefined
  /**
   * Order of the outcomes. `completion` emits each outcome when its item ends. `input` keeps the order of the input.
   * Default: `completion`.
   */
  readonly order?: "completion" | "input" | undefined
  /**
   * Number of items in the input, for `Progress.total` and `Progress.estimatedEnd`. Default: the size of the input, if
   * the input has a size.
   */
  readonly total?: number | undefined
  /**
   * Lifetime of an idempotency key at the API. The API documentation does not specify the lifetime. Within this time, a
   * submission without a response is resent with the same key. After this time, the item fails with
   * `SubmissionOutcomeUnknown`. Default: 24 hours.
   */
  readonly keyTtl?: Duration.DurationInput | undefined
  /**
   * Limit of the costs and holds of the batch, including earlier runs. Decimal string in dollars. Default: no limit.
   *
   * The batch submits no item whose known hold would exceed the limit. A hold is higher than the cost of the execution,
   * so part of the limit may stay unused. For example, if each hold is 0.048 and each cost is 0.040, a limit of 0.20
   * allows 4 executions. A fifth hold would exceed the limit, because the sum would be 0.208.
   *
   * If `hold` is not set, the hold of a model can be unknown. Until the hold is known, the batch submits the items of
   * the model one at a time. The first of these items may exceed the limit. A submission of an earlier run with an
   * unknown outcome is resent even if the limit is reached.
   */
  readonly maxCost?: string | undefined
  /**
   * Returns the expected hold of an item for `maxCost`. The result is a decimal string in dollars. Default: the highest
   * hold that the API has reported for the model.
   */
  readonly hold?: ((item: A, index: number) => string) | undefined
  /**
   * Runs before each group of submissions, for example to check the balance. The API has no endpoint for the balance.
   * The argument is the number of submissions in the group, at most `concurrency` and at most 64. The batch stops its
   * submissions if the effect returns `false`. A failure of the effect fails the batch. Default: no check.
   */
  readonly beforeSubmit?: ((count: number) => Effect.Effect<boolean, E2, R>) | undefined
  /**
   * Processes an outcome before the stream emits the outcome, for example to save the result. Runs concurrently for up
   * to `concurrency` outcomes. A later run does not repeat `deliver` for a delivered outcome. If the process ends
   * before an outcome counts as delivered, a later run delivers the outcome again. Delivery is therefore at least once.
   *
   * If the effect returns `false`, the outcome does not count as delivered. The batch continues, and a later run calls
   * `deliver` again. A failure of the effect fails the batch. Default: no processing.
   */
  readonly deliver?: ((outcome: Outcome<A, E, Out>) => Effect.Effect<unknown, E2, R>) | undefined
  /**
   * Returns whether to submit an item again as a new execution. For example:
   * `({ _tag, retryable }) => retryable || _tag === "ExecutionExpired"`. The function runs in these cases:
   *
   * - The item had a final failure in an earlier run.
   * - The API did not find the execution of the item in an earlier run (404 or 410).
   * - The outcome of the submission is unknown.
   *
   * An item is submitted again at most once per run. `maxCost` no longer counts the replaced execution. If the request
   * changes after a final failure, a later run submits the item again and does not call `resubmit`. Default: returns
   * `false`.
   */
  readonly resubmit?: ((error: AwaitFailure | SubmissionOutcomeUnknown, item: A) => boolean) | undefined
  /** Timeout and poll schedule of the wait for each execution. Default: the settings of the client. */
  readonly wait?: Pick<WatchOptions, "pollSchedule" | "timeout"> | undefined
  /**
   * Limit of the retries of all items together. With `false`, only the retry policy of the client limits the retries.
   * Default: the defaults of `RetryBudgetOptions`.
   */
  readonly retryBudget?: RetryBudgetOptions | false | undefined
}

/**
 * Batch that is ready to run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batch<A, E = never, E2 = never, R = never, Out = unknown> {
  /**
   * Runs the batch and emits one outcome per item. The batch applies backpressure while the consumer does not request
   * the next outcome. An outcome counts as delivered when the consumer requests the next outcome. An interruption waits
   * until a running journal write has ended.
   *
   * Fails with `E2` if the input, `beforeSubmit` or `deliver` fails. Fails with `InvalidRequest` if an option is
   * invalid, `beforeSubmit` or `deliver` throws an exception, or the batch has already run. Fails with `JournalError`
   * if the journal cannot be read or written.
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
  readonly outcomes: Stream.Stream<Outcome<A, E, Out>, E2 | InvalidRequest | JournalError, R>
  /**
   * Progress of the batch. `changes` emits the newest state after each step of an item and never ends.
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
   * Stops the submissions. The batch still waits for the running executions. A create request without a response is
   * resent with the same idempotency key to determine its outcome. The outcome of the remaining items is
   * `NotAttempted`.
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
