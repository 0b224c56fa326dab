/**
 * Implements the timer of the gate's queue. One timer serves any number of queued requests.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { isolatesRequests } from "../http/runtime.js"
import { maxSleepMillis } from "../http/sharedTimer.js"

/** @internal */
export class QueueTimer {
  private current: { readonly fiber: Fiber.RuntimeFiber<void>; readonly at: number } | undefined

  /**
   * Runs `onFire` at `at` unless the timer is already set to an earlier time. `at` is in monotonic milliseconds.
   * Cancels the timer if `at` is `undefined`. If the wait is longer than `maxSleepMillis`, runs `onFire` before `at`.
   * `onFire` must then schedule the timer again.
   */
  schedule(at: number | undefined, now: number, onFire: Effect.Effect<void>): Effect.Effect<void> {
    // Each queued request has its own timer.
    if (isolatesRequests()) return Effect.void
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
