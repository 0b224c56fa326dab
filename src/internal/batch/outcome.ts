/**
 * Defines the outcome of a batch item.
 *
 * @internal
 */
import type * as Execution from "../../Execution.js"
import type {
  AwaitFailure,
  SubmissionOutcomeUnknown,
  InsufficientBalance,
  Unauthorized
} from "../../ModelRouteError.js"
import type { StopReason } from "./stopSignal.js"

interface OutcomeFields<A> {
  readonly item: A
  /** Position of the item in the input, starting at 0. */
  readonly index: number
  readonly key: string
  /** Indicates whether an earlier run has already delivered this outcome. */
  readonly delivered: boolean
}

/**
 * Outcome of an item whose execution is COMPLETED.
 *
 * @since 0.1.0
 * @category models
 */
export interface Succeeded<A> extends OutcomeFields<A> {
  readonly _tag: "Succeeded"
  readonly completed: Execution.Completed
}

/**
 * Outcome of a failed item. `error` is an error of `executions.run`, a `SubmissionOutcomeUnknown`, or the error `E` of
 * the `request`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed<A, E = never> extends OutcomeFields<A> {
  readonly _tag: "Failed"
  readonly error: AwaitFailure | SubmissionOutcomeUnknown | E
  /**
   * Indicates whether the failure is final. A later run returns a final failure again without a request, unless
   * `resubmit` returns `true`. A later run continues the item after any other failure. Examples are an overload, a
   * timeout and a failure of `request`.
   */
  readonly final: boolean
}

/**
 * Outcome of an item that this run did not submit. A later run submits the item.
 *
 * @since 0.1.0
 * @category models
 */
export interface NotAttempted<A> extends OutcomeFields<A> {
  readonly _tag: "NotAttempted"
  /**
   * Reason why the item was not submitted. A `StopReason` applies to all remaining items of the batch.
   *
   * `UnknownHold` applies only to this item. The batch has a `maxCost`, and another item of the same model may have
   * been accepted with an unknown hold. A later run submits the item after the API has reported the hold. The option
   * `hold` prevents this reason.
   */
  readonly reason: StopReason | "UnknownHold"
  /** Error response of the API that stopped the batch, if there is one. */
  readonly error?: InsufficientBalance | Unauthorized
}

/**
 * Outcome of a batch item. A run emits exactly one outcome per item.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome<A, E = never> = Succeeded<A> | Failed<A, E> | NotAttempted<A>
