/**
 * Runs the body of the workflow. Submits the execution and waits until the execution has ended. Cancels the execution
 * after `DurableExecution.cancel`.
 *
 * @internal
 */
import * as Workflow from "@effect/workflow/Workflow"
import { type WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Execution from "../../Execution.js"
import { runSafely } from "../telemetry.js"
import { awaitEnd } from "./awaitEnd.js"
import type { DurableContext } from "./options.js"
import { addWorkflowId } from "./request.js"
import { send, Submission, submit } from "./submit.js"
import { clearSuspension } from "./suspension.js"
import type { Failure, Payload } from "./workflow.js"

const warn = ({ idempotencyKey, workflowId }: Submission, text: string): Effect.Effect<void> =>
  runSafely(
    Effect.annotateLogs(Effect.logWarning(`${text} The execution may continue and may be charged`), {
      workflowId,
      idempotencyKey
    })
  )

/**
 * Returns the id of the execution to cancel, or `undefined` if no id is known. If the outcome of the create request is
 * unknown, sends the create request again, because the response contains the id.
 */
const findExecution = (
  context: DurableContext,
  submission: Submission
): Effect.Effect<Execution.ExecutionId | undefined> =>
  Effect.gen(function* () {
    const { ambiguousSince, executionId } = submission
    if (executionId !== undefined || ambiguousSince === undefined) return executionId
    const result = yield* send(context, submission, ambiguousSince, true)
    if (result._tag === "Accepted") return result.id
    yield* warn(submission, `The execution could not be cancelled, because its id is unknown: ${result.error.message}`)
    return undefined
  })

/** Cancels the execution. Logs a warning if the cancel request fails. */
const cancelExecution = (context: DurableContext, submission: Submission): Effect.Effect<void> =>
  Effect.flatMap(findExecution(context, submission), (id) =>
    id === undefined
      ? Effect.void
      : Effect.catchAll(context.client.executions.cancel(id), ({ message }) =>
          warn(submission, `Execution ${id} could not be cancelled: ${message}`)
        )
  )

/** Returns whether the workflow has ended with a result or an error, and not with an interruption or a defect. */
const hasEnded = Exit.match({ onSuccess: () => true, onFailure: Cause.isFailure })

/** @internal Returns the body of the workflow. The body submits the execution and returns the result. */
export const makeBody =
  (context: DurableContext) =>
  (
    { id, request }: typeof Payload.Type,
    workflowId: string
  ): Effect.Effect<Execution.Completed, Failure, WorkflowEngine | WorkflowInstance> =>
    Effect.gen(function* () {
      const instance = yield* WorkflowInstance
      const submission = new Submission(id, workflowId, addWorkflowId(request, workflowId))
      yield* Workflow.addFinalizer((exit) => {
        const clear = clearSuspension(context.suspensions, submission)
        if (instance.interrupted) return Effect.zipRight(cancelExecution(context, submission), clear)
        // The finalizer also runs if the workflow moves to another worker or the engine has a defect. The workflow then
        // continues later, so its suspension must stay in the store.
        return hasEnded(exit) ? clear : Effect.void
      })
      const accepted = yield* submit(context, submission)
      return yield* awaitEnd(context, submission, accepted)
    })
