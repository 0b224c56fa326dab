/**
 * Runs batch options that are functions of an item, such as `key`. An exception in such a function fails the item, but
 * not the batch.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"

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
        "Batch.run",
        field,
        `threw an exception (${cause instanceof Error ? cause.message : String(cause)})`,
        "Correct the item or the function."
      )
  })
