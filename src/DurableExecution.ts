/**
 * Runs executions as workflows of `@effect/workflow`. A durable execution continues after a restart of the process, and
 * on another machine of a cluster. Requires the package `@effect/workflow`.
 *
 * A worker submits the execution and then suspends the workflow. A suspended workflow uses no fiber. The workflow
 * resumes after a webhook event, or when the next poll is due. The engine of the workflows is a layer of the
 * application. For example, `WorkflowEngine.layerMemory` keeps the workflows in the memory of one process.
 *
 * - All submissions of a workflow have the same idempotency key, so a restart never creates a second execution.
 * - An outage, a wrong API key and an insufficient balance suspend the workflow until the next attempt. `resume` and
 *   `resumeAll` start the next attempt immediately.
 * - Only a call of `cancel` cancels the execution. If a workflow moves to another worker, the execution continues.
 *
 * The engine stores the request and the output as plain text. From a webhook event, the engine stores only the id and
 * the status.
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
import { decodeCompleted } from "./internal/typedModels/decode.js"
import { type AnyTyped, fromTyped, isTyped } from "./internal/typedModels/request.js"
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
 * The workflow of durable executions, for example as a part of other workflows. `start`, `await`, `cancel` and `resume`
 * use this workflow. In the engine, a workflow has an id. This id is a hash of the workflow's name and of the payload
 * field `id`.
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
 * worker. A process without the layer can call `start`, `await`, `cancel`, `resume` and `onEvent` if its engine reaches
 * a worker.
 *
 * All runners of a cluster need the layer. A process without the layer must be a client of the cluster, for example
 * with the option `clientOnly`. Otherwise, `start` can wait forever, and a workflow can end with a defect.
 *
 * A defect of the engine, such as an outage of its database, does not end a workflow. The engine runs the workflow
 * again.
 *
 * If an error suspends a workflow, the worker logs a warning and adds the workflow to the `SuspensionStore`. If the
 * store fails, the worker logs a warning and the workflow continues normally. The layer fails with `InvalidRequest` if
 * an option is invalid.
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
 * Provides a `SuspensionStore` in the memory of this process, for use with `WorkflowEngine.layerMemory`. The workers of
 * a cluster must share one store. `SqlSuspensionStore` provides such a store in a database.
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
 * Starts a durable execution and returns the id of its workflow, without waiting for the result. `id` is a name that
 * the caller chooses for the durable execution, such as the id of an order. A second start with the same `id` has no
 * effect, even if the request differs.
 *
 * Adds the field `durable_execution` to the metadata of the request. Adds a query parameter of the same name to
 * `webhookUrl`. Both contain the id of the workflow, so that `onEvent` can find the workflow.
 *
 * Fails with `InvalidRequest` if `id` is empty or contains a lone surrogate. Fails with `InvalidRequest` if JSON cannot
 * represent the request exactly. With a typed model, fails with `InvalidRequest` if the input does not match the
 * schema. Before the start, uploads the sources in the input, and fails with the errors of the uploads. A second start
 * uploads the sources again.
 *
 * If the database of the engine is not available, `start` retries for 6 seconds and then dies. `cancel`, `resume` and
 * `onEvent` do the same.
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
 * Waits until a durable execution has ended and returns its result. Also waits for a durable execution that has not
 * been started yet. Any process with the same engine can wait. An interruption of the wait does not affect the
 * execution.
 *
 * `await` sends no request to the API, but reads the state of the workflow from the engine. The delay between two reads
 * grows from 200 milliseconds to 10 seconds. If the database of the engine is not available, `await` retries for 2
 * minutes and then dies.
 *
 * With the option `model`, decodes the output. Pass the model of the request, because the engine does not store the
 * model. Fails with `OutputDecodeError` if the output does not match the schema.
 *
 * The other failures are:
 *
 * - the tagged error of an error code, if the execution is FAILED or the API rejected the request permanently
 * - `ExecutionCancelled` or `ExecutionExpired`, if the execution is CANCELLED or EXPIRED
 * - `DurableExecutionCancelled`, after a call of `cancel`
 * - `SubmissionOutcomeUnknown`, if the outcome of a submission is unknown and its idempotency key is older than
 *   `keyTtl`
 * - `AwaitTimeout`, if the API returns no result within 24 hours after `expiresAt` or `completedAt` of the execution
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
 * Cancels a durable execution. A worker then sends a cancel request to the API, and `await` fails with
 * `DurableExecutionCancelled`. If the cancel request fails, the worker logs a warning, because the execution may
 * continue.
 *
 * The cancel request needs the id of the execution. If the outcome of the submission is unknown, the worker first
 * repeats the create request with the same idempotency key. The response contains the id.
 *
 * Takes effect when the workflow is suspended. A request to the API that is in progress therefore ends first. Has no
 * effect on a workflow that has ended. If the workflow does not exist, a cluster stores the call and cancels the
 * workflow after a later start. The memory engine ignores such a call.
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
 * Ends the current wait of a durable execution. If an error suspended the workflow, the next attempt starts
 * immediately. If the workflow waits for a result, the next poll starts immediately. Use `resume` after the cause of an
 * error is corrected, for example after a top-up of the balance.
 *
 * If the workflow is not suspended, the next wait of the workflow ends immediately. Has no effect on a workflow that
 * has ended.
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
 * Returns the durable executions that an error has suspended, the oldest suspension first. Fails with
 * `SuspensionStoreError` if the store cannot be read.
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
  /** The tag of the error that suspended the executions, for example `InsufficientBalance`. Default: every error. */
  readonly tag?: Failure["_tag"] | undefined
}

/**
 * Calls `resume` for each durable execution that an error has suspended, and returns the number of these executions.
 * Does not affect executions that wait for a result. Fails with `SuspensionStoreError` if the store cannot be read.
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
 * Passes a webhook event to the durable execution that the event describes. If the event reports a terminal status, the
 * workflow fetches the result immediately. Ignores every other event. From the event, the engine stores only the id and
 * the status.
 *
 * The metadata of the execution or the URL of the delivery contains the id of the workflow. If an event is lost, the
 * result is delayed until the next poll.
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
