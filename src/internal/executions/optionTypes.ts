/**
 * Declares the options of the methods of `client.executions`.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Execution from "../../Execution.js"
import type { Model } from "../models/types.js"

/**
 * Options of `create`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateOptions {
  /**
   * Idempotency key of the create request. Reuse the key of an earlier request to resume its submission. The API
   * creates at most one execution per key. After a FAILED execution, use a new key, because the API may return the
   * failed execution for the old key. Default: a new key from the `IdempotencyKey` service.
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
   * of the client. If few requests are left under the rate limit, each delay is at least doubled. A wait after a create
   * request then starts to poll at the expected end of the execution. A poll by another fiber for the same execution
   * replaces a poll of this wait.
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
   * Runs after the API has accepted the create request, before the wait begins. For example, this effect can store the
   * id. The argument is the execution in the create response. Default: no effect. If this effect fails, `run` fails
   * with the same error and the execution continues.
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
   * The model of the execution. The method decodes the output with the schema of the model. Without this option, the
   * method does not decode the output.
   */
  readonly model: Model<never, Out, unknown>
}
