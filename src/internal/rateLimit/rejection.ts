/**
 * The moment until which a rejection (429) blocks the gate.
 *
 * @internal
 */
import { backoffDelayMillis } from "../retry/backoff.js"

/** Longer than any window. A reset further ahead is wrong and must not block all requests. */
const maxBlockMillis = 25 * 3_600_000
const minBlockMillis = 1000
const maxBackoffMillis = 30_000

/** @internal Returns `true` if a moment from the headers is in the future and at most 25 hours ahead. */
export const isUsable = (at: number, now: number): boolean => at > now && at - now <= maxBlockMillis

/** @internal Blocks until the reset, at least 1 s. */
export const blockUntil = (now: number, resetAt: number): number => Math.max(resetAt, now + minBlockMillis)

/** @internal Blocks without a reset for 1, 2, 4 … 30 s, after `n` such rejections without a success between them. */
export const blockWithoutReset = (now: number, n: number): number =>
  now + backoffDelayMillis(n, minBlockMillis, maxBackoffMillis)
