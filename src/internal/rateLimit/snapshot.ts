/**
 * What a gate shows of itself.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import { present } from "../data/lenient.js"
import * as monotonic from "../data/monotonic.js"
import type { Gate } from "./gate.js"

/** @internal */
export const momentOf = (millis: number | undefined): DateTime.Utc | undefined =>
  millis === undefined || !Number.isFinite(millis) ? undefined : DateTime.unsafeMake(millis)

/** @internal */
export const finite = (n: number | undefined): number | undefined =>
  n !== undefined && Number.isFinite(n) ? n : undefined

/** @internal */
export const snapshotOf = ({ limiter, waiting }: Gate, clock: Clock.Clock): Snapshot => {
  const now = monotonic.read(clock)
  const offset = monotonic.wallOffset(clock)
  const moment = (at: number | undefined) => momentOf(at === undefined ? undefined : at + offset)
  const { blockedUntil, inFlight, opensAt, refusals, skew, window } = limiter
  const isOver = opensAt !== undefined && opensAt <= now
  return {
    ...present({
      limit: window?.limit,
      remaining: isOver ? undefined : finite(window?.remaining),
      resetAt: isOver ? undefined : moment(opensAt),
      blockedUntil: moment(blockedUntil > now ? blockedUntil : undefined),
      skew: skew && { min: skew.min - offset, max: skew.max - offset }
    }),
    waiting,
    inFlight,
    rateLimited: refusals,
    hasOtherClients: limiter.isShared
  }
}

/**
 * What the gate knows and does at one moment. What no answer has told yet is absent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  /** Requests per window. */
  readonly limit?: number
  /** The smallest number of requests left that an answer of the current window has told. */
  readonly remaining?: number
  /** When the current window is over: the latest moment on the local clock that the answers allow. */
  readonly resetAt?: DateTime.Utc
  /** Until when a refusal keeps the gate closed. */
  readonly blockedUntil?: DateTime.Utc
  /** Requests that wait for a place. */
  readonly waiting: number
  /** Requests sent whose answer has not arrived. */
  readonly inFlight: number
  /** Requests that the API has refused for the rate limit. */
  readonly rateLimited: number
  /** The server's clock less the local one, in milliseconds: between these two, by the `Date` of its answers. */
  readonly skew?: { readonly min: number; readonly max: number }
  /** Whether others seem to use the same API key: then the gate leaves room to them. */
  readonly hasOtherClients: boolean
}
