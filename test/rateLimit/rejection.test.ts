import { assert, describe, it } from "@effect/vitest"
import * as rejection from "../../src/internal/rateLimit/rejection.js"
import { start } from "../utils/harness.js"

describe("block after a rejection", () => {
  it("lasts until the reset, but at least 1 s", () => {
    assert.strictEqual(rejection.blockUntil(start, start + 42_000), start + 42_000)
    assert.strictEqual(rejection.blockUntil(start, start + 200), start + 1000)
  })

  it("doubles from 1 s to 30 s with each rejection if the reset is unknown", () => {
    const waits = [0, 1, 2, 3, 4, 5, 6].map((n) => (rejection.blockWithoutReset(start, n) - start) / 1000)
    assert.deepStrictEqual(waits, [1, 2, 4, 8, 16, 30, 30])
  })

  it("does not depend on a reset that is in the past or more than 25 hours ahead", () => {
    const usable = [-1, 0, 1, 25 * 3_600_000, 25 * 3_600_000 + 1].map((wait) => rejection.isUsable(start + wait, start))
    assert.deepStrictEqual(usable, [false, false, true, true, false])
  })
})
