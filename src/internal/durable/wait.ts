/**
 * Suspends a workflow until a signal arrives or the clock of the wait ends. A suspended workflow has no fiber.
 *
 * The waits of a workflow are numbered from 0. The wait after a rejected submission has the number of the submission.
 * The waits before the polls continue the sequence. A wait is over if its clock has ended or the signal of `resume` has
 * arrived. Each run of the workflow reads the state of the waits from the engine.
 *
 * @internal
 */
import type * as DurableDeferred from "@effect/workflow/DurableDeferred"
import * as Workflow from "@effect/workflow/Workflow"
import { WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { clockOf, ended, resumed, type WaitKind } from "./workflow.js"

type Services = WorkflowEngine | WorkflowInstance

/** @internal Returns whether a durable deferred has a value. */
export const isDone = <A extends Schema.Schema.Any>(
  deferred: DurableDeferred.DurableDeferred<A>
): Effect.Effect<boolean, never, Services> =>
  Effect.flatMap(WorkflowEngine, (engine) =>
    Effect.map(engine.deferredResult(deferred), (result) => result !== undefined)
  )

/** @internal Returns whether an event has reported the end of the execution. */
export const hasEndEvent: Effect.Effect<boolean, never, Services> = isDone(ended)

/** @internal Returns whether the clock of a wait has ended. */
export const hasClockEnded = (kind: WaitKind, wait: number): Effect.Effect<boolean, never, Services> =>
  isDone(clockOf(kind, wait, 0).deferred)

/** @internal Returns whether at least one of two conditions holds. Checks the second condition only if necessary. */
export const anyOf = <E, R>(
  left: Effect.Effect<boolean, E, R>,
  right: Effect.Effect<boolean, E, R>
): Effect.Effect<boolean, E, R> => Effect.flatMap(left, (isTrue) => (isTrue ? Effect.succeed(true) : right))

/** @internal Returns whether the signal of `resume` or the clock has ended a wait. */
export const isWaitOver = (kind: WaitKind, wait: number): Effect.Effect<boolean, never, Services> =>
  anyOf(isDone(resumed(wait)), hasClockEnded(kind, wait))

type Predicate = (index: number) => Effect.Effect<boolean, never, Services>

/** Returns the first index from `low` to `high` with `isOver(index) === false`. `isOver(high)` must return `false`. */
const bisect = (low: number, high: number, isOver: Predicate): Effect.Effect<number, never, Services> => {
  if (low === high) return Effect.succeed(low)
  const middle = Math.floor((low + high) / 2)
  return Effect.flatMap(isOver(middle), (isAfter) =>
    isAfter ? bisect(middle + 1, high, isOver) : bisect(low, middle, isOver)
  )
}

/**
 * Returns the first index from `from` with `isOver(index) === false`. If `isOver` returns `true` for a later index, this
 * function can instead return a later index whose predecessor is over. Calls `isOver` only a logarithmic number of
 * times, because each call can be a database query.
 *
 * @internal
 */
export const firstOpen = (from: number, isOver: Predicate, step = 1): Effect.Effect<number, never, Services> => {
  const last = from + step - 1
  return Effect.flatMap(isOver(last), (isAfter) =>
    isAfter ? firstOpen(last + 1, isOver, step * 2) : bisect(from, last, isOver)
  )
}

/** @internal Returns the number of the first wait that is not over. */
export const firstOpenWait: Effect.Effect<number, never, Services> = firstOpen(0, (wait) =>
  anyOf(isWaitOver("poll", wait), hasClockEnded("submit", wait))
)

/** @internal First delay and maximum delay of the clocks. */
export interface ClockDelays {
  readonly baseMillis: number
  readonly capMillis: number
}

/** Factor between two successive delays. */
const delayFactor = 1.5

/**
 * Returns the delay of a clock in milliseconds. `index` is the number of earlier waits for the same reason.
 *
 * @internal
 */
export const delayOf = ({ baseMillis, capMillis }: ClockDelays, index: number): number =>
  Math.min(Math.round(baseMillis * delayFactor ** index), capMillis)

/**
 * Suspends the workflow. Unless the workflow is interrupted, the caller must arm a clock first. Without a clock, the
 * workflow may never continue.
 *
 * @internal
 */
export const suspend: Effect.Effect<never, never, WorkflowInstance> = Effect.flatMap(WorkflowInstance, Workflow.suspend)

/**
 * Arms the clock of a wait, and suspends the workflow unless the wait is already over. `isReady` returns `true` if a
 * signal or the clock has ended the wait.
 *
 * @internal
 */
export const suspendUntil = (
  kind: WaitKind,
  wait: number,
  millis: number,
  isReady: Effect.Effect<boolean, never, Services>
): Effect.Effect<void, never, Services> =>
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine
    const { executionId, workflow } = yield* WorkflowInstance
    yield* engine.scheduleClock(workflow, { executionId, clock: clockOf(kind, wait, millis) })
    // The clock is armed before the signals are checked. A signal that arrives between this check and the suspension
    // may not resume the workflow. The clock then resumes the workflow.
    if (yield* isReady) return
    yield* suspend
  })
