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
import {
  addResult,
  expiryGraceMillis,
  hasSameExpiry,
  lacksError,
  lacksOutput,
  mergeExecution,
  type Observation
} from "./observation.js"
import { deadlineOf, phaseOf, pollDeadlineOf, type PollState, replicaLagMillis } from "./pollState.js"

const maxWaitMillis = Duration.toMillis("24 hours")

const waitWithoutExpiryMillis = Duration.toMillis("10 minutes")

/**
 * Returns the state after a new observation. The deadline of the observation replaces the deadline of the wait, but
 * `maxDeadline` limits the new deadline. Without this limit, a constant `Date` header or a changing `expiresAt` could
 * extend the wait forever.
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

/** Returns `true` if the error of a FAILED execution has been missing for at least `replicaLagMillis`. */
const isErrorLate = ({ errorMissingSince }: PollState, now: number): boolean =>
  errorMissingSince !== undefined && now - errorMissingSince >= replicaLagMillis

/** Returns the state after a poll of the execution. */
const onExecutionPolled = (state: PollState, polled: Observation): PollState => {
  const hasEnded = state.latest !== undefined && Execution.isTerminal(state.latest.execution)
  // A terminal status never changes. If a poll returns a non-terminal status later, the response comes from a stale
  // replica.
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

/** Returns the state after a poll of the result. */
const onResultPolled = (state: PollState, known: Observation, result: Observation): PollState => ({
  ...withObservation(state, addResult(known, result)),
  pollCount: state.pollCount + 1,
  resultPollCount: state.resultPollCount + 1
})

/** @internal Returns the initial state of a wait. */
export const start = (options: {
  readonly now: number
  readonly timeoutMillis: number | undefined
  readonly pollImmediately: boolean
  readonly isOutputRequired: boolean
  readonly createdAt: number | undefined
  /** Execution in the create response. `undefined` if the wait does not directly follow a create request. */
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
    pollDeadline: undefined,
    stoppedBy: undefined
  }
  return created === undefined ? state : withObservation(state, created)
}

/** Factor that is applied to the expected latency, because some executions take longer than the average. */
const expectedLatencyFactor = 1.1

/**
 * Returns the state after the schedule has computed the next delay. If the deadline has passed or the schedule has
 * ended, the wait times out. A wait that has not polled yet polls immediately instead.
 *
 * @internal
 */
export const onScheduled = (
  state: PollState,
  now: number,
  options: {
    /** Delay that the schedule has computed, in milliseconds. `undefined` if the schedule has ended. */
    readonly scheduledMillis: number | undefined
    /** Indicates that few requests are left under the rate limit. In this case, the delay is at least doubled. */
    readonly isScarce: boolean
    /** Expected latency of an execution of the model, in milliseconds. `undefined` if there is no estimate. */
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

/** @internal Returns the state after the next poll has started at `now`. */
export const onPollStarted = (state: PollState, now: number): PollState => ({
  ...state,
  scheduledPoll: undefined,
  pollDeadline: pollDeadlineOf(state, now)
})

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

/** Returns `true` if a later poll can succeed, although this poll has failed with `error`. */
const isTransient = (state: PollState, error: RequestFailure, now: number): boolean => {
  if (error.retryable || isForeignResponse(error)) return true
  const isNew = state.createdAt !== undefined && now - state.createdAt < replicaLagMillis
  return isNotFound(error) && isNew
}

/**
 * Returns `true` if the API will never return a result for a COMPLETED execution. This is certain after a 410. A 404 is
 * sufficient if the output has been missing for at least `replicaLagMillis`.
 */
const isResultMissing = (state: PollState, error: RequestFailure, now: number): boolean =>
  isGone(error) || (isNotFound(error) && now - (state.outputMissingSince ?? now) >= replicaLagMillis)

/**
 * Returns the state after a failed poll. A failure that is not transient usually ends the wait. While the error of a
 * FAILED execution is missing, no failure ends the wait. While the output of a COMPLETED execution is missing, a 404,
 * 409, 410 or 425 is no error. A 429 ends the wait if its reset is later than the deadline.
 *
 * @internal
 */
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

/**
 * Returns the state after the wait or its last poll has timed out. If only the error of a FAILED execution is missing,
 * the wait ends without this error. Otherwise, the wait fails with `AwaitTimeout`.
 *
 * @internal
 */
export const onPollTimedOut = (state: PollState): PollState =>
  phaseOf(state) === "needsError" ? { ...state, isErrorUnavailable: true } : { ...state, stoppedBy: "timeout" }
