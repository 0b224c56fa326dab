/**
 * A wait that can be called off.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/** @internal Waits for a moment on the Clock; false, at once, when that is called off. */
export const until = (at: number, calledOff: Deferred.Deferred<void>): Effect.Effect<boolean> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.timeoutTo(Deferred.await(calledOff), {
      duration: Math.max(0, at - now),
      onSuccess: () => false,
      onTimeout: () => true
    })
  )
