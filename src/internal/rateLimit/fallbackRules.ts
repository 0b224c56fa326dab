/**
 * Implements rules for servers that omit rate limit headers. Without `X-RateLimit-Remaining`, these rules estimate the
 * number of requests per window. After a rejection without a reset, these rules admit one request per second.
 *
 * @internal
 */
import { admit, awaitResponse, type Capacity, limitUntil } from "./capacity.js"
import * as rejection from "./rejection.js"

/**
 * Interval between two requests while requests are paced. One request per second is an acceptable rate for any server.
 */
const pacedIntervalMillis = 1000

/** Minimum time from the last rejection to the end of the pacing. Pacing ends only if the queue is empty. */
const minPacingMillis = 600_000

/** @internal */
export class FallbackRules {
  /** Indicates whether requests are paced because the server has rejected a request without a reset. */
  hasNoReset = false
  /**
   * Number of requests that the server has accepted since the last rejection. The count restarts at the start of each
   * window.
   */
  accepted = 0
  /**
   * Estimated number of requests per window. After a rejection, the estimate is the number of requests that the server
   * accepted before the rejection.
   */
  private allowance: number | undefined
  /**
   * Number of accepted requests in a window up to which requests are sent concurrently. Further requests are sent one
   * at a time.
   */
  private concurrentUpTo = 0
  /** Number of rejections without a reset since the last success. */
  private rejectionsWithoutReset = 0
  private rejectedAt = Number.NEGATIVE_INFINITY
  private lastSentAt = Number.NEGATIVE_INFINITY

  /**
   * Returns the capacity under the estimated allowance. Returns `undefined` without an estimate or before the first
   * success in the window.
   */
  capacity(pending: number, orphansExpireAt: number | undefined): Capacity | undefined {
    if (this.allowance === undefined || this.accepted === 0) return undefined
    const permits = this.concurrentUpTo - this.accepted - pending
    if (permits > 0) return admit(permits)
    // After the estimated number of requests, further requests are sent one at a time. The estimate can be too low,
    // because earlier requests may have used a part of the window.
    return pending === 0 ? admit(1) : awaitResponse(orphansExpireAt)
  }

  /** Returns the capacity at a rate of one request per second. */
  pace(now: number): Capacity {
    const next = this.lastSentAt + pacedIntervalMillis
    return now < next ? limitUntil(next) : admit(1)
  }

  /**
   * Returns the time to send the given number of paced requests, in milliseconds. Returns 0 if requests are not paced.
   */
  estimatePacedWait(requests: number): number {
    return this.hasNoReset ? requests * pacedIntervalMillis : 0
  }

  onSent(now: number): void {
    this.lastSentAt = now
  }

  onAccepted(sentAt: number): void {
    this.rejectionsWithoutReset = 0
    if (sentAt <= this.rejectedAt) {
      // This request was sent before the last rejection, and the estimate does not count this request. The window
      // therefore accepts one request more than estimated.
      if (this.allowance !== undefined) this.allowance += 1
      return
    }
    if (this.accepted === 0) return this.startWindow()
    this.accepted += 1
    if (this.allowance !== undefined && this.accepted >= this.concurrentUpTo + this.allowance) {
      // The server has accepted twice the estimated number of requests. Either the window is larger than estimated, or
      // a new window has opened.
      this.concurrentUpTo = this.accepted + this.allowance
      this.allowance *= 2
    }
  }

  /** Counts an interrupted request as accepted, because the server may have received the request. */
  onOrphanExpired(): void {
    this.accepted += 1
  }

  /** Starts the count of a window with its first accepted request. */
  startWindow(): void {
    this.accepted = 1
    this.concurrentUpTo = this.allowance ?? 0
  }

  onResetReported(): void {
    this.hasNoReset = false
  }

  /**
   * After a rejection, estimates the allowance as the number of accepted requests. Ignores a request that was sent
   * before the last rejection, because both requests belong to the same burst.
   */
  estimateAllowance(sentAt: number): void {
    if (sentAt > this.rejectedAt) this.allowance = Math.max(1, this.accepted)
  }

  /**
   * Records a rejection and returns the end of the block. With a reset, the block ends at the reset. Without a reset,
   * the first rejection of a burst causes a block with an exponential backoff. For the other rejections of the burst,
   * returns `undefined`.
   */
  onRejected(resetAt: number | undefined, sentAt: number, now: number): number | undefined {
    const isFirst = sentAt > this.rejectedAt
    this.accepted = 0
    this.rejectedAt = now
    this.hasNoReset = resetAt === undefined
    if (resetAt !== undefined || !isFirst) return resetAt
    return rejection.blockWithoutReset(now, this.rejectionsWithoutReset++)
  }

  /**
   * Ends the pacing if the last rejection was more than 10 minutes ago. The gate calls this method when the queue is
   * empty.
   */
  onIdle(now: number): void {
    const isPaused = now < this.lastSentAt + pacedIntervalMillis
    if (!isPaused && now - this.rejectedAt > minPacingMillis) this.hasNoReset = false
  }
}
