/**
 * What is refused before anything is sent, with the name of the field and the cure.
 *
 * @internal
 */
import { InvalidRequest } from "../ModelRouteError.js"

/** @internal `problem` continues a sentence that begins with the field: "is empty". */
export const invalid = (operation: string, field: string, problem: string, cure: string): InvalidRequest =>
  new InvalidRequest({ operation, attempts: 0, field, message: `${operation}: ${field} ${problem}. ${cure}` })
