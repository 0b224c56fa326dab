/** Builds rate limit headers from values that a test specifies. */
import type { Moment, RateLimitInfo } from "../../src/internal/retry/rateLimitHeaders.js"
import { start } from "./harness.js"

/** Rate limit headers. All times are in milliseconds after `start`. */
export interface ReportedLimit {
  readonly limit?: number
  readonly remaining?: number
  readonly reset?: number
  /** Clock of the reset time. Default: `server`. */
  readonly clock?: Moment["clock"]
  readonly retryAfter?: number
  readonly date?: number
}

export const toRateLimitInfo = (reported: ReportedLimit): RateLimitInfo => {
  const { clock = "server", date, limit, remaining, reset, retryAfter } = reported
  return {
    date: date === undefined ? undefined : start + date,
    limit,
    remaining,
    reset: reset === undefined ? undefined : { clock, at: start + reset },
    retryAfter: retryAfter === undefined ? undefined : { clock: "local", at: start + retryAfter }
  }
}
