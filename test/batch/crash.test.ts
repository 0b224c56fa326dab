/**
 * A batch whose process is killed repeatedly pays for nothing twice and loses nothing. `bench:kill` runs longer
 * histories.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { runWithKills } from "../utils/kill.js"
import { isFull } from "../utils/suite.js"

const items = 400
const kills = 8

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0)

describe.runIf(isFull)("a batch that is killed eight times while every fifth request fails", () => {
  for (const journal of ["sqlite", "files"] as const) {
    it.scopedLive(
      `pays for each of 400 items once and returns each of them: ${journal}`,
      () =>
        Effect.gen(function* () {
          const report = yield* runWithKills({ journal, items, kills, seed: 1 })
          assert.deepStrictEqual(report.violations, [])
          assert.strictEqual(report.executions, items)
          assert.strictEqual(report.lastSummary.keys, items)
          // Checks that the kills and faults really happened.
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
