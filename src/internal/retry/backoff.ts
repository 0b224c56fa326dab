/**
 * Computes the delay before a retry. All functions are pure.
 *
 * @internal
 */

/** @internal The random part of a delay: none, the upper half (`"equal"`) or the whole delay (`"full"`). */
export type Jitter = "none" | "equal" | "full"

/**
 * Returns the backoff delay before retry `n` in milliseconds, `min(base · 2^n, cap)`. The first retry has `n = 0`.
 *
 * @internal
 */
export const backoffDelayMillis = (n: number, base: number, cap: number): number => Math.min(base * 2 ** n, cap)

/** @internal Applies jitter to a delay and returns at most `delay`. `random` is from 0 (inclusive) to 1 (exclusive). */
export const applyJitter = (delay: number, jitter: Jitter, random: number): number =>
  jitter === "none" ? delay : jitter === "full" ? delay * random : delay / 2 + (delay / 2) * random

const maxFallbackMillis = 30_000

/**
 * Returns the delay in milliseconds before retry `n` of a rate-limited request. The first retry has `n = 0`.
 * `requested` is the delay that the API requested. If `requested` is present, the delay is `requested`, but at least
 * `minimum`. Otherwise, the first delay is `minimum`, and each later delay is twice the previous delay, up to 30
 * seconds.
 *
 * @internal
 */
export const rateLimitDelayMillis = (n: number, requested: number | undefined, minimum: number): number =>
  requested === undefined
    ? backoffDelayMillis(n, minimum, Math.max(minimum, maxFallbackMillis))
    : Math.max(requested, minimum)
