/** Tests the estimated and accepted waits of queued requests. Times are in milliseconds after `start`. */
import { assert, describe, it } from "@effect/vitest"
import { Limiter } from "../../src/internal/rateLimit/limiter.js"
import {
  acceptDelay,
  hasAccepted,
  makeQueueEntry,
  type QueueEntry,
  toQueueDelay
} from "../../src/internal/rateLimit/queueEntry.js"
import { makePermitRequest } from "../utils/gateRequests.js"
import { start } from "../utils/harness.js"
import { type ReportedLimit, toRateLimitInfo } from "../utils/reportedLimit.js"

const makeLimiter = (reported: ReportedLimit): Limiter => {
  const limiter = new Limiter()
  limiter.onResponse(limiter.register(start), toRateLimitInfo(reported), start)
  return limiter
}

const makeEntry = (ahead: number): QueueEntry => makeQueueEntry(makePermitRequest(), ahead, start + 1000)

const waitBehind = (ahead: number, limiter: Limiter): number =>
  toQueueDelay(makeEntry(ahead), limiter, start + 10_000, start + 4000).wait

describe("toQueueDelay", () => {
  it("contains the time until the gate opens, the whole wait and the limit", () => {
    const limiter = makeLimiter({ limit: 3, remaining: 0, reset: 10_000 })
    assert.deepStrictEqual(toQueueDelay(makeEntry(0), limiter, start + 10_000, start + 4000), {
      opensIn: 6000,
      wait: 9000,
      limit: 3,
      remaining: 0
    })
  })

  it("contains neither limit nor remaining requests if no response has reported them", () => {
    const unknown = { opensIn: 6000, wait: 9000, limit: undefined, remaining: undefined }
    for (const limiter of [new Limiter(), makeLimiter({ reset: 10_000 })]) {
      assert.deepStrictEqual(toQueueDelay(makeEntry(5), limiter, start + 10_000, start + 4000), unknown)
    }
  })

  it("adds one window for each limit of requests ahead", () => {
    const limiter = makeLimiter({ limit: 3, remaining: 2, reset: 10_000 })
    assert.deepStrictEqual(
      [0, 2, 3, 5, 6].map((ahead) => waitBehind(ahead, limiter)),
      [9000, 9000, 19_000, 19_000, 29_000]
    )
  })

  it("adds one window for each request of this client in a window that other clients use", () => {
    const limiter = makeLimiter({ limit: 60, remaining: 0, reset: 10_000 })
    assert.isTrue(limiter.hasOtherClients)
    assert.deepStrictEqual(
      [0, 1, 2].map((ahead) => waitBehind(ahead, limiter)),
      [9000, 19_000, 29_000]
    )
  })

  it("adds one window for each request ahead if the limit is 0", () => {
    const limiter = makeLimiter({ limit: 0, remaining: 0, reset: 10_000 })
    limiter.others.onWindowOpened(undefined)
    assert.strictEqual(waitBehind(2, limiter), 29_000)
  })

  it("adds no window if other clients were detected in a window that is no longer reported", () => {
    const limiter = new Limiter()
    limiter.others.detect()
    assert.strictEqual(waitBehind(5, limiter), 9000)
  })

  it("adds 1 s for each request ahead while requests are paced", () => {
    const limiter = new Limiter()
    limiter.onRejected(limiter.register(start), toRateLimitInfo({}), start)
    assert.strictEqual(waitBehind(4, limiter), 13_000)
  })
})

describe("hasAccepted", () => {
  const limiter = makeLimiter({ limit: 3, remaining: 0, reset: 10_000 })

  it("returns false before the caller has accepted a delay", () => {
    assert.isFalse(hasAccepted(makeEntry(0), limiter, start + 1001, start + 1000))
  })

  it("returns true if there is no delay", () => {
    assert.isTrue(hasAccepted(makeEntry(0), limiter, start + 1000, start + 1000))
  })

  it("tolerates an opening time that is 5 % and 1 s later", () => {
    const entry = makeEntry(0)
    acceptDelay(entry, { opensIn: 10_000, wait: 100_000, limit: undefined, remaining: undefined })
    assert.isTrue(hasAccepted(entry, limiter, start + 12_500, start + 1000))
    assert.isFalse(hasAccepted(entry, limiter, start + 12_501, start + 1000))
  })

  it("tolerates a whole wait that is 5 % and 1 s longer", () => {
    const entry = makeEntry(0)
    acceptDelay(entry, { opensIn: 100_000, wait: 10_000, limit: undefined, remaining: undefined })
    assert.isTrue(hasAccepted(entry, limiter, start + 12_500, start + 1000))
    assert.isFalse(hasAccepted(entry, limiter, start + 12_501, start + 1000))
  })
})
