/** Renders an error in all formats that can appear in a log or on a screen. */
import { inspect } from "node:util"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

export const renderings = (error: unknown): ReadonlyArray<string> => {
  const cause = Cause.fail(error)
  return [
    String(error),
    JSON.stringify(error),
    inspect(error, { depth: 10 }),
    inspect(error, { depth: 10, showHidden: true, getters: true }),
    Cause.pretty(cause),
    Cause.pretty(cause, { renderErrorCause: true }),
    String(cause),
    JSON.stringify(cause),
    JSON.stringify(Exit.fail(error)),
    inspect(Exit.fail(error), { depth: 10 }),
    error instanceof Error ? (error.stack ?? "") : ""
  ]
}
