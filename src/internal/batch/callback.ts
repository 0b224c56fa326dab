/**
 * Runs the functions that the caller passes as options. A function that throws fails its item, not the batch.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"

/** @internal Runs a function that the option `field` holds. Fails with `InvalidRequest` if the function throws. */
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
