/**
 * A schedule stepped by hand. `Effect.retry` sleeps inside its driver; here the wait is known before it begins, so that it
 * can be announced, cut to a bound, or not begun at all.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"

/** @internal The milliseconds to wait after this input, or `undefined` when the schedule has ended. */
export type Pace<In> = (input: In) => Effect.Effect<number | undefined>

/** @internal One run of the schedule, from its initial state on. */
export const start = <In>(schedule: Schedule.Schedule<unknown, In>): Pace<In> => {
  let state = schedule.initial
  return (input) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.map(schedule.step(now, input, state), ([next, , decision]) => {
        state = next
        return ScheduleDecision.isDone(decision)
          ? undefined
          : Math.max(0, ScheduleIntervals.start(decision.intervals) - now)
      })
    )
}
