/**
 * The known window of the limit, as reported by the server.
 *
 * @internal
 */
import type { Moment, RateLimitInfo } from "../retry/rateLimitHeaders.js"

/** @internal */
export interface Window {
  /** The end of the window. Absent if no response names it. */
  readonly reset: Moment | undefined
  readonly limit: number | undefined
  /** The smallest reported number of remaining requests, minus one for each response that reported none. */
  readonly remaining: number
  /** Requests of this client that the server can have counted. */
  readonly ownRequests: number
  /** Local moment of the first response. */
  readonly firstSeenAt: number
  /** Milliseconds from the first response to the reset. */
  readonly millisToReset: number
}

/** @internal The rate limit headers of a response, and when it was requested and received. */
export interface WindowObservation extends RateLimitInfo {
  readonly sentAt: number
  readonly receivedAt: number
  /** The server's clock at the arrival of the response. */
  readonly serverNow: number
}

/** @internal Whether a response belongs to the known window, to a later one, or to an earlier one. */
export type Relation = "same" | "newer" | "older"

/** Servers that report the seconds until the reset add them to a rounded clock, so that the reset varies. */
const resetToleranceMillis = (window: Window, reset: Moment): number =>
  reset.clock === "local" ? 2000 : window.millisToReset > 3000 ? 1000 : 0

/**
 * Compares a response with the known window. A later reset is a later window. An earlier reset is an earlier window
 * only if the request was sent before the known window was seen. Otherwise the known reset was wrong. `isAfterEnd` says
 * whether the request was sent after the end of the known window.
 *
 * @internal
 */
export const compare = (window: Window, observation: WindowObservation, isAfterEnd: boolean): Relation => {
  const { reset, remaining, sentAt } = observation
  const hasMore = remaining !== undefined && remaining > window.remaining
  if (reset === undefined || window.reset === undefined || reset.clock !== window.reset.clock) {
    return hasMore && sentAt >= window.firstSeenAt ? "newer" : "same"
  }
  const later = reset.at - window.reset.at
  if (isAfterEnd && (later > 0 || hasMore)) return "newer"
  if (Math.abs(later) <= resetToleranceMillis(window, reset)) return "same"
  if (later > 0) return "newer"
  return sentAt >= window.firstSeenAt ? "newer" : "older"
}

/**
 * Opens a window from its first response. Without `X-RateLimit-Remaining`, `accepted` requests are taken off the limit.
 * `inFlight` requests can still be counted in the window.
 *
 * @internal
 */
export const open = (
  observation: WindowObservation,
  accepted: number,
  inFlight: number,
  knownLimit: number | undefined
): Window => {
  const { receivedAt, remaining, reset, serverNow } = observation
  const limit = observation.limit ?? knownLimit
  const inferred = limit === undefined || reset === undefined ? Number.POSITIVE_INFINITY : Math.max(0, limit - accepted)
  const now = reset?.clock === "server" ? serverNow : receivedAt
  return {
    reset,
    limit,
    remaining: remaining ?? inferred,
    ownRequests: inFlight + 1,
    firstSeenAt: receivedAt,
    millisToReset: reset === undefined ? 0 : Math.max(0, reset.at - now)
  }
}

/** @internal Updates a window by a further response. The remaining requests can only decrease. */
export const update = (window: Window, { limit, remaining, reset }: WindowObservation): Window => ({
  ...window,
  limit: limit ?? window.limit,
  remaining: Math.max(0, Math.min(window.remaining, remaining ?? window.remaining - 1)),
  reset: reset?.clock === window.reset?.clock && (reset?.at ?? 0) > (window.reset?.at ?? 0) ? reset : window.reset
})

/** @internal Adds requests of this client, or removes one that the server has not counted. */
export const addOwnRequests = (window: Window, requests: number): Window => ({
  ...window,
  ownRequests: window.ownRequests + requests
})

/** @internal Takes one request off the remaining ones, because the server may have counted it. */
export const takeOne = (window: Window): Window => ({ ...window, remaining: Math.max(0, window.remaining - 1) })

/** @internal Removes all remaining requests, whatever was reported before. */
export const exhaust = (window: Window): Window => ({ ...window, remaining: 0 })

/** @internal Returns `true` if no response has reported how many requests remain. */
export const isUnmetered = (window: Window | undefined): boolean =>
  window === undefined || window.remaining === Number.POSITIVE_INFINITY

/** @internal Returns `true` if the number of remaining requests follows from the headers. */
export const hasRemaining = ({ limit, remaining, reset }: WindowObservation): boolean =>
  remaining !== undefined || (limit !== undefined && reset !== undefined)
