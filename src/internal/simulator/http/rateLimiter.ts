/**
 * Limits the rate of API requests. All times are in epoch milliseconds on the server's clock.
 *
 * @internal
 */

/** @internal The values of the three rate limit headers. */
export interface RateLimitState {
  readonly limit: number
  readonly remaining: number
  /** The time of the reset, in epoch milliseconds. */
  readonly reset: number
}

/** @internal */
export interface RateLimiter {
  /** Counts the request and returns `true`. Returns `false` without counting the request if the limit is reached. */
  readonly tryAcquire: (now: number) => boolean
  /** Returns the state at `now`, or `undefined` if there is no limit. */
  readonly state: (now: number) => RateLimitState | undefined
}

/**
 * Returns a limiter with fixed windows. Each window starts `offsetMillis` after a multiple of `windowMillis`.
 *
 * @internal
 */
export const fixedWindow = (limit: number, windowMillis: number, offsetMillis = 0): RateLimiter => {
  let current = Number.NaN
  let used = 0
  const openWindow = (now: number) => {
    const window = Math.floor((now - offsetMillis) / windowMillis)
    if (window !== current) {
      current = window
      used = 0
    }
  }
  return {
    tryAcquire: (now) => {
      openWindow(now)
      if (used >= limit) return false
      used++
      return true
    },
    state: (now) => {
      openWindow(now)
      return { limit, remaining: limit - used, reset: (current + 1) * windowMillis + offsetMillis }
    }
  }
}

/**
 * Returns a limiter that accepts at most `limit` requests in any period of `windowMillis`. The reset is `windowMillis`
 * after the oldest request that still counts.
 *
 * @internal
 */
export const slidingWindow = (limit: number, windowMillis: number): RateLimiter => {
  const acceptedAt: Array<number> = []
  const removeOld = (now: number) => {
    while (acceptedAt[0] !== undefined && acceptedAt[0] <= now - windowMillis) acceptedAt.shift()
  }
  return {
    tryAcquire: (now) => {
      removeOld(now)
      if (acceptedAt.length >= limit) return false
      acceptedAt.push(now)
      return true
    },
    state: (now) => {
      removeOld(now)
      const oldest = acceptedAt[0] ?? now - windowMillis
      return { limit, remaining: limit - acceptedAt.length, reset: oldest + windowMillis }
    }
  }
}

/**
 * Returns a limiter with a bucket of `limit` tokens. An empty bucket refills in `windowMillis`. The reset is the time
 * when the bucket is full.
 *
 * @internal
 */
export const tokenBucket = (limit: number, windowMillis: number): RateLimiter => {
  let tokens = limit
  let refilledAt = Number.NEGATIVE_INFINITY
  const refill = (now: number) => {
    tokens = Math.min(limit, tokens + ((now - refilledAt) * limit) / windowMillis)
    refilledAt = now
  }
  return {
    tryAcquire: (now) => {
      refill(now)
      if (tokens < 1) return false
      tokens--
      return true
    },
    state: (now) => {
      refill(now)
      return { limit, remaining: Math.floor(tokens), reset: now + ((limit - tokens) * windowMillis) / limit }
    }
  }
}

/** @internal A limiter that accepts every request and adds no headers. */
export const unlimited: RateLimiter = { tryAcquire: () => true, state: () => undefined }

/**
 * Returns the three rate limit headers. `round` rounds the time of the reset to whole seconds. Default: up.
 *
 * @internal
 */
export const toHeaders = (
  state: RateLimitState | undefined,
  round: (seconds: number) => number = Math.ceil
): Readonly<Record<string, string>> =>
  state === undefined
    ? {}
    : {
        "x-ratelimit-limit": String(state.limit),
        "x-ratelimit-remaining": String(state.remaining),
        "x-ratelimit-reset": String(round(state.reset / 1000))
      }
