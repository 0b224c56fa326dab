/**
 * Declares the options of the methods of `client.executions`.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Execution from "../../Execution.js"
import type { Model } from "../typedModels/types.js"

/**
 * Options of `create`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateOptions {
  /**
   * Idempotency key of the create request. The API creates at most one execution per key. To resume the submission of
   * an earlier request, pass the key of that request. After a FAILED execution, use a new key, because the API may
   * return the failed execution for the old key. Default: a new key from the `IdempotencyKey` service.
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
   * Maximum duration of the wait. After this time, the wait fails with `AwaitTimeout`, but the execution continues. The
   * wait never fails with `AwaitTimeout` before its first poll. If a poll is running when the `timeout` elapses, the
   * wait may take 30 more seconds. Without this option, the wait ends 30 seconds after the execution's `expiresAt`, but
   * after at most 24 hours. If the execution has no `expiresAt`, the default is 10 minutes.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * Schedule of the polls. The input of the schedule is the latest state of the execution. If few requests are left
   * under the rate limit, each delay is at least doubled. In this case, `executions.run` also delays its first poll
   * until the estimated end of the execution. If another fiber of the client polls the same execution during a delay,
   * the wait uses that response. The next poll of the wait is then skipped. Default: the `pollSchedule` of the client.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  /**
   * Polls immediately instead of after the first delay of the schedule. Use this option for an execution that may have
   * ended, for example after a restart. Default: `false`.
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
   * Cancels the execution if the waiting fiber is interrupted. The interruption waits at most 10 seconds for the cancel
   * request. After this time, the cancel request continues in the background for at most 5 minutes. If the cancel
   * request fails, the client logs a warning. `AwaitTimeout` does not cancel the execution. Default: `false`.
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
   * Returns an effect that runs after the API has accepted the create request and before the wait begins. For example,
   * the effect can store the id. The argument is the execution in the create response. If the effect fails, `run` fails
   * with the same error and the execution continues. Default: no effect.
   */
  readonly onAccepted?: ((execution: Execution.Execution) => Effect.Effect<void, E>) | undefined
}

/**
 * Option of `await`, `result` and `watch` for a typed model.
 *
 * @since 0.1.0
 * @category models
 */
export interface ModelOption<out Out> {
  /**
   * The model of the execution. If this option is set, the output is decoded with the output schema of the model.
   * Otherwise, the output is not decoded.
   */
  readonly model: Model<never, Out, unknown>
}
