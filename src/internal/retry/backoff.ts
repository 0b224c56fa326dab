/**
 * Computes the delay before a retry. Pure: reads no clock and draws no random number.
 *
 * @internal
 */

/** @internal How much of a delay is random. */
export type Jitter = "none" | "equal" | "full"

/** @internal Returns `min(base · 2^n, cap)` milliseconds for retry n, counted from 0. */
export const backoffDelayMillis = (n: number, base: number, cap: number): number => Math.min(base * 2 ** n, cap)

/** @internal Returns at most `delay`. `random` is from 0 (inclusive) to 1 (exclusive). */
export const applyJitter = (delay: number, jitter: Jitter, random: number): number =>
  jitter === "none" ? delay : jitter === "full" ? delay * random : delay / 2 + (delay / 2) * random

const maxFallbackMillis = 30_000

/**
 * Returns the delay in milliseconds before rate-limit retry n, counted from 0: the requested delay, but at least `minimum`. If the
 * response requested none, the delay doubles from `minimum` up to 30 s.
 *
 * @internal
 */
export const rateLimitDelayMillis = (n: number, requested: number | undefined, minimum: number): number =>
  requested === undefined
    ? backoffDelayMillis(n, minimum, Math.max(minimum, maxFallbackMillis))
    : Math.max(requested, minimum)
