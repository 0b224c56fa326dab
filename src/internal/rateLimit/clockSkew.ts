/**
 * Computes bounds for the difference between the server's clock and the local clock. The bounds from one response are
 * about a second apart, because `Date` is rounded down to a whole second. The intersection of the bounds from many
 * responses is narrower.
 *
 * @internal
 */
import type { Moment } from "../retry/rateLimitHeaders.js"

/** @internal Bounds of the server's clock minus the local clock, in milliseconds. */
export interface Skew {
  readonly min: number
  readonly max: number
  /**
   * Time of the latest response with a `Date` header, in monotonic milliseconds. The clocks can drift after this time.
   */
  readonly updatedAt: number
}

/**
 * Maximum drift between two clocks, in milliseconds per millisecond. The value is 100 ppm, the drift of a low-quality
 * quartz.
 */
const driftPerMilli = 1e-4

/** Rounding error of a local clock with whole milliseconds. */
const localRoundingMillis = 1

/** Rounding error of a `Date` header, which contains whole seconds. */
const dateRoundingMillis = 1000

/**
 * Narrows the `known` bounds with the `Date` header of a response. The server sets this header between `sentAt` and
 * `receivedAt`. If the header contradicts the known bounds, one of the clocks was set to another time. The bounds from
 * this response then replace the known bounds.
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

  /**
   * Returns the local monotonic time of a moment. Treats the server's clock and the local clock as equal until a
   * response contains a `Date` header.
   */
  toLocal({ at, clock }: Moment): number {
    if (clock === "local") return at
    return this.skew === undefined ? at - this.wallOffset : toLatestLocal(this.skew, at)
  }

  /**
   * Updates the skew with the `Date` header of a response. Returns the time of the server's clock in epoch
   * milliseconds. Without a `Date` header, returns the local time instead.
   */
  update(date: number | undefined, sentAt: number, receivedAt: number): number {
    if (date === undefined) return receivedAt + this.wallOffset
    this.skew = narrow(this.skew, { date, sentAt, receivedAt })
    return date
  }
}
