/**
 * Runs the functions in the options of a batch. An exception in a function of an item, such as `key`, fails only the
 * item. An exception in `beforeSubmit` or `deliver` fails the batch.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { runCallback } from "../errors/callback.js"
import { invalidRequest } from "../errors/invalidRequest.js"

const operation = "Batch.run"

/**
 * Runs the function in the option `field`. Fails with `InvalidRequest` if the function throws an exception.
 *
 * @internal
 */
export const tryCallback = <A>(field: string, callback: () => A): Effect.Effect<A, InvalidRequest> =>
  Effect.try({
    try: callback,
    catch: (cause) =>
      invalidRequest(
        operation,
        field,
        `threw an exception (${cause instanceof Error ? cause.message : String(cause)})`,
        "Correct the item or the function."
      )
  })

/**
 * Runs the effect that the function in the option `field` returns. Fails with `InvalidRequest` if the function throws an
 * exception or does not return an effect.
 *
 * @internal
 */
export const tryEffectCallback = <A, E, R>(
  field: string,
  callback: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E | InvalidRequest, R> =>
  Effect.flatMap(tryCallback(field, callback), (effect) => runCallback(operation, field, () => effect))
