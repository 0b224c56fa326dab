/**
 * Creates, compares and merges observations. An observation is the state of an execution in one response or one
 * notification.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Execution from "../../Execution.js"
import type { ReceivedResponse } from "../http/attempt.js"
import { serverTime } from "../retry/rateLimitHeaders.js"
import * as decode from "./decode.js"

/**
 * The state of an execution in one response or one notification. The times are in milliseconds of the monotonic clock.
 *
 * @internal
 */
export interface Observation {
  readonly execution: Execution.Execution
  readonly observedAt: number
  /**
   * The time at which a wait without `timeout` ends, `expiryGraceMillis` after `expiresAt`. `undefined` if `expiresAt`
   * is missing or not in the future.
   */
  readonly deadline: number | undefined
  /** Indicates that the API has confirmed that a COMPLETED execution has no output. Default: `false`. */
  readonly hasNoOutput?: boolean
}

/**
 * Time that a wait continues after the `expiresAt` of its execution, so that a poll can return the final status.
 *
 * @internal
 */
export const expiryGraceMillis = Duration.toMillis("30 seconds")

/**
 * Returns the observation of an execution in a response. Uses the time of the `Date` header as the current time,
 * because `expiresAt` refers to the server's clock.
 *
 * @internal
 */
export const toObservation = (
  execution: Execution.Execution,
  { receivedAt, response }: ReceivedResponse
): Observation => {
  const { monotonic: observedAt, wall } = receivedAt
  const { expiresAt } = execution
  if (expiresAt === undefined) return { execution, observedAt, deadline: undefined }
  const expiresInMillis = DateTime.toEpochMillis(expiresAt) - (serverTime(response.headers, wall) ?? wall)
  return {
    execution,
    observedAt,
    deadline: expiresInMillis > 0 ? observedAt + expiresInMillis + expiryGraceMillis : undefined
  }
}

/** @internal Returns `true` if an execution is FAILED and its error is missing. */
export const lacksError = ({ error, status }: Execution.Execution): boolean =>
  status === "FAILED" && error === undefined

/**
 * Returns `true` if the output of a COMPLETED execution is missing but may become available later. Returns `false`
 * after the API has confirmed that the execution has no output.
 *
 * @internal
 */
export const lacksOutput = ({ execution, hasNoOutput }: Observation): boolean =>
  execution.status === "COMPLETED" && hasNoOutput !== true && decode.outputOf(execution) === undefined

/** Non-terminal statuses, from the earliest to the latest. */
const runningStatuses = ["PENDING", "PROCESSING", "AWAITING_WEBHOOK"]

/**
 * Returns `true` if an update has a terminal status or a later status than `known`. Ignores other updates, because
 * notifications can arrive late, repeatedly and in any order.
 *
 * @internal
 */
export const isProgress = (update: Execution.Execution, known: Execution.Execution | undefined): boolean =>
  Execution.isTerminal(update) || runningStatuses.indexOf(update.status) > runningStatuses.indexOf(known?.status ?? "")

/**
 * Merges an update into the known state of an execution. If a field is missing in the update, its known value is kept.
 *
 * @internal
 */
export const mergeExecution = (known: Execution.Execution, update: Execution.Execution): Execution.Execution =>
  new Execution.Execution(
    { ...known, ...update, extra: { ...known.extra, ...update.extra } },
    { disableValidation: true }
  )

/**
 * Adds the output in a result to the known state of a COMPLETED execution. Merges the two, because a result contains few
 * fields besides the output. Accepts a result without a status. Ignores a result with another status, because such a
 * result comes from a stale replica.
 *
 * @internal
 */
export const addResult = (known: Observation, { execution, hasNoOutput }: Observation): Observation => {
  const isCurrent = execution.status === "COMPLETED" || execution.status === "UNKNOWN"
  const isUsable = isCurrent && (hasNoOutput === true || decode.outputOf(execution) !== undefined)
  const completed = isUsable
    ? mergeExecution(
        known.execution,
        new Execution.Execution({ ...execution, status: "COMPLETED" }, { disableValidation: true })
      )
    : known.execution
  return { ...known, execution: completed, hasNoOutput: isCurrent && hasNoOutput === true }
}

/** @internal Returns `true` if two states of an execution have the same expiry. */
export const hasSameExpiry = (a: Execution.Execution, b: Execution.Execution | undefined): boolean =>
  a.expiresAt?.epochMillis === b?.expiresAt?.epochMillis
