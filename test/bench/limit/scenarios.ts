/** Scenarios of the rate limit benchmark and their best possible makespan. */
import * as RateLimiter from "../../../src/internal/simulator/http/rateLimiter.js"
import { earliestEnd, fixedWindowOpenings, type LimitedServerOptions } from "../../utils/limitedServer.js"

/** Start of each run, 18.6 s after the start of a 1-minute window. The 2-second windows begin exactly at this time. */
export const start = Date.UTC(2026, 2, 20, 10, 30, 18, 600)

export interface Scenario extends Pick<LimitedServerOptions, "latency" | "skew" | "headers"> {
  readonly name: string
  /** Requests per window. */
  readonly limit: number
  /** Length of a window in milliseconds. */
  readonly length: number
  readonly limiter: () => RateLimiter.RateLimiter
  /** Creates a function that returns the earliest time for request `n` of a worker. `n` starts at 0. */
  readonly openings: () => (n: number, freeAt: number) => number
  /** Start of the fixed windows on the client clock, in milliseconds after a multiple of `length`. */
  readonly offset?: number
  readonly clients: number
  /** Number of create requests per client. */
  readonly requests: number
  /** Maximum number of concurrent create requests per client. */
  readonly concurrency: number
}

const defaults = { limit: 60, length: 60_000, clients: 1, requests: 1000, concurrency: 100 }

const makeFixed = (
  name: string,
  options: Partial<Pick<Scenario, keyof typeof defaults | "latency" | "skew" | "headers">> & {
    readonly begins?: number
  } = {}
): Scenario => {
  const { begins = 0, ...rest } = options
  const scenario = { ...defaults, ...rest }
  const offset = begins - (rest.skew ?? 0)
  return {
    ...scenario,
    name,
    offset,
    limiter: () => RateLimiter.fixedWindow(scenario.limit, scenario.length, begins),
    openings: () => fixedWindowOpenings({ limit: scenario.limit, length: scenario.length, start, offset })
  }
}

/** A sliding window has the same best makespan as fixed windows that begin with the first request. */
const sliding: Scenario = {
  ...defaults,
  name: "sliding window",
  limiter: () => RateLimiter.slidingWindow(defaults.limit, defaults.length),
  openings: () => fixedWindowOpenings({ ...defaults, start, offset: start % defaults.length })
}

const bucket: Scenario = {
  ...defaults,
  name: "token bucket",
  limiter: () => RateLimiter.tokenBucket(defaults.limit, defaults.length),
  openings: () => (n) => start + (Math.max(0, n + 1 - defaults.limit) * defaults.length) / defaults.limit
}

/** Scenario of the chart in the README. */
export const chartedScenario = makeFixed("fixed windows")

export const scenarios: ReadonlyArray<Scenario> = [
  makeFixed("fixed windows", { concurrency: 10 }),
  chartedScenario,
  makeFixed("fixed windows", { concurrency: 1000 }),
  makeFixed("fixed windows, the clients' clock 5 s fast", { skew: -5000 }),
  makeFixed("fixed windows, 4 clients on one key", { clients: 4, requests: 250, concurrency: 25 }),
  makeFixed("fixed windows, the reset rounded down", {
    limit: 50,
    length: 2000,
    begins: 600,
    requests: 400,
    concurrency: 32,
    latency: { min: 5, max: 50 },
    headers: (state) => RateLimiter.toHeaders(state, Math.floor)
  }),
  sliding,
  bucket
]

/** Returns the best possible makespan of a scenario in milliseconds. */
export const bestMakespan = (scenario: Scenario, seed: number): number =>
  earliestEnd({
    requests: scenario.clients * scenario.requests,
    concurrency: scenario.clients * scenario.concurrency,
    openings: scenario.openings(),
    start,
    seed,
    ...(scenario.latency === undefined ? {} : { latency: scenario.latency })
  }) - start
