/**
 * How long to wait before sending again, as plain arithmetic: no Effect, no clock, no chance of its own.
 *
 * @internal
 */

/** @internal `min(base · 2^n, cap)` milliseconds before retry n, counted from 0. */
export const backoffMillis = (n: number, base: number, cap: number): number => Math.min(base * 2 ** n, cap)

/** @internal A part of a delay, never more than all of it; `random` is from 0 (included) to 1 (excluded). */
export const jittered = (delay: number, jitter: "none" | "equal" | "full", random: number): number =>
  jitter === "none" ? delay : jitter === "full" ? delay * random : delay / 2 + (delay / 2) * random

/** @internal What a rate limit's answer says, in its own headers; names in lower case. */
export interface LimitHeaders {
  readonly [name: string]: string | undefined
}

// Proxies join repeated headers with commas.
const numbers = (text: string | undefined): ReadonlyArray<number> =>
  text === undefined
    ? []
    : text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => /^\d+(\.\d+)?$/.test(part))
        .map(Number)

const largest = (values: ReadonlyArray<number>): number | undefined =>
  values.length === 0 ? undefined : Math.max(...values)

const smallest = (values: ReadonlyArray<number>): number | undefined =>
  values.length === 0 ? undefined : Math.min(...values)

const httpDate = (text: string | undefined): number | undefined => {
  const millis = text === undefined || !/[a-z]{3}/i.test(text) ? Number.NaN : Date.parse(text)
  return Number.isNaN(millis) ? undefined : millis
}

/** @internal The server's clock in epoch milliseconds, as its `Date` header has it: rounded down to the second. */
export const serverTime = (headers: LimitHeaders): number | undefined => httpDate(headers["date"])

const day = 86_400_000
const longAgo = 365 * day
const longestDelta = day
// Beyond it a moment would leave the range of a calendar date; nobody waits that long.
const longestWait = 100 * 365 * day

const resetMillis = (value: number, serverNow: number): number => {
  const absolute = value > 1e11 ? value : value * 1000
  // A small number so far in the past can only mean seconds from now.
  const delta = value * 1000
  return serverNow - absolute > longAgo && delta <= longestDelta ? serverNow + delta : absolute
}

/**
 * The wait in milliseconds that the headers ask for, counted from their arrival at `localNow` (epoch milliseconds): a
 * `Retry-After` above zero, else the reset. `undefined` where they ask for nothing or nothing sensible.
 *
 * The `Date` header rounds the server's clock down, so a wait counted from it ends up to 1 s after the reset and never
 * before it.
 *
 * @internal
 */
export const askedWait = (headers: LimitHeaders, localNow: number): number | undefined => {
  const wait = retryAfterWait(headers, localNow) ?? resetWait(headers, localNow)
  return wait === undefined ? undefined : Math.min(wait, longestWait)
}

const retryAfterWait = (headers: LimitHeaders, localNow: number): number | undefined => {
  const text = headers["retry-after"]
  const until = httpDate(text)
  const wait = until === undefined ? (largest(numbers(text)) ?? 0) * 1000 : until - (serverTime(headers) ?? localNow)
  return wait > 0 ? wait : undefined
}

const resetWait = (headers: LimitHeaders, localNow: number): number | undefined => {
  const serverNow = serverTime(headers) ?? localNow
  const reset = largest(numbers(headers["x-ratelimit-reset"])) ?? 0
  const wait = resetMillis(reset, serverNow) - serverNow
  return reset > 0 && wait > 0 ? wait : undefined
}

/** @internal Requests per window and requests left in it, where the headers tell. */
export const allowance = (
  headers: LimitHeaders
): { readonly limit: number | undefined; readonly remaining: number | undefined } => ({
  limit: smallest(numbers(headers["x-ratelimit-limit"])),
  remaining: smallest(numbers(headers["x-ratelimit-remaining"]))
})

/**
 * The wait in milliseconds before rate-limit retry n, counted from 0: what was asked for, at least `minimum`; where
 * nothing sensible was asked for, a ladder from `minimum` that doubles up to 30 s.
 *
 * @internal
 */
export const rateLimitMillis = (n: number, asked: number | undefined, minimum: number): number =>
  asked === undefined ? backoffMillis(n, minimum, Math.max(minimum, 30_000)) : Math.max(asked, minimum)
