/**
 * Declares the methods of `client.executions` and their options.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import type * as Execution from "../../Execution.js"
import type { RequestFailure, ResultFailure, AwaitTimeout, AwaitFailure } from "../../ModelRouteError.js"

/**
 * Options of `create`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateOptions {
  /**
   * Idempotency key of the create request. Reuse the key of an earlier request to resume its submission. The API never
   * executes a key twice. Use a new key after a FAILED execution. For the old key, the API may return the failed
   * execution. Default: a new key from the `IdempotencyKey` service.
   */
  readonly idempotencyKey?: string | undefined
}

/**
 * Options of `watch`.
 *
 * @since 0.1.0
 * @category models
 */
export interface WatchOptions {
  /**
   * Maximum duration of the wait. Default: until 30 seconds after the execution's `expiresAt`, at most 24 hours.
   * Without `expiresAt`, the default is 10 minutes. The execution continues after the end of the wait. The wait fails
   * with `AwaitTimeout` after this time, but never before the first poll. A poll that runs at the end of a `timeout`
   * may take 30 more seconds.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * Schedule of the polls. The input of the schedule is the latest state of the execution. Default: the `pollSchedule`
   * of the client. If few requests are left under the rate limit, each delay is at least doubled. After a create
   * request, the first poll then waits for the expected end of the execution. A poll by another fiber for the same
   * execution replaces a poll of this wait.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  /**
   * Polls immediately instead of after the first delay. Use this option for an execution that may have ended, for
   * example after a restart. Default: `false`.
   */
  readonly pollImmediately?: boolean | undefined
}

/**
 * Options of `await`.
 *
 * @since 0.1.0
 * @category models
 */
export interface AwaitOptions extends WatchOptions {
  /**
   * Cancels the execution if the waiting fiber is interrupted. The interruption takes at most 10 seconds. After this
   * time, the cancel request continues in the background for at most 5 minutes. A `timeout` does not cancel the
   * execution. Default: `false`. Logs a warning if the cancel request fails.
   */
  readonly cancelOnInterrupt?: boolean | undefined
}

/**
 * Options of `run`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions<E = never> extends CreateOptions, AwaitOptions {
  /**
   * Runs after the API has accepted the create request, before the wait begins. For example, it can store the id. The
   * argument is the execution in the create response. Default: no effect. If this effect fails, `run` fails with the
   * same error and the execution continues.
   */
  readonly onAccepted?: ((execution: Execution.Execution) => Effect.Effect<void, E>) | undefined
}

/**
 * Methods on executions. No method requires a service. The type of each method contains all its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Executions {
  /**
   * Submits an execution and returns it without waiting for its end. All attempts send the same bytes and the same
   * idempotency key, so a retry never creates a second execution. Fails with `InvalidRequest` before the first attempt
   * if a field is missing or has no exact JSON form. API page "Creating executions".
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
  readonly create: (
    request: Execution.CreateRequest,
    options?: CreateOptions
  ) => Effect.Effect<Execution.Execution, RequestFailure>
  /**
   * Returns the latest state of an execution. Also succeeds if the execution is FAILED. API page "Polling".
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
   * has not ended or its output is not available yet. Fails with the tagged error of the error code if the execution is
   * FAILED. Fails with `ExecutionCancelled` or `ExecutionExpired` for the other terminal statuses. API page "Polling".
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
  readonly result: (id: Execution.ExecutionId) => Effect.Effect<Execution.Completed, ResultFailure>
  /**
   * Cancels an execution and returns its latest state. Succeeds if the execution had already ended. Fails with the
   * error of the API if the execution continues. API page "Executions overview".
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
   * Records an update from another source, such as a webhook, and resumes the waits for that execution. Only the waits
   * in this client are resumed. `Webhook.notifyClient` calls this method with each event. If there is no wait, the
   * client keeps the latest update for the next wait. The client keeps the updates of the last 1000 executions.
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
   * Returns a stream that emits the execution after each change of status. The stream ends after a terminal status,
   * including FAILED. Fails with `AwaitTimeout` after `timeout`. Fails with the poll error
   * after a non-transient poll failure.
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
  readonly watch: (
    id: Execution.ExecutionId,
    options?: WatchOptions
  ) => Stream.Stream<Execution.Execution, RequestFailure | AwaitTimeout>
  /**
   * Waits until an execution has ended and returns its result. The wait continues if the output of a COMPLETED
   * execution is not available yet. By default, the first poll starts after 2 seconds. Each further delay is 1.5 times
   * as long, up to 15 seconds.
   *
   * A transient poll failure does not end the wait. Transient failures are retryable errors and responses that are not
   * from the API. A 404 is transient in the first minute after this client has created the execution.
   *
   * Fails with the tagged error of the error code if the execution is FAILED. Fails with `ExecutionCancelled` or
   * `ExecutionExpired` for the other terminal statuses. Fails with `AwaitTimeout` after `timeout`. API page "Polling".
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
  readonly await: (
    id: Execution.ExecutionId,
    options?: AwaitOptions
  ) => Effect.Effect<Execution.Completed, AwaitFailure>
  /**
   * Submits an execution and waits for its result. Runs `create`, then `onAccepted`, then `await`. Fails with the
   * errors of all three steps.
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
  readonly run: <E = never>(
    request: Execution.CreateRequest,
    options?: RunOptions<E>
  ) => Effect.Effect<Execution.Completed, AwaitFailure | E>
}
