/**
 * The number of requests that the limit admits at one moment.
 *
 * @internal
 */

/** @internal */
export interface Capacity {
  /** Requests that may be sent now. */
  readonly permits: number
  /** Monotonic milliseconds after which the capacity can change without a response. */
  readonly recheckAt: number | undefined
  /** Whether the rate limit is the reason for missing permits. `false` while a pending response can add permits. */
  readonly limited: boolean
}

/** @internal */
export const admit = (permits: number): Capacity => ({ permits, recheckAt: undefined, limited: false })

/** @internal */
export const limitUntil = (recheckAt: number): Capacity => ({ permits: 0, recheckAt, limited: true })

/** @internal */
export const awaitResponse = (recheckAt: number | undefined): Capacity => ({ permits: 0, recheckAt, limited: false })
