/**
 * Parses the rate limit in response headers. All functions are pure.
 *
 * @internal
 */
import { parseHttpDate } from "./httpDate.js"

/** @internal Response headers with names in lower case. */
export interface Headers {
  readonly [name: string]: string | undefined
}

/** @internal A time in milliseconds on the server's clock or on the local clock, depending on the header. */
export interface Moment {
  readonly clock: "server" | "local"
  readonly at: number
}

/** @internal Parsed header values. A missing or invalid header is `undefined`. */
export interface RateLimitInfo {
  /** Server time in epoch milliseconds, rounded down to the second. */
  readonly date: number | undefined
  /** Number of requests per window. */
  readonly limit: number | undefined
  /** Number of requests left in this window. */
  readonly remaining: number | undefined
  readonly reset: Moment | undefined
  readonly retryAfter: Moment | undefined
}

/** Upper limit for the numbers in a header. Without this limit, `Number` parses 400 digits as `Infinity`. */
const maxNumber = 1e15

/** Parses a list of numbers, because proxies join repeated headers with commas. */
const parseNumbers = (text: string | undefined): ReadonlyArray<number> =>
  text === undefined
    ? []
    : text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => /^\d+(\.\d+)?$/.test(part))
        .map((part) => Math.min(Number(part), maxNumber))

const largest = (values: ReadonlyArray<number>): number | undefined =>
  values.length === 0 ? undefined : Math.max(...values)

const wholeNumber = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.floor(value)

const smallest = (values: ReadonlyArray<number>): number | undefined =>
  values.length === 0 ? undefined : Math.min(...values)

/**
 * Returns the server time in epoch milliseconds from the `Date` header. The server rounds the header down to the
 * second.
 *
 * @internal
 */
export const serverTime = (headers: Headers, receivedAt: number): number | undefined =>
  headers["date"] === undefined ? undefined : parseHttpDate(headers["date"], receivedAt)

const dayMillis = 86_400_000
/** Maximum age of an absolute reset. An older value is a number of seconds from now. */
const maxResetAgeMillis = 365 * dayMillis
const maxRelativeResetMillis = dayMillis
/** Maximum wait. A longer wait would exceed the range of a calendar date. */
const maxWaitMillis = 100 * 365 * dayMillis

const resetMoment = (value: number | undefined, serverNow: number, receivedAt: number): Moment | undefined => {
  if (value === undefined || value === 0) return undefined
  const absolute = value > 1e11 ? value : value * 1000
  const delta = value * 1000
  // A small number is a number of seconds from now. As an absolute time, a small number would be in the distant past.
  return serverNow - absolute > maxResetAgeMillis && delta <= maxRelativeResetMillis
    ? { clock: "local", at: receivedAt + delta }
    : { clock: "server", at: absolute }
}

const retryMoment = (text: string | undefined, receivedAt: number, wall: number): Moment | undefined => {
  const date = text === undefined ? undefined : parseHttpDate(text, wall)
  if (date !== undefined) return { clock: "server", at: date }
  const seconds = text !== undefined && /^[\d., ]+$/.test(text) ? (largest(parseNumbers(text)) ?? 0) : 0
  return seconds > 0 ? { clock: "local", at: receivedAt + Math.min(seconds * 1000, maxWaitMillis) } : undefined
}

/**
 * Parses the headers of a response that arrived at `wall`, in epoch milliseconds. `receivedAt` is the same time on the
 * clock that the caller uses for durations. Local times in the result refer to this clock.
 *
 * @internal
 */
export const parseRateLimitHeaders = (
  headers: Headers,
  receivedAt: number,
  wall: number = receivedAt
): RateLimitInfo => {
  const date = serverTime(headers, wall)
  return {
    date,
    // A limit of 0 would block the gate forever.
    limit: wholeNumber(smallest(parseNumbers(headers["x-ratelimit-limit"]))) || undefined,
    remaining: wholeNumber(smallest(parseNumbers(headers["x-ratelimit-remaining"]))),
    reset: resetMoment(largest(parseNumbers(headers["x-ratelimit-reset"])), date ?? wall, receivedAt),
    retryAfter: retryMoment(headers["retry-after"], receivedAt, wall)
  }
}

const millisUntil = (moment: Moment | undefined, date: number | undefined, receivedAt: number): number =>
  moment === undefined ? 0 : moment.at - (moment.clock === "local" ? receivedAt : (date ?? receivedAt))

const usableWait = (wait: number): number | undefined => (wait > 0 ? Math.min(wait, maxWaitMillis) : undefined)

/**
 * Returns the delay that `Retry-After` requests, in milliseconds after `receivedAt`. Returns `undefined` if the header
 * is missing or invalid.
 *
 * @internal
 */
export const retryAfterMillis = (headers: Headers, receivedAt: number): number | undefined => {
  if (headers["retry-after"] === undefined) return undefined
  const { date, retryAfter } = parseRateLimitHeaders(headers, receivedAt)
  return usableWait(millisUntil(retryAfter, date, receivedAt))
}

/**
 * Returns the delay that the headers of a rate-limited response request, in milliseconds after `receivedAt`. A
 * `Retry-After` above zero takes precedence over the reset. Returns `undefined` if neither header is usable.
 *
 * The server rounds the `Date` header down to the second. The delay can therefore end up to 1 second after the reset,
 * but never before the reset.
 *
 * @internal
 */
export const requestedWaitMillis = (headers: Headers, receivedAt: number): number | undefined => {
  const { date, reset, retryAfter } = parseRateLimitHeaders(headers, receivedAt)
  return usableWait(millisUntil(retryAfter, date, receivedAt)) ?? usableWait(millisUntil(reset, date, receivedAt))
}
