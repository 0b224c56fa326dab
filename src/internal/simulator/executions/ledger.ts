/**
 * Builds the ledger of all executions and their charges.
 */
import * as DateTime from "effect/DateTime"
import type { Account } from "./account.js"
import type { Execution, Executions } from "./executions.js"
import * as Money from "./money.js"

/**
 * One execution that the server created.
 *
 * @since 0.1.0
 * @category models
 */
export interface LedgerEntry {
  /** Id of the execution. */
  readonly executionId: string
  /** Value of the Idempotency-Key header. `undefined` if the create request had no such header. */
  readonly idempotencyKey?: string | undefined
  /** Slug of the model. */
  readonly model: string
  /** Status of the execution when the ledger was read. */
  readonly status: string
  /** Current hold, in dollars, as a decimal string. */
  readonly held: string
  /** Charge in dollars, as a decimal string. Zero unless the execution completed. */
  readonly charged: string
  /** Creation time on Effect's `Clock`, not on the server's clock. */
  readonly createdAt: DateTime.Utc
  /** Body of the create request. */
  readonly body: string
}

/**
 * All executions in the order of creation, and their total charge.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ledger {
  /** Executions in the order of creation. */
  readonly executions: ReadonlyArray<LedgerEntry>
  /** Total charge in dollars, as a decimal string. */
  readonly charged: string
}

const toEntry = (executions: Executions, execution: Execution, now: number): LedgerEntry => {
  const terminalState = executions.terminalState(execution)
  return {
    executionId: execution.id,
    ...(execution.idempotencyKey === undefined ? {} : { idempotencyKey: execution.idempotencyKey }),
    model: execution.submission.model,
    status: executions.status(execution, now),
    held: Money.format(terminalState === undefined ? execution.hold : 0),
    charged: Money.format(terminalState?.status === "COMPLETED" ? execution.cost : 0),
    createdAt: DateTime.unsafeMake(execution.createdAt),
    body: execution.submission.body
  }
}

/** @internal */
export const make = (executions: Executions, account: Account, now: number): Ledger => ({
  executions: Array.from(executions.all(), (execution) => toEntry(executions, execution, now)),
  charged: account.balance().charged
})
