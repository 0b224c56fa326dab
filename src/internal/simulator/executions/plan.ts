/**
 * Plans the status changes of an execution. The plan is fixed at creation, so that the status depends only on the time.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { FailedOutcome, Outcome } from "../faults/settings.js"
import type { Model } from "./model.js"

/** @internal */
export type RunningStatus = "PENDING" | "PROCESSING" | "AWAITING_WEBHOOK"

/** @internal */
export type TerminalStatus = "COMPLETED" | "FAILED" | "CANCELLED" | "EXPIRED"

/** @internal The field `error` of a failed execution. */
export interface ExecutionError {
  readonly code: string
  readonly message: string
  readonly retryable?: boolean
}

/** @internal The planned status changes of an execution. All times are in milliseconds on Effect's `Clock`. */
export interface Plan {
  readonly processingAt: number
  /** `Infinity` if the execution never has the status `AWAITING_WEBHOOK`. */
  readonly awaitingWebhookAt: number
  readonly endsAt: number
  readonly status: TerminalStatus
  readonly error?: ExecutionError
}

const toExecutionError = ({ code = "GENERATION_FAILED", message, retryable }: FailedOutcome): ExecutionError => ({
  code,
  message: message ?? `The provider failed with ${code}`,
  ...(retryable === undefined ? {} : { retryable })
})

/**
 * Plans an execution. Without `outcome`, the execution ends as `COMPLETED`. If the model's duration ends after
 * `expiresAt`, the execution ends as `EXPIRED`.
 *
 * @internal
 */
export const make = (model: Model, createdAt: number, expiresAt: number, outcome: Outcome | undefined): Plan => {
  const duration = Duration.toMillis(model.duration)
  const queued = model.queued === undefined ? duration / 10 : Duration.toMillis(model.queued)
  const running = {
    processingAt: createdAt + queued,
    awaitingWebhookAt: model.awaitingWebhook === true ? createdAt + Math.max(queued, duration / 2) : Infinity
  }
  if (createdAt + duration > expiresAt || outcome?.status === "EXPIRED") {
    return { ...running, endsAt: expiresAt, status: "EXPIRED" }
  }
  return {
    ...running,
    endsAt: createdAt + duration,
    status: outcome?.status ?? "COMPLETED",
    ...(outcome?.status === "FAILED" ? { error: toExecutionError(outcome) } : {})
  }
}

/** @internal Returns the status at a time before the planned end. */
export const statusAt = (plan: Plan, now: number): RunningStatus => {
  if (now >= plan.awaitingWebhookAt) {
    return "AWAITING_WEBHOOK"
  }
  return now >= plan.processingAt ? "PROCESSING" : "PENDING"
}
