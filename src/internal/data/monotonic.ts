/**
 * Monotonic time, for durations. The wall clock can be set back or forward while a timer runs. Effect's `Clock` has
 * both clocks, and `TestClock` drives both.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Returns the milliseconds since an arbitrary moment. They are rounded, because `TestClock` computes nanoseconds in
 * floating point and is off by a fraction of a microsecond.
 *
 * @internal
 */
export const read = (clock: Clock.Clock): number => Number((clock.unsafeCurrentTimeNanos() + 500_000n) / 1_000_000n)

/** @internal Returns the milliseconds since an arbitrary moment. */
export const now: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => read(clock)))

/**
 * Returns the wall clock minus the monotonic clock in milliseconds. It changes only if the wall clock is set.
 *
 * @internal
 */
export const wallOffset = (clock: Clock.Clock): number => clock.unsafeCurrentTimeMillis() - read(clock)
