import { assert, describe, it } from "@effect/vitest"
import * as ClockSkew from "../../src/internal/rateLimit/clockSkew.js"
import { start } from "../utils/harness.js"

describe("ClockSkew", () => {
  const at = (server: number, sentAt: number, receivedAt: number) => ({
    date: start + server,
    sentAt: start + sentAt,
    receivedAt: start + receivedAt
  })

  it("computes the bounds from `Date`, the send time and the arrival time", () => {
    assert.deepStrictEqual(ClockSkew.narrow(undefined, at(5000, 100, 300)), {
      min: 4699,
      max: 5900,
      updatedAt: start + 300
    })
  })

  it("narrows the bounds with the `Date` of each response", () => {
    const first = ClockSkew.narrow(undefined, at(5000, 100, 300))
    const second = ClockSkew.narrow(first, at(5000, 700, 900))
    assert.deepStrictEqual([second.min, Math.round(second.max)], [4699 - 0.06, 5300])
    const third = ClockSkew.narrow(second, at(6000, 950, 1000))
    assert.deepStrictEqual([third.min, Math.round(third.max)], [4999, 5300])
  })

  it("widens the bounds by the possible clock drift over time", () => {
    const skew = ClockSkew.narrow(ClockSkew.narrow(undefined, at(5000, 100, 300)), at(1_005_000, 1_000_100, 1_000_500))
    // The expected drift is 100 ppm of 1000.2 s.
    assert.closeTo(skew.min, 4699 - 100.02, 0.001)
  })

  it("discards the bounds if the `Date` of a response contradicts them", () => {
    const skew = ClockSkew.narrow(ClockSkew.narrow(undefined, at(5000, 100, 300)), at(65_000, 400, 600))
    assert.deepStrictEqual(skew, { min: 64_399, max: 65_600, updatedAt: start + 600 })
  })

  it("converts a reset to the latest local time within the bounds", () => {
    assert.strictEqual(
      ClockSkew.toLatestLocal({ min: 4699, max: 5900, updatedAt: start }, start + 60_000),
      start + 60_000 - 4699
    )
  })
})

describe("ClockSkew.narrow", () => {
  const known = { min: 4000, max: 4500, updatedAt: 10_000 }

  it("widens both bounds by the possible clock drift", () => {
    const response = { date: 1_004_000, sentAt: 999_000, receivedAt: 1_010_000 }
    const skew = ClockSkew.narrow(known, response)
    assert.closeTo(skew.min, 3900, 0.001)
    assert.closeTo(skew.max, 4600, 0.001)
  })

  it("does not narrow the bounds by a drift if the response is older than the last response", () => {
    const skew = ClockSkew.narrow(known, { date: 4000, sentAt: -1_000_000, receivedAt: 9000 })
    assert.deepStrictEqual([skew.min, skew.max], [4000, 4500])
  })

  it("keeps the bounds if they meet in one point", () => {
    const skew = ClockSkew.narrow(known, { date: 14_501, sentAt: 9000, receivedAt: 10_000 })
    assert.deepStrictEqual(skew, { min: 4500, max: 4500, updatedAt: 10_000 })
  })
})

describe("ServerClock", () => {
  it("uses the offset of the wall clock until a response contains a Date header", () => {
    const clock = new ClockSkew.ServerClock()
    clock.wallOffset = 7000
    assert.strictEqual(clock.update(undefined, 100, 300), 7300)
    assert.strictEqual(clock.toLocal({ clock: "server", at: 8000 }), 1000)
    assert.strictEqual(clock.toLocal({ clock: "local", at: 8000 }), 8000)
  })

  it("uses the Date headers of responses instead of the wall clock", () => {
    const clock = new ClockSkew.ServerClock()
    clock.wallOffset = 7000
    assert.strictEqual(clock.update(5000, 100, 300), 5000)
    assert.strictEqual(clock.update(undefined, 300, 400), 7400)
    assert.strictEqual(clock.toLocal({ clock: "server", at: 8000 }), 8000 - 4699)
    assert.strictEqual(clock.toLocal({ clock: "local", at: 8000 }), 8000)
  })

  it("rounds a local time up to the next millisecond", () => {
    assert.strictEqual(ClockSkew.toLatestLocal({ min: 0.4, max: 9, updatedAt: 0 }, 100), 100)
    assert.strictEqual(ClockSkew.toLatestLocal({ min: 0, max: 9, updatedAt: 0 }, 100), 100)
  })
})
