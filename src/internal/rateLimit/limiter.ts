/**
 * Determines how many requests can be sent at a given time. All times are in milliseconds on the local monotonic clock.
 *
 * 1. The limiter admits requests while fewer requests are in flight than remain in the window. If the window is
 *    unknown, the limiter admits only probes (`probes.ts`).
 * 2. Each response reduces the remaining requests, opens a later window or belongs to an earlier window (`window.ts`).
 * 3. A rejection (429) blocks all requests until its reset (`rejection.ts`).
 * 4. The reset is a time on the server's clock. The limiter converts the reset to the latest possible local time
 *    (`clockSkew.ts`).
 * 5. While other clients use the same API key, the limiter uses only a share of the remaining requests
 *    (`otherClients.ts`).
 * 6. Without rate limit headers, the limiter estimates an allowance or admits one request per second
 *    (`fallbackRules.ts`).
 * 7. If the server rounds its reset down, the next window opens later than reported. The limiter determines this lag
 *    (`resetLag.ts`).
 *
 * A client is never rejected if no other client uses its API key. Let `remaining` be the smallest number of
 * remaining requests that a response of the window has reported. If the server has counted further requests since then, the responses to these requests are
 * still pending. Therefore, at least `remaining - inFlight` requests remain.
 *
 * @internal
 */
import type { Moment, RateLimitInfo } from "../retry/rateLimitHeaders.js"
import { admit, awaitResponse, type Capacity, limitUntil } from "./capacity.js"
import { ServerClock } from "./clockSkew.js"
import { FallbackRules } from "./fallbackRules.js"
import { fairShare, isUsedByOthers, OtherClients } from "./otherClients.js"
import { Probes } from "./probes.js"
import * as rejection from "./rejection.js"
import { canBeLag, LagSearch } from "./resetLag.js"
import * as Window from "./window.js"

/** @internal Request that was sent, with facts about the limit at the send time. */
export interface SentRequest {
  readonly sentAt: number
  /** Indicates whether the request was sent while the number of remaining requests was unknown. */
  readonly isProbe: boolean
  /** Number of windows that responses had reported before the request was sent. */
  readonly windowCount: number
}

/** Maximum time until an interrupted request reaches the server. */
const orphanLifetimeMillis = 1000

/** A window without a reset is discarded if no response reports the number of remaining requests for this time. */
const maxSilenceMillis = 60_000

const maxResetAgeMillis = 2000

/** @internal */
export class Limiter {
  window: Window.Window | undefined
  readonly serverClock = new ServerClock()
  readonly fallback = new FallbackRules()
  readonly others = new OtherClients()
  inFlight = 0
  blockedUntil = Number.NEGATIVE_INFINITY
  /**
   * Estimated length of a window in milliseconds. The estimate is the longest time from a first response to a reset in
   * the last two windows.
   */
  windowLength = 0
  /** Number of rejections since the gate was created. */
  rejections = 0

  private readonly probes = new Probes()
  private readonly lag = new LagSearch()
  /**
   * Expiry times of interrupted requests, in monotonic milliseconds. Until its expiry time, a request counts as in
   * flight, because the request can still reach the server.
   */
  private readonly orphans: Array<number> = []
  private windowCount = 0
  private remainingReportedAt = Number.NEGATIVE_INFINITY
  private scarceUntil = Number.NEGATIVE_INFINITY

  /** Number of sent requests that may still count against the rate limit. */
  private get pending(): number {
    return this.inFlight + this.orphans.length
  }

  /**
   * Latest possible end of the current window, in monotonic milliseconds. `undefined` if no response has reported the
   * end.
   */
  get opensAt(): number | undefined {
    const reset = this.window?.reset
    return reset === undefined ? undefined : this.serverClock.toLocal(reset) + this.lag.next
  }

  /** Returns whether other clients with the same API key were detected in this window or the two previous windows. */
  get hasOtherClients(): boolean {
    return this.others.isDetected
  }

  /** Returns the estimated number of clients that share the API key, including this client. */
  countClients(now: number): number {
    return this.others.count(this.window, now)
  }

  /** Returns whether the rate limit is nearly exhausted. Requests that are not urgent should then wait. */
  isScarce(now: number): boolean {
    return now < this.scarceUntil
  }

  /** Returns the number of requests that can be sent now. */
  capacity(now: number): Capacity {
    this.expireOrphans(now)
    this.discardSilentWindow(now)
    if (now < this.blockedUntil) return limitUntil(this.blockedUntil)
    if (this.fallback.hasNoReset) return this.fallback.pace(now)
    const { opensAt, window } = this
    if (window === undefined || Window.isRemainingUnknown(window)) {
      return this.fallback.capacity(this.pending, this.orphans[0]) ?? this.probeCapacity(now)
    }
    if (opensAt !== undefined && now >= opensAt) return this.probeCapacity(now)
    const free = window.remaining - this.pending
    if (free <= 0) return opensAt === undefined ? this.fallback.pace(now) : limitUntil(opensAt)
    const permits = Math.min(free, fairShare(window.remaining, this.countClients(now)) - this.pending)
    if (permits > 0) return admit(permits)
    return awaitResponse(this.others.isDiscovering(window, now) ? this.others.discoveryEndsAt : opensAt)
  }

  private probeCapacity(now: number): Capacity {
    const maximum = (this.window?.limit ?? Number.POSITIVE_INFINITY) - this.pending
    return this.probes.capacity(now, maximum, this.orphans[0])
  }

  /**
   * Discards a window without a reset if responses no longer report the remaining requests. Otherwise, the window would
   * limit requests permanently.
   */
  private discardSilentWindow(now: number): void {
    if (this.window === undefined || this.window.reset !== undefined) return
    if (now - this.remainingReportedAt < maxSilenceMillis) return
    this.window = undefined
    this.probes.restart()
  }

  private expireOrphans(now: number): void {
    while (this.orphans[0] !== undefined && this.orphans[0] <= now) {
      this.orphans.shift()
      this.fallback.onOrphanExpired()
      if (this.window !== undefined) this.window = Window.decrementRemaining(this.window)
    }
  }

  /** Records that a request is sent. */
  register(now: number): SentRequest {
    const { opensAt, window } = this
    const isProbe = Window.isRemainingUnknown(window) || (opensAt !== undefined && now >= opensAt)
    this.inFlight += 1
    this.fallback.onSent(now)
    if (isProbe) this.probes.onSent(now)
    if (window !== undefined) this.window = Window.addOwnRequests(window, 1)
    return { sentAt: now, isProbe, windowCount: this.windowCount }
  }

  private endRequest(sent: SentRequest, now: number): void {
    this.inFlight -= 1
    if (this.isCurrentProbe(sent)) this.probes.onSettled(now)
  }

  /** Returns whether the request is a probe and no window was opened after the request was sent. */
  private isCurrentProbe({ isProbe, windowCount }: SentRequest): boolean {
    return isProbe && windowCount === this.windowCount
  }

  /** Records that an admitted request was withdrawn before it was sent. */
  onWithdrawn(sent: SentRequest, now: number): void {
    this.endRequest(sent, now)
    if (this.window !== undefined) this.window = Window.addOwnRequests(this.window, -1)
  }

  /** Records that a request did not reach the server because the connection failed. */
  onUnsent(sent: SentRequest, now: number): void {
    this.onWithdrawn(sent, now)
    if (sent.isProbe) this.probes.raiseLimit()
  }

  /**
   * Records that a request was interrupted. The request counts as in flight for another second, because the request can
   * still reach the server.
   */
  onAbandoned(sent: SentRequest, now: number): void {
    this.endRequest(sent, now)
    this.orphans.push(now + orphanLifetimeMillis)
  }

  /** Records that a request failed without a response, for example because of a connection reset or a timeout. */
  onLost(sent: SentRequest, now: number): void {
    this.onAbandoned(sent, now)
    if (sent.isProbe) this.probes.raiseLimit()
  }

  /** Records a response that is not a rejection (429). */
  onResponse(sent: SentRequest, headers: RateLimitInfo, now: number): void {
    this.endRequest(sent, now)
    const observation = this.observe(sent, headers, now)
    const hasRemaining = Window.hasRemaining(observation)
    this.lag.resetSteps()
    this.fallback.onAccepted(sent.sentAt)
    if (sent.isProbe && !hasRemaining) this.probes.raiseLimit()
    if (observation.reset !== undefined && hasRemaining) this.fallback.onResetReported()
    if (observation.reset === undefined && observation.remaining === undefined) {
      this.countResponseWithoutHeaders(sent)
    } else {
      this.applyToWindow(sent, observation)
    }
    const { opensAt, window } = this
    if (window?.limit !== undefined && window.remaining < window.limit / 2) this.markScarce(opensAt ?? now)
  }

  private countResponseWithoutHeaders(sent: SentRequest): void {
    if (this.window === undefined) return
    const isOver = this.isCurrentProbe(sent) && this.window.limit === undefined
    this.window = isOver ? undefined : Window.decrementRemaining(this.window)
  }

  /** Records a rejection. Returns the end of the block, or `undefined` if the response has no usable reset. */
  onRejected(sent: SentRequest, headers: RateLimitInfo, now: number): number | undefined {
    this.endRequest(sent, now)
    const { window } = this
    if (Window.isRemainingUnknown(window)) this.fallback.estimateAllowance(sent.sentAt)
    const resetAt = this.applyRejection(sent, this.observe(sent, headers, now), now)
    // If the window still had remaining requests before this rejection, another client has used these requests.
    if (!sent.isProbe && window !== undefined && window.remaining > 0) this.others.detect()
    this.block(resetAt, sent.sentAt, now)
    return resetAt === undefined ? undefined : this.blockedUntil
  }

  /**
   * Blocks all requests until the time `until`, in monotonic milliseconds. If `until` is `undefined`, blocks all
   * requests with an exponential backoff.
   */
  block(until: number | undefined, sentAt: number, now: number): void {
    this.rejections += 1
    this.others.onRejected()
    this.probes.resetLimit()
    const blockedUntil = this.fallback.onRejected(until, sentAt, now)
    if (blockedUntil !== undefined) this.blockedUntil = Math.max(this.blockedUntil, blockedUntil)
    this.markScarce(this.blockedUntil)
  }

  /**
   * Applies a rejection to the current window. Returns the end of the block in monotonic milliseconds. Returns
   * `undefined` if the headers contain neither a usable `Retry-After` nor a usable reset.
   */
  private applyRejection(sent: SentRequest, observation: Window.WindowObservation, now: number): number | undefined {
    const toUsable = (moment: Moment | undefined): number | undefined => {
      const at = moment && this.serverClock.toLocal(moment)
      return at !== undefined && rejection.isUsable(at, now) ? at : undefined
    }
    const retryAt = toUsable(observation.retryAfter)
    const resetAt = retryAt ?? toUsable(observation.reset)
    if (resetAt === undefined) {
      return observation.reset === undefined ? undefined : this.applyPastReset(sent, observation, now)
    }
    const isUnknown = Window.isRemainingUnknown(this.window)
    const reset: Moment = observation.reset ?? { clock: "local", at: resetAt }
    this.applyToWindow(sent, isUnknown ? { ...observation, reset } : observation)
    // The rejection exhausts the current window, unless a `Retry-After` can refer to another limit.
    if (this.window !== undefined && (isUnknown || retryAt === undefined)) this.window = Window.exhaust(this.window)
    return rejection.blockUntil(now, resetAt)
  }

  /**
   * Applies a rejection whose reset has just passed. If a rounded reset can be the cause, updates the search for the
   * lag. Returns the end of the block, or `undefined` if the reset is unusable.
   */
  private applyPastReset(sent: SentRequest, observation: Window.WindowObservation, now: number): number | undefined {
    if (this.window?.reset === undefined) return undefined
    const isAfterEnd = this.isCurrentProbe(sent)
    const relation = Window.compare(this.window, observation, isAfterEnd)
    const resetAt = this.serverClock.toLocal(this.window.reset)
    const after = sent.sentAt - resetAt
    if (relation === "same" && isAfterEnd && canBeLag(after)) {
      this.lag.onRejected(after, now - resetAt)
      return resetAt + this.lag.next
    }
    const isOfEndedWindow = relation === "older" || (relation === "same" && !isAfterEnd && resetAt <= now)
    return isOfEndedWindow ? now : undefined
  }

  private observe(sent: SentRequest, headers: RateLimitInfo, now: number): Window.WindowObservation {
    const serverNow = this.serverClock.update(headers.date, sent.sentAt, now)
    this.others.onResponse(now)
    if (headers.remaining !== undefined) this.remainingReportedAt = now
    const reset = headers.reset && this.isCredible(headers.reset, now) ? headers.reset : undefined
    return { ...headers, reset, sentAt: sent.sentAt, receivedAt: now, serverNow }
  }

  /**
   * Returns whether a reported reset is in the future or has just passed. A server that rounds its reset down can
   * report a reset that has just passed.
   */
  private isCredible(reset: Moment, now: number): boolean {
    return rejection.isUsable(this.serverClock.toLocal(reset), now - maxResetAgeMillis)
  }

  private applyToWindow(sent: SentRequest, observation: Window.WindowObservation): void {
    const { window } = this
    const relation = window && Window.compare(window, observation, this.isCurrentProbe(sent))
    if (window === undefined || relation === "newer") {
      this.window = this.openWindow(sent, observation)
    } else {
      this.window = relation === "same" ? Window.update(window, observation) : Window.addOwnRequests(window, -1)
    }
    if (isUsedByOthers(this.window)) this.others.detect()
  }

  private openWindow(sent: SentRequest, observation: Window.WindowObservation): Window.Window {
    const { window: previous } = this
    if (previous?.reset !== undefined && this.isCurrentProbe(sent)) {
      this.lag.onAccepted(sent.sentAt - this.serverClock.toLocal(previous.reset))
    }
    this.others.onWindowOpened(previous)
    const accepted = previous === undefined ? Math.max(1, this.fallback.accepted) : 1
    const window = Window.open(observation, accepted, this.pending, previous?.limit)
    this.windowLength = Math.max(previous?.millisToReset ?? 0, window.millisToReset)
    this.windowCount += 1
    this.probes.restart()
    if (Window.isRemainingUnknown(window)) this.fallback.startWindow()
    return window
  }

  private markScarce(until: number): void {
    this.scarceUntil = Math.max(this.scarceUntil, until + 2 * this.windowLength)
  }
}
