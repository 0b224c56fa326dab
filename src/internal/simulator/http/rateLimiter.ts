/**
 * The rate limit: how many requests come in, and what every answer says about it. All moments are epoch milliseconds on the
 * server's clock.
 *
 * @internal
 */

/** @internal What a limiter tells at one moment. */
export interface Standing {
  readonly limit: number
  readonly remaining: number
  /** When more is allowed again. */
  readonly reset: number
}

/** @internal */
export interface RateLimiter {
  /** Counts one request, unless it is one too many: refused requests do not count. */
  readonly admit: (now: number) => boolean
  readonly standing: (now: number) => Standing | undefined
}

/** @internal Windows that begin at whole multiples of their length, `offset` later. */
export const fixedWindow = (limit: number, length: number, offset = 0): RateLimiter => {
  let current = Number.NaN
  let used = 0
  const enter = (now: number) => {
    const window = Math.floor((now - offset) / length)
    if (window !== current) {
      current = window
      used = 0
    }
  }
  return {
    admit: (now) => {
      enter(now)
      if (used >= limit) return false
      used++
      return true
    },
    standing: (now) => {
      enter(now)
      return { limit, remaining: limit - used, reset: (current + 1) * length + offset }
    }
  }
}

/** @internal At most `limit` requests in any stretch of `length`; the reset is when the oldest of them leaves it. */
export const slidingWindow = (limit: number, length: number): RateLimiter => {
  const counted: Array<number> = []
  const leave = (now: number) => {
    while (counted[0] !== undefined && counted[0] <= now - length) counted.shift()
  }
  return {
    admit: (now) => {
      leave(now)
      if (counted.length >= limit) return false
      counted.push(now)
      return true
    },
    standing: (now) => {
      leave(now)
      return { limit, remaining: limit - counted.length, reset: (counted[0] ?? now - length) + length }
    }
  }
}

/** @internal A bucket of `limit` tokens that fills in `length`; the reset is when it is full. */
export const tokenBucket = (limit: number, length: number): RateLimiter => {
  let tokens = limit
  let filledAt = Number.NEGATIVE_INFINITY
  const fill = (now: number) => {
    tokens = Math.min(limit, tokens + ((now - filledAt) * limit) / length)
    filledAt = now
  }
  return {
    admit: (now) => {
      fill(now)
      if (tokens < 1) return false
      tokens--
      return true
    },
    standing: (now) => {
      fill(now)
      return { limit, remaining: Math.floor(tokens), reset: now + ((limit - tokens) * length) / limit }
    }
  }
}

/** @internal No limit, and no word about one. */
export const unlimited: RateLimiter = { admit: () => true, standing: () => undefined }

/** @internal The three headers, the reset in whole seconds. */
export const headers = (
  standing: Standing | undefined,
  round: (seconds: number) => number = Math.ceil
): Readonly<Record<string, string>> =>
  standing === undefined
    ? {}
    : {
        "x-ratelimit-limit": String(standing.limit),
        "x-ratelimit-remaining": String(standing.remaining),
        "x-ratelimit-reset": String(round(standing.reset / 1000))
      }
