/** Measures the cost of an import in a new process. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { type Figure, type Group, median } from "./figure.js"
import { clientModule, peerModulesOf, repository } from "./modules.js"
import { alternate } from "./rounds.js"

interface Cost {
  readonly wall: number
  readonly cpu: number
}

/** Imports the modules of `before`, and then measures the import of `modules` in milliseconds. */
const measureImport = async (modules: ReadonlyArray<string>, before: ReadonlyArray<string> = []): Promise<Cost> => {
  const importAll = (names: ReadonlyArray<string>): string =>
    `await Promise.all(${JSON.stringify(names)}.map((name) => import(name)))`
  const script = `
    ${importAll(before)}
    const cpuBefore = process.cpuUsage()
    const startedAt = performance.now()
    ${importAll(modules)}
    const wall = performance.now() - startedAt
    const { system, user } = process.cpuUsage(cpuBefore)
    console.log(JSON.stringify({ wall, cpu: (system + user) / 1000 }))`
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: repository
  })
  return JSON.parse(stdout)
}

const peers = "effect and platform modules of the client"
const deepImport = "effect-modelroute/ModelRouteClient"
const index = "effect-modelroute"

export const startUp: Group = {
  name: "startUp",
  measure: async (rounds) => {
    const peerModules = await peerModulesOf(clientModule)
    const runs = [
      { name: peers, run: () => measureImport(peerModules) },
      { name: deepImport, run: () => measureImport([deepImport]) },
      { name: "own modules of the deep import", run: () => measureImport([deepImport], peerModules) },
      { name: index, run: () => measureImport([index]) },
      { name: "openai", run: () => measureImport(["openai"]) },
      { name: "stripe", run: () => measureImport(["stripe"]) }
    ]
    // A single import varies more than the calls of the other groups.
    const costs = await alternate(runs, rounds + 2)
    return (["wall", "cpu"] as const).flatMap((part) =>
      runs.map(({ name }): Figure => ({
        row: `import in a new process: ${part === "wall" ? "wall time" : "CPU"}`,
        contestant: name,
        value: median((costs.get(name) ?? []).map((cost) => cost[part])),
        unit: "ms"
      }))
    )
  },
  ratios: [deepImport, index].flatMap((contestant) => [peers, "openai", "stripe"].map((peer) => ({ contestant, peer })))
}
