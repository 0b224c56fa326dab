/**
 * Defines the outcome of a batch item.
 *
 * @internal
 */
import type * as Execution from "../../Execution.js"
import type {
  AwaitFailure,
  InsufficientBalance,
  OutputDecodeError,
  SubmissionOutcomeUnknown,
  Unauthorized
} from "../../ModelRouteError.js"
import type { StopReason } from "./stopSignal.js"

interface OutcomeFields<A> {
  /** Item from the input. */
  readonly item: A
  /** Position of the item in the input, starting at 0. */
  readonly index: number
  /** Key of the item. Empty if the option `key` did not return a valid key. */
  readonly key: string
  /** Indicates whether an earlier run or an earlier item with the same key has already delivered this outcome. */
  readonly delivered: boolean
}

/**
 * Outcome of an item whose execution is COMPLETED.
 *
 * @since 0.1.0
 * @category models
 */
export interface Succeeded<A, Out = unknown> extends OutcomeFields<A> {
  /** Tag of the outcome. */
  readonly _tag: "Succeeded"
  /** The result with the unchanged output of the API. The journal contains the same result. */
  readonly completed: Execution.Completed
  /** The output, decoded with the schema of the model. The output is unchanged if the request has no typed model. */
  readonly output: Out
}

/**
 * Outcome of a failed item. `error` is an error of `executions.run`, a `SubmissionOutcomeUnknown`, or the error `E` of
 * `request`.
 *
 * If `error` is an `OutputDecodeError`, the execution is COMPLETED and paid for, and the journal contains its result.
 * The outcome does not count as delivered, so a later run decodes the result again without a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed<A, E = never> extends OutcomeFields<A> {
  /** Tag of the outcome. */
  readonly _tag: "Failed"
  /** Error of the item. */
  readonly error: AwaitFailure | OutputDecodeError | SubmissionOutcomeUnknown | E
  /**
   * Indicates whether the failure is final. A later run returns a final failure again without a request, unless
   * `resubmit` returns `true` or the request has changed. A later run continues the item after any other failure, such
   * as a timeout or an `OutputDecodeError`.
   */
  readonly final: boolean
}

/**
 * Outcome of an item for which this run created no execution. A later run submits the item.
 *
 * @since 0.1.0
 * @category models
 */
export interface NotAttempted<A> extends OutcomeFields<A> {
  /** Tag of the outcome. */
  readonly _tag: "NotAttempted"
  /**
   * Reason why the item was not submitted. A `StopReason` applies to all remaining items of the batch.
   *
   * `UnknownHold` applies only to this item. Another item of the same model may have an unknown hold, so this item
   * could exceed `maxCost`. A later run submits the item if the hold is known by then. The reason `UnknownHold` does
   * not occur if the option `hold` is set.
   */
  readonly reason: StopReason | "UnknownHold"
  /** Error response of the API that stopped the batch. Absent if another reason stopped the batch. */
  readonly error?: InsufficientBalance | Unauthorized
}

/**
 * Outcome of a batch item. A run emits exactly one outcome per item.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome<A, E = never, Out = unknown> = Succeeded<A, Out> | Failed<A, E> | NotAttempted<A>
