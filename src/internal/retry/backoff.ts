/**
 * How long to wait before sending again, as plain arithmetic: no Effect, no clock, no chance of its own.
 *
 * @internal
 */

/** @internal `min(base · 2^n, cap)` milliseconds before retry n, counted from 0. */
export const backoffDelayMillis = (n: number, base: number, cap: number): number => Math.min(base * 2 ** n, cap)

/** @internal A part of a delay, never more than all of it; `random` is from 0 (included) to 1 (excluded). */
export const applyJitter = (delay: number, jitter: "none" | "equal" | "full", random: number): number =>
  jitter === "none" ? delay : jitter === "full" ? delay * random : delay / 2 + (delay / 2) * random

/**
 * The wait in milliseconds before rate-limit retry n, counted from 0: what was asked for, at least `minimum`; where
 * nothing sensible was asked for, a ladder from `minimum` that doubles up to 30 s.
 *
 * @internal
 */
export const rateLimitDelayMillis = (n: number, asked: number | undefined, minimum: number): number =>
  asked === undefined ? backoffDelayMillis(n, minimum, Math.max(minimum, 30_000)) : Math.max(asked, minimum)
