/** Tests the limit of probes. Times are in milliseconds. */
import { assert, describe, it } from "@effect/vitest"
import { Probes } from "../../src/internal/rateLimit/probes.js"

describe("Probes.capacity", () => {
  const unlimited = Number.POSITIVE_INFINITY
  const permits = (probes: Probes, now: number, maximum = unlimited) => probes.capacity(now, maximum, undefined).permits

  it("admits one probe, however long no probe was sent", () => {
    const probes = new Probes()
    assert.deepStrictEqual([permits(probes, 0), permits(probes, 1_000_000)], [1, 1])
    probes.onSent(5000)
    probes.onSettled(5050)
    assert.strictEqual(permits(probes, 1_000_000), 1)
  })

  it("doubles 2 s after the first pending probe and again 2 s later", () => {
    const probes = new Probes()
    probes.onSent(5000)
    assert.deepStrictEqual(probes.capacity(6999, unlimited, 9), { permits: 0, recheckAt: 7000, limited: false })
    assert.strictEqual(permits(probes, 7000), 1)
    probes.onSent(7000)
    assert.deepStrictEqual(probes.capacity(8999, unlimited, 9), { permits: 0, recheckAt: 9000, limited: false })
    assert.strictEqual(permits(probes, 9000), 2)
  })

  it("is at most the number of requests that fit in the window", () => {
    const probes = new Probes()
    probes.onSent(0)
    assert.strictEqual(permits(probes, 8000, 2), 2)
    assert.deepStrictEqual(probes.capacity(8000, 0, 9000), { permits: 0, recheckAt: 9000, limited: false })
    assert.deepStrictEqual(probes.capacity(8000, -1, 9000), { permits: 0, recheckAt: 9000, limited: false })
  })

  it("increases with each raise of the limit until the next reset of the limit", () => {
    const probes = new Probes()
    probes.raiseLimit()
    probes.raiseLimit()
    assert.strictEqual(permits(probes, 0), 3)
    probes.onSent(0)
    assert.strictEqual(permits(probes, 0), 2)
    probes.resetLimit()
    assert.strictEqual(permits(probes, 0), 0)
  })

  it("starts with one probe in a new window", () => {
    const probes = new Probes()
    probes.raiseLimit()
    probes.onSent(0)
    probes.restart()
    assert.strictEqual(permits(probes, 0), 1)
  })
})
