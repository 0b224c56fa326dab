/**
 * Clients in a contest for a server with a rate limit, in virtual time: how long each takes for the same batch, and how
 * often it is refused. The same seed gives the same numbers on every machine, except in the last table, which is measured.
 *
 *     npm run bench:limit [-- --seed 1 --waiters 100000]     (no last table with 0 waiters)
 */
import { writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { runScenario, type ScenarioResult } from "./limit/runScenario.js"
import { benchClients } from "./limit/benchClients.js"
import { drawChart } from "./limit/chart.js"
import { bestMakespan, chartedScenario, scenarios, type Scenario } from "./limit/scenarios.js"
import * as Waiters from "./limit/waitCost.js"

const print = (...columns: ReadonlyArray<string>): boolean => process.stdout.write(`${columns.join("")}\n`)
const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`.padStart(10)

const totalOf = ({ clients, requests }: Scenario): number => clients * requests

const firstLine = (error: unknown): string => String(error).split("\n", 1).join("")

const shortfall = (round: Scenario, { succeeded: done, failures }: ScenarioResult): string =>
  done === totalOf(round)
    ? ""
    : `  only ${done} of ${totalOf(round)} done${failures.length === 0 ? "" : `; ${failures.length} failed: ${firstLine(failures[0])}`}`

const announce = (round: Scenario, seed: number): void => {
  const { clients, concurrency, length, limit, name, requests } = round
  const batch = `${clients > 1 ? `${clients} times ` : ""}${requests} creates, ${concurrency} at once`
  print(name, `: ${batch}, ${limit} per ${length / 1000} s`)
  print("  ", "".padEnd(22), "makespan".padStart(10), "of best".padStart(10), "refused".padStart(10))
  print("  ", "at best".padEnd(22), seconds(bestMakespan(round, seed)))
}

const report = (round: Scenario, result: ScenarioResult): void => {
  const { makespan, name, ratio, rejections: refused } = result
  const numbers = [seconds(makespan), ratio.toFixed(3).padStart(10), String(refused).padStart(10)]
  print("  ", name.padEnd(22), ...numbers, shortfall(round, result))
}

/** One after the other: each has the global clock to itself. */
const inTurn = <A>(items: ReadonlyArray<A>, f: (item: A) => Promise<void>): Promise<void> =>
  items.reduce((before, item) => before.then(() => f(item)), Promise.resolve())

const contest = async (seed: number): Promise<ReadonlyArray<string>> => {
  const unfinished: Array<string> = []
  await inTurn(scenarios, async (round) => {
    announce(round, seed)
    const results: Array<ScenarioResult> = []
    await inTurn(benchClients, async (contestant) => {
      const result = await runScenario(contestant, round, seed)
      results.push(result)
      report(round, result)
      if (result.succeeded < totalOf(round)) unfinished.push(`${contestant.name} (${round.name})`)
    })
    if (round === chartedScenario) {
      await writeFile(new URL("limit.svg", import.meta.url), drawChart(round, bestMakespan(round, seed), results))
    }
    print()
  })
  return unfinished
}

const costs = async (fibers: number, seed: number): Promise<void> => {
  print(`what waiting costs on this machine, at ${Waiters.limit} per ${Waiters.length / 1000} s`)
  print("  ", "".padEnd(32), "fibers".padStart(8), "KB per fiber".padStart(16), "us CPU per admission".padStart(24))
  for (const { bytes, fibers: n, micros, name } of await Waiters.measureWaitCosts(fibers, seed)) {
    const memory = bytes === undefined ? "" : (bytes / 1024).toFixed(1)
    print("  ", name.padEnd(32), String(n).padStart(8), memory.padStart(16), micros.toFixed(0).padStart(24))
  }
}

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, waiters: { type: "string", default: "100000" } }
})
const unfinished = await contest(Number(values.seed))
const waiters = Number(values.waiters)
if (waiters > 0) await costs(waiters, Number(values.seed))
if (unfinished.length > 0) throw new Error(`not finished: ${unfinished.join(", ")}`)
