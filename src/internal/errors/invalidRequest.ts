/**
 * Creates the error of a call that this client rejects before it sends anything.
 *
 * @internal
 */
import type { FileId } from "../../File.js"
import { InvalidRequest } from "../../ModelRouteError.js"

/**
 * `problem` continues a sentence that begins with the field, such as "is empty". `advice` says how to correct it. `attempts` is the
 * number of requests that were sent before the problem was found.
 *
 * @internal
 */
export const invalidRequest = (
  operation: string,
  field: string,
  problem: string,
  advice: string,
  sent: { readonly attempts?: number; readonly fileId?: FileId } = {}
): InvalidRequest =>
  new InvalidRequest({
    operation,
    attempts: 0,
    ...sent,
    field,
    message: `${operation}: ${field} ${problem}. ${advice}`
  })
