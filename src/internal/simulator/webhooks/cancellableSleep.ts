/**
 * Sleeps until a given time. A `Deferred` can cancel the sleep.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as monotonic from "../../data/monotonic.js"

/**
 * Sleeps until `at` on Effect's `Clock` and returns `true`. Returns `false` immediately when `cancelled` completes.
 *
 * @internal
 */
export const sleepUntil = (at: number, cancelled: Deferred.Deferred<void>): Effect.Effect<boolean> =>
  Effect.flatMap(monotonic.now, (now) =>
    Effect.timeoutTo(Deferred.await(cancelled), {
      duration: Math.max(0, at - now),
      onSuccess: () => false,
      onTimeout: () => true
    })
  )
