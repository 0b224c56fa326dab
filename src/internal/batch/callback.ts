/**
 * The caller's functions, which may throw: then their item fails, not the batch.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalid } from "../errors/invalidRequest.js"

/** @internal What the function in the option `field` gives. */
export const calling = <A>(field: string, f: () => A): Effect.Effect<A, InvalidRequest> =>
  Effect.try({
    try: f,
    catch: (cause) =>
      invalid(
        "Batch.run",
        field,
        `has thrown (${cause instanceof Error ? cause.message : String(cause)})`,
        "Correct the item, or the function."
      )
  })
