/** Extracts the failure or the value of an exit, or throws. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

/** Returns the typed failure. Throws for a success, a defect or an interruption. */
export const failureOf = <E>(exit: Exit.Exit<unknown, E>): E =>
  Exit.match(exit, {
    onSuccess: (value) => {
      throw new Error(`succeeded with ${JSON.stringify(value)}`)
    },
    onFailure: (cause) => Option.getOrThrowWith(Cause.failureOption(cause), () => new Error(Cause.pretty(cause)))
  })

/** Returns the value. Throws for a failure, a defect or an interruption. */
export const valueOf = <A, E>(exit: Exit.Exit<A, E>): A =>
  Exit.getOrElse(exit, (cause) => {
    throw new Error(Cause.pretty(cause))
  })
