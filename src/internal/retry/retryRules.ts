/**
 * Determines the delay of each retry, and whether the retries have reached their limit. `http/retryLoop.ts` decides
 * which errors are retried. All functions are pure.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { ModelRouteError } from "../../ModelRouteError.js"
import { isRateLimit } from "../errors/semantics.js"
import { applyJitter, backoffDelayMillis, type Jitter, rateLimitDelayMillis } from "./backoff.js"

/** @internal The rule for retries of errors other than rate limits. */
export interface BackoffRule {
  readonly baseMillis: number
  readonly capMillis: number
  readonly jitter: Jitter
  readonly times: number
}

/** @internal The rule for retries of rate limit errors. */
export interface RateLimitRule {
  readonly minDelayMillis: number
  readonly maxWaitMillis: number
  /**
   * If `true`, `maxWaitMillis` limits the whole wait in the queue of the gate. If `false`, `maxWaitMillis` limits only
   * the wait until the next reset, and a request can wait for several resets.
   */
  readonly limitsQueueWait: boolean
  readonly times: number
}

/** @internal The retry rules of a policy. An error without a rule is not retried. */
export interface RetryRules {
  readonly backoff?: BackoffRule
  readonly rateLimit?: RateLimitRule
}

/** @internal The number of retries under each rule. Each rule has a separate budget. */
export interface RetryCounts {
  readonly backoff: number
  readonly rateLimit: number
}

/** @internal The counts of a call without retries. */
export const noRetries: RetryCounts = { backoff: 0, rateLimit: 0 }

/** @internal A retry that the rules allow. */
export interface Retry {
  /** The number of retries under each rule, including this retry. */
  readonly counts: RetryCounts
  /** Delay before jitter, in milliseconds. */
  readonly delayMillis: number
  /** Minimum delay after jitter, in milliseconds. */
  readonly minDelayMillis: number
  readonly jitter: Jitter
}

const retryAfterMillis = (error: ModelRouteError): number | undefined =>
  "retryAfter" in error && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : undefined

const backoffRetry = (rule: BackoffRule, counts: RetryCounts, error: ModelRouteError): Retry => ({
  counts: { ...counts, backoff: counts.backoff + 1 },
  delayMillis: backoffDelayMillis(counts.backoff, rule.baseMillis, rule.capMillis),
  minDelayMillis: Math.min(retryAfterMillis(error) ?? 0, rule.capMillis),
  jitter: rule.jitter
})

const rateLimitRetry = (
  rule: RateLimitRule,
  counts: RetryCounts,
  error: ModelRouteError,
  now: number
): Retry | undefined => {
  const retryAfter = retryAfterMillis(error)
  const resetAt = "resetAt" in error ? error.resetAt : undefined
  const requested = resetAt === undefined ? retryAfter : DateTime.toEpochMillis(resetAt) - now
  const delayMillis = rateLimitDelayMillis(counts.rateLimit, requested, rule.minDelayMillis)
  // If the gate did not admit the request, `retryAfter` is the wait in the queue of the gate. This wait can include
  // several resets, so its length is compared with the limit as well.
  const queueWaitMillis = rule.limitsQueueWait ? (retryAfter ?? 0) : 0
  if (Math.max(delayMillis, queueWaitMillis) > rule.maxWaitMillis) return undefined
  return {
    counts: { ...counts, rateLimit: counts.rateLimit + 1 },
    delayMillis,
    minDelayMillis: 0,
    jitter: "none"
  }
}

/** @internal Returns the next retry, or `undefined` if the rules allow no retry. `now` is in epoch milliseconds. */
export const nextRetry = (
  { backoff, rateLimit }: RetryRules,
  counts: RetryCounts,
  error: ModelRouteError,
  now: number
): Retry | undefined => {
  if (isRateLimit(error)) {
    return rateLimit !== undefined && counts.rateLimit < rateLimit.times
      ? rateLimitRetry(rateLimit, counts, error, now)
      : undefined
  }
  return backoff !== undefined && counts.backoff < backoff.times ? backoffRetry(backoff, counts, error) : undefined
}

/** @internal Returns the delay before a retry in milliseconds. `random` is from 0 (inclusive) to 1 (exclusive). */
export const retryDelayMillis = ({ delayMillis, jitter, minDelayMillis }: Retry, random: number): number =>
  Math.max(applyJitter(delayMillis, jitter, random), minDelayMillis)
