/**
 * A server of which only the rate limit matters: for clients that send thousands of requests through hundreds of windows. It
 * has no clock of its own: the caller says when a request was sent, and gets what happened to it and when.
 */
import * as RateLimiter from "../../src/internal/simulator/http/rateLimiter.js"
import { httpDate } from "../../src/internal/simulator/time.js"

export interface LimitedServerOptions {
  readonly limiter: RateLimiter.RateLimiter
  /** Round trips in milliseconds, drawn evenly; how much of one is the way there is drawn, too. Default 20 to 420. */
  readonly latency?: { readonly min: number; readonly max: number }
  /** The server's clock less the client's. Default 0. */
  readonly skew?: number
  readonly seed?: number
  /** What answers say of the limit. Default: all of it, the reset rounded up. */
  readonly tells?: (
    standing: RateLimiter.RateLimitState,
    refused: boolean,
    now: number
  ) => Readonly<Record<string, string>>
  /** Whether answers have a Date, in whole seconds. Default true. */
  readonly date?: boolean
}

export interface Exchange {
  readonly sentAt: number
  /** When the server decides: ask `answer` then, not earlier. */
  readonly handledAt: number
  readonly receivedAt: number
  readonly answer: () => Answer
}

export interface Answer {
  readonly refused: boolean
  readonly headers: Readonly<Record<string, string>>
}

/** One request as the server saw it, by the client's clock. */
export interface Handled {
  readonly sentAt: number
  readonly handledAt: number
  readonly refused: boolean
  readonly name: string
}

/** Even pseudo-random numbers from 0 to 1 (mulberry32): the same for every contestant and on every machine. */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const tellAll = (standing: RateLimiter.RateLimitState) => RateLimiter.toHeaders(standing)

export class LimitedServer {
  /** In the order in which they were handled. */
  readonly handled: Array<Handled> = []
  private readonly draw: () => number

  constructor(private readonly options: LimitedServerOptions) {
    this.draw = random(options.seed ?? 1)
  }

  /** A request sent at this moment of the client's clock. */
  request(sentAt: number, name = "request"): Exchange {
    const { date = true, latency = { min: 20, max: 420 }, limiter, skew = 0, tells = tellAll } = this.options
    const trip = Math.round(latency.min + this.draw() * (latency.max - latency.min))
    const handledAt = sentAt + Math.round(this.draw() * trip)
    return {
      sentAt,
      handledAt,
      receivedAt: sentAt + trip,
      answer: () => {
        const now = handledAt + skew
        const refused = !limiter.tryAcquire(now)
        const standing = limiter.state(now)
        this.handled.push({ sentAt, handledAt, refused, name })
        return {
          refused,
          headers: {
            ...(date ? { date: httpDate(now) } : {}),
            ...(standing === undefined ? {} : tells(standing, refused, now))
          }
        }
      }
    }
  }

  get refused(): number {
    return this.handled.filter(({ refused }) => refused).length
  }
}

/**
 * When a batch that begins at `start` ends at best: every request waits for a free hand and for the moment at which the limit
 * allows one more, and then takes its round trip. `openings(n, free)` is that moment for request n, from 0, with a hand that is
 * free at `free`.
 */
export const bestEnd = (batch: {
  readonly requests: number
  readonly concurrency: number
  readonly start: number
  readonly openings: (n: number, free: number) => number
  readonly latency?: { readonly min: number; readonly max: number }
  readonly seed?: number
}): number => {
  const { concurrency, latency = { min: 20, max: 420 }, openings, requests, start } = batch
  const draw = random(batch.seed ?? 1)
  const hands = Array.from({ length: Math.min(concurrency, requests) }, () => start)
  let end = start
  for (let n = 0; n < requests; n++) {
    const free = Math.min(...hands)
    const done = Math.max(free, openings(n, free)) + Math.round(latency.min + draw() * (latency.max - latency.min))
    draw()
    hands[hands.indexOf(free)] = done
    end = Math.max(end, done)
  }
  return end
}

/** The earliest moments that windows of fixed length allow, to a batch that finds them unused; for one batch in its order. */
export const fixedOpenings = (options: {
  readonly limit: number
  readonly length: number
  readonly start: number
  readonly offset?: number
}): ((n: number, free?: number) => number) => {
  const { length, limit, offset = 0, start } = options
  let window = Number.NEGATIVE_INFINITY
  let used = 0
  return (_, free = start) => {
    const now = Math.floor((free - offset) / length)
    if (now > window) {
      window = now
      used = 0
    } else if (used >= limit) {
      window += 1
      used = 0
    }
    used += 1
    return Math.max(free, window * length + offset)
  }
}
