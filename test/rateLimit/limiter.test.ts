/** The limiter alone: what it allows at which moment, after what it has sent and heard. */
import { assert, describe, it } from "@effect/vitest"
import { Limiter, type Sent } from "../../src/internal/rateLimit/limiter.js"
import * as Window from "../../src/internal/rateLimit/window.js"
import { read, type Moment, type Told } from "../../src/internal/retry/rateLimitHeaders.js"
import { start } from "../utils/harness.js"

/** What an answer says. Moments here and below are milliseconds after `start`. */
interface Says {
  readonly limit?: number
  readonly remaining?: number
  readonly reset?: number
  /** On which clock the reset is told. Default: the server's. */
  readonly clock?: Moment["clock"]
  readonly retryAfter?: number
  readonly date?: number
}

const toldBy = ({ clock = "server", date, limit, remaining, reset, retryAfter }: Says): Told => ({
  date: date === undefined ? undefined : start + date,
  limit,
  remaining,
  reset: reset === undefined ? undefined : { clock, at: start + reset },
  retryAfter: retryAfter === undefined ? undefined : { clock: "local", at: start + retryAfter }
})

/** A limiter that knows nothing, or what an answer at `start` has said. */
const trial = (known?: Says) => {
  const limiter = new Limiter()
  const send = (at: number): Sent => limiter.send(start + at)
  const answer = (sent: Sent, at: number, says: Says = {}): void => limiter.answered(sent, toldBy(says), start + at)
  const refuse = (sent: Sent, at: number, says: Says = {}): void => {
    limiter.refused(sent, toldBy(says), start + at)
  }
  const lose = (sent: Sent, at: number): void => limiter.lost(sent, start + at)
  const abandon = (sent: Sent, at: number): void => limiter.abandoned(sent, start + at)
  const verdict = (at: number) => {
    const { until, ...rest } = limiter.verdict(start + at)
    return { ...rest, until: until === undefined ? undefined : until - start }
  }
  const places = (at: number): number => verdict(at).places
  const blockedUntil = (): number => limiter.blockedUntil - start
  if (known !== undefined) answer(send(-50), 0, known)
  return { abandon, answer, blockedUntil, limiter, lose, places, refuse, send, verdict }
}

describe("probes", () => {
  it("that stay silent are doubled every 2 s", () => {
    const { places, send, verdict } = trial()
    assert.strictEqual(places(0), 1)
    send(0)
    assert.deepStrictEqual(verdict(1999), { places: 0, until: 2000, closed: false })
    assert.strictEqual(places(2000), 1)
    send(2000)
    assert.deepStrictEqual(verdict(3999), { places: 0, until: 4000, closed: false })
    assert.strictEqual(places(4000), 2)
    send(4000)
    send(4000)
    assert.strictEqual(places(6000), 4)
  })

  it("are waited for anew after each answer", () => {
    const { answer, places, send } = trial()
    const first = send(0)
    send(2000)
    answer(first, 3000)
    // Two may be out at once after an answer that told nothing, and one is.
    assert.strictEqual(places(3000), 1)
    assert.strictEqual(places(4999), 1)
    assert.strictEqual(places(5000), 3)
  })

  it("are never more than the limit, with those that may still arrive", () => {
    const { lose, send, verdict } = trial({ limit: 2, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100]) lose(send(at), at + 50)
    assert.deepStrictEqual(verdict(10_200), { places: 0, until: 11_050, closed: false })
  })

  it("that were never sent make room for two", () => {
    const { limiter, places, send } = trial()
    limiter.unsent(send(0), start + 1)
    assert.strictEqual(places(2), 2)
  })

  it("that are lost make room for two", () => {
    const { lose, places, send } = trial()
    lose(send(0), 1)
    assert.strictEqual(places(2), 2)
  })

  it("after a window make room for two where the answer tells nothing", () => {
    const { answer, places, send } = trial({ limit: 60, remaining: 0, reset: 10_000 })
    answer(send(10_000), 10_050)
    assert.strictEqual(places(10_060), 2)
  })

  it("begin with one in each window", () => {
    const { answer, lose, places, send } = trial({ limit: 60, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100, 10_200]) lose(send(at), at + 50)
    answer(send(10_300), 10_350, { limit: 60, remaining: 40, reset: 20_000 })
    assert.strictEqual(places(20_000), 1)
  })

  it("begin with one after a refusal", () => {
    const { lose, places, refuse, send } = trial({ limit: 60, remaining: 0, reset: 10_000 })
    for (const at of [10_000, 10_100, 10_200]) lose(send(at), at + 50)
    refuse(send(10_300), 10_350, { retryAfter: 12_350 })
    assert.strictEqual(places(12_350), 1)
  })

  it("of an earlier window neither take a place among those of this one nor leave one", () => {
    const { answer, places, send } = trial({ limit: 60, remaining: 0, reset: 10_000 })
    const late = send(10_000)
    answer(send(12_000), 12_050, { limit: 60, remaining: 58, reset: 20_000 })
    assert.strictEqual(places(20_000), 1)
    send(20_000)
    answer(late, 20_050, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(places(20_060), 0)
  })
})

describe("requests without an answer", () => {
  it("can take a place also when the window has changed meanwhile", () => {
    const { abandon, answer, places, send } = trial({ limit: 2, remaining: 1, reset: 10_000 })
    abandon(send(9990), 9991)
    assert.strictEqual(places(9992), 0)
    answer(send(10_001), 10_050, { limit: 2, remaining: 1, reset: 20_000 })
    assert.deepStrictEqual([places(10_060), places(11_500)], [0, 0])
  })

  it("are taken as counted a second after they were given up", () => {
    const { abandon, limiter, send, verdict } = trial({ limit: 60, remaining: 5, reset: 60_000 })
    abandon(send(2000), 2010)
    verdict(3009)
    assert.strictEqual(limiter.window?.remaining, 5)
    verdict(3010)
    assert.strictEqual(limiter.window?.remaining, 4)
  })

  it("count among those that a window was seen to take", () => {
    const { abandon, answer, places, refuse, send, verdict } = trial()
    for (const at of [0, 1, 2]) answer(send(at), at + 1)
    abandon(send(10), 11)
    verdict(1011)
    refuse(send(1100), 1150, { retryAfter: 60_000 })
    answer(send(60_000), 60_050)
    // Four were taken, and one of the next four is gone.
    assert.strictEqual(places(60_060), 3)
  })

  it("that were withdrawn in time are not our own: one more that is used shows others", () => {
    const { answer, limiter, send } = trial({ limit: 60, remaining: 59, reset: 60_000 })
    limiter.withdrawn(send(2000), start + 2000)
    answer(send(2001), 2050, { limit: 60, remaining: 58, reset: 60_000 })
    assert.isFalse(limiter.isShared)
    limiter.withdrawn(send(2060), start + 2060)
    answer(send(2061), 2100, { limit: 60, remaining: 56, reset: 60_000 })
    assert.isTrue(limiter.isShared)
  })
})

describe("what was learned", () => {
  it("before the first window that is told counts against it", () => {
    const { answer, limiter, send } = trial()
    for (const at of [0, 1, 2]) answer(send(at), at + 1)
    answer(send(10), 11, { limit: 60, reset: 60_000 })
    assert.strictEqual(limiter.window?.remaining, 56)
  })

  it("before a refusal is how many may go, with those whose answers come later than that", () => {
    const { answer, places, refuse, send } = trial()
    for (const at of [0, 1, 2]) answer(send(at), at + 1)
    const late = send(10)
    refuse(send(10), 20, { retryAfter: 60_000 })
    answer(late, 30)
    answer(send(60_000), 60_050)
    assert.strictEqual(places(60_060), 3)
  })

  it("of the limit is remembered where a later window does not tell it", () => {
    const { answer, limiter, send } = trial({ limit: 60, remaining: 0, reset: 10_000 })
    answer(send(10_000), 10_050, { reset: 20_000 })
    assert.strictEqual(limiter.window?.remaining, 59)
  })

  it("of a window without a limit is forgotten with its end, if nothing more is told", () => {
    const { answer, limiter, send } = trial({ remaining: 0, reset: 10_000 })
    answer(send(10_000), 10_050)
    assert.isUndefined(limiter.window)
  })
})

describe("a refusal", () => {
  it("closes until the latest moment that any has named", () => {
    const { blockedUntil, refuse, send } = trial()
    const [first, second] = [send(0), send(0)]
    refuse(first, 50, { retryAfter: 30_050 })
    refuse(second, 60, { retryAfter: 5060 })
    assert.strictEqual(blockedUntil(), 30_050)
  })

  it("leaves nothing of its window, whatever it says is left", () => {
    const { limiter, places, refuse, send, verdict } = trial({ limit: 60, remaining: 50, reset: 60_000 })
    refuse(send(2000), 2050, { limit: 60, remaining: 3, reset: 60_000 })
    assert.strictEqual(limiter.window?.remaining, 0)
    assert.deepStrictEqual(verdict(59_999), { places: 0, until: 60_000, closed: true })
    assert.strictEqual(places(60_000), 1)
  })

  it("with a Retry-After alone is obeyed for that long, and costs a known window one place", () => {
    const { answer, limiter, places, refuse, send, verdict } = trial({ limit: 600, remaining: 599, reset: 60_000 })
    for (const remaining of [598, 597]) answer(send(1000), 1050, { limit: 600, remaining, reset: 60_000 })
    refuse(send(2050), 2100, { retryAfter: 4100 })
    assert.deepStrictEqual(verdict(4099), { places: 0, until: 4100, closed: true })
    assert.isAbove(places(4100), 0)
    assert.strictEqual(limiter.window?.remaining, 596)
  })

  it("that names a second which has begun already closes for a second, however much is left", () => {
    const { blockedUntil, refuse, send, verdict } = trial({ limit: 600, remaining: 590, reset: 60_000 })
    const burst = [send(2010), send(2010), send(2010)]
    for (const sent of burst) refuse(sent, 2060, { limit: 600, remaining: 590, reset: 2000 })
    assert.strictEqual(blockedUntil(), 3060)
    assert.deepStrictEqual(verdict(3059), { places: 0, until: 3060, closed: true })
    refuse(send(3060), 3110, { limit: 600, remaining: 590, reset: 3000 })
    assert.isAtLeast(blockedUntil(), 4110)
  })

  it("of a request that was sent in the window before closes nothing", () => {
    const { answer, places, refuse, send } = trial({ limit: 60, remaining: 9, reset: 10_000 })
    const late = send(9900)
    answer(send(10_001), 10_050, { limit: 60, remaining: 58, reset: 20_000 })
    const before = places(10_099)
    assert.isAbove(before, 0)
    refuse(late, 10_100, { limit: 60, remaining: 0, reset: 10_000 })
    assert.isAbove(places(10_100), 0)
  })

  it("of an unused limit closes until its reset, not for ever", () => {
    for (const how of ["answered", "refused"] as const) {
      const { limiter, places, send, verdict } = trial()
      const nothing = (reset: number, at: number): Told =>
        read(
          {
            "x-ratelimit-limit": "0",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": String((start + reset) / 1000)
          },
          start + at
        )
      limiter[how](send(0), nothing(60_000, 50), start + 50)
      assert.deepStrictEqual(verdict(59_999), { places: 0, until: 60_000, closed: true }, how)
      assert.strictEqual(places(60_000), 1, how)
      limiter[how](send(60_000), nothing(120_000, 60_050), start + 60_050)
      assert.deepStrictEqual(verdict(60_060), { places: 0, until: 120_000, closed: true }, how)
      assert.strictEqual(places(120_000), 1, how)
    }
  })
})

describe("a refusal without a word", () => {
  it("closes for 1 s, then 2, and after a success for 1 again", () => {
    const { answer, blockedUntil, refuse, send } = trial()
    refuse(send(0), 50)
    assert.strictEqual(blockedUntil(), 1050)
    refuse(send(1050), 1100)
    assert.strictEqual(blockedUntil(), 3100)
    answer(send(4000), 4050)
    refuse(send(5000), 5050)
    assert.strictEqual(blockedUntil(), 6050)
  })

  it("counts once for all that were sent together", () => {
    const { blockedUntil, refuse, send } = trial()
    const burst = [send(0), send(0), send(0)]
    burst.forEach((sent, i) => refuse(sent, 50 + 10 * i))
    assert.strictEqual(blockedUntil(), 1050)
    refuse(send(1050), 1100)
    assert.strictEqual(blockedUntil(), 3100)
  })

  it("lets one request a second go after it", () => {
    const { places, refuse, send, verdict } = trial()
    refuse(send(0), 50)
    assert.strictEqual(places(1050), 1)
    send(1050)
    assert.deepStrictEqual(verdict(1500), { places: 0, until: 2050, closed: true })
  })

  it("is forgotten with the first answer that tells the limit", () => {
    const { answer, places, refuse, send } = trial()
    refuse(send(0), 50)
    answer(send(2000), 2050, { limit: 60, remaining: 59, reset: 60_000 })
    assert.strictEqual(places(2060), 59)
  })

  it("is forgotten after more than 10 minutes, not before", () => {
    const after = (rest: number) => {
      const { answer, limiter, places, refuse, send } = trial()
      refuse(send(0), 50)
      limiter.rested(start + 50 + rest)
      answer(send(600_051), 600_100)
      return places(600_101)
    }
    assert.deepStrictEqual([after(600_000), after(600_001)], [0, 1])
  })
})

describe("windows that follow each other", () => {
  it("are told by the reset: one long past is none, one that has just passed is one that is over", () => {
    const long = trial({ limit: 60, remaining: 59, reset: -10_000 })
    assert.strictEqual(long.places(2000), 59)
    const just = trial({ limit: 60, remaining: 50, reset: -500 })
    assert.strictEqual(just.places(100), 1)
  })

  it("keep what is left when two have found the new one, and the first told less", () => {
    const { answer, limiter, send } = trial({ limit: 60, remaining: 10, reset: 10_000 })
    const [first, second] = [send(10_000), send(10_000)]
    answer(first, 10_050, { limit: 60, remaining: 58, reset: 20_000 })
    answer(second, 10_060, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(limiter.window?.remaining, 58)
  })

  it("count as our own only what they can have counted", () => {
    const { answer, limiter, send } = trial({ limit: 60, remaining: 10, reset: 10_000 })
    const before = send(9900)
    answer(send(10_000), 10_050, { limit: 60, remaining: 59, reset: 20_000 })
    assert.strictEqual(limiter.window?.own, 2)
    answer(before, 10_060, { limit: 60, remaining: 9, reset: 10_000 })
    assert.strictEqual(limiter.window?.own, 1)
  })

  it("are as long as the longer of the last two", () => {
    const { answer, limiter, send } = trial({ limit: 60, remaining: 10, reset: 60_000, date: 0 })
    answer(send(60_002), 60_050, { limit: 60, remaining: 59, reset: 61_000, date: 60_000 })
    assert.strictEqual(limiter.length, 60_000)
    answer(send(61_002), 61_050, { limit: 60, remaining: 59, reset: 62_000, date: 61_000 })
    assert.strictEqual(limiter.length, 1000)
  })

  it("are scarce when less than half is left", () => {
    const isScarce = (remaining: number) =>
      trial({ limit: 60, remaining, reset: 60_000 }).limiter.isScarce(start + 1000)
    assert.deepStrictEqual([isScarce(30), isScarce(29)], [false, true])
  })
})

describe("a window", () => {
  const heard = (at: number, says: Says): Window.Heard => ({
    ...toldBy(says),
    sentAt: start + at,
    receivedAt: start + at,
    serverNow: toldBy(says).date ?? start + at
  })
  const opened = (says: Says) => Window.opened(heard(0, { limit: 9, remaining: 8, ...says }), 1, 0, undefined)

  it("of 2 s is followed by the next with a reset that is one second later", () => {
    const next = heard(1, { limit: 9, remaining: 8, reset: 3000 })
    assert.strictEqual(Window.relation(opened({ reset: 2000, date: 0 }), next, false), "newer")
  })

  it("is the same for 2 s more where the reset is counted from an answer's arrival", () => {
    const known = opened({ reset: 60_000, clock: "local" })
    const again = (reset: number) => heard(1, { remaining: 7, reset, clock: "local" })
    assert.strictEqual(Window.relation(known, again(62_000), false), "same")
    assert.strictEqual(Window.relation(known, again(62_001), false), "newer")
  })

  it("is not compared by resets of two clocks", () => {
    const other = heard(1, { remaining: 7, reset: 90_000, clock: "local" })
    assert.strictEqual(Window.relation(opened({ reset: 60_000, date: 0 }), other, false), "same")
  })

  it("ends with the latest reset that it has told", () => {
    const known = opened({ reset: 60_000, date: 0 })
    const lowered = (reset: number) => Window.lowered(known, heard(1, { remaining: 7, reset })).reset
    assert.deepStrictEqual(lowered(61_000), { clock: "server", at: start + 61_000 })
    assert.deepStrictEqual(lowered(59_000), { clock: "server", at: start + 60_000 })
  })

  it("is as long as the server's clock has it", () => {
    assert.strictEqual(opened({ reset: 660_000, date: 600_000 }).horizon, 60_000)
  })
})

describe("others", () => {
  it("are assumed for the first second, and what is out counts in our share", () => {
    const sending = (requests: number) => {
      const { send, verdict } = trial({ limit: 600, remaining: 599, reset: 60_000 })
      for (let i = 0; i < requests; i++) send(10)
      return verdict
    }
    // The 16th part of 599.
    assert.strictEqual(sending(30)(20).places, 7)
    assert.deepStrictEqual(sending(37)(20), { places: 0, until: 1000, closed: false })
    assert.strictEqual(sending(37)(1000).places, 562)
  })

  it("leave us one place at least", () => {
    assert.strictEqual(trial({ limit: 60, remaining: 5, reset: 60_000 }).places(10), 1)
  })

  it("are there where we are refused though something was left", () => {
    const { answer, limiter, refuse, send } = trial({ remaining: 5, reset: 60_000 })
    answer(send(1000), 1050, { remaining: 4, reset: 60_000 })
    assert.isFalse(limiter.isShared)
    refuse(send(2000), 2050, { reset: 60_000, retryAfter: 60_000 })
    assert.isTrue(limiter.isShared)
  })

  it("are estimated by our share of the window that is over", () => {
    const { answer, limiter, send } = trial({ limit: 60, remaining: 50, reset: 10_000 })
    assert.isTrue(limiter.isShared)
    for (let i = 0; i < 19; i++) answer(send(2000 + i), 2100, { limit: 60, remaining: 0, reset: 10_000 })
    answer(send(10_000), 10_050, { limit: 60, remaining: 59, reset: 20_000 })
    // We had 20 of 60, which 3 could have; 4 is the least that is assumed.
    assert.strictEqual(limiter.clients(start + 10_050), 4)
  })

  it("are twice as many when we were refused more than once in a window, not once in each of two", () => {
    const { answer, limiter, refuse, send } = trial({ limit: 60, remaining: 50, reset: 10_000 })
    const burst = [send(2000), send(2000), send(2000)]
    for (const sent of burst) refuse(sent, 2050, { limit: 60, remaining: 0, reset: 10_000 })
    assert.strictEqual(limiter.clients(start + 3000), 16)
    answer(send(10_000), 10_050, { limit: 60, remaining: 30, reset: 20_000 })
    assert.strictEqual(limiter.clients(start + 12_000), 16)
  })
})
