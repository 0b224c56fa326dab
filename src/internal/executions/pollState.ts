/**
 * The state of a wait, and its next step, as pure transitions. The module has no clock: all moments are monotonic milliseconds.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Execution from "../../Execution.js"
import { isNotFound, type RequestFailure } from "../../ModelRouteError.js"
import { isForeignResponse, isGone, isNotReady, isRateLimit } from "../errors/semantics.js"
import * as decode from "./decode.js"
import {
  expiryGraceMillis,
  hasSameExpiry,
  isProgress,
  lacksError,
  lacksOutput,
  mergeExecution,
  type Observation
} from "./observation.js"

/** @internal The poll that the schedule has set. */
export interface ScheduledPoll {
  readonly at: number
  /** When the wait for this poll began. A newer poll of another wait is used in its place. */
  readonly since: number
}

/** @internal Everything that a wait knows of its execution and of its own polls. */
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
 * The information that is still missing: the end, the error of a FAILED execution that a notification left out, or the output
 * of a COMPLETED one.
 *
 * @internal
 */
export type Phase = "running" | "needsError" | "needsOutput" | "ended"

/** @internal The step that polls. */
export interface PollStep {
  readonly _tag: "Poll"
  readonly target: "execution" | "result"
  /** An observation of another wait after this moment is used in place of a poll. */
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

const maxWaitMillis = Duration.toMillis("24 hours")
const waitWithoutExpiryMillis = Duration.toMillis("10 minutes")
/** How far a replica can be behind: until then it may not know the execution, or its result. */
const replicaLagMillis = Duration.toMillis("60 seconds")

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

/** @internal When the wait ends. */
export const deadlineOf = ({ callerDeadline, deadline, outputMissingSince }: PollState): number =>
  callerDeadline ?? Math.max(deadline, (outputMissingSince ?? Number.NEGATIVE_INFINITY) + replicaLagMillis)

/**
 * Returns the state with a new observation. `maxDeadline` bounds the wait even if the `Date` header never changes, or if the
 * expiry moves with every response.
 */
const withObservation = (state: PollState, latest: Observation): PollState => {
  const outputMissingSince = state.outputMissingSince ?? (lacksOutput(latest) ? latest.observedAt : undefined)
  const errorMissingSince = state.errorMissingSince ?? (lacksError(latest.execution) ? latest.observedAt : undefined)
  const next = { ...state, latest, pollFailure: undefined, outputMissingSince, errorMissingSince }
  if (latest.deadline === undefined) return next
  const maxDeadline = hasSameExpiry(latest.execution, state.latest?.execution)
    ? state.maxDeadline
    : Math.min(state.startedAt + maxWaitMillis, latest.deadline + expiryGraceMillis)
  return { ...next, maxDeadline, deadline: Math.min(latest.deadline, maxDeadline) }
}

/** Returns the state after a poll of the execution itself. */
const onExecutionPolled = (state: PollState, polled: Observation): PollState => {
  const hasEnded = state.latest !== undefined && Execution.isTerminal(state.latest.execution)
  // A terminal status never changes again: a replica that shows another one is behind.
  const isOutdated = hasEnded && !Execution.isTerminal(polled.execution)
  return onErrorPolled(
    { ...(isOutdated ? state : withObservation(state, polled)), pollCount: state.pollCount + 1 },
    state,
    polled.execution.status === "FAILED" || isErrorLate(state, polled.observedAt)
  )
}

/** Whether a replica that is behind would have the error of a FAILED execution by now. */
const isErrorLate = ({ errorMissingSince }: PollState, now: number): boolean =>
  errorMissingSince !== undefined && now - errorMissingSince >= replicaLagMillis

/** Counts a poll for the missing error, if `before` needed one. */
const onErrorPolled = (state: PollState, before: PollState, isUnavailable: boolean): PollState => ({
  ...state,
  errorPollCount: before.errorPollCount + (phaseOf(before) === "needsError" ? 1 : 0),
  isErrorUnavailable: before.isErrorUnavailable || isUnavailable
})

/** Returns the state after a poll of the result, which has the output and little else. Its status may be outdated. */
const onResultPolled = (state: PollState, known: Observation, { execution, hasNoOutput }: Observation): PollState => {
  const isCurrent = execution.status === "COMPLETED" || execution.status === "UNKNOWN"
  const isUsable = isCurrent && (hasNoOutput === true || decode.outputOf(execution) !== undefined)
  const completed = isUsable
    ? mergeExecution(
        known.execution,
        new Execution.Execution({ ...execution, status: "COMPLETED" }, { disableValidation: true })
      )
    : known.execution
  const latest = { ...known, execution: completed, hasNoOutput: isCurrent && hasNoOutput === true }
  return {
    ...withObservation(state, latest),
    pollCount: state.pollCount + 1,
    resultPollCount: state.resultPollCount + 1
  }
}

/** @internal Returns the state of a wait that has just begun. */
export const start = (options: {
  readonly now: number
  readonly timeoutMillis: number | undefined
  readonly pollImmediately: boolean
  readonly isOutputRequired: boolean
  readonly createdAt: number | undefined
  /** The execution in the response to its create, if the wait follows the create. */
  readonly created: Observation | undefined
}): PollState => {
  const { created, createdAt, isOutputRequired, now, pollImmediately, timeoutMillis } = options
  const state: PollState = {
    startedAt: now,
    followsCreate: created !== undefined,
    callerDeadline: timeoutMillis === undefined ? undefined : now + timeoutMillis,
    createdAt,
    isOutputRequired,
    latest: undefined,
    deadline: now + waitWithoutExpiryMillis,
    maxDeadline: now + maxWaitMillis,
    pollCount: 0,
    resultPollCount: 0,
    errorMissingSince: undefined,
    errorPollCount: 0,
    isErrorUnavailable: false,
    outputMissingSince: undefined,
    pollFailure: undefined,
    notBefore: Number.NEGATIVE_INFINITY,
    scheduledPoll: pollImmediately ? { at: now, since: now } : undefined,
    stoppedBy: undefined
  }
  return created === undefined ? state : withObservation(state, created)
}

/** Some executions take a little longer than the last ones did. */
const expectedLatencyFactor = 1.1

/** @internal Returns the state after the schedule has set the next poll. No wait ends before its first poll. */
export const onScheduled = (
  state: PollState,
  now: number,
  options: {
    /** The delay of the schedule, or `undefined` if the schedule has ended. */
    readonly scheduledMillis: number | undefined
    /** Whether few requests are left under the rate limit. Polls then come half as often. */
    readonly isScarce: boolean
    /** The expected latency of the model, if it is known. */
    readonly expectedMillis: number | undefined
  }
): PollState => {
  const { expectedMillis, isScarce, scheduledMillis } = options
  const remaining = deadlineOf(state) - now
  if (remaining <= 0 || scheduledMillis === undefined) {
    return state.pollCount === 0 ? { ...state, scheduledPoll: { at: now, since: now } } : onPollTimedOut(state)
  }
  const isEndKnown = state.followsCreate && expectedMillis !== undefined
  const expectedIn = isEndKnown ? state.startedAt + expectedMillis * expectedLatencyFactor - now : 0
  const wanted = isScarce ? Math.max(2 * scheduledMillis, expectedIn) : scheduledMillis
  const delay = Math.min(Math.max(wanted, state.notBefore - now), remaining)
  return { ...state, scheduledPoll: { at: now + delay, since: now } }
}

/** @internal Returns the state after the next poll has started. */
export const onPollStarted = (state: PollState): PollState => ({ ...state, scheduledPoll: undefined })

/** @internal Returns the state after a poll has shown the execution or its result. */
export const onPolled = (state: PollState, polled: Observation): PollState =>
  state.latest !== undefined && phaseOf(state) === "needsOutput"
    ? onResultPolled(state, state.latest, polled)
    : onExecutionPolled(state, polled)

/** @internal Returns the state after a notification. */
export const onNotified = (state: PollState, update: Observation): PollState =>
  state.latest === undefined
    ? withObservation(state, update)
    : withObservation(state, {
        ...update,
        execution: mergeExecution(state.latest.execution, update.execution),
        deadline: update.deadline ?? state.latest.deadline
      })

const isTransient = (state: PollState, error: RequestFailure, now: number): boolean => {
  if (error.retryable || isForeignResponse(error)) return true
  const isNew = state.createdAt !== undefined && now - state.createdAt < replicaLagMillis
  return isNotFound(error) && isNew
}

/** Whether the API has no result for a COMPLETED execution and will not have one later. */
const isResultMissing = (state: PollState, error: RequestFailure, now: number): boolean =>
  isGone(error) || (isNotFound(error) && now - (state.outputMissingSince ?? now) >= replicaLagMillis)

/** @internal Returns the state after a failed poll. A failure that is not transient stops the wait. */
export const onPollFailed = (
  state: PollState,
  error: RequestFailure,
  now: number,
  retryAfterMillis: number
): PollState => {
  const next = { ...state, pollCount: state.pollCount + 1, pollFailure: error, notBefore: now + retryAfterMillis }
  const phase = phaseOf(state)
  if (phase === "needsError") {
    const isLost = !isTransient(state, error, now) && !isNotFound(error)
    return onErrorPolled(next, state, isLost || isErrorLate(state, now))
  }
  if (phase === "needsOutput" && state.latest !== undefined) {
    if (isResultMissing(state, error, now)) return { ...next, latest: { ...state.latest, hasNoOutput: true } }
    if (isNotReady(error)) return { ...next, resultPollCount: state.resultPollCount + 1 }
  }
  const isResetTooLate = isRateLimit(error) && next.notBefore > deadlineOf(state)
  if (isResetTooLate || !isTransient(state, error, now)) return { ...state, stoppedBy: error }
  return { ...next, resultPollCount: state.resultPollCount + (phase === "needsOutput" ? 1 : 0) }
}

/** @internal Returns the state after a poll that has not ended within the caller's `timeout`. */
export const onPollTimedOut = (state: PollState): PollState =>
  phaseOf(state) === "needsError" ? { ...state, isErrorUnavailable: true } : { ...state, stoppedBy: "timeout" }

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
