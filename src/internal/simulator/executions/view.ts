/**
 * An execution as the API shows it.
 *
 * @internal
 */
import type { Execution, Final } from "./executions.js"
import * as Money from "./money.js"
import * as Output from "./output.js"
import type { FinalStatus, RunningStatus } from "./plan.js"
import { iso } from "../time.js"

/** @internal An execution at one moment. `skew` is the server's clock less the Clock, in milliseconds. */
export interface Snapshot {
  readonly execution: Execution
  readonly status: RunningStatus | FinalStatus
  readonly final: Final | undefined
  readonly skew: number
}

/** @internal The answer to a create. */
export const created = ({ execution, status, skew }: Snapshot) => ({
  id: execution.id,
  status,
  model: execution.submission.model,
  hold_amount: Money.format(execution.hold),
  estimated_cost: Money.format(execution.cost),
  expires_at: iso(execution.expiresAt + skew),
  created_at: iso(execution.createdAt + skew)
})

const settled = ({ execution, final }: Snapshot) =>
  final?.status === "COMPLETED"
    ? { cost: Money.format(execution.cost), latency_ms: Math.round(final.at - execution.createdAt) }
    : {}

const made = ({ execution, final }: Snapshot) => {
  if (final?.status !== "COMPLETED" || execution.model.result === "separate") {
    return {}
  }
  const result = { result: Output.result(execution) }
  return execution.model.result === "both" ? { ...result, output: Output.output(execution) } : result
}

/** @internal The answer to a look at it. */
export const current = (snapshot: Snapshot) => {
  const { execution, final, skew } = snapshot
  const { metadata } = execution.submission
  return {
    ...created(snapshot),
    ...(metadata === undefined ? {} : { metadata }),
    ...settled(snapshot),
    ...made(snapshot),
    ...(final?.error === undefined ? {} : { error: final.error }),
    ...(final === undefined ? {} : { completed_at: iso(final.at + skew) })
  }
}

/** @internal The answer to a question for its result. */
export const result = (snapshot: Snapshot) => ({
  execution_id: snapshot.execution.id,
  status: snapshot.status,
  output: Output.output(snapshot.execution),
  ...settled(snapshot)
})

/** @internal What an event says of it. */
export const event = (snapshot: Snapshot) => {
  const { execution, final, skew, status } = snapshot
  const { metadata, model } = execution.submission
  return {
    id: execution.id,
    status,
    model,
    ...(metadata === undefined ? {} : { metadata }),
    ...settled(snapshot),
    ...made(snapshot),
    ...(final?.error === undefined ? {} : { error: final.error }),
    created_at: iso(execution.createdAt + skew),
    ...(final === undefined ? {} : { completed_at: iso(final.at + skew) })
  }
}
