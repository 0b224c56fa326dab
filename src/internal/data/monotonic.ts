/**
 * Time that only goes forward. Durations are measured with it: the wall clock can be set back or forward while a timer runs. Effect's
 * `Clock` has both, and `TestClock` drives both.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Milliseconds since an arbitrary moment. Rounded, because `TestClock` computes nanoseconds in floating point, a fraction of a
 * microsecond off.
 *
 * @internal
 */
export const read = (clock: Clock.Clock): number => Number((clock.unsafeCurrentTimeNanos() + 500_000n) / 1_000_000n)

/** @internal */
export const now: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => read(clock)))

/** @internal The wall clock less the monotonic one, in milliseconds: changes only if the wall clock is set. */
export const wallOffset = (clock: Clock.Clock): number => clock.unsafeCurrentTimeMillis() - read(clock)
