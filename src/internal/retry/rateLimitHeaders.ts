/**
 * What the headers of an answer say about the rate limit, as plain arithmetic: no Effect, no clock of its own.
 *
 * @internal
 */

import { parseHttpDate } from "./httpDate.js"

/** @internal Names in lower case. */
export interface Headers {
  readonly [name: string]: string | undefined
}

/** @internal A point in time in epoch milliseconds, on the clock on which it was told. */
export interface Moment {
  readonly clock: "server" | "local"
  readonly at: number
}

/** @internal All that an answer says; what is missing or garbage is absent. */
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

/** Any number can have any number of digits: 400 of them would be read as infinity. */
const largestNumber = 1e15

/** Proxies join repeated headers with commas. */
const parseNumbers = (text: string | undefined): ReadonlyArray<number> =>
  text === undefined
    ? []
    : text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => /^\d+(\.\d+)?$/.test(part))
        .map((part) => Math.min(Number(part), largestNumber))

const largest = (values: ReadonlyArray<number>): number | undefined =>
  values.length === 0 ? undefined : Math.max(...values)

const wholeNumber = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.floor(value)

const smallest = (values: ReadonlyArray<number>): number | undefined =>
  values.length === 0 ? undefined : Math.min(...values)

/** @internal The server's clock in epoch milliseconds, from the `Date` header: rounded down to the second. */
export const serverTime = (headers: Headers, receivedAt: number): number | undefined =>
  headers["date"] === undefined ? undefined : parseHttpDate(headers["date"], receivedAt)

const day = 86_400_000
const longAgo = 365 * day
const longestDelta = day
// Beyond it a moment would leave the range of a calendar date; nobody waits that long.
const longestWait = 100 * 365 * day

const resetMoment = (value: number | undefined, serverNow: number, receivedAt: number): Moment | undefined => {
  if (value === undefined || value === 0) return undefined
  const absolute = value > 1e11 ? value : value * 1000
  const delta = value * 1000
  // A small number so far in the past can only mean seconds from now.
  return serverNow - absolute > longAgo && delta <= longestDelta
    ? { clock: "local", at: receivedAt + delta }
    : { clock: "server", at: absolute }
}

const retryMoment = (text: string | undefined, receivedAt: number, wall: number): Moment | undefined => {
  const date = text === undefined ? undefined : parseHttpDate(text, wall)
  if (date !== undefined) return { clock: "server", at: date }
  const seconds = text !== undefined && /^[\d., ]+$/.test(text) ? (largest(parseNumbers(text)) ?? 0) : 0
  return seconds > 0 ? { clock: "local", at: receivedAt + Math.min(seconds * 1000, longestWait) } : undefined
}

/**
 * The response arrived at `wall` (epoch milliseconds). Local moments are relative to `receivedAt`, the same moment on the clock that
 * the caller measures durations with.
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
    // A limit of 0 would block the gate for good.
    limit: wholeNumber(smallest(parseNumbers(headers["x-ratelimit-limit"]))) || undefined,
    remaining: wholeNumber(smallest(parseNumbers(headers["x-ratelimit-remaining"]))),
    reset: resetMoment(largest(parseNumbers(headers["x-ratelimit-reset"])), date ?? wall, receivedAt),
    retryAfter: retryMoment(headers["retry-after"], receivedAt, wall)
  }
}

const waitUntil = (moment: Moment | undefined, date: number | undefined, receivedAt: number): number =>
  moment === undefined ? 0 : moment.at - (moment.clock === "local" ? receivedAt : (date ?? receivedAt))

const usableWait = (wait: number): number | undefined => (wait > 0 ? Math.min(wait, longestWait) : undefined)

/** @internal The wait in milliseconds that `Retry-After` alone asks for, counted from the arrival of the headers. */
export const retryAfterMillis = (headers: Headers, receivedAt: number): number | undefined => {
  if (headers["retry-after"] === undefined) return undefined
  const { date, retryAfter } = parseRateLimitHeaders(headers, receivedAt)
  return usableWait(waitUntil(retryAfter, date, receivedAt))
}

/**
 * The wait in milliseconds that the headers of a rate-limited response ask for, counted from their arrival at `receivedAt`: a
 * `Retry-After` above zero, else the reset. `undefined` if they hold neither, or nothing usable.
 *
 * The `Date` header rounds the server's clock down, so a wait counted from it ends up to 1 s after the reset and never
 * before it.
 *
 * @internal
 */
export const requestedWaitMillis = (headers: Headers, receivedAt: number): number | undefined => {
  const { date, reset, retryAfter } = parseRateLimitHeaders(headers, receivedAt)
  return usableWait(waitUntil(retryAfter, date, receivedAt)) ?? usableWait(waitUntil(reset, date, receivedAt))
}
