/**
 * Reads the monotonic clock for durations. The wall clock is unsuitable, because a user can change the wall clock while
 * a timer runs. Effect's `Clock` provides both clocks, and `TestClock` controls both.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/**
 * Returns the milliseconds since an arbitrary moment. Rounds the result, because `TestClock` computes nanoseconds in
 * floating point with a small error.
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
 * Returns the wall clock minus the monotonic clock in milliseconds. The difference changes only if the wall clock is
 * changed.
 *
 * @internal
 */
export const wallOffset = (clock: Clock.Clock): number => clock.unsafeCurrentTimeMillis() - read(clock)
