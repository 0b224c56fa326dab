/**
 * Kills a batch again and again, and counts: nothing is paid for twice, nothing is lost. The moments depend on the seed alone, what
 * is on its way in them on the machine, too.
 *
 *     npm run bench:kill [-- --items 10000 --kills 25 --seed 1 --journal sqlite]     (or files; without it both)
 */
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { killed, type Options, type Report } from "../utils/kill.js"

const { values } = parseArgs({
  options: {
    items: { type: "string", default: "10000" },
    kills: { type: "string", default: "25" },
    seed: { type: "string", default: "1" },
    journal: { type: "string" }
  }
})

const each = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([name, count]) => `${name} ${count}`).join(", ")

const table = (report: Report): ReadonlyArray<readonly [string, string]> => [
  ["kills", `${[...report.kills.values()].reduce((a, b) => a + b, 0)} (${each(report.kills)})`],
  ["writes lost afterwards", String(report.lost)],
  ["runs", String(report.runs)],
  ["requests", `${report.requests}, ${report.creates} of them creates`],
  ["faults", `${report.faults} (${each(report.struck)})`],
  ["executions in the ledger", String(report.executions)],
  ["idempotency keys", String(report.idempotencyKeys)],
  ["outcomes of the last run", `${report.outcomes.outcomes}, ${report.outcomes.keys} keys`],
  ["", each(new Map(Object.entries(report.outcomes.tags)))],
  ["taken up again", `${report.unfinished} outcomes that were not final`],
  ["handed out again", `${report.again} outcomes that a kill had left unacknowledged`],
  ["time", `${(report.millis / 1000).toFixed(1)} s`]
]

const one = (journal: Options["journal"]) =>
  Effect.gen(function* () {
    const [items, kills, seed] = [Number(values.items), Number(values.kills), Number(values.seed)]
    yield* Console.log(`${items} items, ${kills} kills, seed ${seed}, journal: ${journal}`)
    const report = yield* Effect.scoped(
      killed({ journal, items, kills, seed, tell: (line) => Console.log(`  ${line}`) })
    )
    for (const [name, value] of table(report)) yield* Console.log(`  ${name.padEnd(26)} ${value}`)
    yield* Console.log(
      report.wrong.length === 0 ? "  nothing is wrong\n" : `  WRONG:\n    ${report.wrong.join("\n    ")}\n`
    )
    return report.wrong.length
  })

const journals: ReadonlyArray<Options["journal"]> =
  values.journal === undefined ? ["sqlite", "files"] : [values.journal === "files" ? "files" : "sqlite"]

NodeRuntime.runMain(
  Effect.flatMap(Effect.forEach(journals, one), (wrong) =>
    wrong.some((count) => count > 0) ? Effect.dieMessage("something is wrong") : Effect.void
  )
)
