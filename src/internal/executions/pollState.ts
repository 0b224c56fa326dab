/**
 * Represents the state of a wait for an execution and computes the next step of the wait. `pollTransitions.ts` contains
 * the changes of this state. All functions are pure. All times are in monotonic milliseconds.
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
  /**
   * Start of the delay before this poll. If another wait has polled the same execution after this time, its response
   * replaces this poll.
   */
  readonly since: number
}

/** @internal The state of a wait for an execution. */
export interface PollState {
  readonly startedAt: number
  /**
   * Indicates that the wait directly follows the create request. In this case, `startedAt` is also the start of the
   * execution.
   */
  readonly followsCreate: boolean
  /** The time at which the caller's `timeout` elapses. `undefined` without a `timeout`. */
  readonly callerDeadline: number | undefined
  /** Time of the create response. `undefined` if the client has no record of the create request. */
  readonly createdAt: number | undefined
  /** Indicates that a COMPLETED execution does not end the wait before its output is available. */
  readonly isOutputRequired: boolean
  /** Latest state of the execution. `undefined` before the first response or notification. */
  readonly latest: Observation | undefined
  /**
   * The time at which a wait without `timeout` ends. If `expiresAt` is missing, this time is 10 minutes after the start
   * of the wait.
   */
  readonly deadline: number
  /**
   * Upper limit of `deadline`. Without this limit, a wait could continue forever, because each response can contain a
   * later `expiresAt`.
   */
  readonly maxDeadline: number
  readonly pollCount: number
  readonly resultPollCount: number
  /** Time of the first response or notification with the status FAILED but without an error. */
  readonly errorMissingSince: number | undefined
  /** Number of polls after a FAILED status without an error. */
  readonly errorPollCount: number
  /** Indicates that the wait no longer polls for a missing error. */
  readonly isErrorUnavailable: boolean
  /** Time of the first response or notification with the status COMPLETED but without output. */
  readonly outputMissingSince: number | undefined
  /** Failure of the last poll. `undefined` if the last poll succeeded. */
  readonly pollFailure: RequestFailure | undefined
  /** Earliest time of the next poll according to the API, for example from `Retry-After`. */
  readonly notBefore: number
  /** The next poll. `undefined` after the poll has started, until the schedule sets the following poll. */
  readonly scheduledPoll: ScheduledPoll | undefined
  /** Deadline of the latest poll. `undefined` before the first poll and without a `timeout`. */
  readonly pollDeadline: number | undefined
  /** Reason for the failure of the wait. `undefined` if the wait has not failed. */
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
  /**
   * Start of the delay before this poll. If another wait has polled the same execution after this time, its response
   * replaces this poll.
   */
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
 * Assumed maximum time until all replicas of the API return a new state. Until then, a stale replica may omit the
 * execution, its error or its result.
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

/** @internal Returns `true` if a notification contains a later status, the missing error, or the missing output. */
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
 * Returns the time at which a wait ends. Without `timeout`, the wait lasts at least `replicaLagMillis` after an output
 * or error was first missing.
 *
 * @internal
 */
export const deadlineOf = ({ callerDeadline, deadline, errorMissingSince, outputMissingSince }: PollState): number =>
  callerDeadline ??
  Math.max(deadline, (outputMissingSince ?? errorMissingSince ?? Number.NEGATIVE_INFINITY) + replicaLagMillis)

/**
 * Returns `true` if the next poll starts without a delay of the schedule. This is the first poll for a missing error or
 * output.
 */
const isPollDue = (state: PollState): boolean => {
  const phase = phaseOf(state)
  return (
    (phase === "needsError" && state.errorPollCount === 0) || (phase === "needsOutput" && state.resultPollCount === 0)
  )
}

/** Maximum time that a running poll continues after the caller's `timeout` has elapsed. */
const pollGraceMillis = Duration.toMillis("30 seconds")

/**
 * Returns the deadline of a poll that starts at `now`. Each poll has the deadline of the first poll, so that no series
 * of notifications or polls extends the wait. If the process was suspended until after this deadline, the poll has a
 * later deadline. Without `timeout`, the poll has no deadline. A poll after the execution's `expiresAt` still returns
 * the final status.
 *
 * @internal
 */
export const pollDeadlineOf = ({ callerDeadline, pollDeadline }: PollState, now: number): number | undefined => {
  if (callerDeadline === undefined) return undefined
  return pollDeadline !== undefined && pollDeadline >= now
    ? pollDeadline
    : Math.max(now, callerDeadline) + pollGraceMillis
}

/** @internal Returns `true` if the schedule must compute the delay before the next poll. */
export const needsSchedule = (state: PollState): boolean =>
  state.scheduledPoll === undefined && state.stoppedBy === undefined && phaseOf(state) !== "ended" && !isPollDue(state)

/**
 * Returns the next step of a wait. Call this function only if `needsSchedule` returns `false` for the state.
 *
 * @internal
 */
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
