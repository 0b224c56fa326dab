/**
 * Sends signals to workflows and reads the results of workflows. This code runs outside the workflows.
 *
 * @internal
 */
import type * as DurableDeferred from "@effect/workflow/DurableDeferred"
import { WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import { type Completed, isTerminal } from "../../Execution.js"
import type { Event } from "../webhooks/event.js"
import { workflowIdOfEvent } from "./request.js"
import { firstOpenWait } from "./wait.js"
import { Cancelled, ended, type Failure, type Payload, resumed, workflow, workflowIdOf } from "./workflow.js"

const signalRetries = Schedule.intersect(Schedule.exponential("200 millis"), Schedule.recurs(5))

/** Schedule of the retries after a failed poll of the engine. A wait survives a database restart of up to 2 minutes. */
const pollRetries = Schedule.union(Schedule.exponential("200 millis"), Schedule.spaced("10 seconds")).pipe(
  Schedule.upTo("2 minutes")
)

/**
 * Retries an effect after a defect. A cluster engine fails with a defect if a connection to a worker or to the database
 * is lost. The retry is safe, because all operations of an engine are idempotent.
 *
 * @internal
 */
export const retryDefects = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  schedule: Schedule.Schedule<unknown> = signalRetries
): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.sandbox,
    Effect.retry({ schedule, while: (cause) => Cause.isDie(cause) && !Cause.isInterrupted(cause) }),
    Effect.unsandbox
  )

/** @internal Starts a workflow. Returns the id of the workflow in the engine. */
export const start = (payload: typeof Payload.Type): Effect.Effect<string, never, WorkflowEngine> =>
  Effect.flatMap(WorkflowEngine, (engine) => {
    const executionId = workflowIdOf(payload.id)
    return Effect.as(retryDefects(execute(engine, payload, executionId)), executionId)
  })

/** Starts a workflow and does not wait for its end. The effect therefore cannot fail with an error of the workflow. */
const execute = (
  engine: WorkflowEngine["Type"],
  payload: typeof Payload.Type,
  executionId: string
): Effect.Effect<unknown> => Effect.orDie(engine.execute(workflow, { executionId, payload, discard: true }))

/** @internal Interrupts a workflow. The finalizer of the workflow then cancels the execution. */
export const interrupt = (id: string): Effect.Effect<void, never, WorkflowEngine> =>
  Effect.flatMap(WorkflowEngine, (engine) => retryDefects(engine.interrupt(workflow, workflowIdOf(id))))

const done = <A extends Schema.Schema.AnyNoContext>(
  deferred: DurableDeferred.DurableDeferred<A>,
  executionId: string,
  value: A["Type"]
): Effect.Effect<void, never, WorkflowEngine> =>
  Effect.flatMap(WorkflowEngine, (engine) =>
    engine.deferredDone(deferred, {
      workflowName: workflow.name,
      executionId,
      deferredName: deferred.name,
      exit: Exit.succeed(value)
    })
  )

/** @internal Ends the current wait of a workflow, so that the workflow continues immediately. */
export const resume = (id: string): Effect.Effect<void, never, WorkflowEngine> => {
  const workflowId = workflowIdOf(id)
  return firstOpenWait.pipe(
    // `firstOpenWait` requires an instance of the workflow. A new instance can read the signals, because the engine
    // stores the signals under the id of the workflow.
    Effect.provideServiceEffect(
      WorkflowInstance,
      Effect.sync(() => WorkflowInstance.initial(workflow, workflowId))
    ),
    Effect.flatMap((wait) => done(resumed(wait), workflowId, undefined)),
    retryDefects
  )
}

/** @internal Reports the end of an execution to its workflow. Ignores all other events. */
export const notify = (event: Event): Effect.Effect<void, never, WorkflowEngine> => {
  const { execution } = event
  if (execution === undefined || !isTerminal(execution)) return Effect.void
  const { id, status } = execution
  return Effect.flatMap(workflowIdOfEvent(event), (workflowId) =>
    workflowId === undefined
      ? Effect.logDebug(`The event for execution ${id} belongs to no durable execution`)
      : retryDefects(done(ended, workflowId, { id, status }))
  )
}

/** @internal Returns whether a workflow has ended. Dies if the state of the workflow cannot be read. */
export const hasEnded = (id: string): Effect.Effect<boolean, never, WorkflowEngine> =>
  Effect.flatMap(WorkflowEngine, (engine) =>
    Effect.map(engine.poll(workflow, workflowIdOf(id)), (result) => result?._tag === "Complete")
  )

const firstPollMillis = 200
const maxPollMillis = Duration.toMillis("10 seconds")

/**
 * Polls the engine until a workflow has ended, and returns the result of the workflow. Fails with the error of the
 * workflow, or with `Cancelled` if the workflow was cancelled. `millis` is the delay before the second poll.
 *
 * @internal
 */
export const awaitWorkflow = (
  id: string,
  millis = firstPollMillis
): Effect.Effect<Completed, Failure | Cancelled, WorkflowEngine> =>
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine
    const result = yield* retryDefects(engine.poll(workflow, workflowIdOf(id)), pollRetries)
    if (result === undefined || result._tag === "Suspended") {
      yield* Effect.sleep(millis)
      return yield* awaitWorkflow(id, Math.min(millis * 1.5, maxPollMillis))
    }
    const { exit } = result
    if (Exit.isSuccess(exit)) return exit.value
    // The exit of a cancelled workflow is an interruption. The caller must receive the error `Cancelled` instead,
    // because an interruption would end the fiber of the caller.
    return yield* Cause.isInterruptedOnly(exit.cause)
      ? new Cancelled({ id, message: `The durable execution ${id} was cancelled.` })
      : Effect.failCause(exit.cause)
  })
