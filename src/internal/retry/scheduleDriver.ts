/**
 * Steps a schedule by hand. `Effect.retry` sleeps inside its driver. Here the delay is known before the wait begins, so that the caller
 * can log it, shorten it or fail instead.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import * as monotonic from "../data/monotonic.js"

/** @internal One run of a schedule. */
export interface ScheduleDriver<In> {
  /** Steps the schedule. Returns the delay in milliseconds, or `undefined` if the schedule has ended. */
  readonly next: (input: In) => Effect.Effect<number | undefined>
  /** Returns the result of the latest step for another input. Does not step the schedule. */
  readonly reevaluate: (input: In) => Effect.Effect<number | undefined>
}

/**
 * Returns the wall clock at the first step, plus the monotonic time since then. Schedules compute in epoch milliseconds, and a change of
 * the wall clock must not change a delay.
 */
const makeSteadyClock = (): Effect.Effect<number> => {
  let offset: number | undefined
  return Effect.clockWith((clock) =>
    Effect.sync(() => monotonic.read(clock) + (offset ??= monotonic.wallOffset(clock)))
  )
}

/** @internal Starts a run in the initial state of the schedule. */
export const makeScheduleDriver = <In>(schedule: Schedule.Schedule<unknown, In>): ScheduleDriver<In> => {
  const epochMillis = makeSteadyClock()
  let previous = schedule.initial
  let current = schedule.initial
  const step = (state: typeof current, input: In, onStepped: (next: typeof current) => void) =>
    Effect.flatMap(epochMillis, (now) =>
      Effect.map(schedule.step(now, input, state), ([next, , decision]) => {
        onStepped(next)
        return ScheduleDecision.isDone(decision)
          ? undefined
          : Math.max(0, ScheduleIntervals.start(decision.intervals) - now)
      })
    )
  return {
    next: (input) =>
      Effect.suspend(() =>
        step(current, input, (next) => {
          previous = current
          current = next
        })
      ),
    reevaluate: (input) => Effect.suspend(() => step(previous, input, () => {}))
  }
}
