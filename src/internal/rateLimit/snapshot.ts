/**
 * Creates the snapshot of a gate.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import { omitUndefined } from "../data/lenient.js"
import * as monotonic from "../data/monotonic.js"
import type { Gate } from "./gate.js"

/** @internal Returns a finite number unchanged, and `undefined` for any other value. */
export const finiteOrUndefined = (n: number | undefined): number | undefined =>
  n !== undefined && Number.isFinite(n) ? n : undefined

/** @internal Returns the state of a gate. Converts monotonic times to times of the wall clock. */
export const makeSnapshot = ({ limiter, waiting }: Gate, clock: Clock.Clock): Snapshot => {
  const now = monotonic.read(clock)
  const offset = monotonic.wallOffset(clock)
  const toDateTime = (at: number | undefined): DateTime.Utc | undefined =>
    at === undefined || !Number.isFinite(at) ? undefined : DateTime.unsafeMake(at + offset)
  const { blockedUntil, hasOtherClients, inFlight, opensAt, rejections, window } = limiter
  const { skew } = limiter.serverClock
  const isOver = opensAt !== undefined && opensAt <= now
  return {
    ...omitUndefined({
      limit: window?.limit,
      remaining: isOver ? undefined : finiteOrUndefined(window?.remaining),
      resetAt: isOver ? undefined : toDateTime(opensAt),
      blockedUntil: toDateTime(blockedUntil > now ? blockedUntil : undefined),
      skew: skew && { min: skew.min - offset, max: skew.max - offset }
    }),
    waiting,
    inFlight,
    rateLimited: rejections,
    hasOtherClients
  }
}

/**
 * State of a gate at a point in time. Values that no response has reported yet are absent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  /** Maximum number of requests per window. */
  readonly limit?: number
  /** Smallest number of remaining requests that a response of the current window has reported. */
  readonly remaining?: number
  /** Latest possible end of the current window on the local clock. Absent if the end is unknown or has passed. */
  readonly resetAt?: DateTime.Utc
  /** End of the block after a rejection. Absent if the gate is not blocked. */
  readonly blockedUntil?: DateTime.Utc
  /** Number of requests in the queue. */
  readonly waiting: number
  /** Number of requests that were sent and have no response yet. */
  readonly inFlight: number
  /** Number of requests that the API has rejected because of the rate limit. */
  readonly rateLimited: number
  /**
   * Bounds of the server's clock minus the local clock, in milliseconds. The bounds come from the `Date` headers of
   * responses.
   */
  readonly skew?: { readonly min: number; readonly max: number }
  /**
   * Indicates whether the gate has detected other clients with the same API key. The gate then leaves part of the limit
   * to these clients.
   */
  readonly hasOtherClients: boolean
}
