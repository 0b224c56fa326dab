/**
 * The rate limit: so many requests in each fixed window, and windows that begin at whole multiples of their length.
 *
 * @internal
 */

/** @internal */
export interface RateWindow {
  /** Counts one request, unless the window is full. */
  readonly admit: (now: number) => boolean
  /** What an answer at this moment says about the window. */
  readonly headers: (now: number) => Readonly<Record<string, string>>
  /** Milliseconds until the next window. */
  readonly untilReset: (now: number) => number
}

/** @internal All moments are on the server's clock. */
export const make = (limit: number, length: number): RateWindow => {
  let current = NaN
  let used = 0
  const enter = (now: number) => {
    const window = Math.floor(now / length)
    if (window !== current) {
      current = window
      used = 0
    }
  }
  return {
    admit: (now) => {
      enter(now)
      if (used >= limit) {
        return false
      }
      used++
      return true
    },
    headers: (now) => {
      enter(now)
      return {
        "x-ratelimit-limit": String(limit),
        "x-ratelimit-remaining": String(limit - used),
        "x-ratelimit-reset": String(Math.ceil(((current + 1) * length) / 1000))
      }
    },
    untilReset: (now) => {
      enter(now)
      return (current + 1) * length - now
    }
  }
}

/** @internal No limit, and no word about one. */
export const unlimited: RateWindow = { admit: () => true, headers: () => ({}), untilReset: () => 0 }
