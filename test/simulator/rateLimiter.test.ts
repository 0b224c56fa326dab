/** Tests the three kinds of rate limit and the rate limit headers of the simulator. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import * as RateLimiter from "../../src/internal/simulator/http/rateLimiter.js"
import { start } from "../utils/harness.js"
import { call, createExecution, errorOf, test } from "../utils/rawApi.js"

/** Calls `tryAcquire` at each time and returns the results. */
const acquireAt = (limiter: RateLimiter.RateLimiter, moments: ReadonlyArray<number>) =>
  moments.map((moment) => limiter.tryAcquire(moment))

/** Returns the limit, the remaining requests and the reset at each time. */
const statesAt = (limiter: RateLimiter.RateLimiter, moments: ReadonlyArray<number>) =>
  moments.map((moment) => {
    const state = limiter.state(moment)
    return [state?.limit, state?.remaining, state?.reset]
  })

describe("RateLimiter.fixedWindow", () => {
  it("starts each window at a multiple of its length", () => {
    const limiter = RateLimiter.fixedWindow(2, 1000)
    assert.deepStrictEqual(acquireAt(limiter, [5999, 5999, 5999, 6000, 6000, 6999, 7000]), [
      true,
      true,
      false,
      true,
      true,
      false,
      true
    ])
  })

  it("adds the offset to the start of each window", () => {
    const limiter = RateLimiter.fixedWindow(1, 1000, 250)
    assert.deepStrictEqual(acquireAt(limiter, [6000, 6249, 6250, 7249, 7250]), [true, false, true, false, true])
    assert.deepStrictEqual(statesAt(limiter, [7250, 8249, 8250]), [
      [1, 0, 8250],
      [1, 0, 8250],
      [1, 1, 9250]
    ])
  })

  it("does not count rejected requests against the limit", () => {
    const limiter = RateLimiter.fixedWindow(3, 1000)
    assert.deepStrictEqual(statesAt(limiter, [6100]), [[3, 3, 7000]])
    acquireAt(limiter, [6100, 6200])
    assert.deepStrictEqual(statesAt(limiter, [6200]), [[3, 1, 7000]])
    acquireAt(limiter, [6300, 6400, 6500])
    assert.deepStrictEqual(statesAt(limiter, [6999, 7000]), [
      [3, 0, 7000],
      [3, 3, 8000]
    ])
  })
})

describe("RateLimiter.slidingWindow", () => {
  it("accepts a request when the oldest request leaves the window", () => {
    const limiter = RateLimiter.slidingWindow(2, 1000)
    assert.deepStrictEqual(acquireAt(limiter, [6100, 6400, 6400, 7099, 7100, 7399, 7400]), [
      true,
      true,
      false,
      false,
      true,
      false,
      true
    ])
  })

  it("reports the time when the oldest request leaves the window as the reset", () => {
    const limiter = RateLimiter.slidingWindow(2, 1000)
    assert.deepStrictEqual(statesAt(limiter, [6000]), [[2, 2, 6000]])
    acquireAt(limiter, [6100, 6400, 6500])
    assert.deepStrictEqual(statesAt(limiter, [6500, 7099, 7100, 7399, 7400]), [
      [2, 0, 7100],
      [2, 0, 7100],
      [2, 1, 7400],
      [2, 1, 7400],
      [2, 2, 7400]
    ])
  })
})

describe("RateLimiter.tokenBucket", () => {
  it("adds tokens at a constant rate", () => {
    const limiter = RateLimiter.tokenBucket(4, 1024)
    assert.deepStrictEqual(acquireAt(limiter, [6000, 6000, 6000, 6000, 6000, 6255, 6256, 6256, 6511, 6512]), [
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

  it("never contains more tokens than the limit", () => {
    const limiter = RateLimiter.tokenBucket(2, 1024)
    acquireAt(limiter, [6000, 6000])
    assert.deepStrictEqual(acquireAt(limiter, [60_000, 60_000, 60_000]), [true, true, false])
  })

  it("reports the time when the bucket is full as the reset", () => {
    const limiter = RateLimiter.tokenBucket(4, 1024)
    assert.deepStrictEqual(statesAt(limiter, [6000]), [[4, 4, 6000]])
    acquireAt(limiter, [6000, 6000, 6000])
    assert.deepStrictEqual(statesAt(limiter, [6000, 6255, 6256, 6767, 6768, 6800]), [
      [4, 1, 6768],
      [4, 1, 6768],
      [4, 2, 6768],
      [4, 3, 6768],
      [4, 4, 6768],
      [4, 4, 6800]
    ])
  })
})

describe("RateLimiter.toHeaders", () => {
  it("rounds the reset up to whole seconds by default", () => {
    const state = { limit: 60, remaining: 57, reset: 1_774_002_600_001 }
    const headersWith = (reset: string) => ({
      "x-ratelimit-limit": "60",
      "x-ratelimit-remaining": "57",
      "x-ratelimit-reset": reset
    })
    assert.deepStrictEqual(RateLimiter.toHeaders(state), headersWith("1774002601"))
    assert.deepStrictEqual(RateLimiter.toHeaders(state, Math.ceil), headersWith("1774002601"))
    assert.deepStrictEqual(RateLimiter.toHeaders(state, Math.floor), headersWith("1774002600"))
    assert.deepStrictEqual(RateLimiter.toHeaders({ ...state, reset: 1_774_002_600_000 }), headersWith("1774002600"))
  })

  it("returns no headers if the limiter is unlimited", () => {
    const moments = Array.from({ length: 1000 }, () => 6000)
    assert.notInclude(acquireAt(RateLimiter.unlimited, moments), false)
    assert.deepStrictEqual(RateLimiter.toHeaders(RateLimiter.unlimited.state(6000)), {})
  })
})

/**
 * Sends a request at each time, in milliseconds after `start`. Returns the status, the remaining requests, and the
 * reset in seconds after `start`.
 */
const requestAt = (rateLimit: Simulator.RateLimit, moments: ReadonlyArray<number>) =>
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

describe("Simulator rate limit", () => {
  it.effect("uses fixed windows by default", () =>
    Effect.gen(function* () {
      const moments = [1700, 1700, 1999, 2000]
      const expected = [
        [200, 1, 2],
        [200, 0, 2],
        [429, 0, 2],
        [200, 1, 4]
      ]
      assert.deepStrictEqual(yield* requestAt({ limit: 2, window: "2 seconds" }, moments), expected)
      assert.deepStrictEqual(yield* requestAt({ limit: 2, window: "2 seconds", kind: "fixed" }, moments), expected)
    })
  )

  it.effect("starts each window at `offset` and rounds the reset in the direction of `rounding`", () =>
    Effect.gen(function* () {
      const limit = { limit: 1, window: "2 seconds", offset: "600 millis" } as const
      const moments = [0, 599, 600, 2599, 2600]
      assert.deepStrictEqual(yield* requestAt(limit, moments), [
        [200, 0, 1],
        [429, 0, 1],
        [200, 0, 3],
        [429, 0, 3],
        [200, 0, 5]
      ])
      assert.deepStrictEqual(
        yield* requestAt({ ...limit, rounding: "up" }, moments),
        yield* requestAt({ ...limit }, moments)
      )
      assert.deepStrictEqual(yield* requestAt({ ...limit, rounding: "down" }, moments), [
        [200, 0, 0],
        [429, 0, 0],
        [200, 0, 2],
        [429, 0, 2],
        [200, 0, 4]
      ])
    })
  )

  it.effect("supports a sliding window", () =>
    Effect.gen(function* () {
      const limit = { limit: 2, window: "2 seconds", kind: "sliding" } as const
      assert.deepStrictEqual(yield* requestAt(limit, [100, 1400, 2000, 2099, 2100, 3399, 3400]), [
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

  it.effect("supports a token bucket", () =>
    Effect.gen(function* () {
      const limit = { limit: 4, window: "8 seconds", kind: "bucket" } as const
      assert.deepStrictEqual(yield* requestAt(limit, [0, 0, 0, 0, 0, 1500, 2000, 2500, 4000]), [
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

describe("Simulator response headers", () => {
  const reset = String(start / 1000 + 60)

  test(
    "contain the remaining requests and the reset of the window",
    { rateLimit: { limit: 2, window: "60 seconds" } },
    Effect.gen(function* () {
      yield* TestClock.adjust("20 seconds")
      const responses = yield* Effect.forEach([1, 2, 3, 4], () => call("GET", "/executions"))
      assert.deepStrictEqual(
        responses.map(({ status, headers }) => [
          status,
          headers["x-ratelimit-remaining"],
          headers["x-ratelimit-reset"]
        ]),
        [
          [200, "1", reset],
          [200, "0", reset],
          [429, "0", reset],
          [429, "0", reset]
        ]
      )
      const [, , rejected] = responses
      assert(rejected !== undefined)
      assert.deepInclude(errorOf(rejected), { code: "RATE_LIMITED", retryable: true })
      assert.strictEqual(rejected.headers["x-ratelimit-limit"], "2")
      assert.notProperty(rejected.headers, "retry-after")
      yield* TestClock.adjust("39999 millis")
      assert.strictEqual((yield* call("GET", "/executions")).status, 429)
      yield* TestClock.adjust("1 millis")
      const next = yield* call("GET", "/executions")
      assert.strictEqual(next.status, 200)
      assert.strictEqual(next.headers["x-ratelimit-reset"], String(start / 1000 + 120))
    })
  )

  test(
    "contain Retry-After if the option `retryAfter` is true",
    { rateLimit: { limit: 1, window: "10 seconds" }, retryAfter: true },
    Effect.gen(function* () {
      yield* call("GET", "/executions")
      yield* TestClock.adjust("2500 millis")
      assert.strictEqual((yield* call("GET", "/executions")).headers["retry-after"], "8")
    })
  )

  test(
    "exclude Date and the rate limit if both options are false",
    { rateLimit: false, date: false },
    Effect.gen(function* () {
      const { headers } = yield* call("GET", "/executions")
      assert.deepStrictEqual(Object.keys(headers).sort(), ["content-length", "content-type"])
    })
  )

  test(
    "use the server's clock for Date and reset",
    { clockSkew: -90_500, rateLimit: { limit: 1, window: "60 seconds" } },
    Effect.gen(function* () {
      const created = yield* createExecution()
      assert.strictEqual(created.headers["date"], "Fri, 20 Mar 2026 10:28:29 GMT")
      assert.strictEqual(created.json["created_at"], "2026-03-20T10:28:29Z")
      assert.strictEqual(created.headers["x-ratelimit-reset"], String(start / 1000 - 60))
      yield* TestClock.adjust("30499 millis")
      assert.strictEqual((yield* createExecution()).status, 429)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* createExecution()).status, 202)
    })
  )
})
