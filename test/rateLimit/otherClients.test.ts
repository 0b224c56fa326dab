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
