/**
 * Bounds for the difference between the server's clock and the local clock. Each response yields bounds of about a
 * second, because `Date` is rounded down to the second. The intersection over many responses is narrower.
 *
 * @internal
 */
import type { Moment } from "../retry/rateLimitHeaders.js"

/** @internal The server's clock minus the local clock, in milliseconds. */
export interface Skew {
  readonly min: number
  readonly max: number
  /** Local moment of the last response that confirmed the bounds. */
  readonly updatedAt: number
}

/** Drift of two clocks against each other: 100 ppm, the drift of a poor quartz. */
const driftPerMilli = 1e-4

/** A local clock rounds down to whole milliseconds. */
const localRoundingMillis = 1

/** `Date` rounds down to whole seconds. */
const dateRoundingMillis = 1000

/**
 * Narrows the bounds by one response. The server has read its clock between `sentAt` and `receivedAt`. Starts again
 * from this response if it contradicts the known bounds, because one of the clocks was set.
 *
 * @internal
 */
export const narrow = (
  known: Skew | undefined,
  response: { readonly date: number; readonly sentAt: number; readonly receivedAt: number }
): Skew => {
  const updatedAt = response.receivedAt
  const fresh = {
    min: response.date - response.receivedAt - localRoundingMillis,
    max: response.date + dateRoundingMillis - response.sentAt,
    updatedAt
  }
  if (known === undefined) return fresh
  const drift = Math.max(0, updatedAt - known.updatedAt) * driftPerMilli
  const min = Math.max(known.min - drift, fresh.min)
  const max = Math.min(known.max + drift, fresh.max)
  return min > max ? fresh : { min, max, updatedAt }
}

/** @internal Returns the latest local moment that can correspond to a moment on the server's clock. */
export const toLatestLocal = (skew: Skew, serverMillis: number): number => Math.ceil(serverMillis - skew.min)

/** @internal Converts moments of the server's clock to local ones. */
export class ServerClock {
  skew: Skew | undefined
  /** The local wall clock minus the local monotonic clock, in milliseconds. */
  wallOffset = 0

  /** Without a `Date` header so far, takes the server's clock for the local wall clock. */
  toLocal({ at, clock }: Moment): number {
    if (clock === "local") return at
    return this.skew === undefined ? at - this.wallOffset : toLatestLocal(this.skew, at)
  }

  /** Updates the skew by a response. Returns the server's clock at the arrival of the response. */
  update(date: number | undefined, sentAt: number, receivedAt: number): number {
    if (date === undefined) return receivedAt + this.wallOffset
    this.skew = narrow(this.skew, { date, sentAt, receivedAt })
    return date
  }
}
