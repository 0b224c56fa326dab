/** Tests the retry rules with fixed times and random numbers. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration } from "effect"
import { ModelRouteError } from "effect-modelroute"
import { nextRetry, noRetries, retryDelayMillis, type RetryRules } from "../../src/internal/retry/retryRules.js"

const rules: RetryRules = {
  backoff: { baseMillis: 1000, capMillis: 30_000, jitter: "none", times: 2 },
  rateLimit: { minDelayMillis: 1000, maxWaitMillis: 60_000, limitsQueueWait: false, times: 1 }
}
const fault = new ModelRouteError.ModelOverloaded({})
const rateLimit = new ModelRouteError.RateLimited({ resetAt: DateTime.unsafeMake(5000) })

/** Returns the delay and the counts of the next retry. */
const next = (error: ModelRouteError.ModelRouteError, counts = noRetries, now = 0) => {
  const retry = nextRetry(rules, counts, error, now)
  return retry && [retryDelayMillis(retry, 0.5), retry.counts]
}

describe("nextRetry", () => {
  it("doubles the delay after each ModelOverloaded error until no retry is left", () => {
    assert.deepStrictEqual(next(fault), [1000, { backoff: 1, rateLimit: 0 }])
    assert.deepStrictEqual(next(fault, { backoff: 1, rateLimit: 1 }), [2000, { backoff: 2, rateLimit: 1 }])
    assert.isUndefined(next(fault, { backoff: 2, rateLimit: 0 }))
  })

  it("counts retries after RateLimited separately from retries after other errors", () => {
    assert.deepStrictEqual(next(rateLimit), [5000, { backoff: 0, rateLimit: 1 }])
    assert.deepStrictEqual(next(rateLimit, { backoff: 2, rateLimit: 0 }, 4900), [1000, { backoff: 2, rateLimit: 1 }])
    assert.isUndefined(next(rateLimit, { backoff: 0, rateLimit: 1 }))
  })

  it("returns undefined if the rate limit resets after more than maxWaitMillis", () => {
    assert.isUndefined(next(rateLimit, noRetries, -60_000))
  })

  it("returns undefined if the rules are empty", () => {
    assert.isUndefined(nextRetry({}, noRetries, fault, 0))
    assert.isUndefined(nextRetry({}, noRetries, rateLimit, 0))
  })

  it("limits the whole wait in the rate limit queue to maxWaitMillis if limitsQueueWait is true", () => {
    const queued = new ModelRouteError.RateLimited({
      retryAfter: Duration.minutes(2),
      resetAt: DateTime.unsafeMake(5000)
    })
    assert.isDefined(next(queued))
    const strict: RetryRules = {
      rateLimit: { minDelayMillis: 1000, maxWaitMillis: 60_000, limitsQueueWait: true, times: 1 }
    }
    assert.isUndefined(nextRetry(strict, noRetries, queued, 0))
  })
})

describe("retryDelayMillis", () => {
  it("shortens the delay according to the kind of jitter", () => {
    const retry = { counts: noRetries, delayMillis: 8000, minDelayMillis: 3000 }
    assert.strictEqual(retryDelayMillis({ ...retry, jitter: "none" }, 0.5), 8000)
    assert.strictEqual(retryDelayMillis({ ...retry, jitter: "equal" }, 0.5), 6000)
    assert.strictEqual(retryDelayMillis({ ...retry, jitter: "full" }, 0.5), 4000)
    assert.strictEqual(retryDelayMillis({ ...retry, jitter: "full" }, 0), 3000)
  })
})
