/**
 * Updates the state of a wait after each poll, notification and delay. All functions are pure. All times are in
 * monotonic milliseconds.
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
  lacksError,
  lacksOutput,
  mergeExecution,
  type Observation
} from "./observation.js"
import { deadlineOf, phaseOf, type PollState, replicaLagMillis } from "./pollState.js"

const maxWaitMillis = Duration.toMillis("24 hours")

const waitWithoutExpiryMillis = Duration.toMillis("10 minutes")

/**
 * Returns the state after a new observation. Each observation sets a new deadline, from `expiresAt` and the `Date`
 * header. `maxDeadline` ends the wait even if a constant `Date` header or a changing expiry always moves the deadline.
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

/** Returns `true` if the error has been missing for at least the maximum lag of a replica. */
const isErrorLate = ({ errorMissingSince }: PollState, now: number): boolean =>
  errorMissingSince !== undefined && now - errorMissingSince >= replicaLagMillis

/** Returns the state after a poll of the execution. */
const onExecutionPolled = (state: PollState, polled: Observation): PollState => {
  const hasEnded = state.latest !== undefined && Execution.isTerminal(state.latest.execution)
  // A terminal status never changes, so a non-terminal status comes from a stale replica.
  const isOutdated = hasEnded && !Execution.isTerminal(polled.execution)
  const isErrorPoll = phaseOf(state) === "needsError"
  return {
    ...(isOutdated ? state : withObservation(state, polled)),
    pollCount: state.pollCount + 1,
    errorPollCount: state.errorPollCount + (isErrorPoll ? 1 : 0),
    isErrorUnavailable:
      state.isErrorUnavailable || polled.execution.status === "FAILED" || isErrorLate(state, polled.observedAt)
  }
}

/**
 * Returns the state after a poll of the result. The response contains the output and few other fields. Its status may
 * be outdated.
 */
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

/** @internal Returns the initial state of a wait. */
export const start = (options: {
  readonly now: number
  readonly timeoutMillis: number | undefined
  readonly pollImmediately: boolean
  readonly isOutputRequired: boolean
  readonly createdAt: number | undefined
  /** Execution in the create response. `undefined` if the wait does not directly follow the create request. */
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

/** Safety factor for the estimated latency, because some executions take longer than the estimate. */
const expectedLatencyFactor = 1.1

/** @internal Returns the state after the schedule has set the next poll. A wait never ends before its first poll. */
export const onScheduled = (
  state: PollState,
  now: number,
  options: {
    /** Delay of the schedule, or `undefined` if the schedule has ended. */
    readonly scheduledMillis: number | undefined
    /** Indicates that few requests are left under the rate limit. The delay is then at least doubled. */
    readonly isScarce: boolean
    /** Expected latency of the model, or `undefined` if there is no estimate. */
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

/** @internal Returns the state after a successful poll of the execution or its result. */
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

/** Returns `true` if a later poll can succeed. */
const isTransient = (state: PollState, error: RequestFailure, now: number): boolean => {
  if (error.retryable || isForeignResponse(error)) return true
  const isNew = state.createdAt !== undefined && now - state.createdAt < replicaLagMillis
  return isNotFound(error) && isNew
}

/** Returns `true` if the API will never return a result for the COMPLETED execution. */
const isResultMissing = (state: PollState, error: RequestFailure, now: number): boolean =>
  isGone(error) || (isNotFound(error) && now - (state.outputMissingSince ?? now) >= replicaLagMillis)

/** @internal Returns the state after a failed poll. A non-transient failure ends the wait. */
export const onPollFailed = (
  state: PollState,
  error: RequestFailure,
  now: number,
  retryAfterMillis: number
): PollState => {
  const next = { ...state, pollCount: state.pollCount + 1, pollFailure: error, notBefore: now + retryAfterMillis }
  const phase = phaseOf(state)
  if (phase === "needsError") {
    const isPermanent = !isTransient(state, error, now) && !isNotFound(error)
    const isErrorUnavailable = isPermanent || isErrorLate(state, now)
    return { ...next, errorPollCount: state.errorPollCount + 1, isErrorUnavailable }
  }
  if (phase === "needsOutput" && state.latest !== undefined) {
    if (isResultMissing(state, error, now)) return { ...next, latest: { ...state.latest, hasNoOutput: true } }
    if (isNotReady(error)) return { ...next, resultPollCount: state.resultPollCount + 1 }
  }
  const isResetTooLate = isRateLimit(error) && next.notBefore > deadlineOf(state)
  if (isResetTooLate || !isTransient(state, error, now)) return { ...state, stoppedBy: error }
  return { ...next, resultPollCount: state.resultPollCount + (phase === "needsOutput" ? 1 : 0) }
}

/** @internal Returns the state after the wait or its last poll has timed out. */
export const onPollTimedOut = (state: PollState): PollState =>
  phaseOf(state) === "needsError" ? { ...state, isErrorUnavailable: true } : { ...state, stoppedBy: "timeout" }
