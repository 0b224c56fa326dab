/**
 * Tests that a repeatedly killed batch executes each item once and returns every result. `bench:kill` runs longer
 * histories.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { runWithKills } from "../utils/kill.js"
import { isFull } from "../utils/suite.js"

const items = 400
const kills = 8

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0)

describe.runIf(isFull)("Batch.run with eight kills and a failure of every fifth request", () => {
  for (const journal of ["sqlite", "files"] as const) {
    it.scopedLive(
      `executes each of 400 items once with the journal in ${journal}`,
      () =>
        Effect.gen(function* () {
          const report = yield* runWithKills({ journal, items, kills, seed: 1 })
          assert.deepStrictEqual(report.violations, [])
          assert.strictEqual(report.executions, items)
          assert.strictEqual(report.lastSummary.keys, items)
          // Without kills and faults, the assertions above would pass trivially.
          assert.strictEqual(sum(report.kills), kills)
          assert.isAtLeast(report.lostWrites, 1)
          assert.isAtLeast(report.kills.get(journal === "files" ? "torn write" : "lost writes") ?? 0, 3)
          assert.approximately(report.faults / report.requests, 0.2, 0.03)
          assert.isAtLeast(report.lastSummary.tags["Failed with ExecutionExpired"] ?? 0, 1)
        }),
      180_000
    )
  }
})
