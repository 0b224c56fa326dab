/**
 * Represents the state of a wait and computes its next step. `pollTransitions.ts` changes the state. All functions are
 * pure. All times are in monotonic milliseconds.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Execution from "../../Execution.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { isProgress, lacksError, lacksOutput, type Observation } from "./observation.js"

/** @internal The next poll according to the schedule. */
export interface ScheduledPoll {
  readonly at: number
  /** Start of the delay before this poll. A poll by another wait after this time replaces this poll. */
  readonly since: number
}

/** @internal The state of a wait, including the latest state of its execution. */
export interface PollState {
  readonly startedAt: number
  /**
   * Indicates that the wait directly follows the create request. `startedAt` is then also the start of the execution.
   */
  readonly followsCreate: boolean
  /** End of the caller's `timeout`. `undefined` without a `timeout`. */
  readonly callerDeadline: number | undefined
  /** Time of the create request. `undefined` if this client did not create the execution recently. */
  readonly createdAt: number | undefined
  /** Indicates that the wait continues until the output is available. */
  readonly isOutputRequired: boolean
  /** Latest state of the execution. */
  readonly latest: Observation | undefined
  /** Deadline of a wait without `timeout`, computed from the expiry of the execution. */
  readonly deadline: number
  /** Upper limit of `deadline`, even if the expiry is later. */
  readonly maxDeadline: number
  readonly pollCount: number
  readonly resultPollCount: number
  /** Time of the first FAILED status without an error. */
  readonly errorMissingSince: number | undefined
  /** Number of polls for an error that was missing in a notification. */
  readonly errorPollCount: number
  /** Indicates that the wait no longer polls for a missing error. */
  readonly isErrorUnavailable: boolean
  /** Time of the first COMPLETED status without output. */
  readonly outputMissingSince: number | undefined
  /** Failure of the last poll. */
  readonly pollFailure: RequestFailure | undefined
  /** Earliest time of the next poll according to the API, for example from `Retry-After`. */
  readonly notBefore: number
  /** The scheduled poll. `undefined` after the poll has started. */
  readonly scheduledPoll: ScheduledPoll | undefined
  /** Reason for the failure of the wait. */
  readonly stoppedBy: RequestFailure | "timeout" | undefined
}

/**
 * The phase of a wait. In `needsError`, the error of a FAILED execution is missing. In `needsOutput`, the output of a
 * COMPLETED execution is missing.
 *
 * @internal
 */
export type Phase = "running" | "needsError" | "needsOutput" | "ended"

/** @internal A step that polls the execution or its result. */
export interface PollStep {
  readonly _tag: "Poll"
  readonly target: "execution" | "result"
  /** A poll by another wait after this time replaces this poll. */
  readonly since: number
  /** The rate limit may delay the poll until this time. */
  readonly deadline: number
}

/** @internal The next step of a wait. */
export type Step =
  | { readonly _tag: "Wait"; readonly until: number }
  | PollStep
  | { readonly _tag: "Done"; readonly execution: Execution.Execution }
  | { readonly _tag: "Fail"; readonly error: RequestFailure | "timeout" }
/**
 * Assumed maximum lag of a replica of the API. A stale replica may omit the execution, its error or its result.
 *
 * @internal
 */
export const replicaLagMillis = Duration.toMillis("60 seconds")

/** @internal */
export const phaseOf = ({ isErrorUnavailable, isOutputRequired, latest }: PollState): Phase => {
  if (latest === undefined || !Execution.isTerminal(latest.execution)) return "running"
  if (lacksError(latest.execution) && !isErrorUnavailable) return "needsError"
  return isOutputRequired && lacksOutput(latest) ? "needsOutput" : "ended"
}

/** @internal Returns `true` if a notification adds information to the state. */
export const isUpdate = (state: PollState, update: Observation): boolean => {
  switch (phaseOf(state)) {
    case "running":
      return isProgress(update.execution, state.latest?.execution)
    case "needsError":
      return update.execution.status === "FAILED" && !lacksError(update.execution)
    case "needsOutput":
      return update.execution.status === "COMPLETED" && !lacksOutput(update)
    case "ended":
      return false
  }
}

/**
 * Returns the deadline of a wait. A wait without `timeout` allows `replicaLagMillis` for a missing output or error.
 *
 * @internal
 */
export const deadlineOf = ({ callerDeadline, deadline, errorMissingSince, outputMissingSince }: PollState): number =>
  callerDeadline ??
  Math.max(deadline, (outputMissingSince ?? errorMissingSince ?? Number.NEGATIVE_INFINITY) + replicaLagMillis)

/**
 * Returns `true` if the next poll must start immediately. The first poll for a missing error or output has no delay.
 */
const isPollDue = (state: PollState): boolean => {
  const phase = phaseOf(state)
  return (
    (phase === "needsError" && state.errorPollCount === 0) || (phase === "needsOutput" && state.resultPollCount === 0)
  )
}

/** @internal Returns `true` if the schedule must set the next poll. */
export const needsSchedule = (state: PollState): boolean =>
  state.scheduledPoll === undefined && state.stoppedBy === undefined && phaseOf(state) !== "ended" && !isPollDue(state)

/** @internal Returns the next step of a wait. Requires that `needsSchedule` returns `false` for the state. */
export const next = (state: PollState, now: number): Step => {
  const { latest, scheduledPoll, stoppedBy } = state
  if (stoppedBy !== undefined) return { _tag: "Fail", error: stoppedBy }
  const phase = phaseOf(state)
  if (phase === "ended" && latest !== undefined) return { _tag: "Done", execution: latest.execution }
  const { at, since } = isPollDue(state) || scheduledPoll === undefined ? { at: now, since: now } : scheduledPoll
  return at > now
    ? { _tag: "Wait", until: at }
    : { _tag: "Poll", target: phase === "needsOutput" ? "result" : "execution", since, deadline: deadlineOf(state) }
}
