/** The three kinds of rate limit to the millisecond, and what the simulator's answers tell of each. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import * as RateLimiter from "../../src/internal/simulator/http/rateLimiter.js"
import { start } from "../utils/harness.js"

/** Whether a request at each of these moments is let in, in this order. */
const admitted = (limiter: RateLimiter.RateLimiter, moments: ReadonlyArray<number>) =>
  moments.map((moment) => limiter.tryAcquire(moment))

const counts = (limiter: RateLimiter.RateLimiter, moments: ReadonlyArray<number>) =>
  moments.map((moment) => {
    const standing = limiter.state(moment)
    return [standing?.limit, standing?.remaining, standing?.reset]
  })

describe("fixed windows", () => {
  it("begin at whole multiples of their length", () => {
    const limiter = RateLimiter.fixedWindow(2, 1000)
    assert.deepStrictEqual(admitted(limiter, [5999, 5999, 5999, 6000, 6000, 6999, 7000]), [
      true,
      true,
      false,
      true,
      true,
      false,
      true
    ])
  })

  it("begin so much later as the offset says", () => {
    const limiter = RateLimiter.fixedWindow(1, 1000, 250)
    assert.deepStrictEqual(admitted(limiter, [6000, 6249, 6250, 7249, 7250]), [true, false, true, false, true])
    assert.deepStrictEqual(counts(limiter, [7250, 8249, 8250]), [
      [1, 0, 8250],
      [1, 0, 8250],
      [1, 1, 9250]
    ])
  })

  it("count what they let in, and nothing else", () => {
    const limiter = RateLimiter.fixedWindow(3, 1000)
    assert.deepStrictEqual(counts(limiter, [6100]), [[3, 3, 7000]])
    admitted(limiter, [6100, 6200])
    assert.deepStrictEqual(counts(limiter, [6200]), [[3, 1, 7000]])
    admitted(limiter, [6300, 6400, 6500])
    assert.deepStrictEqual(counts(limiter, [6999, 7000]), [
      [3, 0, 7000],
      [3, 3, 8000]
    ])
  })
})

describe("a sliding window", () => {
  it("lets one more in at the moment at which the oldest has left", () => {
    const limiter = RateLimiter.slidingWindow(2, 1000)
    assert.deepStrictEqual(admitted(limiter, [6100, 6400, 6400, 7099, 7100, 7399, 7400]), [
      true,
      true,
      false,
      false,
      true,
      false,
      true
    ])
  })

  it("tells when the oldest will have left; unused, it is open now", () => {
    const limiter = RateLimiter.slidingWindow(2, 1000)
    assert.deepStrictEqual(counts(limiter, [6000]), [[2, 2, 6000]])
    admitted(limiter, [6100, 6400, 6500])
    assert.deepStrictEqual(counts(limiter, [6500, 7099, 7100, 7399, 7400]), [
      [2, 0, 7100],
      [2, 0, 7100],
      [2, 1, 7400],
      [2, 1, 7400],
      [2, 2, 7400]
    ])
  })
})

describe("a token bucket", () => {
  it("is full at first, and then lets in one per part of the time", () => {
    const limiter = RateLimiter.tokenBucket(4, 1024)
    assert.deepStrictEqual(admitted(limiter, [6000, 6000, 6000, 6000, 6000, 6255, 6256, 6256, 6511, 6512]), [
      true,
      true,
      true,
      true,
      false,
      false,
      true,
      false,
      false,
      true
    ])
  })

  it("never holds more than the limit", () => {
    const limiter = RateLimiter.tokenBucket(2, 1024)
    admitted(limiter, [6000, 6000])
    assert.deepStrictEqual(admitted(limiter, [60_000, 60_000, 60_000]), [true, true, false])
  })

  it("tells whole tokens, and when it will be full", () => {
    const limiter = RateLimiter.tokenBucket(4, 1024)
    assert.deepStrictEqual(counts(limiter, [6000]), [[4, 4, 6000]])
    admitted(limiter, [6000, 6000, 6000])
    assert.deepStrictEqual(counts(limiter, [6000, 6255, 6256, 6767, 6768, 6800]), [
      [4, 1, 6768],
      [4, 1, 6768],
      [4, 2, 6768],
      [4, 3, 6768],
      [4, 4, 6768],
      [4, 4, 6800]
    ])
  })
})

describe("the headers", () => {
  it("round the reset up, or as they are told", () => {
    const standing = { limit: 60, remaining: 57, reset: 1_774_002_600_001 }
    const told = (reset: string) => ({
      "x-ratelimit-limit": "60",
      "x-ratelimit-remaining": "57",
      "x-ratelimit-reset": reset
    })
    assert.deepStrictEqual(RateLimiter.toHeaders(standing), told("1774002601"))
    assert.deepStrictEqual(RateLimiter.toHeaders(standing, Math.ceil), told("1774002601"))
    assert.deepStrictEqual(RateLimiter.toHeaders(standing, Math.floor), told("1774002600"))
    assert.deepStrictEqual(RateLimiter.toHeaders({ ...standing, reset: 1_774_002_600_000 }), told("1774002600"))
  })

  it("are not there without a limit", () => {
    const moments = Array.from({ length: 1000 }, () => 6000)
    assert.notInclude(admitted(RateLimiter.unlimited, moments), false)
    assert.deepStrictEqual(RateLimiter.toHeaders(RateLimiter.unlimited.state(6000)), {})
  })
})

/** At each of these moments after `start` one request: its status, what is left, and the reset in seconds after `start`. */
const answers = (rateLimit: Simulator.RateLimit, moments: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.get("https://api.modelroute.ai/v1/executions")
    return yield* Effect.forEach(moments, (moment) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(start + moment)
        const { headers, status } = yield* client.execute(HttpClientRequest.bearerToken(request, "sk_test"))
        assert.strictEqual(headers["x-ratelimit-limit"], String(rateLimit.limit))
        return [status, Number(headers["x-ratelimit-remaining"]), Number(headers["x-ratelimit-reset"]) - start / 1000]
      })
    )
  }).pipe(Effect.provide(Simulator.layer({ rateLimit })))

describe("the simulator", () => {
  it.effect("has fixed windows unless it is told otherwise", () =>
    Effect.gen(function* () {
      const moments = [1700, 1700, 1999, 2000]
      const expected = [
        [200, 1, 2],
        [200, 0, 2],
        [429, 0, 2],
        [200, 1, 4]
      ]
      assert.deepStrictEqual(yield* answers({ limit: 2, window: "2 seconds" }, moments), expected)
      assert.deepStrictEqual(yield* answers({ limit: 2, window: "2 seconds", kind: "fixed" }, moments), expected)
    })
  )

  it.effect("has windows that begin later, and a reset that is rounded up or down", () =>
    Effect.gen(function* () {
      const limit = { limit: 1, window: "2 seconds", offset: "600 millis" } as const
      const moments = [0, 599, 600, 2599, 2600]
      assert.deepStrictEqual(yield* answers(limit, moments), [
        [200, 0, 1],
        [429, 0, 1],
        [200, 0, 3],
        [429, 0, 3],
        [200, 0, 5]
      ])
      assert.deepStrictEqual(
        yield* answers({ ...limit, rounding: "up" }, moments),
        yield* answers({ ...limit }, moments)
      )
      assert.deepStrictEqual(yield* answers({ ...limit, rounding: "down" }, moments), [
        [200, 0, 0],
        [429, 0, 0],
        [200, 0, 2],
        [429, 0, 2],
        [200, 0, 4]
      ])
    })
  )

  it.effect("has a sliding window", () =>
    Effect.gen(function* () {
      const limit = { limit: 2, window: "2 seconds", kind: "sliding" } as const
      assert.deepStrictEqual(yield* answers(limit, [100, 1400, 2000, 2099, 2100, 3399, 3400]), [
        [200, 1, 3],
        [200, 0, 3],
        [429, 0, 3],
        [429, 0, 3],
        [200, 0, 4],
        [429, 0, 4],
        [200, 0, 5]
      ])
    })
  )

  it.effect("has a token bucket", () =>
    Effect.gen(function* () {
      const limit = { limit: 4, window: "8 seconds", kind: "bucket" } as const
      assert.deepStrictEqual(yield* answers(limit, [0, 0, 0, 0, 0, 1500, 2000, 2500, 4000]), [
        [200, 3, 2],
        [200, 2, 4],
        [200, 1, 6],
        [200, 0, 8],
        [429, 0, 8],
        [429, 0, 8],
        [200, 0, 10],
        [429, 0, 10],
        [200, 0, 12]
      ])
    })
  )
})
