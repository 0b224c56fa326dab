/**
 * A schedule stepped by hand. `Effect.retry` sleeps inside its driver; here the wait is known before it begins, so that it
 * can be announced, cut to a bound, or not begun at all.
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
  /** The milliseconds to wait after this input, or `undefined` when the schedule has ended. */
  readonly next: (input: In) => Effect.Effect<number | undefined>
  /** What the step taken last would have said to this input in its place: no step is taken for it. */
  readonly reevaluate: (input: In) => Effect.Effect<number | undefined>
}

/**
 * The wall clock at the first step, plus the time that has passed since. Schedules compute in epoch milliseconds, and setting the wall
 * clock must not change how much time has passed.
 */
const makeSteadyClock = (): Effect.Effect<number> => {
  let offset: number | undefined
  return Effect.clockWith((clock) =>
    Effect.sync(() => monotonic.read(clock) + (offset ??= monotonic.wallOffset(clock)))
  )
}

/** @internal From the schedule's initial state on. */
export const makeScheduleDriver = <In>(schedule: Schedule.Schedule<unknown, In>): ScheduleDriver<In> => {
  const epochMillis = makeSteadyClock()
  let before = schedule.initial
  let state = schedule.initial
  const step = (from: typeof state, input: In, keep: (next: typeof state) => void) =>
    Effect.flatMap(epochMillis, (now) =>
      Effect.map(schedule.step(now, input, from), ([next, , decision]) => {
        keep(next)
        return ScheduleDecision.isDone(decision)
          ? undefined
          : Math.max(0, ScheduleIntervals.start(decision.intervals) - now)
      })
    )
  return {
    next: (input) =>
      Effect.suspend(() =>
        step(state, input, (next) => {
          before = state
          state = next
        })
      ),
    reevaluate: (input) => Effect.suspend(() => step(before, input, () => {}))
  }
}
