/**
 * Declares the methods of `client.executions`.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as Execution from "../../Execution.js"
import type {
  AwaitFailure,
  AwaitTimeout,
  OutputDecodeError,
  RequestFailure,
  ResultFailure
} from "../../ModelRouteError.js"
import type { Completed, CreateRequest, Request, WatchedExecution } from "../typedModels/types.js"
import type { AwaitOptions, CreateOptions, ModelOption, RunOptions, WatchOptions } from "./optionTypes.js"

/**
 * Methods for executions. No method requires a service. The error type of each method contains all its failures. If a
 * request fails, the method fails with an error of `RequestFailure`, such as `Unauthorized` or `TransportError`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Executions {
  /**
   * Submits an execution and returns its first state without waiting for its end. All attempts send the same bytes and
   * the same idempotency key, so a retry never creates a second execution. Fails with `InvalidRequest` before the first
   * attempt if a field is missing or has no exact JSON form. If the request fails, fails with an error of
   * `RequestFailure`. See the API page "Creating executions".
   *
   * With a typed model, checks the input before the first attempt. Fails with `InvalidRequest` if the input does not
   * match the input schema of the model. Then uploads the file sources in the input. If an upload fails, fails with the
   * error `E` of the upload. See `Model.make` and `Model.upload`.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { executions } = yield* ModelRouteClient.ModelRouteClient
   *   const { id } = yield* executions.create({
   *     model: "flux-1.1-pro",
   *     input: { prompt: "a red fox in snow" },
   *     metadata: { order: 7 }
   *   })
   *   return id
   * })
   * ```
   */
  readonly create: {
    (request: Execution.CreateRequest, options?: CreateOptions): Effect.Effect<Execution.Execution, RequestFailure>
    <In, Out, E = never>(
      request: CreateRequest<In, Out, E> | Request<Out, E>,
      options?: CreateOptions
    ): Effect.Effect<Execution.Execution, RequestFailure | E>
  }
  /**
   * Returns the latest state of an execution. Also succeeds if the status of the execution is FAILED. If the request
   * fails, fails with an error of `RequestFailure`. `ModelRouteError.isNotFound` detects that the execution does not
   * exist. See the API page "Polling".
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { Execution, ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { executions } = yield* ModelRouteClient.ModelRouteClient
   *   const execution = yield* executions.get(Execution.ExecutionId.make("exec_abc123"))
   *   return Execution.isTerminal(execution)
   * })
   * ```
   */
  readonly get: (id: Execution.ExecutionId) => Effect.Effect<Execution.Execution, RequestFailure>
  /**
   * Returns the result of an execution that has ended, without waiting. Fails with `ExecutionNotReady` if the execution
   * has not ended or its output is not available yet. If the execution is FAILED, fails with the tagged error of its
   * error code. Fails with `ExecutionCancelled` or `ExecutionExpired` if the execution has one of these statuses. If
   * the request fails, fails with an error of `RequestFailure`. See the API page "Polling".
   *
   * With the option `model`, decodes the output. Fails with `OutputDecodeError` if the output does not match the output
   * schema of the model.
   *
   * @example
   * ```ts
   * import { Effect, Option } from "effect"
   * import { Execution, ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { executions } = yield* ModelRouteClient.ModelRouteClient
   *   return yield* executions.result(Execution.ExecutionId.make("exec_abc123")).pipe(
   *     Effect.map(({ fileIds }) => Option.some(fileIds)),
   *     Effect.catchTag("ExecutionNotReady", () => Effect.succeedNone)
   *   )
   * })
   * ```
   */
  readonly result: {
    <Out>(
      id: Execution.ExecutionId,
      options: ModelOption<Out>
    ): Effect.Effect<Completed<Out>, ResultFailure | OutputDecodeError>
    (id: Execution.ExecutionId): Effect.Effect<Execution.Completed, ResultFailure>
  }
  /**
   * Cancels an execution and returns its latest state. Succeeds if the execution had already ended. If the API rejects
   * the cancel request and the execution continues, fails with the error of the rejection. If the request fails, fails
   * with an error of `RequestFailure`. See the API page "Executions overview".
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { Execution, ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { executions } = yield* ModelRouteClient.ModelRouteClient
   *   const { status } = yield* executions.cancel(Execution.ExecutionId.make("exec_abc123"))
   *   return status
   * })
   * ```
   */
  readonly cancel: (id: Execution.ExecutionId) => Effect.Effect<Execution.Execution, RequestFailure>
  /**
   * Records an update from another source, such as a webhook, and resumes the waits for the execution. Only the waits
   * in this client are resumed. `Webhook.notifyClient` calls this method for each event. If there is no wait for the
   * execution, the client keeps the latest update for the next wait. The client keeps updates for the 1000 most
   * recently updated executions.
   *
   * @example
   * ```ts
   * import { Effect, Schema } from "effect"
   * import { Execution, ModelRouteClient } from "effect-modelroute"
   *
   * export const onMessage = (message: string) =>
   *   Effect.gen(function* () {
   *     const { executions } = yield* ModelRouteClient.ModelRouteClient
   *     const execution = yield* Schema.decode(Schema.parseJson(Execution.Execution))(message)
   *     yield* executions.notify(execution)
   *   })
   * ```
   */
  readonly notify: (execution: Execution.Execution) => Effect.Effect<void>
  /**
   * Returns a stream that emits the execution after each change of its status. The stream ends after a terminal status,
   * including FAILED. Fails with `AwaitTimeout` after the option `timeout`. If a poll fails and the failure is not
   * transient, fails with the `RequestFailure` of the poll. See the API page "Polling".
   *
   * With the option `model`, decodes the output of a COMPLETED execution. The stream then emits COMPLETED only after
   * the output is available. Fails with `OutputDecodeError` if the output does not match the output schema of the
   * model.
   *
   * @example
   * ```ts
   * import { Console, Effect, Stream } from "effect"
   * import { Execution, ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { executions } = yield* ModelRouteClient.ModelRouteClient
   *   const changes = executions.watch(Execution.ExecutionId.make("exec_abc123"))
   *   yield* Stream.runForEach(changes, ({ status }) => Console.log(status))
   * })
   * ```
   */
  readonly watch: {
    <Out>(
      id: Execution.ExecutionId,
      options: WatchOptions & ModelOption<Out>
    ): Stream.Stream<WatchedExecution<Out>, RequestFailure | AwaitTimeout | OutputDecodeError>
    (
      id: Execution.ExecutionId,
      options?: WatchOptions
    ): Stream.Stream<Execution.Execution, RequestFailure | AwaitTimeout>
  }
  /**
   * Waits until an execution has ended and returns its result. If the output of a COMPLETED execution is not available
   * yet, the wait continues. By default, the first poll starts after 2 seconds. Each further delay is 1.5 times as long
   * as the previous delay, up to 15 seconds.
   *
   * A transient poll failure does not end the wait. Transient failures are retryable errors and responses that do not
   * come from the API. A 404 is transient in the first minute after this client has created the execution. If a poll
   * fails and the failure is not transient, fails with the `RequestFailure` of the poll.
   *
   * If the execution is FAILED, fails with the tagged error of its error code. Fails with `ExecutionCancelled` or
   * `ExecutionExpired` if the execution has one of these statuses. Fails with `AwaitTimeout` after the option
   * `timeout`. See the API page "Polling".
   *
   * With the option `model`, decodes the output. Fails with `OutputDecodeError` if the output does not match the output
   * schema of the model.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { Execution, ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { executions } = yield* ModelRouteClient.ModelRouteClient
   *   const id = Execution.ExecutionId.make("exec_abc123")
   *   const { output } = yield* executions.await(id, { timeout: "5 minutes", pollImmediately: true })
   *   return output
   * })
   * ```
   */
  readonly await: {
    <Out>(
      id: Execution.ExecutionId,
      options: AwaitOptions & ModelOption<Out>
    ): Effect.Effect<Completed<Out>, AwaitFailure | OutputDecodeError>
    (id: Execution.ExecutionId, options?: AwaitOptions): Effect.Effect<Execution.Completed, AwaitFailure>
  }
  /**
   * Submits an execution and waits for its result. Runs `create`, then the option `onAccepted`, then `await`. Fails
   * with the errors of these three steps. With a typed model, decodes the output with the output schema of the model.
   * Fails with `OutputDecodeError` if the output does not match this schema. The error contains the result, because the
   * execution has already been charged.
   *
   * @example
   * ```ts
   * import { Console, Effect } from "effect"
   * import { ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const { executions } = yield* ModelRouteClient.ModelRouteClient
   *   const { fileIds } = yield* executions.run(
   *     { model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } },
   *     { cancelOnInterrupt: true, onAccepted: ({ id }) => Console.log(`Submitted ${id}`) }
   *   )
   *   return fileIds
   * })
   * ```
   */
  readonly run: {
    <E = never>(
      request: Execution.CreateRequest,
      options?: RunOptions<E>
    ): Effect.Effect<Execution.Completed, AwaitFailure | E>
    <In, Out, ME = never, E = never>(
      request: CreateRequest<In, Out, ME> | Request<Out, ME>,
      options?: RunOptions<E>
    ): Effect.Effect<Completed<Out>, AwaitFailure | OutputDecodeError | ME | E>
  }
}
