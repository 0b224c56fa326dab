/**
 * Reads the rate limit from response headers. Pure: reads no clock.
 *
 * @internal
 */
import { parseHttpDate } from "./httpDate.js"

/** @internal Header names are in lower case. */
export interface Headers {
  readonly [name: string]: string | undefined
}

/** @internal A point in time in epoch milliseconds, on the clock that the header refers to. */
export interface Moment {
  readonly clock: "server" | "local"
  readonly at: number
}

/** @internal The values of the headers. A missing or invalid header has no value. */
export interface RateLimitInfo {
  /** The server's clock, rounded down to the second. */
  readonly date: number | undefined
  /** Requests per window. */
  readonly limit: number | undefined
  /** Requests left in this window. */
  readonly remaining: number | undefined
  readonly reset: Moment | undefined
  readonly retryAfter: Moment | undefined
}

/** A header can have any number of digits. `Number` reads 400 digits as infinity. */
const maxNumber = 1e15

/** Reads several numbers, because proxies join repeated headers with commas. */
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

/** @internal Returns the server's clock in epoch milliseconds, from the `Date` header, which is rounded down to the second. */
export const serverTime = (headers: Headers, receivedAt: number): number | undefined =>
  headers["date"] === undefined ? undefined : parseHttpDate(headers["date"], receivedAt)

const dayMillis = 86_400_000
/** An absolute reset that is further in the past is read as seconds from now. */
const maxResetAgeMillis = 365 * dayMillis
const maxRelativeResetMillis = dayMillis
/** A longer wait would leave the range of a calendar date. */
const maxWaitMillis = 100 * 365 * dayMillis

const resetMoment = (value: number | undefined, serverNow: number, receivedAt: number): Moment | undefined => {
  if (value === undefined || value === 0) return undefined
  const absolute = value > 1e11 ? value : value * 1000
  const delta = value * 1000
  // A small number that would be so far in the past can only mean seconds from now.
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
 * Reads the headers of a response that arrived at `wall`, in epoch milliseconds. `receivedAt` is the same moment on the clock with which
 * the caller measures durations. Local moments are on that clock.
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

const waitUntil = (moment: Moment | undefined, date: number | undefined, receivedAt: number): number =>
  moment === undefined ? 0 : moment.at - (moment.clock === "local" ? receivedAt : (date ?? receivedAt))

const usableWait = (wait: number): number | undefined => (wait > 0 ? Math.min(wait, maxWaitMillis) : undefined)

/** @internal Returns the wait that `Retry-After` requests, in milliseconds from the arrival of the headers. */
export const retryAfterMillis = (headers: Headers, receivedAt: number): number | undefined => {
  if (headers["retry-after"] === undefined) return undefined
  const { date, retryAfter } = parseRateLimitHeaders(headers, receivedAt)
  return usableWait(waitUntil(retryAfter, date, receivedAt))
}

/**
 * Returns the wait that the headers of a rate-limited response request, in milliseconds from their arrival at `receivedAt`. A
 * `Retry-After` above zero has precedence over the reset. Returns `undefined` if neither is usable.
 *
 * The `Date` header rounds the server's clock down. A wait counted from it therefore ends up to 1 s after the reset, and never before.
 *
 * @internal
 */
export const requestedWaitMillis = (headers: Headers, receivedAt: number): number | undefined => {
  const { date, reset, retryAfter } = parseRateLimitHeaders(headers, receivedAt)
  return usableWait(waitUntil(retryAfter, date, receivedAt)) ?? usableWait(waitUntil(reset, date, receivedAt))
}
