/**
 * Creates the error of a call that the client rejects.
 *
 * @internal
 */
import type { ExecutionId } from "../../Execution.js"
import type { FileId } from "../../File.js"
import { InvalidRequest } from "../../ModelRouteError.js"

/** @internal The facts about requests that were sent before the client rejected the call. */
export interface CallProgress {
  readonly attempts?: number
  readonly executionId?: ExecutionId
  readonly fileId?: FileId
  readonly idempotencyKey?: string
}

/**
 * Creates an `InvalidRequest`. `problem` completes a sentence that begins with the field, such as "is empty". `advice`
 * is a sentence about the correction. `sent` contains the facts about requests that were already sent.
 *
 * @internal
 */
export const invalidRequest = (
  operation: string,
  field: string,
  problem: string,
  advice: string,
  sent: CallProgress = {}
): InvalidRequest =>
  new InvalidRequest({
    operation,
    attempts: 0,
    ...sent,
    field,
    message: `${operation}: ${field} ${problem}. ${advice}`
  })
