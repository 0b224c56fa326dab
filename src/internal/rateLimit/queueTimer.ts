/**
 * The timer of the queue. There is at most one, whatever the number of queued requests.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { maxSleepMillis } from "../http/sharedTimer.js"

/** @internal */
export class QueueTimer {
  private current: { readonly fiber: Fiber.RuntimeFiber<void>; readonly at: number } | undefined

  /**
   * Runs `onFire` at the moment `at` (monotonic milliseconds) unless the timer fires earlier already. Without a moment,
   * cancels the timer. Fires early if the wait is longer than a timer allows, so `onFire` has to schedule it again.
   */
  schedule(at: number | undefined, now: number, onFire: Effect.Effect<void>): Effect.Effect<void> {
    const { current } = this
    if (at !== undefined && current !== undefined && current.at <= at) return Effect.void
    if (current !== undefined) {
      this.current = undefined
      current.fiber.unsafeInterruptAsFork(current.fiber.id())
    }
    if (at === undefined) return Effect.void
    const fire = Effect.sleep(Math.min(Math.max(1, at - now), maxSleepMillis)).pipe(
      Effect.zipRight(
        Effect.suspend(() => {
          this.current = undefined
          return onFire
        })
      ),
      Effect.interruptible
    )
    return Effect.map(Effect.forkDaemon(fire), (fiber) => {
      this.current = { fiber, at }
    })
  }
}
