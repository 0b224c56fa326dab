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
 * Runs `effect` with a deadline. If `effect` ends before the deadline, returns its result. Otherwise, interrupts
 * `effect`, waits until the interruption is complete and fails with the error that `onTimeout` returns.
 *
 * `deadline` returns the deadline in monotonic milliseconds. The deadline can move, so the function is called again
 * when a deadline is reached. `options` are the options of the fiber that runs `effect`.
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

/**
 * Runs an attempt with a time limit. If the attempt exceeds the limit, interrupts the attempt and fails with the error
 * that `onTimeout` returns.
 *
 * @internal
 */
export type AttemptTimeout = <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) => Effect.Effect<A, E>

/** @internal Creates a time limit of `millis` milliseconds per attempt. `options` apply to the fiber of the attempt. */
export const makeAttemptTimeout =
  (timer: SharedTimer, millis: number, options?: FiberOptions): AttemptTimeout =>
  (attempt, onTimeout) =>
    Effect.suspend(() => {
      let at: number | undefined
      return withDeadline(timer, attempt, (now) => (at ??= now + millis), onTimeout, options)
    })
