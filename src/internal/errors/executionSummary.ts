/**
 * Summarizes an execution for logs and errors. The summary contains neither input nor output.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import type { Execution } from "../../Execution.js"

/** @internal Returns the id, status, model and times of an execution. */
export const summarizeExecution = (
  execution: Pick<Execution, "createdAt" | "expiresAt" | "id" | "model" | "status">
): { readonly [field: string]: string } => ({
  id: execution.id,
  status: execution.status,
  ...(execution.model === undefined ? {} : { model: execution.model }),
  ...(execution.createdAt === undefined ? {} : { createdAt: DateTime.formatIso(execution.createdAt) }),
  ...(execution.expiresAt === undefined ? {} : { expiresAt: DateTime.formatIso(execution.expiresAt) })
})
