/**
 * Creates the error of a call that this client rejects, for example because of an invalid option.
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
 * Creates an `InvalidRequest`. The message is `${operation}: ${field} ${problem}. ${advice}`. `problem` is a verb
 * phrase, such as "is empty". `advice` is a sentence that describes the correction. `sent` contains the facts about
 * requests that the call has already sent.
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
