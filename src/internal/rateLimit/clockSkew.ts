/**
 * Computes bounds for the difference between the server's clock and the local clock. Each response yields bounds of
 * about a second because `Date` is rounded down to the second. The intersection over many responses is narrower.
 *
 * @internal
 */
import type { Moment } from "../retry/rateLimitHeaders.js"

/** @internal Bounds of the server's clock minus the local clock, in milliseconds. */
export interface Skew {
  readonly min: number
  readonly max: number
  /** Time of the last response that confirmed the bounds, in monotonic milliseconds. */
  readonly updatedAt: number
}

/** Maximum drift between two clocks per millisecond. A low-quality quartz has a drift of 100 ppm. */
const driftPerMilli = 1e-4

/** Rounding error of a local clock with whole milliseconds. */
const localRoundingMillis = 1

/** Rounding error of `Date` with whole seconds. */
const dateRoundingMillis = 1000

/**
 * Narrows the bounds with a response. The server reads its clock between `sentAt` and `receivedAt`. If the response
 * contradicts the previous bounds, the time of a clock was changed. The bounds of the response then replace the
 * previous bounds.
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

/** @internal Returns the latest local time that can correspond to a time on the server's clock. */
export const toLatestLocal = (skew: Skew, serverMillis: number): number => Math.ceil(serverMillis - skew.min)

/** @internal Converts times on the server's clock to local times. */
export class ServerClock {
  skew: Skew | undefined
  /** Local wall clock minus local monotonic clock, in milliseconds. */
  wallOffset = 0

  /** Returns the local time of a moment. Treats the clocks as equal until a response contains a `Date` header. */
  toLocal({ at, clock }: Moment): number {
    if (clock === "local") return at
    return this.skew === undefined ? at - this.wallOffset : toLatestLocal(this.skew, at)
  }

  /**
   * Updates the skew with a response. Returns the time of the server's clock at the arrival of the response, in epoch
   * milliseconds.
   */
  update(date: number | undefined, sentAt: number, receivedAt: number): number {
    if (date === undefined) return receivedAt + this.wallOffset
    this.skew = narrow(this.skew, { date, sentAt, receivedAt })
    return date
  }
}
