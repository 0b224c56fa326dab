/**
 * Determines the lag of a server that rounds its reset down. The lag is the time from the reported reset to the actual
 * start of the next window. The first request of each window tests one send time after the reset. The send time
 * increases in doubling steps until a request is accepted. Then, a bisection over further windows narrows the bounds.
 *
 * @internal
 */

/** @internal Bounds of the lag. All values are in milliseconds after the reset. */
export interface Lag {
  /** Latest send time of a rejected request. -1 if no request was rejected. */
  readonly low: number
  /** Earliest send time of an accepted request. `Infinity` if no request was accepted after the first rejection. */
  readonly high: number
  /** Send time for the first request of the next window. */
  readonly next: number
}

/** @internal */
export const none: Lag = { low: -1, high: 0, next: 0 }

/** Difference between the bounds of the lag at which the bisection ends. */
const precisionMillis = 60
/** Maximum lag, because a server rounds its reset to whole seconds. */
const maxLagMillis = 1000
const firstStepMillis = 50

/** @internal Returns whether a rounded reset can cause a rejection `after` milliseconds after the reset. */
export const canBeLag = (after: number): boolean => after <= 2 * maxLagMillis

/**
 * Updates the bounds after a rejected request. `after` is the send time and `receivedAfter` is the arrival time of the
 * response, in milliseconds after the reset. If a later send time was accepted, the next request is sent at that time.
 * Otherwise, the next request is sent after a delay that doubles with each `step`.
 *
 * @internal
 */
export const onRejected = (lag: Lag, after: number, receivedAfter: number, step: number): Lag => {
  const low = Math.max(lag.low, after)
  return Number.isFinite(lag.high) && after < lag.high
    ? { low, high: lag.high, next: lag.high }
    : { low, high: Number.POSITIVE_INFINITY, next: receivedAfter + firstStepMillis * 2 ** step }
}

/**
 * Updates the bounds after an accepted request that was sent `after` milliseconds after the reset. The next request is
 * sent halfway between the bounds. After the end of the bisection, the next request is sent at the upper bound.
 *
 * @internal
 */
export const onAccepted = (lag: Lag, after: number): Lag => {
  if (lag.low < 0) return lag
  const high = Math.min(maxLagMillis, after)
  const low = Math.min(lag.low, high)
  return { low, high, next: high - low > precisionMillis ? Math.round((low + high) / 2) : high }
}

/** @internal Searches for the lag of a server over successive windows. */
export class LagSearch {
  private lag = none
  /** Number of rejections since the last accepted request. */
  private steps = 0

  /** Send time for the first request of the next window, in milliseconds after the reset. */
  get next(): number {
    return this.lag.next
  }

  onRejected(after: number, receivedAfter: number): void {
    this.lag = onRejected(this.lag, after, receivedAfter, this.steps)
    this.steps += 1
  }

  /**
   * Records that the first request of a window was accepted. `after` is its send time in milliseconds after the reset.
   */
  onAccepted(after: number): void {
    if (canBeLag(after)) this.lag = onAccepted(this.lag, after)
  }

  /** Resets the delay before the next request to the first step, because a request was accepted. */
  resetSteps(): void {
    this.steps = 0
  }
}
