/**
 * Defines the number of requests that the limit admits at a given time.
 *
 * @internal
 */

/** @internal Capacity of the rate limit at a given time. */
export interface Capacity {
  /** Number of requests that can be sent now. */
  readonly permits: number
  /**
   * Time at which the capacity can change without a response, in monotonic milliseconds. The field is `undefined` if
   * only a response can change the capacity.
   */
  readonly recheckAt: number | undefined
  /**
   * Indicates whether the rate limit prevents permits until `recheckAt`. `false` if a permit is available or a pending
   * response can add a permit.
   */
  readonly limited: boolean
}

/** @internal Returns a capacity that admits requests now. */
export const admit = (permits: number): Capacity => ({ permits, recheckAt: undefined, limited: false })

/** @internal Returns a capacity without permits until `recheckAt`, because of the rate limit. */
export const limitUntil = (recheckAt: number): Capacity => ({ permits: 0, recheckAt, limited: true })

/** @internal Returns a capacity without permits until a response arrives or `recheckAt` has passed. */
export const awaitResponse = (recheckAt: number | undefined): Capacity => ({ permits: 0, recheckAt, limited: false })
