/**
 * Until when a refusal closes the gate.
 *
 * @internal
 */
import { backoffMillis } from "../retry/backoff.js"

const second = 1000
/** Nobody plans windows longer than a day: a reset beyond it is an error, and not obeyed by all because of one. */
const longest = 25 * 3600 * second

/** @internal Whether a moment that an answer names can be meant. */
export const isUsable = (at: number, now: number): boolean => at > now && at - now <= longest

/** @internal A refusal that says when it ends: then, and not within a second. */
export const told = (now: number, at: number): number => Math.max(at, now + second)

/** @internal A refusal that does not say when it ends: 1, 2, 4 … 30 seconds, counted over those without a success between them. */
export const untold = (now: number, n: number): number => now + backoffMillis(n, second, 30 * second)

/**
 * How much later than it says a server opens its window, in milliseconds after the reset: it refused a request sent `low`
 * after it (-1: none), took one sent `high` after it (infinity: none yet), and `next` is when to knock after the next one.
 *
 * @internal
 */
export interface Lag {
  readonly low: number
  readonly high: number
  readonly next: number
}

/** @internal */
export const noLag: Lag = { low: -1, high: 0, next: 0 }

const narrow = 60
const roundedAway = second

/** @internal Whether a refusal so long after the reset can come from a reset that was rounded down. */
export const isLag = (after: number): boolean => after <= 2 * roundedAway

/**
 * A request sent `after` the reset was refused as if there had been none; the answer arrived `answered` after it. Where that
 * is too early for a server that has taken one later, that moment is next; else steps, each twice as long, look for it.
 *
 * @internal
 */
export const refused = (lag: Lag, after: number, answered: number, step: number): Lag => {
  const low = Math.max(lag.low, after)
  return Number.isFinite(lag.high) && after < lag.high
    ? { low, high: lag.high, next: lag.high }
    : { low, high: Number.POSITIVE_INFINITY, next: answered + 50 * 2 ** step }
}

/** @internal A request sent `after` the reset was taken: between that and the last refusal the middle is tried next. */
export const taken = (lag: Lag, after: number): Lag => {
  if (lag.low < 0) return lag
  const high = Math.min(roundedAway, after)
  const low = Math.min(lag.low, high)
  return { low, high, next: high - low > narrow ? Math.round((low + high) / 2) : high }
}
