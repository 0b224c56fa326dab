/**
 * The outcome of one item of a batch.
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
  /** Position of the item in the input, from 0. */
  readonly index: number
  readonly key: string
  /** Whether an earlier run has already delivered this outcome. */
  readonly delivered: boolean
}

/**
 * The outcome of an item whose execution is COMPLETED.
 *
 * @since 0.1.0
 * @category models
 */
export interface Succeeded<A> extends OutcomeFields<A> {
  readonly _tag: "Succeeded"
  readonly completed: Execution.Completed
}

/**
 * The outcome of an item that failed with an error of `executions.run`, or with the error `E` of its `request`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed<A, E = never> extends OutcomeFields<A> {
  readonly _tag: "Failed"
  readonly error: AwaitFailure | SubmissionOutcomeUnknown | E
  /**
   * Whether the failure is final. A later run returns a final failure again without a request, unless `resubmit`
   * returns `true`. A later run continues an item whose failure is not final,
   * such as an overload, a timeout or a failure of `request`.
   */
  readonly final: boolean
}

/**
 * The outcome of an item that this run did not submit. A later run submits it.
 *
 * @since 0.1.0
 * @category models
 */
export interface NotAttempted<A> extends OutcomeFields<A> {
  readonly _tag: "NotAttempted"
  /**
   * Why the batch had stopped. `UnknownHold` concerns this item alone: `maxCost` is set, another item of its model may
   * have been accepted, and the hold of that model is unknown. A later run submits the item when the hold is known. The
   * option `hold` makes it known beforehand.
   */
  readonly reason: StopReason | "UnknownHold"
  /** The response of the API, if it is the reason. */
  readonly error?: InsufficientBalance | Unauthorized
}

/**
 * The outcome of one item. A run returns exactly one for each item.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome<A, E = never> = Succeeded<A> | Failed<A, E> | NotAttempted<A>
