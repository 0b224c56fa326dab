/**
 * Computes the end of the block after a rejection (429).
 *
 * @internal
 */
import { backoffDelayMillis } from "../retry/backoff.js"

/**
 * Maximum time from a rejection to its reset. No window is longer, so a later reset is incorrect and must not block
 * requests.
 */
const maxBlockMillis = 25 * 3_600_000
const minBlockMillis = 1000
const maxBackoffMillis = 30_000

/** @internal Returns whether a time from the headers is in the future and at most 25 hours ahead. */
export const isUsable = (at: number, now: number): boolean => at > now && at - now <= maxBlockMillis

/**
 * Returns the end of the block after a rejection with a reset. The block lasts until the reset, and at least 1 s.
 *
 * @internal
 */
export const blockUntil = (now: number, resetAt: number): number => Math.max(resetAt, now + minBlockMillis)

/**
 * Returns the end of the block after a rejection without a reset. `n` is the number of earlier rejections without a
 * reset since the last success. The first block lasts 1 s. Each further block lasts twice as long, up to 30 s.
 *
 * @internal
 */
export const blockWithoutReset = (now: number, n: number): number =>
  now + backoffDelayMillis(n, minBlockMillis, maxBackoffMillis)
