/**
 * A wait that can be called off.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as monotonic from "../../data/monotonic.js"

/** @internal Waits for a moment on the Clock; false, at once, when that is called off. */
export const until = (at: number, calledOff: Deferred.Deferred<void>): Effect.Effect<boolean> =>
  Effect.flatMap(monotonic.now, (now) =>
    Effect.timeoutTo(Deferred.await(calledOff), {
      duration: Math.max(0, at - now),
      onSuccess: () => false,
      onTimeout: () => true
    })
  )
