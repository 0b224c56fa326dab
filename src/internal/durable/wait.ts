/**
 * Suspends a workflow until a signal arrives or its clock ends the wait. A suspended workflow has no fiber.
 *
 * The waits of a workflow are numbered from 0. A wait is over if its clock has ended or if it was resumed. Each run of
 * the workflow reads this state from the engine again.
 *
 * @internal
 */
import type * as DurableDeferred from "@effect/workflow/DurableDeferred"
import * as Workflow from "@effect/workflow/Workflow"
import { WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { clockOf, ended, resumed } from "./workflow.js"

type Services = WorkflowEngine | WorkflowInstance

const isDone = <A extends Schema.Schema.Any>(
  deferred: DurableDeferred.DurableDeferred<A>
): Effect.Effect<boolean, never, Services> =>
  Effect.flatMap(WorkflowEngine, (engine) =>
    Effect.map(engine.deferredResult(deferred), (result) => result !== undefined)
  )

/** @internal Returns whether an event has reported the end of the execution. */
export const hasEndEvent: Effect.Effect<boolean, never, Services> = isDone(ended)

/** @internal Returns whether a wait is over. */
export const isWaitOver = (wait: number): Effect.Effect<boolean, never, Services> =>
  Effect.flatMap(isDone(resumed(wait)), (isResumed) =>
    isResumed ? Effect.succeed(true) : isDone(clockOf(wait, 0).deferred)
  )

/** @internal Returns the number of the first wait that is not over. */
export const firstOpenWait = (from: number): Effect.Effect<number, never, Services> =>
  Effect.flatMap(isWaitOver(from), (isOver) => (isOver ? firstOpenWait(from + 1) : Effect.succeed(from)))

/** @internal Delays of the clocks. */
export interface ClockDelays {
  readonly baseMillis: number
  readonly capMillis: number
}

/** Factor between two successive delays. */
const delayFactor = 1.5

/** @internal Returns the delay of a clock. `index` counts the waits for the same reason. */
export const delayOf = ({ baseMillis, capMillis }: ClockDelays, index: number): number =>
  Math.min(Math.round(baseMillis * delayFactor ** index), capMillis)

/** @internal Suspends the workflow. The clock must be armed, or the workflow must be interrupted. */
export const suspend: Effect.Effect<never, never, WorkflowInstance> = Effect.flatMap(WorkflowInstance, Workflow.suspend)

/**
 * Arms the clock of a wait, and suspends the workflow unless the wait is already over. `isReady` returns `true` if a
 * signal has ended the wait.
 *
 * @internal
 */
export const suspendUntil = (
  wait: number,
  millis: number,
  isReady: Effect.Effect<boolean, never, Services>
): Effect.Effect<void, never, Services> =>
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine
    const { executionId, workflow } = yield* WorkflowInstance
    yield* engine.scheduleClock(workflow, { executionId, clock: clockOf(wait, millis) })
    // The signals are checked after the clock is armed. If a signal arrives after this check and the engine does not
    // resume the workflow, the clock does.
    if (yield* isReady) return
    yield* suspend
  })
