/**
 * The lag of a server that rounds its reset down: it opens the next window later than it says. The lag is found by a
 * search over several windows, first in steps that double, then by bisection.
 *
 * @internal
 */

/** @internal All values are milliseconds after the reset. */
export interface Lag {
  /** The server rejected a request sent at this time. -1: no request was rejected. */
  readonly low: number
  /** The server accepted a request sent at this time. Infinity: no request was accepted yet. */
  readonly high: number
  /** Send the first request of the next window at this time. */
  readonly next: number
}

/** @internal */
export const none: Lag = { low: -1, high: 0, next: 0 }

/** The search ends when the bounds are this close. */
const precisionMillis = 60
/** A reset is rounded to whole seconds. */
const maxLagMillis = 1000
const firstStepMillis = 50

/** @internal Returns `true` if a rejection so long after the reset can come from a reset that was rounded down. */
export const canBeLag = (after: number): boolean => after <= 2 * maxLagMillis

/**
 * Updates the lag after a rejection of a request that was sent `after` the reset. `receivedAfter` is the time of the
 * response, relative to the reset. Continues with the earliest accepted time if there is one, else with a step that
 * doubles each time.
 *
 * @internal
 */
export const onRejected = (lag: Lag, after: number, receivedAfter: number, step: number): Lag => {
  const low = Math.max(lag.low, after)
  return Number.isFinite(lag.high) && after < lag.high
    ? { low, high: lag.high, next: lag.high }
    : { low, high: Number.POSITIVE_INFINITY, next: receivedAfter + firstStepMillis * 2 ** step }
}

/** @internal Updates the lag after a request sent `after` the reset was accepted. Continues halfway to `low`. */
export const onAccepted = (lag: Lag, after: number): Lag => {
  if (lag.low < 0) return lag
  const high = Math.min(maxLagMillis, after)
  const low = Math.min(lag.low, high)
  return { low, high, next: high - low > precisionMillis ? Math.round((low + high) / 2) : high }
}

/** @internal The search for the lag, over all windows of a limit. */
export class LagSearch {
  private lag = none
  /** Rejections since the last success. */
  private steps = 0

  /** Milliseconds after the reset at which to send the first request of the next window. */
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

  /** Starts again with the first step. */
  resetSteps(): void {
    this.steps = 0
  }
}
