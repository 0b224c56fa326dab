/**
 * Policies for the retries of failed requests. A policy is a `Schedule` over `ModelRouteError`. Policies distinguish
 * two kinds of retryable errors, rate limits and transient failures. A rate limit is a `RateLimited`, or an `UnrecognizedError`
 * with status 429. Every other retryable error is a transient failure. The standard policy has separate numbers of
 * retries for transient failures and for rate limits.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleInterval from "effect/ScheduleInterval"
import { checkAll, checksOf, orThrow } from "./internal/errors/optionChecks.js"
import { backoffDelayMillis } from "./internal/retry/backoff.js"
import { CurrentPolicy } from "./internal/retry/currentPolicy.js"
import { requestedWaitMillis } from "./internal/retry/rateLimitHeaders.js"
import { CurrentRetryFilter } from "./internal/retry/currentRetryFilter.js"
import {
  type BackoffRule,
  nextRetry,
  noRetries,
  type RateLimitRule,
  type Retry,
  retryDelayMillis,
  type RetryRules
} from "./internal/retry/retryRules.js"
import type { ModelRouteError } from "./ModelRouteError.js"

/**
 * A schedule whose input is the latest error and whose delay precedes the next attempt. When the schedule ends, the
 * call fails with the latest error. Every schedule over `ModelRouteError` is a policy, so all combinators of `Schedule`
 * work with policies.
 *
 * @example
 * ```ts
 * import { Schedule } from "effect"
 * import { RetryPolicy } from "effect-modelroute"
 *
 * // At most 10 retries of any kind.
 * export const policy: RetryPolicy.RetryPolicy = RetryPolicy.standard.pipe(Schedule.intersect(Schedule.recurs(10)))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicy extends Schedule.Schedule<unknown, ModelRouteError> {}

/**
 * Options of `backoff`.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackoffOptions {
  /** The delay before the first retry. Each later delay is twice the previous delay. Default: 1 second. */
  readonly base?: Duration.DurationInput | undefined
  /** The maximum delay before a retry. Default: 30 seconds. */
  readonly cap?: Duration.DurationInput | undefined
  /** The maximum number of retries after transient failures. Default: 3. */
  readonly times?: number | undefined
  /**
   * Shortens each delay by a random amount, so that clients do not retry simultaneously. With `"equal"`, a delay is 50
   * to 100 % of the full delay. With `"full"`, a delay is 0 to 100 % of the full delay. The random numbers come from
   * Effect's `Random`. Default: `"none"`, no change.
   */
  readonly jitter?: "none" | "equal" | "full" | undefined
}

/**
 * Options of `rateLimit`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimitOptions {
  /**
   * The minimum delay before a retry. If the response contains no usable reset, also the first delay. Default: 1
   * second.
   */
  readonly minDelay?: Duration.DurationInput | undefined
  /**
   * The maximum wait for the rate limit. If a wait would be longer, the call fails immediately with `RateLimited`. The
   * `retryAfter` of the error is the expected wait.
   *
   * An explicit value limits both the wait until each reset and the total wait in the queue of the gate. Default: 2
   * minutes until each reset. By default, the total wait in the queue has no limit.
   */
  readonly maxWait?: Duration.DurationInput | undefined
  /** The maximum number of retries after rate limits. Default: 5. */
  readonly times?: number | undefined
}

/**
 * Options of `make`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The options for the retries after transient failures. `false` disables these retries. Default: the defaults of `backoff`. */
  readonly backoff?: BackoffOptions | false | undefined
  /**
   * The options for the retries after rate limits. `false` disables these retries. Default: the defaults of `rateLimit`.
   */
  readonly rateLimit?: RateLimitOptions | false | undefined
}

const checkBackoff = checksOf("RetryPolicy.backoff")
const checkRateLimit = checksOf("RetryPolicy.rateLimit")

const makeBackoffRule = (options: BackoffOptions = {}): BackoffRule => {
  const { base = "1 second", cap = "30 seconds", jitter = "none", times = 3 } = options
  orThrow(
    checkAll([
      checkBackoff.wholeNumber("times", times, 0),
      checkBackoff.oneOf("jitter", jitter, ["none", "equal", "full"])
    ])
  )
  return {
    baseMillis: orThrow(checkBackoff.duration("base", base, "above zero")),
    capMillis: orThrow(checkBackoff.duration("cap", cap, "above zero")),
    jitter,
    times
  }
}

const makeRateLimitRule = (options: RateLimitOptions = {}): RateLimitRule => {
  const { maxWait, minDelay, times = 5 } = options
  orThrow(checkRateLimit.wholeNumber("times", times, 0))
  return {
    minDelayMillis: orThrow(checkRateLimit.duration("minDelay", minDelay ?? "1 second", "above zero")),
    maxWaitMillis: orThrow(checkRateLimit.duration("maxWait", maxWait ?? "2 minutes", "zero")),
    limitsQueueWait: maxWait !== undefined,
    times
  }
}

const drawRandom = ({ jitter }: Retry): Effect.Effect<number> => (jitter === "none" ? Effect.succeed(1) : Random.next)

const toSchedule = (rules: RetryRules): RetryPolicy =>
  Schedule.makeWithState(noRetries, (now, error: ModelRouteError, counts) =>
    Effect.gen(function* () {
      const isRetried = yield* CurrentRetryFilter
      // Dates in headers are compared with the wall clock. The `now` of a schedule can differ from the wall clock.
      const wallClock = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const retry = isRetried(error) ? nextRetry(rules, counts, error, wallClock) : undefined
      if (retry === undefined) return [counts, counts, ScheduleDecision.done] as const
      const millis = retryDelayMillis(retry, yield* drawRandom(retry))
      return [retry.counts, retry.counts, ScheduleDecision.continueWith(ScheduleInterval.after(now + millis))] as const
    })
  )

/**
 * Returns the backoff delay before retry `n`. The first retry has `n = 0`. The delay is `min(base · 2^n, cap)`. The
 * default delays are 1, 2, 4, 8, 16, 30, 30 … seconds. Throws `InvalidRequest` if an option is invalid. See the API
 * page "Errors overview".
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-modelroute"
 *
 * // 1, 2, 4 and 8 seconds.
 * export const delays = [0, 1, 2, 3].map((n) => RetryPolicy.backoffDelay(n))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const backoffDelay = (n: number, options: Pick<BackoffOptions, "base" | "cap"> = {}): Duration.Duration => {
  const { baseMillis, capMillis } = makeBackoffRule(options)
  return Duration.millis(backoffDelayMillis(n, baseMillis, capMillis))
}

/**
 * Returns the delay until a rate-limited request can be sent again, from the headers of its response. Returns `None` if
 * no header contains a valid delay above zero. A `Retry-After` above zero has precedence over `X-RateLimit-Reset`. The
 * delay until the reset is measured from the `Date` header. Without a `Date` header, the delay is measured from `now`.
 *
 * `now` is the arrival time of the response in epoch milliseconds. The names of the headers must be in lower case. See
 * the API pages "Authentication" and "Polling".
 *
 * @example
 * ```ts
 * import { Clock, Effect } from "effect"
 * import { RetryPolicy } from "effect-modelroute"
 *
 * export const program = Effect.map(Clock.currentTimeMillis, (now) =>
 *   RetryPolicy.rateLimitDelay({ "retry-after": "5" }, now)
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const rateLimitDelay = (
  headers: { readonly [name: string]: string | undefined },
  now: number
): Option.Option<Duration.Duration> =>
  Option.map(Option.fromNullable(requestedWaitMillis(headers, now)), Duration.millis)

/**
 * Creates a policy that retries only transient failures, with exponential backoff. The default delays are 1, 2 and 4 seconds. The
 * delays are exact unless the option `jitter` shortens the delays. A `Retry-After` header sets the minimum delay, up to
 * `cap`. Throws `InvalidRequest` if an option is invalid.
 *
 * The policy does not retry rate limits. Requests therefore do not wait in the queue of the rate limit gate, but fail
 * with `RateLimited`.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-modelroute"
 *
 * // At most 5 retries, with at most 10 seconds between two attempts.
 * export const policy = RetryPolicy.backoff({ cap: "10 seconds", times: 5, jitter: "full" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const backoff = (options: BackoffOptions = {}): RetryPolicy => toSchedule({ backoff: makeBackoffRule(options) })

/**
 * Creates a policy that retries only rate limits. Waits until the reset in the response headers, but at least 1 second.
 * If the headers contain no usable reset, the delays are 1, 2, 4 … 30 seconds. If the wait for a reset would exceed 2
 * minutes, the call fails immediately with `RateLimited`. Throws `InvalidRequest` if an option is invalid.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-modelroute"
 *
 * // For a request of an interactive user.
 * export const policy = RetryPolicy.rateLimit({ maxWait: "10 seconds", times: 2 })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const rateLimit = (options: RateLimitOptions = {}): RetryPolicy =>
  toSchedule({ rateLimit: makeRateLimitRule(options) })

/**
 * A policy without retries. A request that would have to wait for the rate limit fails with `RateLimited` and 0
 * `attempts`.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { ModelRouteClient, RetryPolicy } from "effect-modelroute"
 *
 * export const options: ModelRouteClient.Options = { apiKey: Redacted.make("my-api-key"), retry: RetryPolicy.none }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: RetryPolicy = Schedule.stop

/**
 * Creates a policy that retries transient failures and rate limits. A retry after a transient failure does not reduce
 * the number of possible retries after rate limits, and vice versa. Throws `InvalidRequest` if an option is invalid.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-modelroute"
 *
 * // Retries transient failures up to 5 times, but no rate limits.
 * export const policy = RetryPolicy.make({ backoff: { times: 5 }, rateLimit: false })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): RetryPolicy =>
  toSchedule({
    ...(options.rateLimit === false ? {} : { rateLimit: makeRateLimitRule(options.rateLimit) }),
    ...(options.backoff === false ? {} : { backoff: makeBackoffRule(options.backoff) })
  })

/**
 * The default policy. Retries transient failures up to 3 times, after 1, 2 and 4 seconds. Retries rate limits up to 5 times. The
 * wait for each reset is at most 2 minutes.
 *
 * @example
 * ```ts
 * import { Schedule } from "effect"
 * import { RetryPolicy } from "effect-modelroute"
 *
 * // The default policy. The retries end after 1 minute.
 * export const policy = RetryPolicy.standard.pipe(Schedule.upTo("1 minute"))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const standard: RetryPolicy = make()

/**
 * Sets the retry policy of every call inside an effect. This policy replaces the policy of the client. The client's
 * option `retryWhile` still applies.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Execution, ModelRouteClient, RetryPolicy } from "effect-modelroute"
 *
 * export const program = Effect.gen(function* () {
 *   const client = yield* ModelRouteClient.ModelRouteClient
 *   return yield* client.executions.get(Execution.ExecutionId.make("exec_1"))
 * }).pipe(RetryPolicy.withPolicy(RetryPolicy.none))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withPolicy: {
  (policy: RetryPolicy): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, policy: RetryPolicy): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, policy: RetryPolicy): Effect.Effect<A, E, R> =>
  Effect.provideService(self, CurrentPolicy, Option.some(policy))
)
