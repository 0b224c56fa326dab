/**
 * The state of an execution as one response or notification shows it, and how two of these states are merged.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Execution from "../../Execution.js"
import type { ReceivedResponse } from "../http/attempt.js"
import { serverTime } from "../retry/rateLimitHeaders.js"
import * as decode from "./decode.js"

/** @internal The state of an execution in a response or a notification. All moments are monotonic milliseconds. */
export interface Observation {
  readonly execution: Execution.Execution
  readonly observedAt: number
  /** The deadline that the expiry of the execution sets for a wait. `undefined` if no expiry is in the future. */
  readonly deadline: number | undefined
  /** Whether the API has confirmed that the COMPLETED execution has no output. Default: `false`. */
  readonly hasNoOutput?: boolean
}

/** @internal How long a wait continues after the execution has expired. */
export const expiryGraceMillis = Duration.toMillis("30 seconds")

/**
 * Returns the state of an execution in a response. `expires_at` is on the server's clock. The `Date` header of the response
 * cancels the difference between that clock and the local one.
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

/** @internal Whether an execution is FAILED and its error is not known. */
export const lacksError = ({ error, status }: Execution.Execution): boolean =>
  status === "FAILED" && error === undefined

/** @internal Whether an execution is COMPLETED and its output is not known, although it may have one. */
export const lacksOutput = ({ execution, hasNoOutput }: Observation): boolean =>
  execution.status === "COMPLETED" && hasNoOutput !== true && decode.outputOf(execution) === undefined

/** The statuses of an execution that has not ended, in their order. */
const runningStatuses = ["PENDING", "PROCESSING", "AWAITING_WEBHOOK"]

/**
 * Returns whether an update shows a later status. Notifications can arrive late, twice and in any order, so only a later
 * status counts as an update.
 *
 * @internal
 */
export const isProgress = (update: Execution.Execution, known: Execution.Execution | undefined): boolean =>
  Execution.isTerminal(update) || runningStatuses.indexOf(update.status) > runningStatuses.indexOf(known?.status ?? "")

/** @internal Returns an execution with the fields of an update. An update need not repeat every field. */
export const mergeExecution = (known: Execution.Execution, update: Execution.Execution): Execution.Execution =>
  new Execution.Execution(
    { ...known, ...update, extra: { ...known.extra, ...update.extra } },
    { disableValidation: true }
  )

/** @internal Whether two states of an execution have the same expiry. */
export const hasSameExpiry = (a: Execution.Execution, b: Execution.Execution | undefined): boolean =>
  a.expiresAt?.epochMillis === b?.expiresAt?.epochMillis
