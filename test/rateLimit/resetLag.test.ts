import { assert, describe, it } from "@effect/vitest"
import * as ResetLag from "../../src/internal/rateLimit/resetLag.js"

describe("ResetLag", () => {
  it("determines the lag of the server's reset by doubling and then by bisection", () => {
    // The server opens each window 600 ms late. Each response takes 20 ms.
    const sentAfter: Array<number> = []
    let lag = ResetLag.none
    let step = 0
    for (let windows = 0; windows < 8 && sentAfter.length < 99;) {
      const after = lag.next
      sentAfter.push(after)
      if (after < 600) {
        lag = ResetLag.onRejected(lag, after, after + 20, step)
        step += 1
      } else {
        lag = ResetLag.onAccepted(lag, after)
        step = 0
        windows += 1
      }
    }
    assert.deepStrictEqual(sentAfter, [0, 70, 190, 410, 830, 620, 515, 620, 568, 620, 620, 620, 620, 620])
  })

  it("limits the lag of the server's reset to 1 s", () => {
    assert.deepStrictEqual(ResetLag.onAccepted(ResetLag.none, 300), ResetLag.none)
    assert.deepStrictEqual(
      [0, 2000, 2001].map((after) => ResetLag.canBeLag(after)),
      [true, true, false]
    )
    const late = ResetLag.onAccepted(ResetLag.onRejected(ResetLag.none, 0, 1300, 3), 1700)
    assert.deepStrictEqual(late, { low: 0, high: 1000, next: 500 })
  })
})

describe("ResetLag.onRejected", () => {
  it("continues with the earliest accepted time if the request was sent before this time", () => {
    const lag = { low: 100, high: 500, next: 300 }
    assert.deepStrictEqual(ResetLag.onRejected(lag, 300, 320, 0), { low: 300, high: 500, next: 500 })
    assert.deepStrictEqual(ResetLag.onRejected(lag, 50, 70, 0), { low: 100, high: 500, next: 500 })
  })

  it("discards the accepted time if a request was rejected at or after this time", () => {
    const lag = { low: 100, high: 500, next: 500 }
    const expected = { low: 500, high: Number.POSITIVE_INFINITY, next: 520 + 200 }
    assert.deepStrictEqual(ResetLag.onRejected(lag, 500, 520, 2), expected)
  })
})

describe("ResetLag.onAccepted", () => {
  it("halves the interval between the bounds until the interval has at most 60 ms", () => {
    const next = (low: number, after: number) => ResetLag.onAccepted({ low, high: Infinity, next: 0 }, after).next
    assert.deepStrictEqual([next(100, 300), next(100, 161), next(100, 160)], [200, 131, 160])
  })

  it("starts the search for the lag at 0 ms", () => {
    assert.deepStrictEqual(ResetLag.onAccepted({ low: 0, high: Infinity, next: 0 }, 400), {
      low: 0,
      high: 400,
      next: 200
    })
  })

  it("lowers the rejected time if a request was accepted earlier", () => {
    assert.deepStrictEqual(ResetLag.onAccepted({ low: 300, high: 500, next: 500 }, 200), {
      low: 200,
      high: 200,
      next: 200
    })
  })
})

describe("LagSearch", () => {
  it("doubles the step after each rejection until a request is accepted", () => {
    const lag = new ResetLag.LagSearch()
    assert.strictEqual(lag.next, 0)
    const next = (after: number) => {
      lag.onRejected(after, after)
      return lag.next
    }
    assert.deepStrictEqual([next(0), next(50), next(150)], [50, 150, 350])
    lag.resetSteps()
    assert.strictEqual(next(350), 400)
  })

  it("ignores an accepted request that was sent more than 2 s after the reset", () => {
    const lag = new ResetLag.LagSearch()
    lag.onRejected(900, 950)
    lag.onAccepted(2001)
    assert.strictEqual(lag.next, 1000)
    lag.onAccepted(2000)
    assert.strictEqual(lag.next, 950)
  })
})
