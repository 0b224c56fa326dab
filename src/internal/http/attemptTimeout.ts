/**
 * Interrupts effects at a deadline.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as monotonic from "../data/monotonic.js"
import { type FiberOptions, runInChild } from "./childFiber.js"
import type { SharedTimer } from "./sharedTimer.js"

/**
 * Returns the result of the effect if the effect ends before its deadline. Otherwise, interrupts the effect, waits for
 * its end and fails with `onTimeout`. `deadline` returns the deadline in monotonic milliseconds. Calls `deadline` again
 * at each deadline, because the deadline can move. `options` apply to the fiber of the effect.
 *
 * @internal
 */
export const withDeadline = <A, E, E2>(
  timer: SharedTimer,
  effect: Effect.Effect<A, E>,
  deadline: (now: number) => number,
  onTimeout: () => E2,
  options?: FiberOptions
): Effect.Effect<A, E | E2> =>
  runInChild<A, E, never, E2>(
    effect,
    (endEarly, parent) => {
      const clock = monotonic.clockOf(parent)
      let cancel = (): void => {}
      const check = (): void => {
        const now = monotonic.read(clock)
        const at = deadline(now)
        if (at > now) cancel = timer.schedule(parent, at, check)
        else endEarly(Effect.suspend(() => Effect.fail(onTimeout())))
      }
      check()
      return () => cancel()
    },
    options
  )

/** @internal Applies a time limit to an attempt. Fails with `onTimeout` after the time limit. */
export type AttemptTimeout = <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) => Effect.Effect<A, E>

/** @internal Creates a time limit of `millis` milliseconds per attempt. `options` apply to the fiber of the attempt. */
export const makeAttemptTimeout =
  (timer: SharedTimer, millis: number, options?: FiberOptions): AttemptTimeout =>
  (attempt, onTimeout) =>
    Effect.suspend(() => {
      let at: number | undefined
      return withDeadline(timer, attempt, (now) => (at ??= now + millis), onTimeout, options)
    })
