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

/** @internal One run of a schedule. */
export interface Pace<In> {
  /** The milliseconds to wait after this input, or `undefined` when the schedule has ended. */
  readonly next: (input: In) => Effect.Effect<number | undefined>
  /** What `next` would say, without going on. */
  readonly peek: (input: In) => Effect.Effect<number | undefined>
}

/** @internal From the schedule's initial state on. */
export const start = <In>(schedule: Schedule.Schedule<unknown, In>): Pace<In> => {
  let state = schedule.initial
  const step = (input: In, keep: boolean) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.map(schedule.step(now, input, state), ([next, , decision]) => {
        if (keep) state = next
        return ScheduleDecision.isDone(decision)
          ? undefined
          : Math.max(0, ScheduleIntervals.start(decision.intervals) - now)
      })
    )
  return { next: (input) => step(input, true), peek: (input) => step(input, false) }
}
