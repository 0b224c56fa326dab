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
