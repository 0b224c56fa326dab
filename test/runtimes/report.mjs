/** Prints one row for each scenario in the output of a runtime. Fails if a scenario failed. Usage: `report.mjs RUNTIME`. */
import { readFileSync } from "node:fs"

const [line] = readFileSync(0, "utf8").match(/^results .*$/m) ?? []
if (line === undefined) throw new Error(`${process.argv[2]} printed no results`)
const results = JSON.parse(line.slice("results ".length))
for (const { problem, scenario } of results) {
  const state = problem === undefined ? "passed" : `FAILED\n${problem}`
  process.stdout.write(`${process.argv[2].padEnd(10)} | ${scenario.padEnd(34)} | ${state}\n`)
}
if (results.length < 11 || results.some(({ problem }) => problem !== undefined)) process.exitCode = 1
