/**
 * Steps a schedule manually and returns each delay before the wait begins. The caller can log the delay, shorten it or
 * fail instead. `Effect.retry` is not used, because it sleeps inside its driver.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import * as monotonic from "../data/monotonic.js"

/** @internal A running schedule. */
export interface ScheduleDriver<In> {
  /** Steps the schedule. Returns the delay in milliseconds, or `undefined` if the schedule has ended. */
  readonly next: (input: In) => Effect.Effect<number | undefined>
  /** Repeats the latest step with another input and returns the delay. Does not advance the schedule. */
  readonly reevaluate: (input: In) => Effect.Effect<number | undefined>
}

/**
 * Creates a clock that starts at the wall-clock time and advances with monotonic time. A change of the wall clock must
 * not change the delays of a schedule.
 */
const makeSteadyClock = (): Effect.Effect<number> => {
  let offset: number | undefined
  return Effect.clockWith((clock) =>
    Effect.sync(() => monotonic.read(clock) + (offset ??= monotonic.wallOffset(clock)))
  )
}

/** @internal Creates a driver in the initial state of the schedule. */
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
