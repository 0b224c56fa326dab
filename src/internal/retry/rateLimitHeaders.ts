/**
 * Parses the rate-limit headers of a response. All functions are pure.
 *
 * @internal
 */
import { parseHttpDate } from "./httpDate.js"

/** @internal Response headers with names in lower case. */
export interface Headers {
  readonly [name: string]: string | undefined
}

/** @internal A time in milliseconds. `clock` names the clock that shows this time. */
export interface Moment {
  readonly clock: "server" | "local"
  readonly at: number
}

/** @internal Parsed header values. A missing or invalid header is `undefined`. */
export interface RateLimitInfo {
  /** Server time in epoch milliseconds, rounded down to the second. */
  readonly date: number | undefined
  /** Number of requests per rate-limit window. */
  readonly limit: number | undefined
  /** Number of requests left in the current window. */
  readonly remaining: number | undefined
  readonly reset: Moment | undefined
  readonly retryAfter: Moment | undefined
}

/** Upper limit for the numbers in a header. Without this limit, a header with 400 digits would result in `Infinity`. */
const maxNumber = 1e15

/**
 * Parses the numbers in a header. A header can contain several numbers, because proxies join repeated headers with
 * commas.
 */
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
 * Returns the time in the `Date` header in epoch milliseconds. The server rounds this time down to the second, so that
 * the result is up to 1 second early.
 *
 * @internal
 */
export const serverTime = (headers: Headers, receivedAt: number): number | undefined =>
  headers["date"] === undefined ? undefined : parseHttpDate(headers["date"], receivedAt)

const dayMillis = 86_400_000
/** Maximum age of an absolute reset. A value that would be an older time is read as a number of seconds from now. */
const maxResetAgeMillis = 365 * dayMillis
const maxRelativeResetMillis = dayMillis
/** Maximum wait. Without this limit, the end of a wait could exceed the latest valid `Date`. */
const maxWaitMillis = 100 * 365 * dayMillis

const resetMoment = (value: number | undefined, serverNow: number, receivedAt: number): Moment | undefined => {
  if (value === undefined || value === 0) return undefined
  const absolute = value > 1e11 ? value : value * 1000
  const delta = value * 1000
  // A gateway can send the seconds until the reset instead of a Unix time. As a Unix time, such a small number would be
  // in the distant past.
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
 * Parses the headers of a response. `wall` is the arrival time of the response in epoch milliseconds. `receivedAt` is
 * the same time on the clock that the caller uses for durations. Moments of the clock `"local"` in the result are times
 * on the clock of `receivedAt`.
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
    // A limit of 0 is ignored, because the gate would never admit a request again.
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
 * Returns the delay in the `Retry-After` header, in milliseconds after `receivedAt`. Returns `undefined` if the header
 * is missing or invalid, or if the header contains a time in the past.
 *
 * @internal
 */
export const retryAfterMillis = (headers: Headers, receivedAt: number): number | undefined => {
  const { date, retryAfter } = parseRateLimitHeaders(headers, receivedAt)
  return usableWait(millisUntil(retryAfter, date, receivedAt))
}

/**
 * Returns the delay that a rate-limited response requests, in milliseconds after `receivedAt`. A `Retry-After` above
 * zero takes precedence over `X-RateLimit-Reset`. Returns `undefined` if neither header contains a time in the future.
 *
 * The delay never ends before the reset, but can end up to 1 second after the reset. The reason is the `Date` header,
 * which the server rounds down to the second.
 *
 * @internal
 */
export const requestedWaitMillis = (headers: Headers, receivedAt: number): number | undefined => {
  const { date, reset, retryAfter } = parseRateLimitHeaders(headers, receivedAt)
  return usableWait(millisUntil(retryAfter, date, receivedAt)) ?? usableWait(millisUntil(reset, date, receivedAt))
}
