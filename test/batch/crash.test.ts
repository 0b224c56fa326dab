/** A batch whose process is killed again and again pays for nothing twice and loses nothing. `bench:kill` does more of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { killed } from "../utils/kill.js"
import { isFull } from "../utils/suite.js"

const items = 400
const kills = 8

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0)

describe.runIf(isFull)("a batch that is killed at eight moments, while one request in five meets a fault", () => {
  for (const journal of ["sqlite", "files"] as const) {
    it.scopedLive(
      `pays each of 400 items once, and hands each out: ${journal}`,
      () =>
        Effect.gen(function* () {
          const report = yield* killed({ journal, items, kills, seed: 1 })
          assert.deepStrictEqual(report.wrong, [])
          assert.strictEqual(report.executions, items)
          assert.strictEqual(report.outcomes.keys, items)
          // That it was put to the test.
          assert.strictEqual(sum(report.kills), kills)
          assert.isAtLeast(report.lost, 1)
          assert.isAtLeast(report.kills.get(journal === "files" ? "torn write" : "lost writes") ?? 0, 3)
          assert.approximately(report.faults / report.requests, 0.2, 0.03)
          assert.isAtLeast(report.outcomes.tags["Failed with ExecutionExpired"] ?? 0, 1)
        }),
      180_000
    )
  }
})
