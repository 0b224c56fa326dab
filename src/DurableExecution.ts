/**
 * Runs executions as workflows of `@effect/workflow`. A durable execution continues after a restart of the process, and
 * on another machine of a cluster. Requires the package `@effect/workflow`.
 *
 * A worker submits the execution and then suspends the workflow. A suspended workflow uses no fiber. A webhook event or
 * a poll resumes the workflow. The layer of the application provides the engine. For example,
 * `WorkflowEngine.layerMemory` keeps the workflows in the memory of one process.
 *
 * - All submissions of a workflow have the same idempotency key, so a restart never creates a second execution.
 * - An outage, a wrong API key and an insufficient balance suspend the workflow. `resume` and `resumeAll` start the next
 *   attempt immediately.
 * - A workflow that moves to another worker does not cancel its execution. Only a call of `cancel` cancels the
 *   execution.
 *
 * The engine stores the request and the output as plain text. An event stores only the id and the status.
 *
 * @since 0.1.0
 */
import type * as Workflow from "@effect/workflow/Workflow"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Execution from "./Execution.js"
import * as options from "./internal/durable/options.js"
import * as requests from "./internal/durable/request.js"
import { resumeAll as internalResumeAll } from "./internal/durable/resumeAll.js"
import { makeBody } from "./internal/durable/run.js"
import * as signals from "./internal/durable/signals.js"
import * as suspensionStore from "./internal/durable/suspensionStore.js"
import { type Suspension, SuspensionStore, type SuspensionStoreError } from "./internal/durable/suspensionStore.js"
import * as internal from "./internal/durable/workflow.js"
import { Cancelled, Failure, Payload } from "./internal/durable/workflow.js"
import { checkModel } from "./internal/executions/waitOptions.js"
import { decodeCompleted } from "./internal/models/decode.js"
import { type AnyTyped, fromTyped, isTyped } from "./internal/models/request.js"
import type * as Model from "./Model.js"
import { ModelRouteClient, type ModelOption } from "./ModelRouteClient.js"
import type { InvalidRequest, OutputDecodeError } from "./ModelRouteError.js"
import type * as Webhook from "./Webhook.js"

export type { Options } from "./internal/durable/options.js"
export {
  Suspension,
  SuspensionStore,
  SuspensionStoreError,
  type SuspensionStoreService
} from "./internal/durable/suspensionStore.js"
export { Cancelled, Failure, Payload }

/**
 * The workflow of a durable execution. `start`, `await`, `cancel` and `resume` use this workflow. Use the value to
 * compose the workflow with other workflows. In the engine, the id of the workflow is a hash of its name and of the
 * payload field `id`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * // A workflow of the application can await the execution as its child.
 * export const render = (orderId: string, prompt: string) =>
 *   DurableExecution.workflow.execute({
 *     id: orderId,
 *     request: { model: "flux-1.1-pro", input: { prompt } }
 *   }).pipe(Effect.map(({ fileIds }) => fileIds))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const workflow: Workflow.Workflow<
  "effect-modelroute/DurableExecution",
  typeof Payload,
  typeof Execution.Completed,
  typeof Failure
> = internal.workflow

/**
 * Registers the workflow with the engine, so that this process runs durable executions. Provide the layer in each
 * worker. Another process can call `start`, `await`, `cancel`, `resume` and `onEvent` without the layer if its engine
 * reaches a worker.
 *
 * All runners of a cluster need the layer. A process without the layer must be a client of the cluster, for example with
 * the option `clientOnly`. Otherwise, `start` can wait forever, and a workflow can end with a defect.
 *
 * A defect of the engine, such as an outage of its database, does not end a workflow. The engine runs the workflow again.
 *
 * When an error suspends a workflow, logs a warning and adds the workflow to the store of suspensions. A failure of the
 * store does not affect the workflow. The layer logs the failure as a warning. Fails with `InvalidRequest` if an option
 * is invalid.
 *
 * @example
 * ```ts
 * import { WorkflowEngine } from "@effect/workflow"
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * const client = ModelRouteClient.layerConfig().pipe(Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer]))
 *
 * export const WorkerLive = DurableExecution.layer().pipe(
 *   Layer.provideMerge(Layer.mergeAll(WorkflowEngine.layerMemory, DurableExecution.layerSuspensionStoreMemory, client))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  layerOptions: options.Options = {}
): Layer.Layer<never, InvalidRequest, WorkflowEngine | ModelRouteClient | SuspensionStore> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const checked = yield* options.checkOptions(layerOptions)
      const client = yield* ModelRouteClient
      const suspensions = yield* SuspensionStore
      return workflow.toLayer(makeBody({ ...checked, client, suspensions }))
    })
  )

/**
 * Provides a store of suspensions in the memory of this process. Use this layer with `WorkflowEngine.layerMemory`. The
 * workers of a cluster share a store in their database. `SqlSuspensionStore` provides this store.
 *
 * @example
 * ```ts
 * import { WorkflowEngine } from "@effect/workflow"
 * import { Layer } from "effect"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * export const engine = Layer.merge(WorkflowEngine.layerMemory, DurableExecution.layerSuspensionStoreMemory)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSuspensionStoreMemory: Layer.Layer<SuspensionStore> = suspensionStore.layerMemory

/**
 * Starts a durable execution. Returns the id of its workflow in the engine without waiting for the execution. `id` is
 * the name that the caller chooses for the execution, such as the id of an order. A second start with the same id has
 * no effect, even if the request differs. Retries for 6 seconds if the database of the engine is not available, and
 * then dies. `cancel`, `resume` and `onEvent` also retry for 6 seconds.
 *
 * Adds the field `durable_execution` to the metadata of the request. Adds a query parameter of the same name to
 * `webhookUrl`. The field and the parameter contain the id of the workflow, so that `onEvent` can find the workflow.
 *
 * Fails with `InvalidRequest` if the id is empty or contains a lone surrogate. Also fails with `InvalidRequest` if the
 * request has no exact JSON form. With a typed model, fails with `InvalidRequest` if the input does not match the
 * schema. Then uploads the sources in the input, and fails with the errors of the uploads. A second start uploads the
 * sources again.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * export const program = Effect.gen(function* () {
 *   yield* DurableExecution.start("order-7", {
 *     model: "flux-1.1-pro",
 *     input: { prompt: "a red fox in snow" },
 *     webhookUrl: "https://example.com/webhooks/modelroute"
 *   })
 *   const { fileIds } = yield* DurableExecution.await("order-7")
 *   return fileIds
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export function start<In, Out, E = never, R = never>(
  id: string,
  request: Model.CreateRequest<In, Out, E> | Model.Request<Out, E, R>
): Effect.Effect<string, InvalidRequest | E, WorkflowEngine | ModelRouteClient | R>
export function start(
  id: string,
  request: Execution.CreateRequest
): Effect.Effect<string, InvalidRequest, WorkflowEngine>
export function start<Out, E, R>(
  id: string,
  request: Execution.CreateRequest | AnyTyped<Out, E, R>
): Effect.Effect<string, InvalidRequest | E, WorkflowEngine | ModelRouteClient | R> {
  const encoded = isTyped(request) ? requests.encodeTyped(fromTyped(request)) : requests.encode(request)
  return Effect.zipRight(
    requests.checkId(id),
    Effect.flatMap(encoded, (stored) => signals.start({ id, request: stored }))
  )
}

/**
 * Waits until a durable execution has ended and returns its result. Reads the state of the workflow from the engine.
 * The delay between two reads grows from 200 milliseconds to 10 seconds. Sends no request to the API. Any process with
 * the same engine can wait. An interruption of the wait does not affect the execution. Also waits for an execution that
 * has not been started yet. Retries for 2 minutes if the database of the engine is not available, and then dies.
 *
 * With the option `model`, decodes the output. Pass the model of the request, because the engine does not store the
 * model. Fails with `OutputDecodeError` if the output does not match.
 *
 * Fails with the tagged error of the error code if the execution is FAILED. Also fails with the tagged error if the API
 * rejected the request permanently. Fails with `ExecutionCancelled` or `ExecutionExpired` for the other terminal
 * statuses. Fails with `DurableExecutionCancelled` after `cancel`. Fails with `SubmissionOutcomeUnknown` if the outcome
 * of a submission is unknown and its key is older than `keyTtl`. Fails with `AwaitTimeout` if the API returns no result
 * within 24 hours after `expiresAt` or `completedAt` of the execution.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Model } from "effect-modelroute"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * const Flux = Model.make({
 *   id: "flux-1.1-pro",
 *   input: Schema.Struct({ prompt: Schema.String }),
 *   output: Model.imageOutput
 * })
 *
 * export const program = Effect.gen(function* () {
 *   yield* DurableExecution.start("order-7", { model: Flux, input: { prompt: "a red fox in snow" } })
 *   const { output } = yield* DurableExecution.await("order-7", { model: Flux })
 *   return output.images
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
function awaitExecution<Out>(
  id: string,
  options: ModelOption<Out>
): Effect.Effect<Model.Completed<Out>, Failure | Cancelled | OutputDecodeError, WorkflowEngine>
function awaitExecution(id: string): Effect.Effect<Execution.Completed, Failure | Cancelled, WorkflowEngine>
function awaitExecution(
  id: string,
  options?: ModelOption<unknown>
): Effect.Effect<Execution.Completed, Failure | Cancelled | OutputDecodeError, WorkflowEngine> {
  if (options === undefined) return signals.awaitWorkflow(id)
  const operation = "DurableExecution.await"
  return Effect.flatMap(checkModel(operation, options), (model) =>
    Effect.flatMap(signals.awaitWorkflow(id), (completed) =>
      decodeCompleted(model, completed, { operation, attempts: 0 })
    )
  )
}

export { awaitExecution as await }

/**
 * Cancels a durable execution. Its worker then sends a cancel request to the API. If the outcome of the submission is
 * unknown, the worker first repeats the create request under its key. The response contains the id of the execution.
 * Logs a warning if the cancel request fails, because the execution may continue. `await` fails with
 * `DurableExecutionCancelled`.
 *
 * Takes effect when the workflow is suspended, so a request to the API in progress ends first. Has no effect on a
 * workflow that has ended. If the workflow does not exist, a cluster stores the call. The cluster cancels the workflow
 * after a later start with this id. The memory engine ignores the call.
 *
 * @example
 * ```ts
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * export const cancelOrder = (orderId: string) => DurableExecution.cancel(orderId)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const cancel: (id: string) => Effect.Effect<void, never, WorkflowEngine> = signals.interrupt

/**
 * Ends the current wait of a durable execution. After an insufficient balance, a wrong API key or an outage, the next
 * attempt starts immediately. The workflow polls an accepted execution immediately. Without this call, the next attempt
 * starts at the end of the wait.
 *
 * If the workflow is not suspended, the next wait ends immediately. Has no effect on a workflow that has ended.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * // After a top-up of the balance.
 * export const resumeOrders = (orderIds: ReadonlyArray<string>) =>
 *   Effect.forEach(orderIds, DurableExecution.resume, { discard: true })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const resume: (id: string) => Effect.Effect<void, never, WorkflowEngine> = signals.resume

/**
 * Returns the durable executions that are suspended after an error, the oldest first. Fails with `SuspensionStoreError`
 * if the store cannot be read.
 *
 * @example
 * ```ts
 * import { Console, Effect } from "effect"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * export const report = Effect.gen(function* () {
 *   for (const { id, message, tag } of yield* DurableExecution.suspensions) {
 *     yield* Console.log(`${id} waits after ${tag}: ${message}`)
 *   }
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const suspensions: Effect.Effect<
  ReadonlyArray<Suspension>,
  SuspensionStoreError,
  SuspensionStore
> = Effect.flatMap(SuspensionStore, ({ list }) => list)

/**
 * Options of `resumeAll`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResumeAllOptions {
  /** The tag of the error, for example `InsufficientBalance`. Default: every error. */
  readonly tag?: Failure["_tag"] | undefined
}

/**
 * Calls `resume` for each durable execution that is suspended after an error. Returns the number of these executions.
 * Does not affect running executions that the API has accepted. Fails with `SuspensionStoreError` if the store cannot
 * be read.
 *
 * @example
 * ```ts
 * import { Console, Effect } from "effect"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * // After a top-up of the balance.
 * export const program = DurableExecution.resumeAll({ tag: "InsufficientBalance" }).pipe(
 *   Effect.flatMap((count) => Console.log(`${count} executions resumed`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const resumeAll = ({ tag }: ResumeAllOptions = {}): Effect.Effect<
  number,
  SuspensionStoreError,
  WorkflowEngine | SuspensionStore
> => internalResumeAll((suspension) => tag === undefined || suspension.tag === tag)

/**
 * Passes a webhook event to its durable execution. If the event reports a terminal status, the workflow fetches the
 * result immediately. Ignores every other event. Stores the id and the status of the event, and no output.
 *
 * Finds the workflow by the metadata of the execution in the event, or by the URL of the delivery. A lost event only
 * delays the result until the next poll.
 *
 * @example
 * ```ts
 * import { HttpRouter } from "@effect/platform"
 * import { Redacted } from "effect"
 * import { Webhook } from "effect-modelroute"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * export const router = HttpRouter.empty.pipe(
 *   HttpRouter.post(
 *     "/webhooks/modelroute",
 *     Webhook.handler({ secrets: Redacted.make("whsec_…"), onEvent: DurableExecution.onEvent })
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const onEvent: (event: Webhook.Event) => Effect.Effect<void, never, WorkflowEngine> = signals.notify
