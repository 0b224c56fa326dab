/**
 * What the headers of an answer say about the rate limit, as plain arithmetic: no Effect, no clock of its own.
 *
 * @internal
 */

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
export interface Told {
  /** The server's clock, rounded down to the second. */
  readonly date: number | undefined
  /** Requests per window. */
  readonly limit: number | undefined
  /** Requests left in this window. */
  readonly remaining: number | undefined
  readonly reset: Moment | undefined
  readonly retryAfter: Moment | undefined
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
export const serverTime = (headers: Headers): number | undefined => httpDate(headers["date"])

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

const retryMoment = (text: string | undefined, receivedAt: number): Moment | undefined => {
  const date = httpDate(text)
  if (date !== undefined) return { clock: "server", at: date }
  const seconds = largest(numbers(text)) ?? 0
  return seconds > 0 ? { clock: "local", at: receivedAt + Math.min(seconds * 1000, longestWait) } : undefined
}

/** @internal `receivedAt` is in epoch milliseconds on the local clock. */
export const read = (headers: Headers, receivedAt: number): Told => {
  const date = serverTime(headers)
  return {
    date,
    // A limit of nothing would be a refusal for ever.
    limit: smallest(numbers(headers["x-ratelimit-limit"])) || undefined,
    remaining: smallest(numbers(headers["x-ratelimit-remaining"])),
    reset: resetMoment(largest(numbers(headers["x-ratelimit-reset"])), date ?? receivedAt, receivedAt),
    retryAfter: retryMoment(headers["retry-after"], receivedAt)
  }
}

/**
 * The wait in milliseconds that the headers ask for, counted from their arrival at `receivedAt`: a `Retry-After` above zero,
 * else the reset. `undefined` where they ask for nothing or nothing sensible.
 *
 * The `Date` header rounds the server's clock down, so a wait counted from it ends up to 1 s after the reset and never
 * before it.
 *
 * @internal
 */
export const askedWait = (headers: Headers, receivedAt: number): number | undefined => {
  const { date, reset, retryAfter } = read(headers, receivedAt)
  const until = (moment: Moment | undefined): number =>
    moment === undefined ? 0 : moment.at - (moment.clock === "local" ? receivedAt : (date ?? receivedAt))
  const wait = until(retryAfter) > 0 ? until(retryAfter) : until(reset)
  return wait > 0 ? Math.min(wait, longestWait) : undefined
}
