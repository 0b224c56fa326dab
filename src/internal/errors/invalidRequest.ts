/**
 * Creates the error of a call that this client rejects before it sends anything.
 *
 * @internal
 */
import type { ExecutionId } from "../../Execution.js"
import type { FileId } from "../../File.js"
import { InvalidRequest } from "../../ModelRouteError.js"

/** @internal Describes the requests that were sent before the problem was found. */
export interface SentRequest {
  readonly attempts?: number
  readonly executionId?: ExecutionId
  readonly fileId?: FileId
  readonly idempotencyKey?: string
}

/**
 * `problem` continues a sentence that begins with the field, such as "is empty". `advice` says how to correct it.
 * `sent` describes what was sent before the problem was found.
 *
 * @internal
 */
export const invalidRequest = (
  operation: string,
  field: string,
  problem: string,
  advice: string,
  sent: SentRequest = {}
): InvalidRequest =>
  new InvalidRequest({
    operation,
    attempts: 0,
    ...sent,
    field,
    message: `${operation}: ${field} ${problem}. ${advice}`
  })
