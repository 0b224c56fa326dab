/**
 * Provides a clock with a settable wall time, to simulate NTP or manual changes. Monotonic time and sleeps are not
 * affected.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export class SettableClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  /** Wall clock minus underlying clock, in milliseconds. */
  offset = 0

  constructor(private readonly steady: Clock.Clock) {}

  unsafeCurrentTimeMillis(): number {
    return this.steady.unsafeCurrentTimeMillis() + this.offset
  }

  unsafeCurrentTimeNanos(): bigint {
    return this.steady.unsafeCurrentTimeNanos()
  }

  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return this.steady.sleep(duration)
  }
}

/** Returns the monotonic time in milliseconds. In tests it equals the wall time if `offset` is 0. */
export const monotonicMillis: Effect.Effect<number> = Effect.clockWith((clock) =>
  Effect.sync(() => Math.round(Number(clock.unsafeCurrentTimeNanos()) / 1_000_000))
)

/** Runs an effect. Moves the wall clock by `millis` after `after` milliseconds. */
export const withWallClockSet = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: { readonly after: number; readonly millis: number }
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.clock, (steady) => {
    const clock = new SettableClock(steady)
    const set = Effect.map(Effect.sleep(options.after), () => {
      clock.offset += options.millis
    })
    return Effect.withClock(
      Effect.flatMap(Effect.fork(set), () => effect),
      clock
    )
  })
