/**
 * What logs and errors may show of an execution: nothing that the caller put in or got out.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import type { Execution } from "../../Execution.js"

/** @internal */
export const summarizeExecution = (execution: Execution): { readonly [field: string]: string } => ({
  id: execution.id,
  status: execution.status,
  ...(execution.model === undefined ? {} : { model: execution.model }),
  ...(execution.createdAt === undefined ? {} : { createdAt: DateTime.formatIso(execution.createdAt) }),
  ...(execution.expiresAt === undefined ? {} : { expiresAt: DateTime.formatIso(execution.expiresAt) })
})
