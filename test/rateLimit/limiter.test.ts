/** The limiter alone: what it allows at which moment, after what it has sent and heard. */
import { assert, describe, it } from "@effect/vitest"
import { Limiter, type SentRequest } from "../../src/internal/rateLimit/limiter.js"
import * as Window from "../../src/internal/rateLimit/window.js"
import { parseRateLimitHeaders, type Moment, type RateLimitInfo } from "../../src/internal/retry/rateLimitHeaders.js"
import { start } from "../utils/harness.js"

/** What an answer says. Moments here and below are milliseconds after `start`. */
interface ReportedLimit {
  readonly limit?: number
  readonly remaining?: number
  readonly reset?: number
  /** On which clock the reset is told. Default: the server's. */
  readonly clock?: Moment["clock"]
  readonly retryAfter?: number
  readonly date?: number
}

const toHeaders = ({ clock = "server", date, limit, remaining, reset, retryAfter }: ReportedLimit): RateLimitInfo => ({
  date: date === undefined ? undefined : start + date,
  limit,
  remaining,
  reset: reset === undefined ? undefined : { clock, at: start + reset },
  retryAfter: retryAfter === undefined ? undefined : { clock: "local", at: start + retryAfter }
})

/** A limiter that knows nothing, or what an answer at `start` has said. */
const makeLimiter = (known?: ReportedLimit) => {
  const limiter = new Limiter()
  const send = (at: number): SentRequest => limiter.register(start + at)
  const respond = (sent: SentRequest, at: number, says: ReportedLimit = {}): void =>
    limiter.onResponse(sent, toHeaders(says), start + at)
  const reject = (sent: SentRequest, at: number, says: ReportedLimit = {}): void => {
    limiter.onRejected(sent, toHeaders(says), start + at)
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
  return { abandon, respond, blockedUntil, limiter, lose, permitsAt, reject, send, capacityAt }
}

describe("probes", () => {
  it("that stay silent are doubled every 2 s", () => {
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

  it("are waited for anew after each answer", () => {
    const { respond, permitsAt, send } = makeLimiter()
    const first = send(0)
    send(2000)
    respond(first, 3000)
    // Two may be out at once after an answer that told nothing, and one is.
    assert.strictEqual(permitsAt(3000), 1)
    assert.strictEqual(permitsAt(4999), 1)
    assert.strictEqual(permitsAt(5000), 3)
  })

  it("are never more than the limit, with those that may still arrive", () => {
    const { lose, send, capacityAt } = makeLimiter({ limit: 2, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100]) lose(send(at), at + 50)
    assert.deepStrictEqual(capacityAt(10_200), { permits: 0, recheckAt: 11_050, limited: false })
  })

  it("that were never sent make room for two", () => {
    const { limiter, permitsAt, send } = makeLimiter()
    limiter.onUnsent(send(0), start + 1)
    assert.strictEqual(permitsAt(2), 2)
  })

  it("that are lost make room for two", () => {
    const { lose, permitsAt, send } = makeLimiter()
    lose(send(0), 1)
    assert.strictEqual(permitsAt(2), 2)
  })

  it("after a window make room for two where the answer tells nothing", () => {
    const { respond, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050)
    assert.strictEqual(permitsAt(10_060), 2)
  })

  it("begin with one in each window", () => {
    const { respond, lose, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100, 10_200]) lose(send(at), at + 50)
    respond(send(10_300), 10_350, { limit: 60, remaining: 40, reset: 20_000 })
    assert.strictEqual(permitsAt(20_000), 1)
  })

  it("begin with one after a refusal", () => {
    const { lose, permitsAt, reject, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100, 10_200]) lose(send(at), at + 50)
    reject(send(10_300), 10_350, { retryAfter: 12_350 })
    assert.strictEqual(permitsAt(12_350), 1)
  })

  it("of an earlier window neither take a place among those of this one nor leave one", () => {
    const { respond, permitsAt, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    const late = send(10_000)
    respond(send(12_000), 12_050, { limit: 60, remaining: 58, reset: 20_000 })
    assert.strictEqual(permitsAt(20_000), 1)
    send(20_000)
    respond(late, 20_050, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(permitsAt(20_060), 0)
  })
})

describe("requests without an answer", () => {
  it("can take a place also when the window has changed meanwhile", () => {
    const { abandon, respond, permitsAt, send } = makeLimiter({ limit: 2, remaining: 1, reset: 10_000 })
    abandon(send(9990), 9991)
    assert.strictEqual(permitsAt(9992), 0)
    respond(send(10_001), 10_050, { limit: 2, remaining: 1, reset: 20_000 })
    assert.deepStrictEqual([permitsAt(10_060), permitsAt(11_500)], [0, 0])
  })

  it("are taken as counted a second after they were given up", () => {
    const { abandon, limiter, send, capacityAt } = makeLimiter({ limit: 60, remaining: 5, reset: 60_000 })
    abandon(send(2000), 2010)
    capacityAt(3009)
    assert.strictEqual(limiter.window?.remaining, 5)
    capacityAt(3010)
    assert.strictEqual(limiter.window?.remaining, 4)
  })

  it("count among those that a window was seen to take", () => {
    const { abandon, respond, permitsAt, reject, send, capacityAt } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    abandon(send(10), 11)
    capacityAt(1011)
    reject(send(1100), 1150, { retryAfter: 60_000 })
    respond(send(60_000), 60_050)
    // Four were taken, and one of the next four is gone.
    assert.strictEqual(permitsAt(60_060), 3)
  })

  it("that were withdrawn in time are not our own: one more that is used shows others", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 59, reset: 60_000 })
    limiter.onWithdrawn(send(2000), start + 2000)
    respond(send(2001), 2050, { limit: 60, remaining: 58, reset: 60_000 })
    assert.isFalse(limiter.hasOtherClients)
    limiter.onWithdrawn(send(2060), start + 2060)
    respond(send(2061), 2100, { limit: 60, remaining: 56, reset: 60_000 })
    assert.isTrue(limiter.hasOtherClients)
  })
})

describe("what was learned", () => {
  it("before the first window that is told counts against it", () => {
    const { respond, limiter, send } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    respond(send(10), 11, { limit: 60, reset: 60_000 })
    assert.strictEqual(limiter.window?.remaining, 56)
  })

  it("before a refusal is how many may go, with those whose answers come later than that", () => {
    const { respond, permitsAt, reject, send } = makeLimiter()
    for (const at of [0, 1, 2]) respond(send(at), at + 1)
    const late = send(10)
    reject(send(10), 20, { retryAfter: 60_000 })
    respond(late, 30)
    respond(send(60_000), 60_050)
    assert.strictEqual(permitsAt(60_060), 3)
  })

  it("of the limit is remembered where a later window does not tell it", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050, { reset: 20_000 })
    assert.strictEqual(limiter.window?.remaining, 59)
  })

  it("of a window without a limit is forgotten with its end, if nothing more is told", () => {
    const { respond, limiter, send } = makeLimiter({ remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050)
    assert.isUndefined(limiter.window)
  })
})

describe("a refusal", () => {
  it("closes until the latest moment that any has named", () => {
    const { blockedUntil, reject, send } = makeLimiter()
    const [first, second] = [send(0), send(0)]
    reject(first, 50, { retryAfter: 30_050 })
    reject(second, 60, { retryAfter: 5060 })
    assert.strictEqual(blockedUntil(), 30_050)
  })

  it("leaves nothing of its window, whatever it says is left", () => {
    const { limiter, permitsAt, reject, send, capacityAt } = makeLimiter({ limit: 60, remaining: 50, reset: 60_000 })
    reject(send(2000), 2050, { limit: 60, remaining: 3, reset: 60_000 })
    assert.strictEqual(limiter.window?.remaining, 0)
    assert.deepStrictEqual(capacityAt(59_999), { permits: 0, recheckAt: 60_000, limited: true })
    assert.strictEqual(permitsAt(60_000), 1)
  })

  it("with a Retry-After alone is obeyed for that long, and costs a known window one place", () => {
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

  it("that names a second which has begun already closes for a second, however much is left", () => {
    const { blockedUntil, reject, send, capacityAt } = makeLimiter({ limit: 600, remaining: 590, reset: 60_000 })
    const burst = [send(2010), send(2010), send(2010)]
    for (const sent of burst) reject(sent, 2060, { limit: 600, remaining: 590, reset: 2000 })
    assert.strictEqual(blockedUntil(), 3060)
    assert.deepStrictEqual(capacityAt(3059), { permits: 0, recheckAt: 3060, limited: true })
    reject(send(3060), 3110, { limit: 600, remaining: 590, reset: 3000 })
    assert.isAtLeast(blockedUntil(), 4110)
  })

  it("of a request that was sent in the window before closes nothing", () => {
    const { respond, permitsAt, reject, send } = makeLimiter({ limit: 60, remaining: 9, reset: 10_000 })
    const late = send(9900)
    respond(send(10_001), 10_050, { limit: 60, remaining: 58, reset: 20_000 })
    const before = permitsAt(10_099)
    assert.isAbove(before, 0)
    reject(late, 10_100, { limit: 60, remaining: 0, reset: 10_000 })
    assert.isAbove(permitsAt(10_100), 0)
  })

  it("of an unused limit closes until its reset, not for ever", () => {
    for (const how of ["onResponse", "onRejected"] as const) {
      const { limiter, permitsAt, send, capacityAt } = makeLimiter()
      const nothing = (reset: number, at: number): RateLimitInfo =>
        parseRateLimitHeaders(
          {
            "x-ratelimit-limit": "0",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": String((start + reset) / 1000)
          },
          start + at
        )
      limiter[how](send(0), nothing(60_000, 50), start + 50)
      assert.deepStrictEqual(capacityAt(59_999), { permits: 0, recheckAt: 60_000, limited: true }, how)
      assert.strictEqual(permitsAt(60_000), 1, how)
      limiter[how](send(60_000), nothing(120_000, 60_050), start + 60_050)
      assert.deepStrictEqual(capacityAt(60_060), { permits: 0, recheckAt: 120_000, limited: true }, how)
      assert.strictEqual(permitsAt(120_000), 1, how)
    }
  })
})

describe("a refusal without a word", () => {
  it("closes for 1 s, then 2, and after a success for 1 again", () => {
    const { respond, blockedUntil, reject, send } = makeLimiter()
    reject(send(0), 50)
    assert.strictEqual(blockedUntil(), 1050)
    reject(send(1050), 1100)
    assert.strictEqual(blockedUntil(), 3100)
    respond(send(4000), 4050)
    reject(send(5000), 5050)
    assert.strictEqual(blockedUntil(), 6050)
  })

  it("counts once for all that were sent together", () => {
    const { blockedUntil, reject, send } = makeLimiter()
    const burst = [send(0), send(0), send(0)]
    burst.forEach((sent, i) => reject(sent, 50 + 10 * i))
    assert.strictEqual(blockedUntil(), 1050)
    reject(send(1050), 1100)
    assert.strictEqual(blockedUntil(), 3100)
  })

  it("lets one request a second go after it", () => {
    const { permitsAt, reject, send, capacityAt } = makeLimiter()
    reject(send(0), 50)
    assert.strictEqual(permitsAt(1050), 1)
    send(1050)
    assert.deepStrictEqual(capacityAt(1500), { permits: 0, recheckAt: 2050, limited: true })
  })

  it("is forgotten with the first answer that tells the limit", () => {
    const { respond, permitsAt, reject, send } = makeLimiter()
    reject(send(0), 50)
    respond(send(2000), 2050, { limit: 60, remaining: 59, reset: 60_000 })
    assert.strictEqual(permitsAt(2060), 59)
  })

  it("is forgotten after more than 10 minutes, not before", () => {
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

describe("windows that follow each other", () => {
  it("are told by the reset: one long past is none, one that has just passed is one that is over", () => {
    const long = makeLimiter({ limit: 60, remaining: 59, reset: -10_000 })
    assert.strictEqual(long.permitsAt(2000), 59)
    const just = makeLimiter({ limit: 60, remaining: 50, reset: -500 })
    assert.strictEqual(just.permitsAt(100), 1)
  })

  it("keep what is left when two have found the new one, and the first told less", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 10_000 })
    const [first, second] = [send(10_000), send(10_000)]
    respond(first, 10_050, { limit: 60, remaining: 58, reset: 20_000 })
    respond(second, 10_060, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(limiter.window?.remaining, 58)
  })

  it("count as our own only what they can have counted", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 10_000 })
    const before = send(9900)
    respond(send(10_000), 10_050, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(limiter.window?.ownRequests, 2)
    respond(before, 10_060, { limit: 60, remaining: 9, reset: 10_000 })
    assert.strictEqual(limiter.window?.ownRequests, 1)
  })

  it("are as long as the longer of the last two", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 10, reset: 60_000, date: 0 })
    respond(send(60_002), 60_050, { limit: 60, remaining: 59, reset: 61_000, date: 60_000 })
    assert.strictEqual(limiter.windowLength, 60_000)
    respond(send(61_002), 61_050, { limit: 60, remaining: 59, reset: 62_000, date: 61_000 })
    assert.strictEqual(limiter.windowLength, 1000)
  })

  it("are scarce when less than half is left", () => {
    const isScarce = (remaining: number) =>
      makeLimiter({ limit: 60, remaining, reset: 60_000 }).limiter.isScarce(start + 1000)
    assert.deepStrictEqual([isScarce(30), isScarce(29)], [false, true])
  })
})

describe("a window", () => {
  const heard = (at: number, says: ReportedLimit): Window.WindowObservation => ({
    ...toHeaders(says),
    sentAt: start + at,
    receivedAt: start + at,
    serverNow: toHeaders(says).date ?? start + at
  })
  const opened = (says: ReportedLimit) => Window.open(heard(0, { limit: 9, remaining: 8, ...says }), 1, 0, undefined)

  it("of 2 s is followed by the next with a reset that is one second later", () => {
    const next = heard(1, { limit: 9, remaining: 8, reset: 3000 })
    assert.strictEqual(Window.compare(opened({ reset: 2000, date: 0 }), next, false), "newer")
  })

  it("is the same for 2 s more where the reset is counted from an answer's arrival", () => {
    const known = opened({ reset: 60_000, clock: "local" })
    const again = (reset: number) => heard(1, { remaining: 7, reset, clock: "local" })
    assert.strictEqual(Window.compare(known, again(62_000), false), "same")
    assert.strictEqual(Window.compare(known, again(62_001), false), "newer")
  })

  it("is not compared by resets of two clocks", () => {
    const other = heard(1, { remaining: 7, reset: 90_000, clock: "local" })
    assert.strictEqual(Window.compare(opened({ reset: 60_000, date: 0 }), other, false), "same")
  })

  it("ends with the latest reset that it has told", () => {
    const known = opened({ reset: 60_000, date: 0 })
    const lowered = (reset: number) => Window.update(known, heard(1, { remaining: 7, reset })).reset
    assert.deepStrictEqual(lowered(61_000), { clock: "server", at: start + 61_000 })
    assert.deepStrictEqual(lowered(59_000), { clock: "server", at: start + 60_000 })
  })

  it("is as long as the server's clock has it", () => {
    assert.strictEqual(opened({ reset: 660_000, date: 600_000 }).millisToReset, 60_000)
  })
})

describe("others", () => {
  it("are assumed for the first second, and what is out counts in our share", () => {
    const sending = (requests: number) => {
      const { send, capacityAt } = makeLimiter({ limit: 600, remaining: 599, reset: 60_000 })
      for (let i = 0; i < requests; i++) send(10)
      return capacityAt
    }
    // The 16th part of 599.
    assert.strictEqual(sending(30)(20).permits, 7)
    assert.deepStrictEqual(sending(37)(20), { permits: 0, recheckAt: 1000, limited: false })
    assert.strictEqual(sending(37)(1000).permits, 562)
  })

  it("leave us one place at least", () => {
    assert.strictEqual(makeLimiter({ limit: 60, remaining: 5, reset: 60_000 }).permitsAt(10), 1)
  })

  it("are there where we are refused though something was left", () => {
    const { respond, limiter, reject, send } = makeLimiter({ remaining: 5, reset: 60_000 })
    respond(send(1000), 1050, { remaining: 4, reset: 60_000 })
    assert.isFalse(limiter.hasOtherClients)
    reject(send(2000), 2050, { reset: 60_000, retryAfter: 60_000 })
    assert.isTrue(limiter.hasOtherClients)
  })

  it("are estimated by our share of the window that is over", () => {
    const { respond, limiter, send } = makeLimiter({ limit: 60, remaining: 50, reset: 10_000 })
    assert.isTrue(limiter.hasOtherClients)
    for (let i = 0; i < 19; i++) respond(send(2000 + i), 2100, { limit: 60, remaining: 0, reset: 10_000 })
    respond(send(10_000), 10_050, { limit: 60, remaining: 59, reset: 20_000 })
    // We had 20 of 60, which 3 could have; 4 is the least that is assumed.
    assert.strictEqual(limiter.countClients(start + 10_050), 4)
  })

  it("are twice as many when we were refused more than once in a window, not once in each of two", () => {
    const { respond, limiter, reject, send } = makeLimiter({ limit: 60, remaining: 50, reset: 10_000 })
    const burst = [send(2000), send(2000), send(2000)]
    for (const sent of burst) reject(sent, 2050, { limit: 60, remaining: 0, reset: 10_000 })
    assert.strictEqual(limiter.countClients(start + 3000), 16)
    respond(send(10_000), 10_050, { limit: 60, remaining: 30, reset: 20_000 })
    assert.strictEqual(limiter.countClients(start + 12_000), 16)
  })
})
