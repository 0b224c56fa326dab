/** Tests the rejections and the total duration of a batch with different servers, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Option } from "effect"
import { Gate } from "../../src/internal/rateLimit/gate.js"
import * as RateLimiter from "../../src/internal/simulator/http/rateLimiter.js"
import { measureEnd } from "../utils/throughput.js"
import { start } from "../utils/harness.js"
import { earliestEnd, fixedWindowOpenings, LimitedServer, type LimitedServerOptions } from "../utils/limitedServer.js"
import { seededRandom } from "../utils/seededRandom.js"
import { sendUntilAccepted, sendAll } from "../utils/gateRequests.js"
import { isFull } from "../utils/suite.js"

const minute = 60_000
const seeds = [1, 2, 3, 4, 5]

interface Scenario extends Partial<LimitedServerOptions> {
  readonly limit: number
  /** Length of a window in milliseconds. Default: one minute. */
  readonly window?: number
  readonly offset?: number
  readonly requests?: number
  readonly concurrency: number
  readonly clients?: number
  /** Milliseconds from the start of a server window to the start of the batch. */
  readonly phase?: number
}

const runScenario = (scenario: Scenario) =>
  Effect.gen(function* () {
    const { clients = 1, concurrency, limit, offset = 0, phase = 0, requests = 1000, skew = 0 } = scenario
    const length = scenario.window ?? minute
    const limiter = RateLimiter.fixedWindow(limit, length, offset)
    const server = new LimitedServer({ limiter, ...scenario })
    const began = start - skew + offset + phase
    const gates = Array.from({ length: clients }, () => new Gate())
    const all = Effect.forEach(gates, (gate) => sendAll(gate, server, requests / clients, concurrency), {
      concurrency: "unbounded"
    })
    const ended = yield* measureEnd(all, began)
    const openings = fixedWindowOpenings({ limit, length, start: began, offset: offset - skew })
    const best = earliestEnd({ ...scenario, requests, concurrency: concurrency * clients, start: began, openings })
    const windowOf = (at: number): number => Math.floor((at + skew - offset) / length)
    const count = (moments: ReadonlyArray<number>) => {
      const windows = new Map<number, number>()
      for (const at of moments) {
        const window = windowOf(at) - windowOf(began)
        windows.set(window, (windows.get(window) ?? 0) + 1)
      }
      return windows
    }
    return {
      ratio: (ended - began) / (best - began),
      late: ended - best,
      rejections: server.rejections,
      rejectionsIn: count(server.handled.filter(({ isRejected }) => isRejected).map(({ handledAt }) => handledAt)),
      sentIn: count(server.handled.map(({ sentAt }) => sentAt)),
      sent: server.handled.map(({ sentAt }) => sentAt - began).toSorted((a, b) => a - b),
      handled: server.handled
    }
  })

const maxCount = (counts: ReadonlyMap<number, number>, from = 0): number =>
  Math.max(0, ...Array.from(counts, ([window, n]) => (window >= from ? n : 0)))

describe.runIf(isFull)("Gate with usable rate limit headers", () => {
  for (const limit of [60, 600]) {
    for (const concurrency of [1, 10, 100, 1000]) {
      it.effect(`receives no rejection at ${limit} requests per minute with a concurrency of ${concurrency}`, () =>
        Effect.gen(function* () {
          for (const skew of [-600_000, -5000, 0, 5000, 600_000]) {
            for (const seed of seeds) {
              const name = `skew ${skew}, seed ${seed}`
              const { ratio, rejections, sentIn } = yield* runScenario({ limit, concurrency, skew, seed })
              assert.strictEqual(rejections, 0, name)
              // No request may be sent before the reset, even if the request would arrive after the reset.
              assert.isAtMost(maxCount(sentIn), limit, name)
              assert.isAtMost(ratio, limit === 60 ? 1.01 : 1.02, name)
            }
          }
        })
      )
    }
  }

  it.effect("receives no rejection at random start times in a window with random clock skews", () =>
    Effect.gen(function* () {
      const draw = seededRandom(7)
      for (let seed = 1; seed <= 60; seed++) {
        const skew = Math.round((draw() - 0.5) * 1_200_000)
        const phase = Math.floor(draw() * 55_000)
        const concurrency = [7, 70, 700][seed % 3] ?? 7
        const { late, rejections, sentIn } = yield* runScenario({
          limit: 60,
          requests: 200,
          concurrency,
          skew,
          phase,
          seed
        })
        const name = `seed ${seed}, skew ${skew}, phase ${phase}`
        assert.strictEqual(rejections, 0, name)
        assert.isAtMost(maxCount(sentIn), 60, name)
        // The tolerance covers one round trip for the probe and the uncertainty of the server's clock.
        assert.isAtMost(late, 1500, name)
      }
    })
  )

  const plain = (standing: RateLimiter.RateLimitState) => RateLimiter.toHeaders(standing)
  const headerFormats: ReadonlyArray<readonly [string, Required<LimitedServerOptions>["headers"]]> = [
    ["a reset in milliseconds", (s) => ({ ...plain(s), "x-ratelimit-reset": String(s.reset) })],
    [
      "seconds until the reset",
      (s, _, now) => ({ ...plain(s), "x-ratelimit-reset": String(Math.ceil((s.reset - now) / 1000)) })
    ],
    [
      "repeated rate limit headers",
      (s) => Object.fromEntries(Object.entries(plain(s)).map(([name, value]) => [name, `${value}, ${value}`]))
    ],
    ["no X-RateLimit-Remaining header", (s) => ({ ...plain(s), "x-ratelimit-remaining": "" })],
    ["no X-RateLimit-Limit header", (s) => ({ ...plain(s), "x-ratelimit-limit": "" })]
  ]
  for (const [name, headers] of headerFormats) {
    it.effect(`receives no rejection with ${name}`, () =>
      Effect.gen(function* () {
        for (const seed of seeds) {
          const { ratio, rejections } = yield* runScenario({ limit: 60, concurrency: 100, seed, headers })
          assert.strictEqual(rejections, 0, `seed ${seed}`)
          assert.isAtMost(ratio, 1.01, `seed ${seed}`)
        }
      })
    )
  }

  it.effect("receives no rejection without a Date header", () =>
    Effect.gen(function* () {
      const { ratio, rejections } = yield* runScenario({ limit: 60, concurrency: 100, hasDate: false })
      assert.strictEqual(rejections, 0)
      assert.isAtMost(ratio, 1.01)
    })
  )
})

describe.runIf(isFull)("Gate with incomplete rate limit headers", () => {
  const shortcomings: ReadonlyArray<readonly [string, Required<LimitedServerOptions>["headers"]]> = [
    ["responses report only the reset", (s) => ({ "x-ratelimit-reset": String(s.reset / 1000) })],
    [
      "only rejections have rate limit headers",
      (s, rejections, now) => (rejections ? { "retry-after": String(Math.ceil((s.reset - now) / 1000)) } : {})
    ]
  ]
  for (const [name, headers] of shortcomings) {
    it.effect(`receives at most two rejections per window after the first window if ${name}`, () =>
      Effect.gen(function* () {
        for (const seed of seeds) {
          const { ratio, rejectionsIn } = yield* runScenario({ limit: 60, concurrency: 100, seed, headers })
          assert.isAbove(rejectionsIn.get(0) ?? 0, 2, `seed ${seed}`)
          assert.isAtMost(maxCount(rejectionsIn, 1), 2, `seed ${seed}`)
          assert.isAtMost(ratio, 1.02, `seed ${seed}`)
        }
      })
    )
  }

  const useless: ReadonlyArray<readonly [string, Readonly<Record<string, string>>]> = [
    ["missing", {}],
    ["unreadable", { "x-ratelimit-reset": "soon", "x-ratelimit-remaining": "many", "retry-after": "later" }],
    ["in the past", { "x-ratelimit-reset": "1710924600" }],
    ["centuries ahead", { "x-ratelimit-reset": "253402300799", "retry-after": "9".repeat(30) }]
  ]
  for (const [name, headers] of useless) {
    it.effect(`sends at most one request per second if the rate limit headers of a rejection are ${name}`, () =>
      Effect.gen(function* () {
        const { handled, sent } = yield* runScenario({
          limit: 60,
          concurrency: 100,
          requests: 300,
          headers: () => headers
        })
        const rejectedAt = Math.min(...handled.filter(({ isRejected }) => isRejected).map(({ handledAt }) => handledAt))
        // A response takes at most 420 ms.
        const after = sent.filter((at) => at > rejectedAt - start + 420)
        assert.isAbove(after.length, 200)
        // The backoff is at its first step because a burst counts as one rejection.
        assert.isAtMost((after[0] ?? 0) - (rejectedAt - start), 1420)
        assert.isAtLeast(Math.min(...after.slice(1).map((at, i) => at - (after[i] ?? 0))), 1000)
      })
    )
  }

  it.effect(
    "receives at most one rejection per window after the first window if the server rounds its reset down",
    () =>
      Effect.gen(function* () {
        const headers = (standing: RateLimiter.RateLimitState) => RateLimiter.toHeaders(standing, Math.floor)
        for (const date of [true, false]) {
          for (const seed of seeds) {
            const latency = { min: 5, max: 50 }
            const scenario = { limit: 50, window: 2000, offset: 600, requests: 400, concurrency: 32, latency, headers }
            const { ratio, rejectionsIn } = yield* runScenario({ ...scenario, hasDate: date, seed })
            assert.isAtMost(rejectionsIn.get(0) ?? 0, 5, `seed ${seed}`)
            assert.isAtMost(maxCount(rejectionsIn, 1), 1, `seed ${seed}`)
            assert.isAtMost(ratio, 1.02, `seed ${seed}`)
          }
        }
      })
  )
})

describe("Gate with a hanging request", () => {
  const hangingRequest = (gate: Gate) =>
    gate.withPermit(
      {
        operation: "executions.get",
        requestClass: "calls",
        isRetry: false,
        confirmWait: () => Effect.succeed(Option.none<never>())
      },
      () => Effect.sleep(30_000)
    )

  for (const [name, before] of [
    ["before the first response", 0],
    ["in the middle of a batch", 40]
  ] as const) {
    it.effect(`admits other requests if a request hangs ${name}`, () =>
      Effect.gen(function* () {
        const gate = new Gate()
        const server = new LimitedServer({
          limiter: RateLimiter.fixedWindow(30, 2000),
          latency: { min: 20, max: 100 }
        })
        let done = 0
        const program = Effect.gen(function* () {
          yield* sendAll(gate, server, before, 30)
          const hanging = yield* Effect.fork(hangingRequest(gate))
          yield* sendAll(gate, server, 150, 50)
          done = yield* Clock.currentTimeMillis
          yield* Fiber.join(hanging)
        })
        yield* measureEnd(program, start)
        assert.strictEqual(server.rejections, 0)
        // The batch needs 8 s or 12 s at 30 requests in 2 s. The extra 6 s cover 2 s without a response and two
        // windows.
        assert.isAtMost(done - start, (before === 0 ? 8000 : 12_000) + 6000)
      })
    )
  }
})

describe("Gate with a sliding limit", () => {
  for (const [name, limiter] of [
    ["a sliding window", () => RateLimiter.slidingWindow(60, minute)],
    ["a token bucket", () => RateLimiter.tokenBucket(60, minute)]
  ] as const) {
    it.effect(`receives no rejection with ${name}`, () =>
      Effect.gen(function* () {
        for (const seed of seeds) {
          const gate = new Gate()
          const server = new LimitedServer({ limiter: limiter(), seed })
          const ended = yield* measureEnd(sendAll(gate, server, 420, 100), start)
          assert.strictEqual(server.rejections, 0, `seed ${seed}`)
          // The limit admits 60 requests immediately and then 60 requests per minute.
          assert.isAtMost(ended - start, 1.1 * 6 * minute, `seed ${seed}`)
        }
      })
    )
  }
})

describe.runIf(isFull)("Gate with other clients", () => {
  for (const clients of [2, 4, 8]) {
    for (const limit of [60, 600]) {
      it.effect(
        `receives at most ${1.5 * (clients - 1)} rejections per window with ${clients} clients and a limit of ${limit}`,
        () =>
          Effect.gen(function* () {
            for (const seed of seeds) {
              const { ratio, rejections, rejectionsIn } = yield* runScenario({ limit, clients, concurrency: 100, seed })
              assert.isAbove(rejections, 0, `seed ${seed}`)
              assert.isAtMost(maxCount(rejectionsIn), 1.5 * (clients - 1), `seed ${seed}`)
              assert.isAtMost(ratio, 1.02, `seed ${seed}`)
            }
          })
      )
    }
  }
})

describe("Gate with two request classes", () => {
  const waits = (crowd: "submissions" | "polls", few: "submissions" | "polls") =>
    Effect.gen(function* () {
      const gate = new Gate()
      const server = new LimitedServer({ limiter: RateLimiter.fixedWindow(60, minute) })
      const longest: Array<number> = []
      const one = Effect.gen(function* () {
        const from = yield* Clock.currentTimeMillis
        yield* sendUntilAccepted(gate, server, { requestClass: few })
        longest.push((yield* Clock.currentTimeMillis) - from)
      })
      const program = Effect.gen(function* () {
        const rest = yield* Effect.fork(sendAll(gate, server, 900, 900, { requestClass: crowd }))
        // The requests start at intervals of 7 s because they must arrive while the crowd waits.
        const some = yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.delay(Effect.fork(one), 7000))
        assert.isAbove(gate.waiting, 100)
        yield* Effect.forEach(some, Fiber.join)
        yield* Fiber.join(rest)
      })
      yield* measureEnd(program, start)
      assert.lengthOf(longest, 100)
      return Math.max(...longest)
    })

  it.effect("delays a request by at most two windows while 900 requests of another class wait", () =>
    Effect.gen(function* () {
      assert.isAtMost(yield* waits("submissions", "polls"), 2 * minute)
      assert.isAtMost(yield* waits("polls", "submissions"), 2 * minute)
    })
  )
})
