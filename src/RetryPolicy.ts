/**
 * When a failed request is sent again: two schedules with separate budgets, one for faults, one for the rate limit.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleInterval from "effect/ScheduleInterval"
import { CurrentPolicy } from "./internal/retry/currentPolicy.js"
import * as delays from "./internal/retry/backoff.js"
import { requestedWaitMillis } from "./internal/retry/rateLimitHeaders.js"
import { all, checksOf, orThrow } from "./internal/errors/optionChecks.js"
import { CurrentRetryFilter } from "./internal/retry/retryFilter.js"
import { isRateLimit } from "./internal/errors/semantics.js"
import type { ModelRouteError } from "./ModelRouteError.js"

/**
 * A schedule that is fed with each failure and says how long to wait before the next attempt, or that there is none. Any
 * schedule over `ModelRouteError` is one, so `Schedule.intersect(Schedule.recurs(10))` and friends work on it.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicy extends Schedule.Schedule<unknown, ModelRouteError> {}

/**
 * How `backoff` waits.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackoffOptions {
  /** The wait before the first retry; each next one is twice as long. Default 1 second. */
  readonly base?: Duration.DurationInput | undefined
  /** No wait is longer. Default 30 seconds. */
  readonly cap?: Duration.DurationInput | undefined
  /** Retries, not attempts. Default 3. */
  readonly times?: number | undefined
  /**
   * Shortens each wait by chance (Effect's `Random`), so that many clients do not come back at once: `"equal"` to between
   * half and all of it, `"full"` to between nothing and all of it. Default `"none"`.
   */
  readonly jitter?: "none" | "equal" | "full" | undefined
}

/**
 * How `rateLimit` waits.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimitOptions {
  /** No wait is shorter, and the ladder for answers without a usable reset begins here. Default 1 second. */
  readonly minDelay?: Duration.DurationInput | undefined
  /**
   * A longer wait is not begun: the call fails at once with `RateLimited`, which says how long. Default 2 minutes for each
   * reset, and no bound on how many of them a request waits for in the gate's queue; given here, it bounds that whole wait.
   */
  readonly maxWait?: Duration.DurationInput | undefined
  /** Retries, not attempts. Default 5. */
  readonly times?: number | undefined
}

const check = checksOf("RetryPolicy.backoff")
const checkLimit = checksOf("RetryPolicy.rateLimit")

const backoffOptions = (options: BackoffOptions) => {
  const { base = "1 second", cap = defaultCap, jitter = "none", times = 3 } = options
  orThrow(all([check.wholeNumber("times", times, 0), check.oneOf("jitter", jitter, ["none", "equal", "full"])]))
  return {
    baseMillis: orThrow(check.duration("base", base, "above zero")),
    capMillis: orThrow(check.duration("cap", cap, "above zero")),
    jitter,
    times
  }
}

/** A schedule of at most `times` recurrences for the errors that the call retries. `delay` returns `undefined` to end it. */
const counted = (
  times: number,
  delay: (n: number, error: ModelRouteError) => Effect.Effect<number | undefined>
): RetryPolicy =>
  Schedule.makeWithState(0, (now, error: ModelRouteError, n) =>
    Effect.flatMap(CurrentRetryFilter, (isRetried) =>
      Effect.map(n < times && isRetried(error) ? delay(n, error) : Effect.succeed(undefined), (millis) =>
        millis === undefined
          ? [n, n, ScheduleDecision.done]
          : [n + 1, n, ScheduleDecision.continueWith(ScheduleInterval.after(now + millis))]
      )
    )
  )

const defaultCap = "30 seconds"

/**
 * The delay before retry `n`, counted from 0: `min(base · 2^n, cap)`, by default 1, 2, 4, 8, 16, 30, 30 … seconds. The rule
 * of the API page "Errors overview", without a schedule around it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const backoffDelay = (n: number, options: Pick<BackoffOptions, "base" | "cap"> = {}): Duration.Duration => {
  const { baseMillis, capMillis } = backoffOptions(options)
  return Duration.millis(delays.backoffDelayMillis(n, baseMillis, capMillis))
}

/**
 * The delay that the headers of an answer ask for: `Retry-After` where it is above zero, else `X-RateLimit-Reset` minus the
 * server's clock (its `Date` header; without one the local clock, `now` in epoch milliseconds). `None` where they ask for
 * nothing sensible: missing, garbage, zero or past. Header names in lower case.
 *
 * @since 0.1.0
 * @category combinators
 */
export const rateLimitDelay = (
  headers: { readonly [name: string]: string | undefined },
  now: number
): Option.Option<Duration.Duration> =>
  Option.map(Option.fromNullable(requestedWaitMillis(headers, now)), Duration.millis)

/** How long `Retry-After` asks to wait, in milliseconds, on an error that is not a rate limit. */
const retryAfterOf = (error: ModelRouteError): number =>
  "retryAfter" in error && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : 0

/**
 * Exponential backoff for faults: retries every retryable error except rate limits, by default after 1, 2 and 4 seconds.
 * The delays are exact unless `jitter` shortens them. A `Retry-After` in the response is a lower bound of the delay, up to
 * `cap`. Throws an `InvalidRequest` that names the option if one cannot work.
 *
 * @since 0.1.0
 * @category constructors
 */
export const backoff = (options: BackoffOptions = {}): RetryPolicy => {
  const { baseMillis, capMillis, jitter, times } = backoffOptions(options)
  return counted(times, (n, error) => {
    if (isRateLimit(error)) return Effect.succeed(undefined)
    const delay = delays.backoffDelayMillis(n, baseMillis, capMillis)
    const least = Math.min(retryAfterOf(error), capMillis)
    return jitter === "none"
      ? Effect.succeed(Math.max(delay, least))
      : Effect.map(Random.next, (random) => Math.max(delays.applyJitter(delay, jitter, random), least))
  })
}

/**
 * Waits for the reset of the rate limit, and retries nothing else: until the moment that the headers named, at least 1
 * second; where they named none, 1, 2, 4 … 30 seconds. A wait of more than 2 minutes is not begun: the call fails at once.
 * Throws an `InvalidRequest` that names the option if one cannot work.
 *
 * @since 0.1.0
 * @category constructors
 */
export const rateLimit = (options: RateLimitOptions = {}): RetryPolicy => {
  const { times = 5 } = options
  orThrow(checkLimit.wholeNumber("times", times, 0))
  const minimum = orThrow(checkLimit.duration("minDelay", options.minDelay ?? "1 second", "above zero"))
  const maxWait = orThrow(checkLimit.duration("maxWait", options.maxWait ?? "2 minutes", "zero"))
  return counted(times, (n, error) => {
    if (!isRateLimit(error)) return Effect.succeed(undefined)
    return Effect.map(Clock.currentTimeMillis, (now) => {
      const asked =
        error.resetAt !== undefined
          ? DateTime.toEpochMillis(error.resetAt) - now
          : error.retryAfter && Duration.toMillis(error.retryAfter)
      const millis = delays.rateLimitDelayMillis(n, asked, minimum)
      // Of a request in the gate's queue `retryAfter` is the whole wait, which can go on beyond the next reset.
      const whole =
        options.maxWait === undefined || error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)
      return Math.max(millis, whole) > maxWait ? undefined : millis
    })
  })
}

/** Steps only the side that an error belongs to, so that neither uses up the other's retries nor moves its ladder. */
const separately = (limits: RetryPolicy, faults: RetryPolicy): RetryPolicy =>
  Schedule.makeWithState([limits.initial, faults.initial] as const, (now, error: ModelRouteError, [limit, fault]) =>
    isRateLimit(error)
      ? Effect.map(limits.step(now, error, limit), ([next, out, decision]) => [[next, fault], out, decision])
      : Effect.map(faults.step(now, error, fault), ([next, out, decision]) => [[limit, next], out, decision])
  )

/**
 * No retries.
 *
 * @since 0.1.0
 * @category constructors
 */
export const none: RetryPolicy = Schedule.stop

/**
 * Both schedules, each with a budget of its own; `false` leaves one out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: {
    readonly backoff?: BackoffOptions | false | undefined
    readonly rateLimit?: RateLimitOptions | false | undefined
  } = {}
): RetryPolicy =>
  separately(
    options.rateLimit === false ? none : rateLimit(options.rateLimit),
    options.backoff === false ? none : backoff(options.backoff)
  )

/**
 * The default: up to 3 retries of faults after 1, 2 and 4 seconds, and up to 5 waits for the rate limit, each of at most 2
 * minutes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const standard: RetryPolicy = make()

/**
 * Gives every call inside one effect this policy, in place of the one from the client's options.
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
