/**
 * Kills a batch process repeatedly. Checks that each item is executed exactly once. The seed determines the time of
 * each kill. The requests in flight at that time also depend on the machine. The journal is `sqlite` or `files`.
 * Default: both.
 *
 *     npm run bench:kill [-- --items 10000 --kills 25 --seed 1 --journal sqlite]
 */
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { runWithKills, type Options, type Report } from "../utils/kill.js"

const { values } = parseArgs({
  options: {
    items: { type: "string", default: "10000" },
    kills: { type: "string", default: "25" },
    seed: { type: "string", default: "1" },
    journal: { type: "string" }
  }
})

const formatCounts = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([name, count]) => `${name} ${count}`).join(", ")

const toRows = (report: Report): ReadonlyArray<readonly [string, string]> => [
  ["kills", `${[...report.kills.values()].reduce((a, b) => a + b, 0)} (${formatCounts(report.kills)})`],
  ["writes lost afterwards", String(report.lostWrites)],
  ["runs", String(report.runs)],
  ["requests", `${report.requests}, ${report.creates} of them creates`],
  ["faults", `${report.faults} (${formatCounts(report.faultCounts)})`],
  ["executions in the ledger", String(report.executions)],
  ["idempotency keys", String(report.idempotencyKeys)],
  ["outcomes of the last run", `${report.lastSummary.outcomes}, ${report.lastSummary.keys} keys`],
  ["", formatCounts(new Map(Object.entries(report.lastSummary.tags)))],
  ["resumed", `${report.resumedOutcomes} outcomes that were not final`],
  ["emitted again", `${report.repeatedOutcomes} outcomes that were not delivered before a kill`],
  ["time", `${(report.millis / 1000).toFixed(1)} s`]
]

const runOne = (journal: Options["journal"]) =>
  Effect.gen(function* () {
    const [items, kills, seed] = [Number(values.items), Number(values.kills), Number(values.seed)]
    yield* Console.log(`${items} items, ${kills} kills, seed ${seed}, journal: ${journal}`)
    const report = yield* Effect.scoped(
      runWithKills({ journal, items, kills, seed, onRun: (line) => Console.log(`  ${line}`) })
    )
    for (const [name, value] of toRows(report)) yield* Console.log(`  ${name.padEnd(26)} ${value}`)
    yield* Console.log(
      report.violations.length === 0 ? "  no violation\n" : `  VIOLATIONS:\n    ${report.violations.join("\n    ")}\n`
    )
    return report.violations.length
  })

const journals: ReadonlyArray<Options["journal"]> =
  values.journal === undefined ? ["sqlite", "files"] : [values.journal === "files" ? "files" : "sqlite"]

NodeRuntime.runMain(
  Effect.flatMap(Effect.forEach(journals, runOne), (counts) =>
    counts.some((count) => count > 0) ? Effect.dieMessage("a guarantee is violated") : Effect.void
  )
)
