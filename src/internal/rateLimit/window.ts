/**
 * The window of the limit that is known best: what the server has said of it, and how many of our own requests it can hold.
 *
 * @internal
 */
import type { Moment, Told } from "../retry/rateLimitHeaders.js"

/** @internal */
export interface Window {
  /** When it ends; absent where no answer says so. */
  readonly reset: Moment | undefined
  readonly limit: number | undefined
  /** The smallest that an answer has told, less one for each answer that told nothing. */
  readonly remaining: number
  /** Our own requests that it can have counted. */
  readonly own: number
  /** The local moment at which the first answer of it arrived. */
  readonly since: number
  /** Milliseconds from then to its end. */
  readonly horizon: number
}

/** @internal What an answer tells, and when it was asked for. */
export interface Heard extends Told {
  readonly sentAt: number
  readonly receivedAt: number
  /** The server's clock at its arrival. */
  readonly serverNow: number
}

/** @internal Whether an answer is of the window that is known, of one that came after it, or of one before. */
export type Relation = "same" | "newer" | "older"

/** Servers that count the seconds left add them to a clock that they have rounded. */
const jitter = (window: Window, reset: Moment): number =>
  reset.clock === "local" ? 2000 : window.horizon > 3000 ? 1000 : 0

/**
 * A later reset is a later window. An earlier one is an earlier window only if it was asked for before the known one was
 * seen; else the known one was an error. `afterEnd`: it was asked for when the known one was over.
 *
 * @internal
 */
export const relation = (window: Window, heard: Heard, afterEnd: boolean): Relation => {
  const more = heard.remaining !== undefined && heard.remaining > window.remaining
  if (heard.reset === undefined || window.reset === undefined || heard.reset.clock !== window.reset.clock) {
    return more && heard.sentAt >= window.since ? "newer" : "same"
  }
  const later = heard.reset.at - window.reset.at
  if (afterEnd && (later > 0 || more)) return "newer"
  if (Math.abs(later) <= jitter(window, heard.reset)) return "same"
  if (later > 0) return "newer"
  return heard.sentAt >= window.since ? "newer" : "older"
}

/**
 * A window that an answer is the first of: `taken` requests of ours have been counted in it, where it does not say how many
 * are left, and `inFlight` more can still be.
 *
 * @internal
 */
export const opened = (heard: Heard, taken: number, inFlight: number, knownLimit: number | undefined): Window => {
  const limit = heard.limit ?? knownLimit
  const inferred =
    limit === undefined || heard.reset === undefined ? Number.POSITIVE_INFINITY : Math.max(0, limit - taken)
  const now = heard.reset?.clock === "server" ? heard.serverNow : heard.receivedAt
  return {
    reset: heard.reset,
    limit,
    remaining: heard.remaining ?? inferred,
    own: inFlight + 1,
    since: heard.receivedAt,
    horizon: heard.reset === undefined ? 0 : Math.max(0, heard.reset.at - now)
  }
}

/** @internal Any further answer of the same window: what is left can only have become less. */
export const lowered = (window: Window, heard: Heard): Window => ({
  ...window,
  limit: heard.limit ?? window.limit,
  remaining: Math.max(0, Math.min(window.remaining, heard.remaining ?? window.remaining - 1)),
  reset:
    heard.reset?.clock === window.reset?.clock && (heard.reset?.at ?? 0) > (window.reset?.at ?? 0)
      ? heard.reset
      : window.reset
})

/** @internal One more request of ours (or, with -1, one that was never counted). */
export const counting = (window: Window, requests: number): Window => ({ ...window, own: window.own + requests })

/** @internal A request of which nobody knows whether it was counted: it has to be taken as counted. */
export const spent = (window: Window): Window => ({ ...window, remaining: Math.max(0, window.remaining - 1) })

/** @internal Nothing is left, whatever was told before. */
export const exhausted = (window: Window): Window => ({ ...window, remaining: 0 })
