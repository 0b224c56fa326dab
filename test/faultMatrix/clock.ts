/**
 * Provides a clock for which delays pass at once and limits pass on request. The limits of a client then do not depend
 * on the speed of the machine.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { start } from "../utils/harness.js"

/** Retry delays and poll delays of the tests are shorter. Limits are longer. */
const maxDelayMillis = 1000

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

export class ManualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private now = start
  private readonly sleepers = new Set<Sleeper>()
  /** Number of delays that have begun. A delay begins after each failed attempt. */
  delays = 0

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(this.now) * 1_000_000n
  }

  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      const millis = Math.ceil(Duration.toMillis(duration))
      const sleeper = { at: this.now + millis, wake: (): void => {} }
      // `Effect.async` does not run its finalizer after an early interruption, before the finalizer is installed.
      return Effect.ensuring(
        Effect.async<void>((resume) => {
          sleeper.wake = () => resume(Effect.void)
          this.sleepers.add(sleeper)
          if (millis > maxDelayMillis) return
          this.delays += 1
          setImmediate(() => this.advanceTo(sleeper))
        }),
        Effect.sync(() => this.sleepers.delete(sleeper))
      )
    })
  }

  private advanceTo(sleeper: Sleeper): void {
    if (this.sleepers.has(sleeper)) this.advance(Math.max(0, sleeper.at - this.now))
  }

  /** Advances the clock and ends the sleeps that are due. */
  advance(millis: number): void {
    this.now += millis
    for (const sleeper of this.sleepers) {
      if (sleeper.at > this.now) continue
      this.sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
}
