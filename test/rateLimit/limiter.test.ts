/** The limiter without a gate: its capacity at each moment, after requests and responses. */
import { assert, describe, it } from "@effect/vitest"
import { Limiter, type SentRequest } from "../../src/internal/rateLimit/limiter.js"
import { parseRateLimitHeaders, type RateLimitInfo } from "../../src/internal/retry/rateLimitHeaders.js"
import { start } from "../utils/harness.js"
import { type ReportedLimit, toRateLimitInfo } from "../utils/reportedLimit.js"

/** Creates a limiter. `known` is the response to a request before `start`. Moments are milliseconds after `start`. */
const makeLimiter = (known?: ReportedLimit) => {
  const limiter = new Limiter()
  const send = (at: number): SentRequest => limiter.register(start + at)
  const respond = (sent: SentRequest, at: number, reported: ReportedLimit = {}): void =>
    limiter.onResponse(sent, toRateLimitInfo(reported), start + at)
  const reject = (sent: SentRequest, at: number, reported: ReportedLimit = {}): void => {
    limiter.onRejected(sent, toRateLimitInfo(reported), start + at)
  }
  const lose = (sent: SentRequest, at: number): void => limiter.onLost(sent, start + at)
  const abandon = (sent: SentRequest, at: number): void => limiter.onAbandoned(sent, start + at)
  const capacityAt = (at: number) => {
    const { recheckAt, ...rest } = limiter.capacity(start + at)
    return { ...rest, recheckAt: recheckAt === undefined ? undefined : recheckAt - start }
  }
  const permitsAt = (at: number): number => capacityAt(at).permits
  const blockedUntil = (): number => limiter.blockedUntil - start
  if (known !== undefined) respond(send(-50), 0, known)
  return { abandon, blockedUntil, capacityAt, limiter, lose, permitsAt, reject, respond, send }
}

describe("probes", () => {
  it("double every 2 s without a response", () => {
    const { permitsAt, send, capacityAt } = makeLimiter()
    assert.strictEqual(permitsAt(0), 1)
    send(0)
    assert.deepStrictEqual(capacityAt(1999), { permits: 0, recheckAt: 2000, limited: false })
    assert.strictEqual(permitsAt(2000), 1)
    send(2000)
    assert.deepStrictEqual(capacityAt(3999), { permits: 0, recheckAt: 4000, limited: false })
    assert.strictEqual(permitsAt(4000), 2)
    send(4000)
    send(4000)
    assert.strictEqual(permitsAt(6000), 4)
  })

  it("wait for 2 s again after each response", () => {
    const { respond, permitsAt, send } = makeLimiter()
    const first = send(0)
    send(2000)
    respond(first, 3000)
    // Two probes may be in flight after a response without headers, and one is.
    assert.strictEqual(permitsAt(3000), 1)
    assert.strictEqual(permitsAt(4999), 1)
    assert.strictEqual(permitsAt(5000), 3)
  })

  it("never exceed the limit, including lost requests that can still arrive", () => {
    const { lose, send, capacityAt } = makeLimiter({ limit: 2, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100]) lose(send(at), at + 50)
    assert.deepStrictEqual(capacityAt(10_200), { permits: 0, recheckAt: 11_050, limited: false })
  })

  it("allow two more after one that was never sent", () => {
    const { limiter, permitsAt, send } = makeLimiter()
    limiter.onUnsent(send(0), start + 1)
    assert.strictEqual(permitsAt(2), 2)
  })

  it("allow two more after one that was lost", () => {
    const { lose, permitsAt, send } = makeLimiter()
    lose(send(0), 1)
    assert.strictEqual(permitsAt(2), 2)
  })

  it("allow two more in a new window after a response without headers", () => {
    const { respond, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050)
    assert.strictEqual(permitsAt(10_060), 2)
  })

  it("start with one in each window", () => {
    const { respond, lose, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100, 10_200]) lose(send(at), at + 50)
    respond(send(10_300), 10_350, { limit: 60, remaining: 40, reset: 20_000 })
    assert.strictEqual(permitsAt(20_000), 1)
  })

  it("start with one after a rejection", () => {
    const { lose, permitsAt, reject, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100, 10_200]) lose(send(at), at + 50)
    reject(send(10_300), 10_350, { retryAfter: 12_350 })
    assert.strictEqual(permitsAt(12_350), 1)
  })

  it("of an earlier window do not count among the probes of the current window", () => {
    const { respond, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    const late = send(10_000)
    respond(send(12_000), 12_050, { limit: 60, remaining: 58, reset: 20_000 })
    assert.strictEqual(permitsAt(20_000), 1)
    send(20_000)
    respond(late, 20_050, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(permitsAt(20_060), 0)
  })
})

describe("requests without a response", () => {
  it("count against a window that opened after they were sent", () => {
    const { abandon, respond, permitsAt, send } = makeLimiter({ limit: 2, remaining: 1, reset: 10_000 })
    abandon(send(9990), 9991)
    assert.strictEqual(permitsAt(9992), 0)
    respond(send(10_001), 10_050, { limit: 2, remaining: 1, reset: 20_000 })
    assert.deepStrictEqual([permitsAt(10_060), permitsAt(11_500)], [0, 0])
  })

  it("are taken off the remaining requests 1 s after they were abandoned", () => {
    const { abandon, limiter, send, capacityAt } = makeLimiter({ limit: 60, remaining: 5, reset: 60_000 })
    abandon(send(2000), 2010)
    capacityAt(3009)
    assert.strictEqual(limiter.window?.remaining, 5)
    capacityAt(3010)
    assert.strictEqual(limiter.window?.remaining, 4)
  })

  it("count as accepted in the learned allowance", () => {
    const { abandon, respond, permitsAt, reject, send, capacityAt } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    abandon(send(10), 11)
    capacityAt(1011)
    reject(send(1100), 1150, { retryAfter: 60_000 })
    respond(send(60_000), 60_050)
    // Four requests were accepted, and one of the next four is used.
    assert.strictEqual(permitsAt(60_060), 3)
  })

  it("are not own requests if they were withdrawn, so that one more used request shows other clients", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 59, reset: 60_000 })
    limiter.onWithdrawn(send(2000), start + 2000)
    respond(send(2001), 2050, { limit: 60, remaining: 58, reset: 60_000 })
    assert.isFalse(limiter.hasOtherClients)
    limiter.onWithdrawn(send(2060), start + 2060)
    respond(send(2061), 2100, { limit: 60, remaining: 56, reset: 60_000 })
    assert.isTrue(limiter.hasOtherClients)
  })
})

describe("the learned limit", () => {
  it("counts requests before the first reported window against that window", () => {
    const { respond, limiter, send } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    respond(send(10), 11, { limit: 60, reset: 60_000 })
    assert.strictEqual(limiter.window?.remaining, 56)
  })

  it("is the number of requests accepted before a rejection, including later responses", () => {
    const { respond, permitsAt, reject, send } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    const late = send(10)
    reject(send(10), 20, { retryAfter: 60_000 })
    respond(late, 30)
    respond(send(60_000), 60_050)
    assert.strictEqual(permitsAt(60_060), 3)
  })

  it("is kept for a later window that does not report it", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050, { reset: 20_000 })
    assert.strictEqual(limiter.window?.remaining, 59)
  })

  it("does not outlive a window without a limit if the next response has no headers", () => {
    const { respond, limiter, send } = makeLimiter({ remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050)
    assert.isUndefined(limiter.window)
  })
})

describe("a rejection", () => {
  it("blocks until the latest moment that any rejection has named", () => {
    const { blockedUntil, reject, send } = makeLimiter()
    const [first, second] = [send(0), send(0)]
    reject(first, 50, { retryAfter: 30_050 })
    reject(second, 60, { retryAfter: 5060 })
    assert.strictEqual(blockedUntil(), 30_050)
  })

  it("exhausts its window, whatever remaining requests it reports", () => {
    const { limiter, permitsAt, reject, send, capacityAt } = makeLimiter({ limit: 60, remaining: 50, reset: 60_000 })
    reject(send(2000), 2050, { limit: 60, remaining: 3, reset: 60_000 })
    assert.strictEqual(limiter.window?.remaining, 0)
    assert.deepStrictEqual(capacityAt(59_999), { permits: 0, recheckAt: 60_000, limited: true })
    assert.strictEqual(permitsAt(60_000), 1)
  })

  it("with only Retry-After blocks for that time, and takes one request off the known window", () => {
    const { respond, limiter, permitsAt, reject, send, capacityAt } = makeLimiter({
      limit: 600,
      remaining: 599,
      reset: 60_000
    })
    for (const remaining of [598, 597]) respond(send(1000), 1050, { limit: 600, remaining, reset: 60_000 })
    reject(send(2050), 2100, { retryAfter: 4100 })
    assert.deepStrictEqual(capacityAt(4099), { permits: 0, recheckAt: 4100, limited: true })
    assert.isAbove(permitsAt(4100), 0)
    assert.strictEqual(limiter.window?.remaining, 596)
  })

  it("with a reset that has just passed blocks for 1 s, whatever requests remain", () => {
    const { blockedUntil, reject, send, capacityAt } = makeLimiter({ limit: 600, remaining: 590, reset: 60_000 })
    const burst = [send(2010), send(2010), send(2010)]
    for (const sent of burst) reject(sent, 2060, { limit: 600, remaining: 590, reset: 2000 })
    assert.strictEqual(blockedUntil(), 3060)
    assert.deepStrictEqual(capacityAt(3059), { permits: 0, recheckAt: 3060, limited: true })
    reject(send(3060), 3110, { limit: 600, remaining: 590, reset: 3000 })
    assert.isAtLeast(blockedUntil(), 4110)
  })

  it("of a request sent in the previous window blocks nothing", () => {
    const { respond, permitsAt, reject, send } = makeLimiter({ limit: 60, remaining: 9, reset: 10_000 })
    const late = send(9900)
    respond(send(10_001), 10_050, { limit: 60, remaining: 58, reset: 20_000 })
    const before = permitsAt(10_099)
    assert.isAbove(before, 0)
    reject(late, 10_100, { limit: 60, remaining: 0, reset: 10_000 })
    assert.isAbove(permitsAt(10_100), 0)
  })

  it("of a limit of 0 blocks until its reset, not forever", () => {
    for (const how of ["onResponse", "onRejected"] as const) {
      const { limiter, permitsAt, send, capacityAt } = makeLimiter()
      const toUsedUp = (reset: number, at: number): RateLimitInfo =>
        parseRateLimitHeaders(
          {
            "x-ratelimit-limit": "0",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": String((start + reset) / 1000)
          },
          start + at
        )
      limiter[how](send(0), toUsedUp(60_000, 50), start + 50)
      assert.deepStrictEqual(capacityAt(59_999), { permits: 0, recheckAt: 60_000, limited: true }, how)
      assert.strictEqual(permitsAt(60_000), 1, how)
      limiter[how](send(60_000), toUsedUp(120_000, 60_050), start + 60_050)
      assert.deepStrictEqual(capacityAt(60_060), { permits: 0, recheckAt: 120_000, limited: true }, how)
      assert.strictEqual(permitsAt(120_000), 1, how)
    }
  })
})

describe("a rejection without a reset", () => {
  it("blocks for 1 s, then 2 s, and for 1 s again after a success", () => {
    const { respond, blockedUntil, reject, send } = makeLimiter()
    reject(send(0), 50)
    assert.strictEqual(blockedUntil(), 1050)
    reject(send(1050), 1100)
    assert.strictEqual(blockedUntil(), 3100)
    respond(send(4000), 4050)
    reject(send(5000), 5050)
    assert.strictEqual(blockedUntil(), 6050)
  })

  it("counts once for all requests of a burst", () => {
    const { blockedUntil, reject, send } = makeLimiter()
    const burst = [send(0), send(0), send(0)]
    burst.forEach((sent, i) => reject(sent, 50 + 10 * i))
    assert.strictEqual(blockedUntil(), 1050)
    reject(send(1050), 1100)
    assert.strictEqual(blockedUntil(), 3100)
  })

  it("is followed by one request a second", () => {
    const { permitsAt, reject, send, capacityAt } = makeLimiter()
    reject(send(0), 50)
    assert.strictEqual(permitsAt(1050), 1)
    send(1050)
    assert.deepStrictEqual(capacityAt(1500), { permits: 0, recheckAt: 2050, limited: true })
  })

  it("is forgotten after the first response that reports the limit", () => {
    const { respond, permitsAt, reject, send } = makeLimiter()
    reject(send(0), 50)
    respond(send(2000), 2050, { limit: 60, remaining: 59, reset: 60_000 })
    assert.strictEqual(permitsAt(2060), 59)
  })

  it("is forgotten after more than 10 minutes, not earlier", () => {
    const after = (rest: number) => {
      const { respond, limiter, permitsAt, reject, send } = makeLimiter()
      reject(send(0), 50)
      limiter.fallback.onIdle(start + 50 + rest)
      respond(send(600_051), 600_100)
      return permitsAt(600_101)
    }
    assert.deepStrictEqual([after(600_000), after(600_001)], [0, 1])
  })
})

describe("consecutive windows", () => {
  it("ignore a reset long past, and treat a reset that has just passed as the end of a window", () => {
    const long = makeLimiter({ limit: 60, remaining: 59, reset: -10_000 })
    assert.strictEqual(long.permitsAt(2000), 59)
    const just = makeLimiter({ limit: 60, remaining: 50, reset: -500 })
    assert.strictEqual(just.permitsAt(100), 1)
  })

  it("keep the smaller number of remaining requests of two probes", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 10_000 })
    const [first, second] = [send(10_000), send(10_000)]
    respond(first, 10_050, { limit: 60, remaining: 58, reset: 20_000 })
    respond(second, 10_060, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(limiter.window?.remaining, 58)
  })

  it("count as own requests only requests that they can contain", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 10_000 })
    const before = send(9900)
    respond(send(10_000), 10_050, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(limiter.window?.ownRequests, 2)
    respond(before, 10_060, { limit: 60, remaining: 9, reset: 10_000 })
    assert.strictEqual(limiter.window?.ownRequests, 1)
  })

  it("have the length of the longer of the last two", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 60_000, date: 0 })
    respond(send(60_002), 60_050, { limit: 60, remaining: 59, reset: 61_000, date: 60_000 })
    assert.strictEqual(limiter.windowLength, 60_000)
    respond(send(61_002), 61_050, { limit: 60, remaining: 59, reset: 62_000, date: 61_000 })
    assert.strictEqual(limiter.windowLength, 1000)
  })

  it("are scarce if less than half of the limit remains", () => {
    const isScarce = (remaining: number) =>
      makeLimiter({ limit: 60, remaining, reset: 60_000 }).limiter.isScarce(start + 1000)
    assert.deepStrictEqual([isScarce(30), isScarce(29)], [false, true])
  })
})

describe("other clients", () => {
  it("are assumed for the first second, and requests in flight count in the share of this client", () => {
    const sendMany = (requests: number) => {
      const { send, capacityAt } = makeLimiter({ limit: 600, remaining: 599, reset: 60_000 })
      for (let i = 0; i < requests; i++) send(10)
      return capacityAt
    }
    // The share is a 16th of 599.
    assert.strictEqual(sendMany(30)(20).permits, 7)
    assert.deepStrictEqual(sendMany(37)(20), { permits: 0, recheckAt: 1000, limited: false })
    assert.strictEqual(sendMany(37)(1000).permits, 562)
  })

  it("leave at least one request for this client", () => {
    assert.strictEqual(makeLimiter({ limit: 60, remaining: 5, reset: 60_000 }).permitsAt(10), 1)
  })

  it("are detected by a rejection although requests remained", () => {
    const { respond, limiter, reject, send } = makeLimiter({ remaining: 5, reset: 60_000 })
    respond(send(1000), 1050, { remaining: 4, reset: 60_000 })
    assert.isFalse(limiter.hasOtherClients)
    reject(send(2000), 2050, { reset: 60_000, retryAfter: 60_000 })
    assert.isTrue(limiter.hasOtherClients)
  })

  it("are estimated from the share of this client in the last window", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 50, reset: 10_000 })
    assert.isTrue(limiter.hasOtherClients)
    for (let i = 0; i < 19; i++) respond(send(2000 + i), 2100, { limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050, { limit: 60, remaining: 59, reset: 20_000 })
    // This client had 20 of 60 requests, as one of 3 clients would. The minimum is 4 clients.
    assert.strictEqual(limiter.countClients(start + 10_050), 4)
  })

  it("are doubled after several rejections in one window, not after one in each of two windows", () => {
    const { respond, limiter, reject, send } = makeLimiter({ limit: 60, remaining: 50, reset: 10_000 })
    const burst = [send(2000), send(2000), send(2000)]
    for (const sent of burst) reject(sent, 2050, { limit: 60, remaining: 0, reset: 10_000 })
    assert.strictEqual(limiter.countClients(start + 3000), 16)
    respond(send(10_000), 10_050, { limit: 60, remaining: 30, reset: 20_000 })
    assert.strictEqual(limiter.countClients(start + 12_000), 16)
  })
})
