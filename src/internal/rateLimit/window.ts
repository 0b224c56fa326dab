/**
 * Defines the current window of the limit, as reported by the server.
 *
 * @internal
 */
import type { Moment, RateLimitInfo } from "../retry/rateLimitHeaders.js"

/** @internal Window of the rate limit. All requests in a window share one limit. */
export interface Window {
  /** End of the window. `undefined` if no response has reported the end. */
  readonly reset: Moment | undefined
  readonly limit: number | undefined
  /**
   * Smallest number of remaining requests that a response has reported. If a response does not report the number, the
   * field decreases by one.
   */
  readonly remaining: number
  /** Number of requests of this client that the server can have counted. */
  readonly ownRequests: number
  /** Time when the first response of the window arrived, in monotonic milliseconds. */
  readonly firstSeenAt: number
  /** Milliseconds from the first response of the window to the reset. */
  readonly millisToReset: number
}

/**
 * Rate limit headers of a response, and the times of the request and the response in monotonic milliseconds.
 *
 * @internal
 */
export interface WindowObservation extends RateLimitInfo {
  readonly sentAt: number
  readonly receivedAt: number
  /** Time of the server's clock when the response arrives, in epoch milliseconds. */
  readonly serverNow: number
}

/** @internal Relation of a response to the current window: the same window, a later window or an earlier window. */
export type Relation = "same" | "newer" | "older"

/**
 * Returns the maximum difference in milliseconds between two resets of the same window. The resets of a window vary
 * because servers compute each reset from a rounded clock.
 */
const resetToleranceMillis = (window: Window, reset: Moment): number =>
  reset.clock === "local" ? 2000 : window.millisToReset > 3000 ? 1000 : 0

/**
 * Compares a response with the current window. `isAfterEnd` is `true` if the request was sent after the end of the
 * current window. A later reset indicates a later window. An earlier reset indicates an earlier window if the request
 * was sent before the first response of the current window. Otherwise, the reset of the current window was incorrect,
 * and the response opens a new window.
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
 * Opens a window from its first response. `inFlight` is the number of requests that the server can still count in the
 * window. Without `X-RateLimit-Remaining`, subtracts `accepted` requests from the limit.
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

/** @internal Updates a window with a later response. The number of remaining requests can only decrease. */
export const update = (window: Window, { limit, remaining, reset }: WindowObservation): Window => ({
  ...window,
  limit: limit ?? window.limit,
  remaining: Math.max(0, Math.min(window.remaining, remaining ?? window.remaining - 1)),
  reset: reset?.clock === window.reset?.clock && (reset?.at ?? 0) > (window.reset?.at ?? 0) ? reset : window.reset
})

/**
 * Adds `requests` to the requests of this client. `requests` is -1 for a request that the server has not counted in the
 * window.
 *
 * @internal
 */
export const addOwnRequests = (window: Window, requests: number): Window => ({
  ...window,
  ownRequests: window.ownRequests + requests
})

/** @internal Subtracts one from the remaining requests because the server may have counted a request. */
export const decrementRemaining = (window: Window): Window => ({
  ...window,
  remaining: Math.max(0, window.remaining - 1)
})

/** @internal Sets the remaining requests to 0, regardless of the reported number. */
export const exhaust = (window: Window): Window => ({ ...window, remaining: 0 })

/** @internal Returns whether no response has reported the number of remaining requests. */
export const isRemainingUnknown = (window: Window | undefined): boolean =>
  window === undefined || window.remaining === Number.POSITIVE_INFINITY

/** @internal Returns whether the headers determine the number of remaining requests. */
export const hasRemaining = ({ limit, remaining, reset }: WindowObservation): boolean =>
  remaining !== undefined || (limit !== undefined && reset !== undefined)
