/**
 * Counts the requests that probe a window before a response has reported its remaining requests.
 *
 * @internal
 */
import { admit, awaitResponse, type Capacity } from "./capacity.js"

/** A probe without a response must not block all other requests. After this time twice as many may be in flight. */
const silenceMillis = 2000

/** @internal */
export class Probes {
  /** Probes without a response. */
  private pending = 0
  /** Probes that may be in flight. Grows with each probe that reported nothing, to use a limit without headers. */
  private limit = 1
  /** Moment of the last response, or of the first probe after it. */
  private silentSince = 0

  /** `maximum` is the number of requests that still fit in the window. It can grow at `orphansExpireAt`. */
  capacity(now: number, maximum: number, orphansExpireAt: number | undefined): Capacity {
    const doublings = this.pending === 0 ? 0 : Math.floor((now - this.silentSince) / silenceMillis)
    const permits = Math.min(maximum, this.limit * 2 ** doublings - this.pending)
    if (permits > 0) return admit(permits)
    return awaitResponse(maximum > 0 ? this.silentSince + (doublings + 1) * silenceMillis : orphansExpireAt)
  }

  onSent(now: number): void {
    if (this.pending === 0) this.silentSince = now
    this.pending += 1
  }

  onSettled(now: number): void {
    this.pending -= 1
    this.silentSince = now
  }

  raiseLimit(): void {
    this.limit += 1
  }

  resetLimit(): void {
    this.limit = 1
  }

  restart(): void {
    this.pending = 0
    this.limit = 1
  }
}
