/**
 * Builds the JSON of an execution for the API's responses and events.
 *
 * @internal
 */
import { iso } from "../time.js"
import type { Execution, TerminalState } from "./executions.js"
import * as Money from "./money.js"
import * as Output from "./output.js"
import type { RunningStatus, TerminalStatus } from "./plan.js"

/**
 * The state of an execution. `skew` is the time by which the server's clock is ahead of Effect's `Clock`, in
 * milliseconds.
 *
 * @internal
 */
export interface Snapshot {
  readonly execution: Execution
  readonly status: RunningStatus | TerminalStatus
  readonly terminalState: TerminalState | undefined
  readonly skew: number
}

/** @internal Returns the response body of `POST /v1/executions`. */
export const toCreateBody = ({ execution, status, skew }: Snapshot) => ({
  id: execution.id,
  status,
  model: execution.submission.model,
  hold_amount: Money.format(execution.hold),
  estimated_cost: Money.format(execution.cost),
  expires_at: iso(execution.expiresAt + skew),
  created_at: iso(execution.createdAt + skew)
})

const costFields = ({ execution, terminalState }: Snapshot) =>
  terminalState?.status === "COMPLETED"
    ? { cost: Money.format(execution.cost), latency_ms: Math.round(terminalState.at - execution.createdAt) }
    : {}

const resultFields = ({ execution, terminalState }: Snapshot) => {
  if (terminalState?.status !== "COMPLETED" || execution.model.result === "separate") {
    return {}
  }
  const result = { result: Output.result(execution) }
  return execution.model.result === "both" ? { ...result, output: Output.output(execution) } : result
}

/** @internal Returns the response body of `GET /v1/executions/{id}`. */
export const toExecutionBody = (snapshot: Snapshot) => {
  const { execution, skew, terminalState } = snapshot
  const { metadata } = execution.submission
  return {
    ...toCreateBody(snapshot),
    ...(metadata === undefined ? {} : { metadata }),
    ...costFields(snapshot),
    ...resultFields(snapshot),
    ...(terminalState?.error === undefined ? {} : { error: terminalState.error }),
    ...(terminalState === undefined ? {} : { completed_at: iso(terminalState.at + skew) })
  }
}

/** @internal Returns the response body of `GET /v1/executions/{id}/result`. */
export const toResultBody = (snapshot: Snapshot) => ({
  execution_id: snapshot.execution.id,
  status: snapshot.status,
  output: Output.output(snapshot.execution),
  ...costFields(snapshot)
})

/** @internal Returns the field `data` of an event. */
export const toEventData = (snapshot: Snapshot) => {
  const { execution, skew, status, terminalState } = snapshot
  const { metadata, model } = execution.submission
  return {
    id: execution.id,
    status,
    model,
    ...(metadata === undefined ? {} : { metadata }),
    ...costFields(snapshot),
    ...resultFields(snapshot),
    ...(terminalState?.error === undefined ? {} : { error: terminalState.error }),
    created_at: iso(execution.createdAt + skew),
    ...(terminalState === undefined ? {} : { completed_at: iso(terminalState.at + skew) })
  }
}
