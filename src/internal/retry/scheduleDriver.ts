/**
 * Steps a schedule manually and returns each delay before the wait begins. The caller can then log the delay, shorten
 * the delay or fail instead. `Effect.retry` is not suitable, because `Effect.retry` sleeps inside its driver.
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
  /**
   * Repeats the latest step with another input and returns its delay in milliseconds. Does not advance the schedule.
   * Returns `undefined` if the schedule ends for this input.
   */
  readonly reevaluate: (input: In) => Effect.Effect<number | undefined>
}

/** A schedule with its current and previous state. */
class RunningSchedule<In> implements ScheduleDriver<In> {
  private previous: Schedule.Schedule<unknown, In>["initial"]
  private current: Schedule.Schedule<unknown, In>["initial"]
  /**
   * The wall-clock time minus the monotonic time at the first step. Each step adds this difference to the monotonic
   * time. A change of the wall clock between two steps then does not change the delays.
   */
  private wallOffset: number | undefined

  constructor(private readonly schedule: Schedule.Schedule<unknown, In>) {
    this.previous = schedule.initial
    this.current = schedule.initial
  }

  next(input: In): Effect.Effect<number | undefined> {
    return this.step(true, input)
  }

  reevaluate(input: In): Effect.Effect<number | undefined> {
    return this.step(false, input)
  }

  private step(isAdvance: boolean, input: In): Effect.Effect<number | undefined> {
    return Effect.clockWith((clock) => {
      this.wallOffset ??= monotonic.wallOffset(clock)
      const now = monotonic.read(clock) + this.wallOffset
      const state = isAdvance ? this.current : this.previous
      return Effect.map(this.schedule.step(now, input, state), ([next, , decision]) => {
        if (isAdvance) {
          this.previous = state
          this.current = next
        }
        return ScheduleDecision.isDone(decision)
          ? undefined
          : Math.max(0, ScheduleIntervals.start(decision.intervals) - now)
      })
    })
  }
}

/** @internal Creates a driver in the initial state of the schedule. */
export const makeScheduleDriver = <In>(schedule: Schedule.Schedule<unknown, In>): ScheduleDriver<In> =>
  new RunningSchedule(schedule)
