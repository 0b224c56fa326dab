/**
 * Simulates a server with a rate limit and without a clock. Tests can send thousands of requests through hundreds of
 * windows. The caller passes the time of each request and receives the response with its times.
 */
import * as RateLimiter from "../../src/internal/simulator/http/rateLimiter.js"
import { httpDate } from "../../src/internal/simulator/time.js"
import { seededRandom } from "./seededRandom.js"

/** Bounds of a round trip, in milliseconds. */
export interface Latency {
  readonly min: number
  readonly max: number
}

const defaultLatency: Latency = { min: 20, max: 420 }

export interface LimitedServerOptions {
  readonly limiter: RateLimiter.RateLimiter
  /**
   * Round trips, uniformly distributed. The time until the server handles the request is random, too. Default: 20 to
   * 420 ms.
   */
  readonly latency?: Latency
  /** Server clock minus client clock, in milliseconds. Default: 0. */
  readonly skew?: number
  readonly seed?: number
  /** Returns the rate limit headers of a response. Default: returns all three headers and rounds the reset up. */
  readonly headers?: (
    state: RateLimiter.RateLimitState,
    isRejected: boolean,
    now: number
  ) => Readonly<Record<string, string>>
  /** Adds a `Date` header in whole seconds to each response. Default: `true`. */
  readonly hasDate?: boolean
}

export interface LimitedExchange {
  readonly sentAt: number
  /** Time when the server handles the request. Call `respond` at this time. */
  readonly handledAt: number
  readonly receivedAt: number
  readonly respond: () => LimitedResponse
}

export interface LimitedResponse {
  readonly isRejected: boolean
  readonly headers: Readonly<Record<string, string>>
}

/** Request that the server has handled. Times are on the client clock. */
export interface HandledRequest {
  readonly sentAt: number
  readonly handledAt: number
  readonly isRejected: boolean
  readonly name: string
}

export class LimitedServer {
  /** Handled requests, in the order of their handling. */
  readonly handled: Array<HandledRequest> = []
  private readonly draw: () => number

  constructor(private readonly options: LimitedServerOptions) {
    this.draw = seededRandom(options.seed ?? 1)
  }

  /** Sends a request at the time `sentAt` of the client clock. */
  request(sentAt: number, name = "request"): LimitedExchange {
    const { latency = defaultLatency } = this.options
    const trip = Math.round(latency.min + this.draw() * (latency.max - latency.min))
    const handledAt = sentAt + Math.round(this.draw() * trip)
    return { sentAt, handledAt, receivedAt: sentAt + trip, respond: () => this.respond(sentAt, handledAt, name) }
  }

  private respond(sentAt: number, handledAt: number, name: string): LimitedResponse {
    const { hasDate = true, limiter, skew = 0 } = this.options
    const toHeaders = this.options.headers ?? ((state) => RateLimiter.toHeaders(state))
    const now = handledAt + skew
    const isRejected = !limiter.tryAcquire(now)
    const state = limiter.state(now)
    this.handled.push({ sentAt, handledAt, isRejected, name })
    return {
      isRejected,
      headers: {
        ...(hasDate ? { date: httpDate(now) } : {}),
        ...(state === undefined ? {} : toHeaders(state, isRejected, now))
      }
    }
  }

  get rejections(): number {
    return this.handled.filter(({ isRejected }) => isRejected).length
  }
}

/**
 * Returns the earliest end of a batch that begins at `start`. Each request waits for a free worker and for the rate
 * limit, and then takes its round trip. `openings(n, freeAt)` returns the time when the limit admits request `n` (from
 * 0). The worker of that request is free at `freeAt`.
 */
export const earliestEnd = (batch: {
  readonly requests: number
  readonly concurrency: number
  readonly start: number
  readonly openings: (n: number, freeAt: number) => number
  readonly latency?: Latency
  readonly seed?: number
}): number => {
  const { concurrency, latency = defaultLatency, openings, requests, start } = batch
  const draw = seededRandom(batch.seed ?? 1)
  const workers = Array.from({ length: Math.min(concurrency, requests) }, () => start)
  let end = start
  for (let n = 0; n < requests; n++) {
    const freeAt = Math.min(...workers)
    const doneAt =
      Math.max(freeAt, openings(n, freeAt)) + Math.round(latency.min + draw() * (latency.max - latency.min))
    // The server draws a second number for each request, and the sequences must remain equal.
    draw()
    workers[workers.indexOf(freeAt)] = doneAt
    end = Math.max(end, doneAt)
  }
  return end
}

/**
 * Returns a function that computes the earliest admission times of a batch in unused windows of fixed length. Call the
 * function in the order of the requests.
 */
export const fixedWindowOpenings = (options: {
  readonly limit: number
  readonly length: number
  readonly start: number
  readonly offset?: number
}): ((n: number, freeAt?: number) => number) => {
  const { length, limit, offset = 0, start } = options
  let window = Number.NEGATIVE_INFINITY
  let used = 0
  return (_, freeAt = start) => {
    const current = Math.floor((freeAt - offset) / length)
    if (current > window) {
      window = current
      used = 0
    } else if (used >= limit) {
      window += 1
      used = 0
    }
    used += 1
    return Math.max(freeAt, window * length + offset)
  }
}
