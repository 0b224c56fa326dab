/**
 * Rules for servers that omit rate limit headers. Without `X-RateLimit-Remaining`, learns how many requests a window
 * accepts. After a rejection without a reset, sends one request a second.
 *
 * @internal
 */
import { admit, awaitResponse, type Capacity, limitUntil } from "./capacity.js"
import * as rejection from "./rejection.js"

/** One request a second is polite to any server. */
const pacedIntervalMillis = 1000

/** A rejection without a reset is forgotten after this time without a rejection or a queue. */
const memoryMillis = 600_000

/** @internal */
export class FallbackRules {
  /** Whether the last rejection named no reset, and no later response has. */
  hasNoReset = false
  /** Requests that the server has accepted since the last rejection or in the current window. */
  accepted = 0
  /** Requests accepted before the last rejection. */
  private learned: number | undefined
  /** Accepted requests up to which several may be in flight at once. Beyond it, requests go one at a time. */
  private concurrentUpTo = 0
  /** Rejections without a reset since the last success. */
  private rejectionsWithoutReset = 0
  private rejectedAt = Number.NEGATIVE_INFINITY
  private lastSentAt = Number.NEGATIVE_INFINITY

  /** Returns the capacity under the learned allowance, if one is learned and the window has a success. */
  capacity(pending: number, orphansExpireAt: number | undefined): Capacity | undefined {
    if (this.learned === undefined || this.accepted === 0) return undefined
    const permits = this.concurrentUpTo - this.accepted - pending
    if (permits > 0) return admit(permits)
    // Continue one at a time, because the window in which the allowance was learned may have been half used.
    return pending === 0 ? admit(1) : awaitResponse(orphansExpireAt)
  }

  /** Returns the capacity of one request a second. */
  pace(now: number): Capacity {
    const next = this.lastSentAt + pacedIntervalMillis
    return now < next ? limitUntil(next) : admit(1)
  }

  /** Estimates how long so many paced requests take. 0 if requests are not paced. */
  estimatePacedWait(requests: number): number {
    return this.hasNoReset ? requests * pacedIntervalMillis : 0
  }

  onSent(now: number): void {
    this.lastSentAt = now
  }

  onAccepted(sentAt: number): void {
    this.rejectionsWithoutReset = 0
    if (sentAt <= this.rejectedAt) {
      // Accepted before the rejection, so the window holds one request more than was learned.
      if (this.learned !== undefined) this.learned += 1
      return
    }
    if (this.accepted === 0) return this.startWindow()
    this.accepted += 1
    if (this.learned !== undefined && this.accepted >= this.concurrentUpTo + this.learned) {
      // The allowance was accepted a second time, so the window is larger, or a new one has begun.
      this.concurrentUpTo = this.accepted + this.learned
      this.learned *= 2
    }
  }

  /** Counts a request without a response as accepted. */
  onOrphanExpired(): void {
    this.accepted += 1
  }

  /** Counts the first accepted request of a window. */
  startWindow(): void {
    this.accepted = 1
    this.concurrentUpTo = this.learned ?? 0
  }

  onResetReported(): void {
    this.hasNoReset = false
  }

  /** Learns the allowance from a rejection. Requests sent before the last rejection belong to it and teach nothing. */
  learnAllowance(sentAt: number): void {
    if (sentAt > this.rejectedAt) this.learned = Math.max(1, this.accepted)
  }

  /**
   * Returns the moment until which a rejection blocks requests: the reset, else a backoff. One burst counts as one
   * rejection. Therefore returns `undefined` without a reset if the request was sent before the last rejection.
   */
  onRejected(resetAt: number | undefined, sentAt: number, now: number): number | undefined {
    const isFirst = sentAt > this.rejectedAt
    this.accepted = 0
    this.rejectedAt = now
    this.hasNoReset = resetAt === undefined
    if (resetAt !== undefined || !isFirst) return resetAt
    return rejection.blockWithoutReset(now, this.rejectionsWithoutReset++)
  }

  /** Forgets a rejection without a reset after 10 minutes. Called when no request is queued. */
  onIdle(now: number): void {
    const isPaused = now < this.lastSentAt + pacedIntervalMillis
    if (!isPaused && now - this.rejectedAt > memoryMillis) this.hasNoReset = false
  }
}
