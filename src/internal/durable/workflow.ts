/**
 * Defines the workflow of a durable execution, and the names of its signals and clocks.
 *
 * @internal
 */
import * as DurableClock from "@effect/workflow/DurableClock"
import * as DurableDeferred from "@effect/workflow/DurableDeferred"
import * as Workflow from "@effect/workflow/Workflow"
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import {
  AwaitTimeout,
  ExecutionCancelled,
  ExecutionExpired,
  RequestFailure,
  SubmissionOutcomeUnknown
} from "../../ModelRouteError.js"
import { Attributes } from "../data/lenient.js"
import { sha256Hex } from "../data/sha256.js"

/** @internal Schema of the stored create request. */
export const StoredRequest = Schema.Struct({
  model: Schema.String,
  input: Attributes,
  webhookUrl: Schema.optional(Schema.String),
  metadata: Schema.optional(Attributes),
  extra: Schema.optional(Attributes)
})

/**
 * Schema of the payload of the workflow. The engine stores the payload as plain text.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Payload = Schema.Struct({
  /** The id of the durable execution. A second start with the same id has no effect. */
  id: Schema.NonEmptyString,
  /** The create request, with the encoded input of a typed model. */
  request: StoredRequest
})

/**
 * Schema of the errors of the workflow.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Failure = Schema.Union(
  ...RequestFailure.members,
  ExecutionCancelled,
  ExecutionExpired,
  AwaitTimeout,
  SubmissionOutcomeUnknown
)

/**
 * An error of a durable execution.
 *
 * @since 0.1.0
 * @category errors
 */
export type Failure = typeof Failure.Type

/**
 * The durable execution was cancelled by `DurableExecution.cancel`. If the API or another client cancels the execution,
 * the error is `ExecutionCancelled` instead.
 *
 * @since 0.1.0
 * @category errors
 */
export class Cancelled extends Schema.TaggedError<Cancelled>("effect-modelroute/DurableExecutionCancelled")(
  "DurableExecutionCancelled",
  {
    /** The id of the durable execution. */
    id: Schema.String,
    /** The message for logs. */
    message: Schema.String
  }
) {}

const name = "effect-modelroute/DurableExecution"

/** @internal The type of `workflow`. */
export type DurableWorkflow = Workflow.Workflow<typeof name, typeof Payload, typeof Execution.Completed, typeof Failure>

/** @internal The workflow of a durable execution. */
export const workflow: DurableWorkflow = Workflow.make({
  name,
  payload: Payload,
  success: Execution.Completed,
  error: Failure,
  idempotencyKey: ({ id }) => id,
  // The engine fails with a defect if its storage fails. The engine must then run the workflow again. By default, the
  // engine would store the defect as the result of the workflow. The result of a paid execution would then be lost.
  annotations: Context.make(Workflow.CaptureDefects, false)
})

/**
 * Returns the id of the workflow in the engine. `workflow.executionId` returns the same id, but requires the whole
 * payload.
 *
 * @internal
 */
export const workflowIdOf = (id: string): string => sha256Hex(`${name}-${id}`).slice(0, 32)

/** @internal Tests whether a value has the form of a result of `workflowIdOf`. */
export const isWorkflowId = (u: unknown): u is string => typeof u === "string" && /^[0-9a-f]{32}$/.test(u)

/**
 * Returns the idempotency key of the create request. All attempts of a workflow have the same key.
 *
 * @internal
 */
export const idempotencyKeyOf = (workflowId: string): string => sha256Hex(`${workflowId}-submit`).slice(0, 32)

/**
 * Signal to a workflow that an event has reported a terminal status of the execution. The signal contains no output,
 * because the engine stores signals as plain text.
 *
 * @internal
 */
export const ended = DurableDeferred.make("ended", {
  success: Schema.Struct({ id: Schema.optional(Execution.ExecutionId), status: Execution.Status })
})

/** @internal Returns the signal with which `resume` ends a wait before the clock of the wait. */
export const resumed = (wait: number): DurableDeferred.DurableDeferred<typeof Schema.Void> =>
  DurableDeferred.make(`resumed/${wait}`)

/** @internal What follows a wait: the next submission or the next poll. */
export type WaitKind = "submit" | "poll"

/** @internal Returns the clock that ends a wait after `millis` milliseconds. */
export const clockOf = (kind: WaitKind, wait: number, millis: number): DurableClock.DurableClock =>
  DurableClock.make({ name: `${kind}/${wait}`, duration: millis })
