/**
 * Runs a load against the simulator in virtual time, and draws the metrics of the library in `dashboard.svg`. The same
 * seed draws the same picture on every machine.
 *
 *     npm run bench:dashboard [-- --seed 1]
 */
import { writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { drawDashboard } from "./dashboard/chart.js"
import { runLoad } from "./dashboard/load.js"

const print = (line: string): boolean => process.stdout.write(`${line}\n`)

const { values } = parseArgs({ options: { seed: { type: "string", default: "1" } } })
const result = await Effect.runPromise(runLoad(Number(values.seed)))
const { charged, end, executions } = result
const dollars = [...end.dollarsByModel.values()].reduce((sum, value) => sum + value, 0)

print(`${executions} executions`)
for (const [outcome, count] of end.requestsByOutcome) print(`${String(count).padStart(6)} requests: ${outcome}`)
print(`$${dollars.toFixed(3)} in the metrics, $${charged} charged by the simulator`)
if (dollars.toFixed(3) !== charged) throw new Error("the metrics differ from the charges")
await writeFile(new URL("dashboard.svg", import.meta.url), drawDashboard(result))
