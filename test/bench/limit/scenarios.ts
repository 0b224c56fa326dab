/** What they compete in: the limits, how many creates at once, and how soon the batch could be done at best. */
import * as RateLimiter from "../../../src/internal/simulator/http/rateLimiter.js"
import { earliestEnd, fixedWindowOpenings, type LimitedServerOptions } from "../../utils/limitedServer.js"

/** In the middle of a window of a minute, and where the one begins whose reset is rounded down. */
export const start = Date.UTC(2026, 2, 20, 10, 30, 18, 600)

export interface Scenario extends Pick<LimitedServerOptions, "latency" | "skew" | "headers"> {
  readonly name: string
  readonly limit: number
  /** In milliseconds, as all times. */
  readonly length: number
  readonly limiter: () => RateLimiter.RateLimiter
  /** For one batch: the earliest moment for request n, from 0, when there is a hand free for it from `free` on. */
  readonly openings: () => (n: number, free: number) => number
  /** Where windows of fixed length begin, by the clients' clock, counted from whole multiples of the length. */
  readonly offset?: number
  readonly clients: number
  /** Creates of each client, and how many of them at once. */
  readonly requests: number
  readonly concurrency: number
}

/** A batch of one client, but for what a round says otherwise. */
const minute = { limit: 60, length: 60_000, clients: 1, requests: 1000, concurrency: 100 }

const fixed = (
  name: string,
  options: Partial<Pick<Scenario, keyof typeof minute | "latency" | "skew" | "headers">> & {
    readonly begins?: number
  } = {}
): Scenario => {
  const { begins = 0, ...rest } = options
  const round = { ...minute, ...rest }
  const offset = begins - (rest.skew ?? 0)
  return {
    ...round,
    name,
    offset,
    limiter: () => RateLimiter.fixedWindow(round.limit, round.length, begins),
    openings: () => fixedWindowOpenings({ limit: round.limit, length: round.length, start, offset })
  }
}

/** From the first request on, a sliding window allows what fixed ones would that begin with it. */
const sliding: Scenario = {
  ...minute,
  name: "sliding window",
  limiter: () => RateLimiter.slidingWindow(minute.limit, minute.length),
  openings: () => fixedWindowOpenings({ ...minute, start, offset: start % minute.length })
}

const bucket: Scenario = {
  ...minute,
  name: "token bucket",
  limiter: () => RateLimiter.tokenBucket(minute.limit, minute.length),
  openings: () => (n) => start + (Math.max(0, n + 1 - minute.limit) * minute.length) / minute.limit
}

/** The one that the picture shows. */
export const chartedScenario = fixed("fixed windows")

export const scenarios: ReadonlyArray<Scenario> = [
  fixed("fixed windows", { concurrency: 10 }),
  chartedScenario,
  fixed("fixed windows", { concurrency: 1000 }),
  fixed("fixed windows, the clients' clock 5 s fast", { skew: -5000 }),
  fixed("fixed windows, 4 clients on one key", { clients: 4, requests: 250, concurrency: 25 }),
  fixed("fixed windows, the reset rounded down", {
    limit: 50,
    length: 2000,
    begins: 600,
    requests: 400,
    concurrency: 32,
    latency: { min: 5, max: 50 },
    headers: (standing) => RateLimiter.toHeaders(standing, Math.floor)
  }),
  sliding,
  bucket
]

export const bestMakespan = (round: Scenario, seed: number): number =>
  earliestEnd({
    requests: round.clients * round.requests,
    concurrency: round.clients * round.concurrency,
    openings: round.openings(),
    start,
    seed,
    ...(round.latency === undefined ? {} : { latency: round.latency })
  }) - start
