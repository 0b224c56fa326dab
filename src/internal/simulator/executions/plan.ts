/**
 * The life of an execution, fixed when it is created: its status is a function of the time alone.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import type { TerminalOutcome } from "../faults/fault.js"
import type { Model } from "./model.js"

/** @internal */
export type RunningStatus = "PENDING" | "PROCESSING" | "AWAITING_WEBHOOK"

/** @internal */
export type FinalStatus = "COMPLETED" | "FAILED" | "CANCELLED" | "EXPIRED"

/** @internal */
export interface InnerError {
  readonly code: string
  readonly message: string
  readonly retryable?: boolean
}

/** @internal All moments in milliseconds on the Clock. */
export interface Plan {
  readonly processingAt: number
  readonly awaitingAt: number
  readonly endsAt: number
  readonly status: FinalStatus
  readonly error?: InnerError
}

const innerError = (ending: TerminalOutcome): InnerError => {
  const code = ending.code ?? "GENERATION_FAILED"
  return {
    code,
    message: ending.message ?? `The provider failed with ${code}`,
    ...(ending.retryable === undefined ? {} : { retryable: ending.retryable })
  }
}

/** @internal */
export const make = (model: Model, createdAt: number, expiresAt: number, ending: TerminalOutcome | undefined): Plan => {
  const duration = Duration.toMillis(model.duration)
  const queued = model.queued === undefined ? duration / 10 : Duration.toMillis(model.queued)
  const running = {
    processingAt: createdAt + queued,
    awaitingAt: model.awaitingWebhook === true ? createdAt + Math.max(queued, duration / 2) : Infinity
  }
  if (createdAt + duration > expiresAt || ending?.status === "EXPIRED") {
    return { ...running, endsAt: expiresAt, status: "EXPIRED" }
  }
  return {
    ...running,
    endsAt: createdAt + duration,
    status: ending?.status ?? "COMPLETED",
    ...(ending?.status === "FAILED" ? { error: innerError(ending) } : {})
  }
}

/** @internal Before the plan's end. */
export const statusAt = (plan: Plan, now: number): RunningStatus => {
  if (now >= plan.awaitingAt) {
    return "AWAITING_WEBHOOK"
  }
  return now >= plan.processingAt ? "PROCESSING" : "PENDING"
}
