/**
 * A sleep that a deferred can cancel.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as monotonic from "../../data/monotonic.js"

/** @internal Sleeps until `at` on the Clock and returns true. Returns false as soon as `cancelled` is done. */
export const sleepUntil = (at: number, cancelled: Deferred.Deferred<void>): Effect.Effect<boolean> =>
  Effect.flatMap(monotonic.now, (now) =>
    Effect.timeoutTo(Deferred.await(cancelled), {
      duration: Math.max(0, at - now),
      onSuccess: () => false,
      onTimeout: () => true
    })
  )
