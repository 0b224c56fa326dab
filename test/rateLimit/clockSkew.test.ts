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
