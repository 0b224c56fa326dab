/**
 * What is refused before anything is sent, with the name of the field and the cure.
 *
 * @internal
 */
import { InvalidRequest } from "../ModelRouteError.js"

/** @internal `attempts` requests were sent before it was found. `problem` continues a sentence that begins with the field: "is empty". */
export const invalid = (
  operation: string,
  field: string,
  problem: string,
  cure: string,
  attempts = 0
): InvalidRequest =>
  new InvalidRequest({ operation, attempts, field, message: `${operation}: ${field} ${problem}. ${cure}` })
