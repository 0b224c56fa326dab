/**
 * What becomes of one item of a batch.
 */
import type * as Execution from "../../Execution.js"
import type {
  AwaitFailure,
  SubmissionOutcomeUnknown,
  InsufficientBalance,
  Unauthorized
} from "../../ModelRouteError.js"
import type { StopReason } from "./stopSignal.js"

interface Common<A> {
  readonly item: A
  /** Its place in the input, from 0. */
  readonly index: number
  readonly key: string
  /** Whether an earlier run has handed this outcome out, and whoever took it has asked for the next. */
  readonly delivered: boolean
}

/**
 * The execution is COMPLETED.
 *
 * @since 0.1.0
 * @category models
 */
export interface Succeeded<A> extends Common<A> {
  readonly _tag: "Succeeded"
  readonly completed: Execution.Completed
}

/**
 * The item has failed with what `executions.run` fails with, or with a failure of its `request`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed<A, E = never> extends Common<A> {
  readonly _tag: "Failed"
  readonly error: AwaitFailure | SubmissionOutcomeUnknown | E
  /**
   * Whether that is how it ended: then a later run hands the same failure out again, unless `resubmit` says otherwise. If not, a
   * later run looks at it anew, and goes on with what can go on.
   */
  readonly final: boolean
}

/**
 * This run has submitted nothing for the item; a later run does.
 *
 * @since 0.1.0
 * @category models
 */
export interface NotAttempted<A> extends Common<A> {
  readonly _tag: "NotAttempted"
  /**
   * What had stopped the batch. `UnknownHold` concerns this item alone: `maxCost` is set, another item of its model may have been
   * accepted, and nobody knows what that holds; when a run has found out, or with the option `hold`, it is submitted.
   */
  readonly reason: StopReason | "UnknownHold"
  /** What the API has answered, where that was the reason. */
  readonly error?: InsufficientBalance | Unauthorized
}

/**
 * What became of one item: there is exactly one for each.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome<A, E = never> = Succeeded<A> | Failed<A, E> | NotAttempted<A>
