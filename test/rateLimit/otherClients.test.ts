import { assert, describe, it } from "@effect/vitest"
import * as otherClients from "../../src/internal/rateLimit/otherClients.js"
import type * as Window from "../../src/internal/rateLimit/window.js"
import { start } from "../utils/harness.js"

describe("otherClients", () => {
  const makeWindow = (remaining: number, own: number): Window.Window => ({
    reset: { clock: "server", at: start + 60_000 },
    limit: 60,
    remaining,
    ownRequests: own,
    firstSeenAt: start,
    millisToReset: 60_000
  })

  it("detects other clients if more requests are used than this client has sent", () => {
    assert.isFalse(otherClients.isUsedByOthers(makeWindow(50, 10)))
    assert.isTrue(otherClients.isUsedByOthers(makeWindow(49, 10)))
    assert.isFalse(otherClients.isUsedByOthers({ ...makeWindow(0, 1), limit: undefined }))
  })

  it("limits the requests in flight to half of the remaining requests divided by the number of clients", () => {
    const shares = (clients: number) =>
      [600, 60, 16, 8, 1].map((remaining) => otherClients.fairShare(remaining, clients))
    assert.deepStrictEqual(shares(4), [75, 7, 2, 1, 1])
    assert.deepStrictEqual(shares(8), [37, 3, 1, 1, 1])
    assert.deepStrictEqual(
      shares(1),
      Array.from({ length: 5 }, () => Number.POSITIVE_INFINITY)
    )
  })

  it("estimates the number of clients from the requests of this client in the window", () => {
    assert.deepStrictEqual(
      [30, 10, 2].map((own) => otherClients.estimateClients(makeWindow(0, own))),
      [4, 6, 8]
    )
    assert.deepStrictEqual(
      [0, 1, 2].map((rejections) => otherClients.increaseClients(8, rejections)),
      [8, 8, 16]
    )
    assert.strictEqual(otherClients.increaseClients(64, 9), 64)
  })
})

describe("OtherClients", () => {
  const makeWindow = (own: number): Window.Window => ({
    reset: undefined,
    limit: 60,
    remaining: 0,
    ownRequests: own,
    firstSeenAt: 0,
    millisToReset: 0
  })

  it("estimates eight clients if the limit is unknown or this client sent no request", () => {
    assert.strictEqual(otherClients.estimateClients({ ...makeWindow(30), limit: undefined }), 8)
    assert.strictEqual(otherClients.estimateClients(makeWindow(0)), 8)
  })

  it("does not count requests that remain in the window", () => {
    assert.strictEqual(otherClients.estimateClients({ ...makeWindow(6), remaining: 30 }), 5)
  })

  it("leaves room for eight requests with two clients", () => {
    assert.strictEqual(otherClients.fairShare(80, 2), 10)
  })

  it("counts eight clients in the first second after the first response with a limit", () => {
    const others = new otherClients.OtherClients()
    const window = makeWindow(1)
    assert.strictEqual(others.count(window, 0), 1)
    others.onResponse(5000)
    others.onResponse(5500)
    assert.strictEqual(others.discoveryEndsAt, 6000)
    assert.deepStrictEqual([others.count(window, 5999), others.count(window, 6000)], [8, 1])
    assert.strictEqual(others.count({ ...window, limit: undefined }, 5999), 1)
    assert.strictEqual(others.count(undefined, 5999), 1)
  })

  it("remembers other clients for three windows after they were detected", () => {
    const others = new otherClients.OtherClients()
    const isDetected: Array<boolean> = [others.isDetected]
    others.detect()
    for (let i = 0; i < 4; i++) {
      isDetected.push(others.isDetected)
      others.onWindowOpened(undefined)
    }
    assert.deepStrictEqual(isDetected, [false, true, true, true, false])
  })

  it("estimates the clients at the end of a window with at most one rejection", () => {
    const countAfter = (rejections: number) => {
      const others = new otherClients.OtherClients()
      others.detect()
      for (let i = 0; i < rejections; i++) others.onRejected()
      others.onWindowOpened(makeWindow(12))
      return others.count(undefined, 0)
    }
    assert.deepStrictEqual([countAfter(0), countAfter(1), countAfter(2)], [5, 5, 8])
  })

  it("doubles the clients at each detection after a second rejection in the window", () => {
    const others = new otherClients.OtherClients()
    const detect = () => {
      others.onRejected()
      others.detect()
      return others.count(undefined, 0)
    }
    assert.deepStrictEqual([detect(), detect(), detect(), detect(), detect()], [8, 16, 32, 64, 64])
    others.onWindowOpened(undefined)
    assert.strictEqual(detect(), 64)
  })

  it("starts with eight clients if other clients are detected again after three windows without them", () => {
    const others = new otherClients.OtherClients()
    others.detect()
    others.onWindowOpened(makeWindow(12))
    for (let i = 0; i < 3; i++) others.onWindowOpened(undefined)
    assert.isFalse(others.isDetected)
    others.detect()
    assert.strictEqual(others.count(undefined, 0), 8)
  })

  it("does not estimate the clients while no other clients are detected", () => {
    const others = new otherClients.OtherClients()
    others.onWindowOpened(makeWindow(12))
    others.detect()
    assert.strictEqual(others.count(undefined, 0), 8)
  })
})
