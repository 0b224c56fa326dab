/**
 * Reads the monotonic clock, which measures durations. The wall clock is unsuitable, because a user can set the wall
 * clock while a timer runs. Effect's `Clock` provides both clocks, and `TestClock` controls both.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/**
 * Returns the monotonic time in milliseconds since an arbitrary start. Rounds to the nearest millisecond, because
 * `TestClock` computes nanoseconds in floating point with a small error.
 *
 * @internal
 */
export const read = (clock: Clock.Clock): number => Number((clock.unsafeCurrentTimeNanos() + 500_000n) / 1_000_000n)

/** @internal Returns the clock of a fiber. */
export const clockOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Clock.Clock =>
  Context.get(fiber.currentDefaultServices, Clock.Clock)

/** @internal Returns the milliseconds since an arbitrary moment. */
export const now: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => read(clock)))

/**
 * Returns the wall-clock time minus the monotonic time, in milliseconds. This difference is constant until the wall
 * clock is set.
 *
 * @internal
 */
export const wallOffset = (clock: Clock.Clock): number => clock.unsafeCurrentTimeMillis() - read(clock)
