/**
 * What has really been executed, seen from the server's side.
 */
import * as DateTime from "effect/DateTime"
import type { Account } from "./account.js"
import type { Execution, Executions } from "./executions.js"
import * as Money from "./money.js"

/**
 * One execution that the server has really run.
 *
 * @since 0.1.0
 * @category models
 */
export interface LedgerEntry {
  readonly executionId: string
  readonly idempotencyKey?: string | undefined
  readonly model: string
  /** As of now. */
  readonly status: string
  /** What is on hold for it now, in dollars, as a decimal string. */
  readonly held: string
  /** What it has cost, in dollars, as a decimal string; nothing until it is completed. */
  readonly charged: string
  /** On the Clock, not on the server's own. */
  readonly createdAt: DateTime.Utc
  /** The body of the request that created it. */
  readonly body: string
}

/**
 * What has really been executed, in the order of creation, and what all of it has cost.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ledger {
  readonly executions: ReadonlyArray<LedgerEntry>
  /** In dollars, as a decimal string. */
  readonly charged: string
}

const entry = (executions: Executions, execution: Execution, now: number): LedgerEntry => {
  const final = executions.final(execution)
  return {
    executionId: execution.id,
    ...(execution.idempotencyKey === undefined ? {} : { idempotencyKey: execution.idempotencyKey }),
    model: execution.submission.model,
    status: executions.status(execution, now),
    held: Money.format(final === undefined ? execution.hold : 0),
    charged: Money.format(final?.status === "COMPLETED" ? execution.cost : 0),
    createdAt: DateTime.unsafeMake(execution.createdAt),
    body: execution.submission.body
  }
}

/** @internal */
export const make = (executions: Executions, account: Account, now: number): Ledger => ({
  executions: Array.from(executions.all(), (execution) => entry(executions, execution, now)),
  charged: account.balance().charged
})
