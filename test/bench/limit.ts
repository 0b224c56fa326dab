/**
 * Compares clients with a rate-limited server in virtual time. Prints the makespan of a batch and the number of 429
 * responses for each client. The same seed produces the same numbers on every machine. Only the last table contains
 * measured times. `--waiters 0` omits the last table.
 *
 *     npm run bench:limit [-- --seed 1 --waiters 100000]
 */
import { writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { benchClients } from "./limit/benchClients.js"
import { drawChart } from "./limit/chart.js"
import { runScenario, type ScenarioResult } from "./limit/runScenario.js"
import { bestMakespan, chartedScenario, type Scenario, scenarios } from "./limit/scenarios.js"
import * as WaitCost from "./limit/waitCost.js"

const print = (...columns: ReadonlyArray<string>): boolean => process.stdout.write(`${columns.join("")}\n`)
const formatSeconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`.padStart(10)

const countRequests = ({ clients, requests }: Scenario): number => clients * requests

const firstLineOf = (error: unknown): string => String(error).split("\n", 1).join("")

const formatShortfall = (scenario: Scenario, { failures, succeeded }: ScenarioResult): string =>
  succeeded === countRequests(scenario)
    ? ""
    : `  only ${succeeded} of ${countRequests(scenario)} succeeded${failures.length === 0 ? "" : `; ${failures.length} failed: ${firstLineOf(failures[0])}`}`

const printHeader = (scenario: Scenario, seed: number): void => {
  const { clients, concurrency, length, limit, name, requests } = scenario
  const batch = `${clients > 1 ? `${clients} times ` : ""}${requests} creates, ${concurrency} concurrent`
  print(name, `: ${batch}, ${limit} per ${length / 1000} s`)
  print("  ", "".padEnd(22), "makespan".padStart(10), "x optimum".padStart(10), "rejected".padStart(10))
  print("  ", "optimum".padEnd(22), formatSeconds(bestMakespan(scenario, seed)))
}

const printResult = (scenario: Scenario, result: ScenarioResult): void => {
  const { makespan, name, ratio, rejections } = result
  const numbers = [formatSeconds(makespan), ratio.toFixed(3).padStart(10), String(rejections).padStart(10)]
  print("  ", name.padEnd(22), ...numbers, formatShortfall(scenario, result))
}

/** Processes the items sequentially, because only one run can use the global clock. */
const forEachInTurn = <A>(items: ReadonlyArray<A>, run: (item: A) => Promise<void>): Promise<void> =>
  items.reduce((before, item) => before.then(() => run(item)), Promise.resolve())

/** Runs every client in every scenario. Returns the names of the clients with failed requests. */
const runAllScenarios = async (seed: number): Promise<ReadonlyArray<string>> => {
  const unfinished: Array<string> = []
  await forEachInTurn(scenarios, async (scenario) => {
    printHeader(scenario, seed)
    const results: Array<ScenarioResult> = []
    await forEachInTurn(benchClients, async (client) => {
      const result = await runScenario(client, scenario, seed)
      results.push(result)
      printResult(scenario, result)
      if (result.succeeded < countRequests(scenario)) unfinished.push(`${client.name} (${scenario.name})`)
    })
    if (scenario === chartedScenario) {
      const chart = drawChart(scenario, bestMakespan(scenario, seed), results)
      await writeFile(new URL("limit.svg", import.meta.url), chart)
    }
    print()
  })
  return unfinished
}

const printWaitCosts = async (fibers: number, seed: number): Promise<void> => {
  print(`cost of waiting on this machine, at ${WaitCost.limit} per ${WaitCost.windowMillis / 1000} s`)
  print("  ", "".padEnd(32), "fibers".padStart(8), "KB per fiber".padStart(16), "us CPU per admission".padStart(24))
  for (const { bytes, fibers: n, micros, name } of await WaitCost.measureWaitCosts(fibers, seed)) {
    const memory = bytes === undefined ? "" : (bytes / 1024).toFixed(1)
    print("  ", name.padEnd(32), String(n).padStart(8), memory.padStart(16), micros.toFixed(0).padStart(24))
  }
}

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, waiters: { type: "string", default: "100000" } }
})
const unfinished = await runAllScenarios(Number(values.seed))
const waiters = Number(values.waiters)
if (waiters > 0) await printWaitCosts(waiters, Number(values.seed))
if (unfinished.length > 0) throw new Error(`not finished: ${unfinished.join(", ")}`)
