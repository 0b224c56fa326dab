/**
 * Runs callbacks from the options of a call.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest, type CallProgress } from "./invalidRequest.js"

/**
 * Runs a callback that must return an effect. Fails with `InvalidRequest` if the callback throws an exception or returns
 * another value, such as a promise. `sent` contains the facts about requests that were already sent, such as the id of
 * an execution. The error includes these facts, because the caller could not find the execution without its id.
 *
 * @internal
 */
export const runCallback = <A, E, R>(
  operation: string,
  field: string,
  callback: () => Effect.Effect<A, E, R>,
  sent: CallProgress = {}
): Effect.Effect<A, E | InvalidRequest, R> =>
  Effect.flatMap(
    Effect.try({
      try: callback,
      catch: (cause) =>
        invalidRequest(
          operation,
          field,
          `threw an exception (${cause instanceof Error ? cause.message : String(cause)})`,
          "Return a failed Effect instead.",
          sent
        )
    }),
    (effect): Effect.Effect<A, E | InvalidRequest, R> =>
      Effect.isEffect(effect)
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
  )
