/**
 * How far the server's clock is ahead of the local one: each answer bounds it, and the bounds of all answers together are
 * narrower than the second to which a `Date` is rounded.
 *
 * @internal
 */

/** @internal Server's clock less local clock, in milliseconds; `at` is the local moment of the last evidence. */
export interface Skew {
  readonly min: number
  readonly max: number
  readonly at: number
}

/** Two clocks drift apart, so what was known of them grows vague: 100 ppm is what a bad quartz does. */
const drift = 1e-4

/** A local clock shows whole milliseconds, rounded down as well. */
const tick = 1

/**
 * The server has read its clock between the sending and the arrival, and rounded it down to the second. Evidence that
 * contradicts the earlier one means that a clock was set: it starts anew.
 *
 * @internal
 */
export const narrowed = (
  known: Skew | undefined,
  answer: { readonly date: number; readonly sentAt: number; readonly receivedAt: number }
): Skew => {
  const at = answer.receivedAt
  const fresh = { min: answer.date - answer.receivedAt - tick, max: answer.date + 1000 - answer.sentAt, at }
  if (known === undefined) return fresh
  const vague = Math.max(0, at - known.at) * drift
  const min = Math.max(known.min - vague, fresh.min)
  const max = Math.min(known.max + vague, fresh.max)
  return min > max ? fresh : { min, max, at }
}

/** @internal The latest moment on the local clock that a moment on the server's can be. */
export const latest = (skew: Skew, serverMillis: number): number => Math.ceil(serverMillis - skew.min)
