/**
 * What a wait knows of its execution, and when it polls next: pure transitions, without a clock of their own. All moments are
 * monotonic milliseconds.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Execution from "../../Execution.js"
import { isNotFound, type RequestFailure } from "../../ModelRouteError.js"
import { isForeignResponse, isGone, isNotReady, isRateLimit } from "../errors/semantics.js"
import * as decode from "./decode.js"

/** @internal An execution as a response or a notification has shown it. */
export interface Sighting {
  readonly execution: Execution.Execution
  readonly seenAt: number
  /** Until when a wait for the execution makes sense; `undefined` if it names no expiry in the future. */
  readonly until: number | undefined
  /** Whether the API has said that a COMPLETED execution has no output. */
  readonly hasNoOutput?: boolean
}

/**
 * What is still missing: the end, the error of a FAILED execution that a notification left out, or the output of a COMPLETED one.
 *
 * @internal
 */
export type Phase = "running" | "needsError" | "needsOutput" | "ended"

/** @internal */
export interface PollState {
  readonly startedAt: number
  /** When the time of the caller is up, if the caller has set one. */
  readonly limit: number | undefined
  /** When this client created the execution, if it did so lately. */
  readonly createdAt: number | undefined
  /** Whether the wait ends only with the output. */
  readonly wantsOutput: boolean
  readonly seen: Sighting | undefined
  /** The wait's own bound: it follows the expiry of the execution. */
  readonly bound: number
  /** No expiry moves the bound beyond this. */
  readonly latestBound: number
  readonly polls: number
  /** Whether the execution itself was asked for its error. */
  readonly hasAskedForError: boolean
  /** When the execution was first seen COMPLETED without output. */
  readonly outputMissingSince: number | undefined
  readonly outputPolls: number
  /** The failure of the last poll. */
  readonly failure: RequestFailure | undefined
  /** The API has asked for no request before this. */
  readonly resumesAt: number
}

/** An execution, and a poll for it, may take this much longer than its time. */
const graceMillis = Duration.toMillis("30 seconds")
const longestWaitMillis = Duration.toMillis("24 hours")
const waitWithoutExpiryMillis = Duration.toMillis("10 minutes")
/** A replica can be this far behind: it does not know the execution, or its result, yet. */
const replicaLagMillis = Duration.toMillis("60 seconds")
/** The longest `Retry-After` that delays a poll. */
const longestRetryAfterMillis = Duration.toMillis("30 seconds")

/** @internal */
export const pollGraceMillis = graceMillis

/** @internal When a wait for an execution that expires in so many milliseconds ends. An expiry in the past says nothing. */
export const untilOf = (seenAt: number, expiresInMillis: number): number | undefined =>
  expiresInMillis > 0 ? seenAt + expiresInMillis + graceMillis : undefined

/** @internal */
export const start = (options: {
  readonly now: number
  readonly timeoutMillis: number | undefined
  readonly createdAt: number | undefined
  readonly wantsOutput: boolean
}): PollState => ({
  startedAt: options.now,
  limit: options.timeoutMillis === undefined ? undefined : options.now + options.timeoutMillis,
  createdAt: options.createdAt,
  wantsOutput: options.wantsOutput,
  seen: undefined,
  bound: options.now + waitWithoutExpiryMillis,
  latestBound: options.now + longestWaitMillis,
  polls: 0,
  hasAskedForError: false,
  outputMissingSince: undefined,
  outputPolls: 0,
  failure: undefined,
  resumesAt: Number.NEGATIVE_INFINITY
})

const isWithoutError = ({ error, status }: Execution.Execution): boolean => status === "FAILED" && error === undefined

const isWithoutOutput = ({ execution, hasNoOutput }: Sighting): boolean =>
  execution.status === "COMPLETED" && hasNoOutput !== true && decode.output(execution) === undefined

/** @internal */
export const phaseOf = ({ hasAskedForError, seen, wantsOutput }: PollState): Phase => {
  if (seen === undefined || !Execution.isTerminal(seen.execution)) return "running"
  if (isWithoutError(seen.execution) && !hasAskedForError) return "needsError"
  return wantsOutput && isWithoutOutput(seen) ? "needsOutput" : "ended"
}

const runningStatuses = ["PENDING", "PROCESSING", "AWAITING_WEBHOOK"]

/** Notifications arrive late, twice and in any order: only a later status counts as an update. */
const isProgress = (update: Execution.Execution, seen: Execution.Execution | undefined): boolean =>
  Execution.isTerminal(update) || runningStatuses.indexOf(update.status) > runningStatuses.indexOf(seen?.status ?? "")

/** @internal Whether a notification tells more than is known. */
export const isUpdate = (state: PollState, update: Sighting): boolean => {
  switch (phaseOf(state)) {
    case "running":
      return isProgress(update.execution, state.seen?.execution)
    case "needsError":
      return update.execution.status === "FAILED" && update.execution.error !== undefined
    case "needsOutput":
      return update.execution.status === "COMPLETED" && !isWithoutOutput(update)
    case "ended":
      return false
  }
}

/** A notification, or the result, need not repeat every field. */
const mergeExecution = (seen: Execution.Execution, update: Execution.Execution): Execution.Execution =>
  new Execution.Execution(
    { ...seen, ...update, extra: { ...seen.extra, ...update.extra } },
    { disableValidation: true }
  )

const isSameExpiry = (a: Execution.Execution, b: Execution.Execution | undefined): boolean =>
  a.expiresAt?.epochMillis === b?.expiresAt?.epochMillis

/** A `Date` that stands still, or an expiry that moves again and again, must not make the wait endless. */
const withSighting = (state: PollState, seen: Sighting): PollState => {
  const { latestBound, startedAt } = state
  const isFirst = isWithoutOutput(seen) && state.outputMissingSince === undefined
  const next = { ...state, seen, failure: undefined, ...(isFirst ? { outputMissingSince: seen.seenAt } : {}) }
  if (seen.until === undefined) return next
  const latest = isSameExpiry(seen.execution, state.seen?.execution)
    ? latestBound
    : Math.min(startedAt + longestWaitMillis, seen.until + graceMillis)
  return { ...next, latestBound: latest, bound: Math.min(seen.until, latest) }
}

/** The execution itself, from a poll, in place of what was known before. */
const polledExecution = (state: PollState, polled: Sighting): PollState => {
  const isBehind = state.seen !== undefined && Execution.isTerminal(state.seen.execution)
  // A terminal status never changes again: a replica that shows another one is behind.
  const seen = isBehind && !Execution.isTerminal(polled.execution) ? undefined : polled
  return {
    ...(seen === undefined ? state : withSighting(state, seen)),
    polls: state.polls + 1,
    hasAskedForError: state.hasAskedForError || phaseOf(state) === "needsError" || polled.execution.status === "FAILED"
  }
}

/** The result, which has the output and little else. What it says of the status may be behind. */
const polledResult = (state: PollState, known: Sighting, result: Sighting): PollState => {
  const { status } = result.execution
  const isCurrent = status === "COMPLETED" || status === "UNKNOWN"
  const isUsable = isCurrent && (result.hasNoOutput === true || decode.output(result.execution) !== undefined)
  const execution = isUsable
    ? mergeExecution(known.execution, new Execution.Execution({ ...result.execution, status: "COMPLETED" }, unchecked))
    : known.execution
  const sighting = { ...known, execution, hasNoOutput: isCurrent && result.hasNoOutput === true }
  return {
    ...withSighting(state, sighting),
    polls: state.polls + 1,
    outputPolls: state.outputPolls + 1
  }
}

const unchecked = { disableValidation: true } as const

/** @internal A create or an earlier wait has shown the execution before the first poll. */
export const onKnown = (state: PollState, known: Sighting): PollState => withSighting(state, known)

/** @internal */
export const onPolled = (state: PollState, polled: Sighting): PollState =>
  state.seen !== undefined && phaseOf(state) === "needsOutput"
    ? polledResult(state, state.seen, polled)
    : polledExecution(state, polled)

/** @internal */
export const onNotified = (state: PollState, update: Sighting): PollState =>
  state.seen === undefined
    ? withSighting(state, update)
    : withSighting(state, {
        ...update,
        execution: mergeExecution(state.seen.execution, update.execution),
        until: update.until ?? state.seen.until
      })

const isTransient = (state: PollState, error: RequestFailure, now: number): boolean => {
  if (error.retryable || isForeignResponse(error)) return true
  const isNew = state.createdAt !== undefined && now - state.createdAt < replicaLagMillis
  return isNotFound(error) && isNew
}

/** Whether the API has no result for a COMPLETED execution, and not only not yet. */
const isResultMissing = (state: PollState, error: RequestFailure, now: number): boolean =>
  isGone(error) || (isNotFound(error) && now - (state.outputMissingSince ?? now) >= replicaLagMillis)

/** @internal Milliseconds until the API accepts another request, as far as the failed poll says. `wall` is the wall clock. */
export const resumesIn = (error: RequestFailure, wall: number): number => {
  if (isRateLimit(error) && error.resetAt !== undefined) return error.resetAt.epochMillis - wall
  if (!("retryAfter" in error) || error.retryAfter === undefined) return 0
  return Math.min(Duration.toMillis(error.retryAfter), longestRetryAfterMillis)
}

/** @internal The state after a failed poll, or `undefined` if the wait fails with this error. */
export const onPollFailed = (
  state: PollState,
  error: RequestFailure,
  now: number,
  resumesInMillis: number
): PollState | undefined => {
  const next = { ...state, polls: state.polls + 1, failure: error, resumesAt: now + resumesInMillis }
  const phase = phaseOf(state)
  if (phase === "needsError") return { ...next, hasAskedForError: true }
  if (phase === "needsOutput" && state.seen !== undefined) {
    if (isResultMissing(state, error, now)) return { ...next, seen: { ...state.seen, hasNoOutput: true } }
    if (isNotReady(error)) return { ...next, outputPolls: state.outputPolls + 1 }
  }
  if (!isTransient(state, error, now)) return undefined
  if (isRateLimit(error) && next.resumesAt > boundOf(state)) return undefined
  return { ...next, outputPolls: state.outputPolls + (phase === "needsOutput" ? 1 : 0) }
}

/** @internal A poll has taken longer than the caller's time limit allows. */
export const onPollLate = (state: PollState): PollState =>
  phaseOf(state) === "needsError" ? { ...state, hasAskedForError: true } : state

/** @internal Until when the wait goes on. */
export const boundOf = ({ bound, limit, outputMissingSince }: PollState): number =>
  limit ?? Math.max(bound, (outputMissingSince ?? Number.NEGATIVE_INFINITY) + replicaLagMillis)

/** @internal Whether to poll without a delay: something is known to be there. */
export const isPollDue = (state: PollState): boolean => {
  const phase = phaseOf(state)
  return phase === "needsError" || (phase === "needsOutput" && state.outputPolls === 0)
}

/** Some executions take a little longer than the last ones did. */
const expectedEndFactor = 1.1

/**
 * The milliseconds until the next poll, or `undefined` if the wait is over. No wait ends before one poll.
 *
 * @internal
 */
export const delayOf = (
  state: PollState,
  now: number,
  options: {
    /** The delay of the poll schedule, or `undefined` if it has ended. */
    readonly scheduled: number | undefined
    /** Whether requests are so scarce that polls should leave them to others: then they come half as often. */
    readonly isScarce: boolean
    /** How long executions of this model take, if the beginning of this one was seen. */
    readonly expectedMillis: number | undefined
  }
): number | undefined => {
  const { expectedMillis, isScarce, scheduled } = options
  const left = boundOf(state) - now
  if (left <= 0 || scheduled === undefined) return state.polls === 0 ? 0 : undefined
  const expectedIn = expectedMillis === undefined ? 0 : state.startedAt + expectedMillis * expectedEndFactor - now
  const wanted = isScarce ? Math.max(2 * scheduled, expectedIn) : scheduled
  return Math.min(Math.max(wanted, state.resumesAt - now), left)
}
