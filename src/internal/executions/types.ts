/**
 * The methods on executions and their options.
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
 * Options of a create.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateOptions {
  /** In place of a key from the service: to take up a create whose outcome is not known. */
  readonly idempotencyKey?: string | undefined
}

/**
 * How long and how often to look at an execution.
 *
 * @since 0.1.0
 * @category models
 */
export interface WatchOptions {
  /**
   * How long to wait at most. Default: until 30 seconds after the execution's `expiresAt` (at most 24 hours), without one 10
   * minutes.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * When to look; fed with the execution as last seen. Default: the client's own. Where the rate limit is nearly used
   * up the intervals are at least twice as long; what another fiber has seen of the same execution meanwhile counts as a look.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  /**
   * Whether the first look comes at once, not after the schedule's first delay: for an execution that may have ended meanwhile, as
   * after a restart. Default false.
   */
  readonly pollImmediately?: boolean | undefined
}

/**
 * Options of a wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface AwaitOptions extends WatchOptions {
  /**
   * Whether to cancel the execution when the waiting fiber is interrupted, which takes at most 10 seconds; a cancel that the
   * rate limit holds up goes on for at most 5 minutes. `timeout` cancels nothing. Default false.
   */
  readonly cancelOnInterrupt?: boolean | undefined
}

/**
 * Options of a create and of the wait for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions<E = never> extends CreateOptions, AwaitOptions {
  /**
   * Run once the create is accepted, with the execution as its answer shows it, before the wait for it begins: to write its id
   * down. If it fails, `run` fails with that; the execution goes on. Default: nothing.
   */
  readonly onAccepted?: ((execution: Execution.Execution) => Effect.Effect<void, E>) | undefined
}

/**
 * The methods on executions. None has a requirement; each lists its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Executions {
  /**
   * Submits an execution, under one idempotency key and with the same bytes on every attempt. API page "Creating
   * executions".
   */
  readonly create: (
    request: Execution.CreateRequest,
    options?: CreateOptions
  ) => Effect.Effect<Execution.Execution, RequestFailure>
  /** The execution as it is now. API page "Polling". */
  readonly get: (id: Execution.ExecutionId) => Effect.Effect<Execution.Execution, RequestFailure>
  /**
   * Returns the result of an execution that has ended, without waiting. Fails with `ExecutionNotReady` if it has not ended or the
   * API has no output yet, and with the tagged error of its code if it is FAILED.
   */
  readonly result: (id: Execution.ExecutionId) => Effect.Effect<Execution.Completed, ResultFailure>
  /** Cancels an execution and gives it as it then is; one that has ended already is no failure. */
  readonly cancel: (id: Execution.ExecutionId) => Effect.Effect<Execution.Execution, RequestFailure>
  /**
   * Takes note of an execution as something other than a request has shown it, and wakes whoever waits for it in this client.
   * `Webhook.notifyClient` calls it with what webhooks bring.
   */
  readonly notify: (execution: Execution.Execution) => Effect.Effect<void>
  /** One element per change of status, the terminal one last: a FAILED execution is an element, not a failure. */
  readonly watch: (
    id: Execution.ExecutionId,
    options?: WatchOptions
  ) => Stream.Stream<Execution.Execution, RequestFailure | AwaitTimeout>
  /**
   * Waits until the execution has ended. Looks first after 2 seconds, then at growing intervals of up to 15 seconds. A look
   * that fails with what may pass is not the end of the wait. A FAILED execution fails with the tagged error of its code.
   */
  readonly await: (
    id: Execution.ExecutionId,
    options?: AwaitOptions
  ) => Effect.Effect<Execution.Completed, AwaitFailure>
  /** Submits and waits: `create` and `await` in one. */
  readonly run: <E = never>(
    request: Execution.CreateRequest,
    options?: RunOptions<E>
  ) => Effect.Effect<Execution.Completed, AwaitFailure | E>
}
