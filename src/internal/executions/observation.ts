/**
 * Represents the state of an execution in one response or notification. Merges the states of several observations.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Execution from "../../Execution.js"
import type { ReceivedResponse } from "../http/attempt.js"
import { serverTime } from "../retry/rateLimitHeaders.js"
import * as decode from "./decode.js"

/** @internal The state of an execution in a response or notification. All times are in monotonic milliseconds. */
export interface Observation {
  readonly execution: Execution.Execution
  readonly observedAt: number
  /** Deadline of a wait, computed from `expiresAt`. `undefined` if `expiresAt` is missing or not in the future. */
  readonly deadline: number | undefined
  /** Indicates that the API has confirmed that a COMPLETED execution has no output. Default: `false`. */
  readonly hasNoOutput?: boolean
}

/** @internal Time that a wait continues after the expiry of the execution. */
export const expiryGraceMillis = Duration.toMillis("30 seconds")

/**
 * Returns the state of an execution in a response. The `Date` header corrects the deadline, because `expires_at` refers
 * to the server's clock.
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
 * Returns `true` if an execution is COMPLETED and its output is missing. Returns `false` if the API has confirmed that
 * there is no output.
 *
 * @internal
 */
export const lacksOutput = ({ execution, hasNoOutput }: Observation): boolean =>
  execution.status === "COMPLETED" && hasNoOutput !== true && decode.outputOf(execution) === undefined

/** Non-terminal statuses, from the earliest to the latest. */
const runningStatuses = ["PENDING", "PROCESSING", "AWAITING_WEBHOOK"]

/**
 * Returns `true` if an update has a terminal status or a later status than `known`. Notifications can arrive late,
 * repeatedly and in any order, so an earlier status is ignored.
 *
 * @internal
 */
export const isProgress = (update: Execution.Execution, known: Execution.Execution | undefined): boolean =>
  Execution.isTerminal(update) || runningStatuses.indexOf(update.status) > runningStatuses.indexOf(known?.status ?? "")

/** @internal Merges an update into an execution. Fields that are missing in the update keep their values. */
export const mergeExecution = (known: Execution.Execution, update: Execution.Execution): Execution.Execution =>
  new Execution.Execution(
    { ...known, ...update, extra: { ...known.extra, ...update.extra } },
    { disableValidation: true }
  )

/** @internal Returns `true` if two states of an execution have the same expiry. */
export const hasSameExpiry = (a: Execution.Execution, b: Execution.Execution | undefined): boolean =>
  a.expiresAt?.epochMillis === b?.expiresAt?.epochMillis
