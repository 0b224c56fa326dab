/**
 * Defines the number of requests that the limit admits at a given time.
 *
 * @internal
 */

/** @internal */
export interface Capacity {
  /** Number of requests that can be sent now. */
  readonly permits: number
  /** Earliest time of a change without a response, in monotonic milliseconds. */
  readonly recheckAt: number | undefined
  /** `true` if the rate limit is the reason for missing permits. `false` while a pending response can add permits. */
  readonly limited: boolean
}

/** @internal */
export const admit = (permits: number): Capacity => ({ permits, recheckAt: undefined, limited: false })

/** @internal */
export const limitUntil = (recheckAt: number): Capacity => ({ permits: 0, recheckAt, limited: true })

/** @internal */
export const awaitResponse = (recheckAt: number | undefined): Capacity => ({ permits: 0, recheckAt, limited: false })
