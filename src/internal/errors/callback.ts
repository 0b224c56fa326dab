/**
 * Runs callbacks from the options of a call.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest, type CallProgress } from "./invalidRequest.js"

/**
 * Runs a callback that must return an effect. Fails with `InvalidRequest` if the callback returns another value, such
 * as a promise. `sent` contains the facts about requests that were already sent, such as the id of an execution. The
 * error includes these facts, because the caller could not find the execution without its id.
 *
 * @internal
 */
export const runCallback = <A, E, R>(
  operation: string,
  field: string,
  callback: () => Effect.Effect<A, E, R>,
  sent: CallProgress = {}
): Effect.Effect<A, E | InvalidRequest, R> =>
  Effect.suspend((): Effect.Effect<A, E | InvalidRequest, R> => {
    const effect = callback()
    return Effect.isEffect(effect)
      ? effect
      : Effect.fail(
          invalidRequest(
            operation,
            field,
            "does not return an Effect",
            "Return an Effect, for example with Effect.promise.",
            sent
          )
        )
  })
