/** Tests the rules for servers that omit rate limit headers. Times are in milliseconds. */
import { assert, describe, it } from "@effect/vitest"
import { FallbackRules } from "../../src/internal/rateLimit/fallbackRules.js"

/** Returns rules after a window in which the server accepted five requests and then rejected a request. */
const afterWindowOfFive = (): FallbackRules => {
  const rules = new FallbackRules()
  for (const sentAt of [0, 1, 2, 3, 4]) rules.onAccepted(sentAt)
  rules.estimateAllowance(10)
  rules.onRejected(60_000, 10, 20)
  return rules
}

describe("FallbackRules.capacity", () => {
  it("is undefined before the first rejection", () => {
    const rules = new FallbackRules()
    assert.isUndefined(rules.capacity(0, undefined))
    rules.onAccepted(0)
    assert.isUndefined(rules.capacity(0, undefined))
  })

  it("is undefined after a rejection until the server accepts a request", () => {
    assert.isUndefined(afterWindowOfFive().capacity(0, undefined))
  })

  it("admits the rest of the estimated allowance after the first accepted request", () => {
    const rules = afterWindowOfFive()
    rules.onAccepted(60_000)
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 4)
    assert.strictEqual(rules.capacity(3, undefined)?.permits, 1)
    assert.deepStrictEqual(rules.capacity(4, 61_000), { permits: 0, recheckAt: 61_000, limited: false })
  })

  it("admits one request at a time after the estimated allowance", () => {
    const rules = afterWindowOfFive()
    for (let i = 0; i < 5; i++) rules.onAccepted(60_000 + i)
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 1)
    assert.strictEqual(rules.capacity(1, undefined)?.permits, 0)
  })

  it("doubles the allowance after the server has accepted twice the allowance", () => {
    const rules = afterWindowOfFive()
    for (let i = 0; i < 9; i++) rules.onAccepted(60_000 + i)
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 1)
    rules.onAccepted(60_009)
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 5)
    rules.onRejected(120_000, 60_100, 60_200)
    rules.onAccepted(120_000)
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 9)
  })

  it("counts an interrupted request as accepted", () => {
    const rules = afterWindowOfFive()
    rules.onAccepted(60_000)
    rules.onOrphanExpired()
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 3)
  })

  it("makes no estimate from a late response without an earlier estimate", () => {
    const rules = new FallbackRules()
    rules.onRejected(60_000, 10, 20)
    rules.onAccepted(15)
    rules.onAccepted(60_000)
    assert.isUndefined(rules.capacity(0, undefined))
  })

  it("adds the late response to a request of the rejected burst to the allowance", () => {
    const rules = afterWindowOfFive()
    rules.onAccepted(20)
    assert.isUndefined(rules.capacity(0, undefined))
    rules.onAccepted(60_000)
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 5)
  })

  it("keeps the allowance after further rejections of the same burst", () => {
    const rules = afterWindowOfFive()
    rules.estimateAllowance(20)
    rules.onRejected(60_000, 20, 30)
    rules.onAccepted(60_000)
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 4)
  })

  it("admits at least one request per window", () => {
    const rules = new FallbackRules()
    rules.estimateAllowance(0)
    rules.onRejected(1000, 0, 10)
    rules.onAccepted(1000)
    assert.strictEqual(rules.capacity(0, undefined)?.permits, 1)
  })
})

describe("FallbackRules.onRejected", () => {
  it("returns the reset of each rejection", () => {
    const rules = new FallbackRules()
    assert.deepStrictEqual([rules.onRejected(5000, 0, 10), rules.onRejected(6000, 0, 20)], [5000, 6000])
    assert.isFalse(rules.hasNoReset)
  })

  it("returns the end of a longer block after each burst without a reset", () => {
    const rules = new FallbackRules()
    assert.strictEqual(rules.onRejected(undefined, 0, 50), 1050)
    assert.isUndefined(rules.onRejected(undefined, 50, 60))
    assert.strictEqual(rules.onRejected(undefined, 1060, 1100), 3100)
    assert.isTrue(rules.hasNoReset)
  })

  it("restarts the blocks with 1 s after an accepted request", () => {
    const rules = new FallbackRules()
    rules.onRejected(undefined, 0, 50)
    rules.onAccepted(1060)
    assert.strictEqual(rules.onRejected(undefined, 1070, 1100), 2100)
  })
})

describe("FallbackRules.pace", () => {
  it("admits one request per second", () => {
    const rules = new FallbackRules()
    rules.onSent(500)
    assert.deepStrictEqual(rules.pace(1499), { permits: 0, recheckAt: 1500, limited: true })
    assert.strictEqual(rules.pace(1500).permits, 1)
  })

  it("estimates 1 s per request while requests are paced", () => {
    const rules = new FallbackRules()
    assert.strictEqual(rules.estimatePacedWait(7), 0)
    rules.onRejected(undefined, 0, 50)
    assert.strictEqual(rules.estimatePacedWait(7), 7000)
    rules.onResetReported()
    assert.strictEqual(rules.estimatePacedWait(7), 0)
  })

  it("ends 10 minutes after the last rejection, 1 s after the last request", () => {
    const isPacedAfterIdle = (now: number, sentAt: number) => {
      const rules = new FallbackRules()
      rules.onRejected(undefined, 0, 50)
      rules.onSent(sentAt)
      rules.onIdle(now)
      return rules.hasNoReset
    }
    assert.isTrue(isPacedAfterIdle(600_050, 1000))
    assert.isFalse(isPacedAfterIdle(600_051, 1000))
    assert.isTrue(isPacedAfterIdle(700_000, 699_001))
    assert.isFalse(isPacedAfterIdle(700_000, 699_000))
  })
})
