/**
 * Others on the same key: how they show, and how much room is left to them.
 *
 * @internal
 */
import type { Window } from "./window.js"

/** @internal As many as are assumed while nothing is known of them. */
export const several = 8
const few = 4
const most = 64

/**
 * How many clients share the key, after a whole window together. Within bounds: a small share of it can also mean that others
 * were faster, and to become slower still is no answer to that.
 *
 * @internal
 */
export const estimated = (window: Window): number =>
  window.limit === undefined
    ? several
    : Math.min(several, Math.max(few, Math.ceil((window.limit - window.remaining) / Math.max(1, window.own))))

/** @internal More is used than we can have used ourselves. */
export const isUsedByOthers = (window: Window): boolean =>
  window.limit !== undefined && window.limit - window.remaining > window.own

/** @internal One refusal in a window is the price of sharing; after more than one, twice as many are assumed. */
export const afterRefusals = (clients: number, refusals: number): number =>
  refusals > 1 ? Math.min(most, 2 * clients) : clients

/**
 * How many requests may be in flight beside those of others, who decide by the same number at the same time: the fewer are
 * left, the fewer at once, so that at the end each client has at most one that is too many.
 *
 * @internal
 */
export const share = (remaining: number, clients: number): number =>
  clients <= 1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(remaining / Math.max(8, 2 * clients)))
