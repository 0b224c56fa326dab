/**
 * What is refused before anything is sent, with the name of the field and the cure.
 *
 * @internal
 */
import type { FileId } from "../../File.js"
import { InvalidRequest } from "../../ModelRouteError.js"

/** @internal `problem` continues a sentence that begins with the field: "is empty". `attempts` requests were sent before it was found. */
export const invalidRequest = (
  operation: string,
  field: string,
  problem: string,
  cure: string,
  sent: { readonly attempts?: number; readonly fileId?: FileId } = {}
): InvalidRequest =>
  new InvalidRequest({ operation, attempts: 0, ...sent, field, message: `${operation}: ${field} ${problem}. ${cure}` })
