/**
 * Determines the lag of a server that rounds its reset down. Such a server opens the next window later than reported.
 * The search covers several windows, first with steps that double and then by bisection.
 *
 * @internal
 */

/** @internal Bounds of the lag. All values are in milliseconds after the reset. */
export interface Lag {
  /** Send time of a rejected request. -1 if no request was rejected. */
  readonly low: number
  /** Send time of an accepted request. `Infinity` if no request was accepted yet. */
  readonly high: number
  /** Send time for the first request of the next window. */
  readonly next: number
}

/** @internal */
export const none: Lag = { low: -1, high: 0, next: 0 }

/** Maximum difference between the bounds at the end of the search. */
const precisionMillis = 60
/** Maximum lag. A reset is rounded to whole seconds. */
const maxLagMillis = 1000
const firstStepMillis = 50

/** @internal Returns whether a rounded reset can cause a rejection `after` milliseconds after the reset. */
export const canBeLag = (after: number): boolean => after <= 2 * maxLagMillis

/**
 * Updates the lag after a rejected request. `after` is the send time and `receivedAfter` is the response time, both
 * relative to the reset. Continues with the earliest accepted time. Without an accepted time, continues with a step
 * that doubles each time.
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
 * Updates the lag after an accepted request that was sent at `after`. Continues halfway between the bounds.
 *
 * @internal
 */
export const onAccepted = (lag: Lag, after: number): Lag => {
  if (lag.low < 0) return lag
  const high = Math.min(maxLagMillis, after)
  const low = Math.min(lag.low, high)
  return { low, high, next: high - low > precisionMillis ? Math.round((low + high) / 2) : high }
}

/** @internal Searches for the lag over all windows of a limit. */
export class LagSearch {
  private lag = none
  /** Number of rejections since the last success. */
  private steps = 0

  /** Send time for the first request of the next window, in milliseconds after the reset. */
  get next(): number {
    return this.lag.next
  }

  onRejected(after: number, receivedAfter: number): void {
    this.lag = onRejected(this.lag, after, receivedAfter, this.steps)
    this.steps += 1
  }

  /** Records that the first request of a window was accepted. */
  onAccepted(after: number): void {
    if (canBeLag(after)) this.lag = onAccepted(this.lag, after)
  }

  /** Restarts the search with the first step. */
  resetSteps(): void {
    this.steps = 0
  }
}
