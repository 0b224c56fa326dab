/** Tests the limiter without a gate. Checks the capacity after requests and responses. */
import { assert, describe, it } from "@effect/vitest"
import { Limiter, type SentRequest } from "../../src/internal/rateLimit/limiter.js"
import { parseRateLimitHeaders, type RateLimitInfo } from "../../src/internal/retry/rateLimitHeaders.js"
import { start } from "../utils/harness.js"
import { type ReportedLimit, toRateLimitInfo } from "../utils/reportedLimit.js"

/** Creates a limiter. `known` is the response to a request before `start`. Times are in milliseconds after `start`. */
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

describe("Limiter.capacity", () => {
  it("doubles the allowed number of probes every 2 s until a response arrives", () => {
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

  it("doubles the allowed number of probes at the earliest 2 s after a response", () => {
    const { respond, permitsAt, send } = makeLimiter()
    const first = send(0)
    send(2000)
    respond(first, 3000)
    // Two probes may be in flight after a response without headers. One probe is already in flight.
    assert.strictEqual(permitsAt(3000), 1)
    assert.strictEqual(permitsAt(4999), 1)
    assert.strictEqual(permitsAt(5000), 3)
  })

  it("counts probes without a response against the limit for 1 s", () => {
    const { lose, send, capacityAt } = makeLimiter({ limit: 2, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100]) lose(send(at), at + 50)
    assert.deepStrictEqual(capacityAt(10_200), { permits: 0, recheckAt: 11_050, limited: false })
  })

  it("allows two probes after a probe could not be sent", () => {
    const { limiter, permitsAt, send } = makeLimiter()
    limiter.onUnsent(send(0), start + 1)
    assert.strictEqual(permitsAt(2), 2)
  })

  it("allows two probes after a probe receives no response", () => {
    const { lose, permitsAt, send } = makeLimiter()
    lose(send(0), 1)
    assert.strictEqual(permitsAt(2), 2)
  })

  it("allows two probes in a new window if the first response has no rate limit headers", () => {
    const { respond, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050)
    assert.strictEqual(permitsAt(10_060), 2)
  })

  it("starts each window with one probe", () => {
    const { respond, lose, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100, 10_200]) lose(send(at), at + 50)
    respond(send(10_300), 10_350, { limit: 60, remaining: 40, reset: 20_000 })
    assert.strictEqual(permitsAt(20_000), 1)
  })

  it("allows one probe when the block after a rejection ends", () => {
    const { lose, permitsAt, reject, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100, 10_200]) lose(send(at), at + 50)
    reject(send(10_300), 10_350, { retryAfter: 12_350 })
    assert.strictEqual(permitsAt(12_350), 1)
  })

  it("allows no further probe after the response to a probe of an earlier window", () => {
    const { respond, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    const late = send(10_000)
    respond(send(12_000), 12_050, { limit: 60, remaining: 58, reset: 20_000 })
    assert.strictEqual(permitsAt(20_000), 1)
    send(20_000)
    respond(late, 20_050, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(permitsAt(20_060), 0)
  })
})

describe("Limiter", () => {
  it("counts an interrupted request against a window that opens 10 ms later", () => {
    const { abandon, respond, permitsAt, send } = makeLimiter({ limit: 2, remaining: 1, reset: 10_000 })
    abandon(send(9990), 9991)
    assert.strictEqual(permitsAt(9992), 0)
    respond(send(10_001), 10_050, { limit: 2, remaining: 1, reset: 20_000 })
    assert.deepStrictEqual([permitsAt(10_060), permitsAt(11_500)], [0, 0])
  })

  it("subtracts an interrupted request from the remaining requests 1 s after its interruption", () => {
    const { abandon, limiter, send, capacityAt } = makeLimiter({ limit: 60, remaining: 5, reset: 60_000 })
    abandon(send(2000), 2010)
    capacityAt(3009)
    assert.strictEqual(limiter.window?.remaining, 5)
    capacityAt(3010)
    assert.strictEqual(limiter.window?.remaining, 4)
  })

  it("counts an interrupted request when it estimates how many requests a window allows", () => {
    const { abandon, respond, permitsAt, reject, send, capacityAt } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    abandon(send(10), 11)
    capacityAt(1011)
    reject(send(1100), 1150, { retryAfter: 60_000 })
    respond(send(60_000), 60_050)
    // The allowance is four requests, and one request of the new window is used.
    assert.strictEqual(permitsAt(60_060), 3)
  })

  it("does not count a request that was withdrawn before it was sent as a request of this client", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 59, reset: 60_000 })
    limiter.onWithdrawn(send(2000), start + 2000)
    respond(send(2001), 2050, { limit: 60, remaining: 58, reset: 60_000 })
    assert.isFalse(limiter.hasOtherClients)
    limiter.onWithdrawn(send(2060), start + 2060)
    respond(send(2061), 2100, { limit: 60, remaining: 56, reset: 60_000 })
    assert.isTrue(limiter.hasOtherClients)
  })
})

describe("Limiter", () => {
  it("counts requests before the first reported window against that window", () => {
    const { respond, limiter, send } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    respond(send(10), 11, { limit: 60, reset: 60_000 })
    assert.strictEqual(limiter.window?.remaining, 56)
  })

  it("counts responses after a rejection when it estimates how many requests a window allows", () => {
    const { respond, permitsAt, reject, send } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    const late = send(10)
    reject(send(10), 20, { retryAfter: 60_000 })
    respond(late, 30)
    respond(send(60_000), 60_050)
    assert.strictEqual(permitsAt(60_060), 3)
  })

  it("keeps the previous limit if a later window reports no limit", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050, { reset: 20_000 })
    assert.strictEqual(limiter.window?.remaining, 59)
  })

  it("discards an expired window if its limit is unknown", () => {
    const { respond, limiter, send } = makeLimiter({ remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050)
    assert.isUndefined(limiter.window)
  })
})

describe("Limiter.onRejected", () => {
  it("blocks until the latest reset of several rejections", () => {
    const { blockedUntil, reject, send } = makeLimiter()
    const [first, second] = [send(0), send(0)]
    reject(first, 50, { retryAfter: 30_050 })
    reject(second, 60, { retryAfter: 5060 })
    assert.strictEqual(blockedUntil(), 30_050)
  })

  it("allows no request until the reset even if the rejection reports remaining requests", () => {
    const { limiter, permitsAt, reject, send, capacityAt } = makeLimiter({ limit: 60, remaining: 50, reset: 60_000 })
    reject(send(2000), 2050, { limit: 60, remaining: 3, reset: 60_000 })
    assert.strictEqual(limiter.window?.remaining, 0)
    assert.deepStrictEqual(capacityAt(59_999), { permits: 0, recheckAt: 60_000, limited: true })
    assert.strictEqual(permitsAt(60_000), 1)
  })

  it("blocks for the time in Retry-After", () => {
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

  it("blocks for 1 s if the reset has just passed", () => {
    const { blockedUntil, reject, send, capacityAt } = makeLimiter({ limit: 600, remaining: 590, reset: 60_000 })
    const burst = [send(2010), send(2010), send(2010)]
    for (const sent of burst) reject(sent, 2060, { limit: 600, remaining: 590, reset: 2000 })
    assert.strictEqual(blockedUntil(), 3060)
    assert.deepStrictEqual(capacityAt(3059), { permits: 0, recheckAt: 3060, limited: true })
    reject(send(3060), 3110, { limit: 600, remaining: 590, reset: 3000 })
    assert.isAtLeast(blockedUntil(), 4110)
  })

  it("does not block if the rejected request was sent in the previous window", () => {
    const { respond, permitsAt, reject, send } = makeLimiter({ limit: 60, remaining: 9, reset: 10_000 })
    const late = send(9900)
    respond(send(10_001), 10_050, { limit: 60, remaining: 58, reset: 20_000 })
    const before = permitsAt(10_099)
    assert.isAbove(before, 0)
    reject(late, 10_100, { limit: 60, remaining: 0, reset: 10_000 })
    assert.isAbove(permitsAt(10_100), 0)
  })

  it("blocks until the reset if the limit is 0", () => {
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

describe("Limiter.onRejected without a reset", () => {
  it("doubles the duration of the block after each rejection until a request succeeds", () => {
    const { respond, blockedUntil, reject, send } = makeLimiter()
    reject(send(0), 50)
    assert.strictEqual(blockedUntil(), 1050)
    reject(send(1050), 1100)
    assert.strictEqual(blockedUntil(), 3100)
    respond(send(4000), 4050)
    reject(send(5000), 5050)
    assert.strictEqual(blockedUntil(), 6050)
  })

  it("doubles the duration of the block only once for requests that are rejected together", () => {
    const { blockedUntil, reject, send } = makeLimiter()
    const burst = [send(0), send(0), send(0)]
    burst.forEach((sent, i) => reject(sent, 50 + 10 * i))
    assert.strictEqual(blockedUntil(), 1050)
    reject(send(1050), 1100)
    assert.strictEqual(blockedUntil(), 3100)
  })

  it("admits one request per second after the block", () => {
    const { permitsAt, reject, send, capacityAt } = makeLimiter()
    reject(send(0), 50)
    assert.strictEqual(permitsAt(1050), 1)
    send(1050)
    assert.deepStrictEqual(capacityAt(1500), { permits: 0, recheckAt: 2050, limited: true })
  })

  it("admits more than one request per second after a response reports the limit", () => {
    const { respond, permitsAt, reject, send } = makeLimiter()
    reject(send(0), 50)
    respond(send(2000), 2050, { limit: 60, remaining: 59, reset: 60_000 })
    assert.strictEqual(permitsAt(2060), 59)
  })

  it("admits more than one request per second 10 minutes after the last rejection", () => {
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

describe("Limiter.onResponse", () => {
  it("ignores a reset that was 10 s in the past when the response arrived", () => {
    const long = makeLimiter({ limit: 60, remaining: 59, reset: -10_000 })
    assert.strictEqual(long.permitsAt(2000), 59)
    const just = makeLimiter({ limit: 60, remaining: 50, reset: -500 })
    assert.strictEqual(just.permitsAt(100), 1)
  })

  it("keeps the smaller number of remaining requests if two probes of a window report different numbers", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 10_000 })
    const [first, second] = [send(10_000), send(10_000)]
    respond(first, 10_050, { limit: 60, remaining: 58, reset: 20_000 })
    respond(second, 10_060, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(limiter.window?.remaining, 58)
  })

  it("does not count requests of the previous window as requests of this client in the window", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 10_000 })
    const before = send(9900)
    respond(send(10_000), 10_050, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(limiter.window?.ownRequests, 2)
    respond(before, 10_060, { limit: 60, remaining: 9, reset: 10_000 })
    assert.strictEqual(limiter.window?.ownRequests, 1)
  })

  it("estimates the window length as the longer of the last two windows", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 60_000, date: 0 })
    respond(send(60_002), 60_050, { limit: 60, remaining: 59, reset: 61_000, date: 60_000 })
    assert.strictEqual(limiter.windowLength, 60_000)
    respond(send(61_002), 61_050, { limit: 60, remaining: 59, reset: 62_000, date: 61_000 })
    assert.strictEqual(limiter.windowLength, 1000)
  })

  it("makes isScarce return true if less than half of the limit remains", () => {
    const isScarce = (remaining: number) =>
      makeLimiter({ limit: 60, remaining, reset: 60_000 }).limiter.isScarce(start + 1000)
    assert.deepStrictEqual([isScarce(30), isScarce(29)], [false, true])
  })
})

describe("Limiter with other clients", () => {
  it("limits the requests in flight to a share of the limit in the first second of a window", () => {
    const sendMany = (requests: number) => {
      const { send, capacityAt } = makeLimiter({ limit: 600, remaining: 599, reset: 60_000 })
      for (let i = 0; i < requests; i++) send(10)
      return capacityAt
    }
    // The share is one sixteenth of 599 requests.
    assert.strictEqual(sendMany(30)(20).permits, 7)
    assert.deepStrictEqual(sendMany(37)(20), { permits: 0, recheckAt: 1000, limited: false })
    assert.strictEqual(sendMany(37)(1000).permits, 562)
  })

  it("admits at least one request if five requests remain in the window", () => {
    assert.strictEqual(makeLimiter({ limit: 60, remaining: 5, reset: 60_000 }).permitsAt(10), 1)
  })

  it("detects other clients if a request is rejected while the window has remaining requests", () => {
    const { respond, limiter, reject, send } = makeLimiter({ remaining: 5, reset: 60_000 })
    respond(send(1000), 1050, { remaining: 4, reset: 60_000 })
    assert.isFalse(limiter.hasOtherClients)
    reject(send(2000), 2050, { reset: 60_000, retryAfter: 60_000 })
    assert.isTrue(limiter.hasOtherClients)
  })

  it("estimates at least four clients if this client sent 20 of 60 requests in the last window", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 50, reset: 10_000 })
    assert.isTrue(limiter.hasOtherClients)
    for (let i = 0; i < 19; i++) respond(send(2000 + i), 2100, { limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050, { limit: 60, remaining: 59, reset: 20_000 })
    // A share of 20 of 60 requests corresponds to 3 clients, but the minimum is 4 clients.
    assert.strictEqual(limiter.countClients(start + 10_050), 4)
  })

  it("doubles the number of clients once after several rejections in one window", () => {
    const { respond, limiter, reject, send } = makeLimiter({ limit: 60, remaining: 50, reset: 10_000 })
    const burst = [send(2000), send(2000), send(2000)]
    for (const sent of burst) reject(sent, 2050, { limit: 60, remaining: 0, reset: 10_000 })
    assert.strictEqual(limiter.countClients(start + 3000), 16)
    respond(send(10_000), 10_050, { limit: 60, remaining: 30, reset: 20_000 })
    assert.strictEqual(limiter.countClients(start + 12_000), 16)
  })
})

describe("Limiter without a reset", () => {
  it("admits one request per second if no request remains", () => {
    const { capacityAt, send } = makeLimiter({ limit: 60, remaining: 0 })
    send(100)
    assert.deepStrictEqual(capacityAt(1099), { permits: 0, recheckAt: 1100, limited: true })
    assert.deepStrictEqual(capacityAt(1100), { permits: 1, recheckAt: undefined, limited: false })
  })

  it("discards the window 60 s after the last reported number of remaining requests", () => {
    const { permitsAt, respond, send } = makeLimiter({ limit: 60, remaining: 59 })
    respond(send(50_000), 50_010)
    assert.strictEqual(permitsAt(59_999), 58)
    assert.strictEqual(permitsAt(60_000), 1)
  })

  it("keeps a window with a reset", () => {
    assert.strictEqual(makeLimiter({ limit: 60, remaining: 59, reset: 120_000 }).permitsAt(90_000), 59)
  })

  it("admits one probe in a window with an unknown number of remaining requests", () => {
    assert.strictEqual(makeLimiter({ reset: 60_000 }).permitsAt(10), 1)
  })

  it("accepts the late rejection of a request after the window was discarded", () => {
    const { blockedUntil, capacityAt, limiter, reject, send } = makeLimiter({ limit: 60, remaining: 59 })
    const late = send(1000)
    capacityAt(60_000)
    assert.isUndefined(limiter.window)
    reject(late, 60_050, { retryAfter: 65_000 })
    assert.strictEqual(blockedUntil(), 65_000)
  })

  it("remains paced until a response reports a reset and the remaining requests", () => {
    const isPacedAfter = (reported: ReportedLimit) => {
      const { limiter, reject, respond, send } = makeLimiter()
      reject(send(0), 50)
      respond(send(2000), 2050, reported)
      return limiter.fallback.hasNoReset
    }
    assert.isTrue(isPacedAfter({ remaining: 59 }))
    assert.isTrue(isPacedAfter({ reset: 60_000 }))
    assert.isFalse(isPacedAfter({ remaining: 59, reset: 60_000 }))
  })
})

describe("Limiter.isScarce", () => {
  it("returns true until two windows after the reset", () => {
    const { limiter } = makeLimiter({ limit: 60, remaining: 29, reset: 60_000 })
    assert.deepStrictEqual(
      [179_999, 180_000].map((at) => limiter.isScarce(start + at)),
      [true, false]
    )
  })
})

describe("Limiter with lost and withdrawn requests", () => {
  it("starts the next window with one probe after requests of this window were lost or could not be sent", () => {
    const { limiter, lose, permitsAt, send } = makeLimiter({ limit: 60, remaining: 59, reset: 10_000 })
    lose(send(2000), 2010)
    limiter.onUnsent(send(2000), start + 2010)
    assert.strictEqual(permitsAt(10_000), 1)
  })

  it("keeps a window with an unknown limit after a response without headers to a request of the window", () => {
    const { limiter, respond, send } = makeLimiter({ remaining: 5, reset: 10_000 })
    respond(send(2000), 2010)
    assert.strictEqual(limiter.window?.remaining, 4)
  })

  it("keeps a window with a known limit after a response without headers to a probe", () => {
    const { limiter, respond, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050)
    assert.strictEqual(limiter.window?.limit, 60)
  })

  it("counts the accepted requests of each window with an unknown number of remaining requests", () => {
    const { limiter, respond, send } = makeLimiter({ reset: 10_000 })
    for (const at of [100, 200, 300]) respond(send(at), at + 10, { reset: 10_000 })
    assert.strictEqual(limiter.fallback.accepted, 4)
    respond(send(10_000), 10_050, { reset: 20_000 })
    assert.strictEqual(limiter.fallback.accepted, 1)
  })
})

describe("Limiter.onRejected in a window", () => {
  it("returns the end of the block, or undefined without a usable reset", () => {
    const { limiter, send } = makeLimiter()
    const rejectedUntil = (reported: ReportedLimit) => {
      const until = limiter.onRejected(send(0), toRateLimitInfo(reported), start + 50)
      return until === undefined ? undefined : until - start
    }
    assert.deepStrictEqual(
      [rejectedUntil({ retryAfter: 30_050 }), rejectedUntil({ retryAfter: 5000 }), rejectedUntil({})],
      [30_050, 30_050, undefined]
    )
    assert.strictEqual(limiter.rejections, 3)
  })

  it("makes no estimate of the allowance while the window reports the remaining requests", () => {
    const { limiter, reject, send } = makeLimiter({ limit: 60, remaining: 59, reset: 60_000 })
    reject(send(2000), 2050, { retryAfter: 60_000 })
    limiter.fallback.onAccepted(start + 60_100)
    assert.isUndefined(limiter.fallback.capacity(0, undefined))
  })

  it("does not detect other clients if a probe is rejected", () => {
    const { limiter, reject, send } = makeLimiter({ limit: 60, remaining: 59, reset: 10_000 })
    reject(send(10_000), 10_050, { retryAfter: 12_000 })
    assert.isFalse(limiter.hasOtherClients)
  })

  it("opens an exhausted window until the time in Retry-After if the window is unknown", () => {
    const { limiter, reject, send } = makeLimiter()
    reject(send(0), 50, { limit: 60, retryAfter: 30_050 })
    assert.deepStrictEqual(limiter.window?.reset, { clock: "local", at: start + 30_050 })
    assert.deepStrictEqual([limiter.window?.limit, limiter.window?.remaining], [60, 0])
  })

  it("opens an exhausted window until the reported reset if the window is unknown", () => {
    const { limiter, reject, send } = makeLimiter()
    reject(send(0), 50, { reset: 60_000, retryAfter: 30_050 })
    assert.deepStrictEqual(limiter.window?.reset, { clock: "server", at: start + 60_000 })
  })
})

describe("Limiter.onRejected with a reset that has just passed", () => {
  const known: ReportedLimit = { limit: 60, remaining: 0, reset: 10_000 }

  it("searches for the lag of the server's reset in short steps and remembers the lag", () => {
    const { blockedUntil, limiter, reject, respond, send } = makeLimiter(known)
    reject(send(10_000), 10_050, known)
    assert.strictEqual(blockedUntil(), 10_100)
    reject(send(10_100), 10_150, known)
    assert.strictEqual(blockedUntil(), 10_250)
    respond(send(10_250), 10_300, { limit: 60, remaining: 59, reset: 20_000 })
    // The lag is between 100 and 250 ms.
    assert.strictEqual((limiter.opensAt ?? 0) - start, 20_175)
  })

  it("does not block after the rejection of a request that was sent in the ended window", () => {
    const blockedAfter = (at: number, reset: number) => {
      const { blockedUntil, reject, send } = makeLimiter({ limit: 60, remaining: 59, reset: 10_000 })
      reject(send(9900), at, { limit: 60, remaining: 0, reset })
      return blockedUntil()
    }
    assert.deepStrictEqual([blockedAfter(10_100, 10_000), blockedAfter(10_000, 10_000)], [10_100, 10_000])
    // The window has not ended yet.
    assert.strictEqual(blockedAfter(9950, 9500), 10_950)
    // The reset belongs to a later window.
    assert.strictEqual(blockedAfter(12_000, 11_500), 13_000)
  })

  it("blocks for 1 s if no window is known", () => {
    const { blockedUntil, reject, send } = makeLimiter()
    reject(send(2010), 2060, { limit: 60, remaining: 59, reset: 2000 })
    assert.strictEqual(blockedUntil(), 3060)
  })

  it("blocks for 1 s if the request was sent more than 2 s after the reset of the window", () => {
    const { blockedUntil, reject, send } = makeLimiter(known)
    reject(send(12_750), 12_800, { ...known, reset: 10_900, remaining: 0 })
    assert.strictEqual(blockedUntil(), 13_800)
  })

  it("blocks for 1 s if the probe of a later window is rejected", () => {
    const { blockedUntil, reject, send } = makeLimiter(known)
    reject(send(10_000), 10_050, { ...known, remaining: 5 })
    assert.strictEqual(blockedUntil(), 11_050)
  })

  it("blocks for 1 s if a request of the ended window is rejected without a reset", () => {
    const { blockedUntil, limiter, reject, send } = makeLimiter({ limit: 60, remaining: 59, reset: 10_000 })
    reject(send(9900), 10_100)
    assert.strictEqual(blockedUntil(), 11_100)
    assert.isTrue(limiter.fallback.hasNoReset)
  })
})
