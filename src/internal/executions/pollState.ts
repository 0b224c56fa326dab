/**
 * The state of a wait, and its next step. `pollTransitions.ts` changes the state. All functions are pure, and all moments are
 * monotonic milliseconds.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Execution from "../../Execution.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { isProgress, lacksError, lacksOutput, type Observation } from "./observation.js"

/** @internal The poll that the schedule has set. */
export interface ScheduledPoll {
  readonly at: number
  /** When the delay before this poll began. A newer poll of another wait replaces this poll. */
  readonly since: number
}

/** @internal The known state of an execution, and the progress of the wait for it. */
export interface PollState {
  readonly startedAt: number
  /** Whether the wait follows the create, so that `startedAt` is also the start of the execution. */
  readonly followsCreate: boolean
  /** The end of the caller's `timeout`, if there is one. */
  readonly callerDeadline: number | undefined
  /** When this client created the execution, if it did so recently. */
  readonly createdAt: number | undefined
  /** Whether the wait ends only with the output. */
  readonly isOutputRequired: boolean
  /** The latest known state of the execution. */
  readonly latest: Observation | undefined
  /** The deadline of a wait without `timeout`. It follows the expiry of the execution. */
  readonly deadline: number
  /** No expiry moves `deadline` beyond this moment. */
  readonly maxDeadline: number
  readonly pollCount: number
  readonly resultPollCount: number
  /** When the execution was first seen FAILED without an error. */
  readonly errorMissingSince: number | undefined
  /** The polls for the error that a notification left out. */
  readonly errorPollCount: number
  /** Whether the error that a notification left out is no longer expected. */
  readonly isErrorUnavailable: boolean
  /** When the execution was first seen COMPLETED without output. */
  readonly outputMissingSince: number | undefined
  /** The failure of the last poll. */
  readonly pollFailure: RequestFailure | undefined
  /** The API has asked for no request before this moment. */
  readonly notBefore: number
  /** The poll that has not started yet. */
  readonly scheduledPoll: ScheduledPoll | undefined
  /** Why the wait fails. */
  readonly stoppedBy: RequestFailure | "timeout" | undefined
}

/**
 * The information that the wait needs next. `needsError`: a notification left out the error of a FAILED execution. `needsOutput`:
 * the output of a COMPLETED execution is missing.
 *
 * @internal
 */
export type Phase = "running" | "needsError" | "needsOutput" | "ended"

/** @internal The step that polls. */
export interface PollStep {
  readonly _tag: "Poll"
  readonly target: "execution" | "result"
  /** A poll of another wait after this moment replaces this poll. */
  readonly since: number
  /** Until when the rate limit may delay the poll. */
  readonly deadline: number
}

/** @internal The next step of a wait. */
export type Step =
  | { readonly _tag: "Wait"; readonly until: number }
  | PollStep
  | { readonly _tag: "Done"; readonly execution: Execution.Execution }
  | { readonly _tag: "Fail"; readonly error: RequestFailure | "timeout" }
/** @internal How far a replica can be behind. Until then it may not know the execution, its error or its result. */
export const replicaLagMillis = Duration.toMillis("60 seconds")

/** @internal Returns the phase of a wait. */
export const phaseOf = ({ isErrorUnavailable, isOutputRequired, latest }: PollState): Phase => {
  if (latest === undefined || !Execution.isTerminal(latest.execution)) return "running"
  if (lacksError(latest.execution) && !isErrorUnavailable) return "needsError"
  return isOutputRequired && lacksOutput(latest) ? "needsOutput" : "ended"
}

/** @internal Whether a notification adds information to the state. */
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

/** @internal When the wait ends. A missing output or error gets the time that a replica can be behind. */
export const deadlineOf = ({ callerDeadline, deadline, errorMissingSince, outputMissingSince }: PollState): number =>
  callerDeadline ??
  Math.max(deadline, (outputMissingSince ?? errorMissingSince ?? Number.NEGATIVE_INFINITY) + replicaLagMillis)

/** Whether to poll without a delay, because the missing error or output should be available already. */
const isPollDue = (state: PollState): boolean => {
  const phase = phaseOf(state)
  return (
    (phase === "needsError" && state.errorPollCount === 0) || (phase === "needsOutput" && state.resultPollCount === 0)
  )
}

/** @internal Whether the schedule has to set the next poll. */
export const needsSchedule = (state: PollState): boolean =>
  state.scheduledPoll === undefined && state.stoppedBy === undefined && phaseOf(state) !== "ended" && !isPollDue(state)

/** @internal Returns the next step of a wait that does not need the schedule. */
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
