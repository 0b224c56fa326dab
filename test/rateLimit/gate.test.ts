/** The rules of the gate, each alone: plain functions of what was told and when. */
import { assert, describe, it } from "@effect/vitest"
import { FairQueue, type Queued } from "../../src/internal/rateLimit/fairQueue.js"
import * as Refusal from "../../src/internal/rateLimit/rejection.js"
import * as ResetLag from "../../src/internal/rateLimit/resetLag.js"
import * as Sharing from "../../src/internal/rateLimit/otherClients.js"
import * as Skew from "../../src/internal/rateLimit/clockSkew.js"
import * as Window from "../../src/internal/rateLimit/window.js"
import { parseRateLimitHeaders, type RateLimitInfo } from "../../src/internal/retry/rateLimitHeaders.js"
import { httpDate, start } from "../utils/harness.js"

const heard = (
  at: { readonly sentAt?: number; readonly receivedAt?: number },
  headers: { readonly [name: string]: string }
): Window.WindowObservation => {
  const { sentAt = 0, receivedAt = sentAt } = at
  const told = parseRateLimitHeaders(headers, start + receivedAt)
  const serverNow = told.date ?? start + receivedAt
  return { ...told, sentAt: start + sentAt, receivedAt: start + receivedAt, serverNow }
}

const told = (remaining: number, resetIn: number) => ({
  date: httpDate(start),
  "x-ratelimit-limit": "60",
  "x-ratelimit-remaining": String(remaining),
  "x-ratelimit-reset": String((start + resetIn) / 1000)
})

describe("the headers", () => {
  const reading = (headers: { readonly [name: string]: string }) =>
    parseRateLimitHeaders({ date: httpDate(start), ...headers }, start)
  const at = start + 42_000
  type Limits = Pick<RateLimitInfo, "limit" | "remaining" | "reset">
  const whole: Limits = { limit: 60, remaining: 57, reset: { clock: "server", at } }
  const nothing: Limits = { limit: undefined, remaining: undefined, reset: undefined }
  const spellings: ReadonlyArray<readonly [name: string, string, string, string, Limits]> = [
    ["as documented", "60", "57", String(at / 1000), whole],
    ["in milliseconds", "60", "57", String(at), whole],
    ["doubled by a proxy", "60, 60", "57, 58", `${at / 1000}, ${at / 1000}`, whole],
    ["as seconds from now", "60", "57", "42", { ...whole, reset: { clock: "local", at } }],
    ["garbage", "many", "-1", "soon", nothing],
    ["empty", "", "", "0", nothing],
    ["no requests at all", "0", "57", String(at / 1000), { ...whole, limit: undefined }]
  ]
  for (const [name, limit, remaining, reset, expected] of spellings) {
    it(`are read: ${name}`, () => {
      const {
        limit: l,
        remaining: r,
        reset: t
      } = reading({
        "x-ratelimit-limit": limit,
        "x-ratelimit-remaining": remaining,
        "x-ratelimit-reset": reset
      })
      assert.deepStrictEqual({ limit: l, remaining: r, reset: t }, expected)
    })
  }

  it("say with Retry-After a moment on the clock that it was told on", () => {
    assert.deepStrictEqual(reading({ "retry-after": "7" }).retryAfter, { clock: "local", at: start + 7000 })
    assert.deepStrictEqual(reading({ "retry-after": httpDate(at) }).retryAfter, { clock: "server", at })
    assert.isUndefined(reading({ "retry-after": "0" }).retryAfter)
  })
})

describe("rule 2: the window", () => {
  const known = Window.open(heard({ sentAt: 100, receivedAt: 200 }, told(50, 60_000)), 1, 3, undefined)

  it("begins with what its first answer tells, and may hold what is still in flight", () => {
    assert.deepStrictEqual(known, {
      reset: { clock: "server", at: start + 60_000 },
      limit: 60,
      remaining: 50,
      ownRequests: 4,
      firstSeenAt: start + 200,
      millisToReset: 60_000
    })
  })

  for (const [name, answer, relation] of [
    ["the same reset is the same window", heard({ sentAt: 300 }, told(49, 60_000)), "same"],
    ["a second's difference is a rounding", heard({ sentAt: 300 }, told(49, 61_000)), "same"],
    ["a later reset is a later window", heard({ sentAt: 300 }, told(59, 120_000)), "newer"],
    ["an earlier reset is an earlier window", heard({ sentAt: 150 }, told(3, 1000)), "older"],
    ["unless it was asked for since: then the known one was wrong", heard({ sentAt: 300 }, told(3, 1000)), "newer"],
    ["a second later, asked for after the end, is later", heard({ sentAt: 60_000 }, told(59, 61_000)), "newer"],
    ["more left, asked for after the end, is later", heard({ sentAt: 60_000 }, told(59, 60_000)), "newer"],
    ["less left, asked for after the end, is not", heard({ sentAt: 60_000 }, told(49, 60_000)), "same"]
  ] as const) {
    it(name, () => {
      const afterEnd = answer.sentAt >= start + 60_000
      assert.strictEqual(Window.compare(known, answer, afterEnd), relation)
    })
  }

  it("without a reset only more places tell of a later one, and only to those who asked since", () => {
    const { "x-ratelimit-reset": _, ...rest } = told(59, 0)
    assert.strictEqual(Window.compare(known, heard({ sentAt: 300 }, rest), false), "newer")
    assert.strictEqual(Window.compare(known, heard({ sentAt: 100 }, rest), false), "same")
  })

  it("can only have less left, and one less where an answer does not say", () => {
    const remaining = (headers: { readonly [name: string]: string }) =>
      Window.update(known, heard({ sentAt: 300 }, headers)).remaining
    assert.strictEqual(remaining(told(47, 60_000)), 47)
    assert.strictEqual(remaining(told(55, 60_000)), 50)
    assert.strictEqual(remaining({}), 49)
  })

  it("is as large as the limit where only that is told, and unknown where nothing is", () => {
    const { "x-ratelimit-remaining": _, ...rest } = told(0, 60_000)
    assert.strictEqual(Window.open(heard({}, rest), 3, 0, undefined).remaining, 57)
    assert.strictEqual(Window.open(heard({}, {}), 1, 0, undefined).remaining, Number.POSITIVE_INFINITY)
  })
})

describe("rule 3: a refusal", () => {
  it("is obeyed to the moment, but for a second at least", () => {
    assert.strictEqual(Refusal.blockUntil(start, start + 42_000), start + 42_000)
    assert.strictEqual(Refusal.blockUntil(start, start + 200), start + 1000)
  })

  it("that does not say for how long is obeyed for 1, 2, 4 … 30 s", () => {
    const waits = [0, 1, 2, 3, 4, 5, 6].map((n) => (Refusal.blockWithoutReset(start, n) - start) / 1000)
    assert.deepStrictEqual(waits, [1, 2, 4, 8, 16, 30, 30])
  })

  it("until the past, or for more than a day, does not say for how long", () => {
    const usable = [-1, 0, 1, 25 * 3_600_000, 25 * 3_600_000 + 1].map((wait) => Refusal.isUsable(start + wait, start))
    assert.deepStrictEqual(usable, [false, false, true, true, false])
  })
})

describe("rule 4: the skew", () => {
  const at = (server: number, sentAt: number, receivedAt: number) => ({
    date: start + server,
    sentAt: start + sentAt,
    receivedAt: start + receivedAt
  })

  it("is between Date less arrival and Date and a second less departure", () => {
    assert.deepStrictEqual(Skew.narrow(undefined, at(5000, 100, 300)), { min: 4699, max: 5900, updatedAt: start + 300 })
  })

  it("is narrowed by each answer", () => {
    const first = Skew.narrow(undefined, at(5000, 100, 300))
    const second = Skew.narrow(first, at(5000, 700, 900))
    assert.deepStrictEqual([second.min, Math.round(second.max)], [4699 - 0.06, 5300])
    const third = Skew.narrow(second, at(6000, 950, 1000))
    assert.deepStrictEqual([third.min, Math.round(third.max)], [4999, 5300])
  })

  it("grows vague with time", () => {
    const skew = Skew.narrow(Skew.narrow(undefined, at(5000, 100, 300)), at(1_005_000, 1_000_100, 1_000_500))
    // 100 ppm of 1000.2 s
    assert.closeTo(skew.min, 4699 - 100.02, 0.001)
  })

  it("starts anew when a clock was set", () => {
    const skew = Skew.narrow(Skew.narrow(undefined, at(5000, 100, 300)), at(65_000, 400, 600))
    assert.deepStrictEqual(skew, { min: 64_399, max: 65_600, updatedAt: start + 600 })
  })

  it("makes the latest moment of a reset that the evidence allows", () => {
    assert.strictEqual(
      Skew.toLatestLocal({ min: 4699, max: 5900, updatedAt: start }, start + 60_000),
      start + 60_000 - 4699
    )
  })
})

describe("rule 5: others on the same key", () => {
  const window = (remaining: number, own: number): Window.Window => ({
    reset: { clock: "server", at: start + 60_000 },
    limit: 60,
    remaining,
    ownRequests: own,
    firstSeenAt: start,
    millisToReset: 60_000
  })

  it("show when more is used than we can have used", () => {
    assert.isFalse(Sharing.isUsedByOthers(window(50, 10)))
    assert.isTrue(Sharing.isUsedByOthers(window(49, 10)))
    assert.isFalse(Sharing.isUsedByOthers({ ...window(0, 1), limit: undefined }))
  })

  it("leave us the eighth of what is left, or less if they are many, and one at the end", () => {
    const shares = (clients: number) => [600, 60, 16, 8, 1].map((remaining) => Sharing.fairShare(remaining, clients))
    assert.deepStrictEqual(shares(4), [75, 7, 2, 1, 1])
    assert.deepStrictEqual(shares(8), [37, 3, 1, 1, 1])
    assert.deepStrictEqual(
      shares(1),
      Array.from({ length: 5 }, () => Number.POSITIVE_INFINITY)
    )
  })

  it("are estimated by our share of a window, from 4 to 8, and doubled where we are refused more than once", () => {
    assert.deepStrictEqual(
      [30, 10, 2].map((own) => Sharing.estimateClients(window(0, own))),
      [4, 6, 8]
    )
    assert.deepStrictEqual(
      [0, 1, 2].map((refusals) => Sharing.increaseClients(8, refusals)),
      [8, 8, 16]
    )
    assert.strictEqual(Sharing.increaseClients(64, 9), 64)
  })
})

describe("rule 6: a reset that was rounded down", () => {
  it("is looked for with steps that double, then halved where the lag must be", () => {
    // The server opens 600 ms late; each answer takes 20 ms.
    const knocks: Array<number> = []
    let lag = ResetLag.none
    let step = 0
    for (let windows = 0; windows < 8 && knocks.length < 99;) {
      const after = lag.next
      knocks.push(after)
      if (after < 600) {
        lag = ResetLag.onRejected(lag, after, after + 20, step)
        step += 1
      } else {
        lag = ResetLag.onAccepted(lag, after)
        step = 0
        windows += 1
      }
    }
    assert.deepStrictEqual(knocks, [0, 70, 190, 410, 830, 620, 515, 620, 568, 620, 620, 620, 620, 620])
  })

  it("is no lag where nothing was refused, and none that lasts longer than the rounding can", () => {
    assert.deepStrictEqual(ResetLag.onAccepted(ResetLag.none, 300), ResetLag.none)
    assert.deepStrictEqual(
      [0, 2000, 2001].map((after) => ResetLag.canBeLag(after)),
      [true, true, false]
    )
    const late = ResetLag.onAccepted(ResetLag.onRejected(ResetLag.none, 0, 1300, 3), 1700)
    assert.deepStrictEqual(late, { low: 0, high: 1000, next: 500 })
  })
})

describe("the lanes", () => {
  interface Someone extends Queued {
    readonly name: string
  }
  const someone = (name: string, lane: Queued["requestClass"], returning = false): Someone => ({
    name,
    requestClass: lane,
    isRetry: returning
  })
  const taken = (lanes: FairQueue<Someone>) => {
    const names: Array<string> = []
    for (let next = lanes.take(); next !== undefined; next = lanes.take()) names.push(next.name)
    return names
  }

  it("take turns, each first in, first out, those that return before those that are new", () => {
    const lanes = new FairQueue<Someone>()
    for (const name of ["s1", "s2", "s3", "s4"]) lanes.add(someone(name, "submissions"))
    for (const name of ["p1", "p2"]) lanes.add(someone(name, "polls"))
    lanes.add(someone("c1", "calls"))
    lanes.add(someone("s0", "submissions", true))
    assert.deepStrictEqual(taken(lanes), ["s0", "p1", "c1", "s1", "p2", "s2", "s3", "s4"])
  })

  it("let anyone leave, once", () => {
    const lanes = new FairQueue<Someone>()
    const [a, b, c] = [someone("a", "polls"), someone("b", "polls"), someone("c", "polls")]
    for (const one of [a, b, c]) lanes.add(one)
    assert.deepStrictEqual([lanes.remove(b), lanes.remove(b), lanes.size], [true, false, 2])
    assert.deepStrictEqual(taken(lanes), ["a", "c"])
    assert.strictEqual(lanes.size, 0)
  })

  it("tell how many go before", () => {
    const lanes = new FairQueue<Someone>()
    for (const name of ["s1", "s2", "s3"]) lanes.add(someone(name, "submissions"))
    lanes.add(someone("p1", "polls"))
    assert.deepStrictEqual(
      [lanes.countAhead("submissions"), lanes.countAhead("polls"), lanes.countAhead("calls")],
      [4, 2, 0]
    )
    assert.deepStrictEqual(
      Array.from(lanes, ([{ name }, ahead]) => [name, ahead]),
      [
        ["s1", 0],
        ["s2", 2],
        ["s3", 3],
        ["p1", 0]
      ]
    )
  })
})
