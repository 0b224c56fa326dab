/**
 * Limits the number of probes. A probe is a request to a window without a reported number of remaining requests.
 *
 * @internal
 */
import { admit, awaitResponse, type Capacity } from "./capacity.js"

/**
 * Time without a response until the maximum number of probes doubles. Otherwise, a probe without a response would block
 * all other requests.
 */
const silenceMillis = 2000

/** @internal */
export class Probes {
  /** Number of probes without a response. */
  private pending = 0
  /**
   * Maximum number of probes in flight. The maximum increases if a probe does not determine the remaining requests,
   * because the server may omit the headers.
   */
  private limit = 1
  /** Later of two times: the time of the last response and the time of the first pending probe. */
  private silentSince = 0

  /**
   * Returns the capacity for probes. `maximum` is the number of further requests that fit in the window. At
   * `orphansExpireAt`, an interrupted request no longer counts, so `maximum` can increase.
   */
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
