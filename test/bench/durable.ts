/**
 * Ends and restarts the workers of durable executions at random moments. Checks that each execution is created once and
 * that no execution is cancelled. The seed determines the times and the victims. `--engine` is `postgres` or `sqlite`.
 * `--signal` is `SIGKILL` or `SIGTERM`. `DATABASE_URL` can name the PostgreSQL server.
 *
 * With `--measure`, measures suspended workflows on PostgreSQL instead: `idle`, `event` or `takeover`. `--settings` is
 * `default`, `detection` or `tuned`.
 *
 *     npm run bench:durable [-- --engine postgres --workflows 500 --workers 3 --kills 10 --signal SIGKILL --seed 1]
 *     npm run bench:durable -- --measure takeover [--workflows 500 --settings tuned]
 */
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Exit } from "effect"
import { type Options, type Report, runDurableChaos } from "../utils/durableChaos.js"
import { settings } from "../utils/durableEngine.js"
import { configuredUrl } from "../utils/postgresServer.js"
import { measureEvents, measureIdle, measureTakeover } from "./durable/measure.js"

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "postgres" },
    workflows: { type: "string", default: "500" },
    workers: { type: "string", default: "3" },
    kills: { type: "string", default: "10" },
    signal: { type: "string", default: "SIGKILL" },
    seed: { type: "string", default: "1" },
    measure: { type: "string" },
    settings: { type: "string", default: "tuned" }
  }
})

const engine = values.engine === "sqlite" ? "sqlite" : "postgres"

const options = Effect.map(configuredUrl, (serverUrl): Options => ({
  engine,
  serverUrl,
  workflows: Number(values.workflows),
  workers: engine === "sqlite" ? 1 : Number(values.workers),
  kills: Number(values.kills),
  signal: values.signal === "SIGTERM" ? "SIGTERM" : "SIGKILL",
  seed: Number(values.seed),
  onKill: (line) => Console.log(`  ${line}`)
}))

const toRows = (report: Report, { kills, signal, workflows }: Options): ReadonlyArray<readonly [string, string]> => [
  ["outcomes", [...report.outcomes].map(([name, count]) => `${name} ${count}`).join(", ")],
  ["executions in the ledger", String(report.executions)],
  ["idempotency keys", String(report.keys)],
  ["cancelled executions", String(report.cancelled)],
  ["repeated creates", String(report.repeatedCreates)],
  ["polls", String(report.polls)],
  ["kills", `${kills} with ${signal}`],
  ["longest exit", `${Math.max(0, ...report.exitMillis)} ms`],
  ["wall time", `${(report.wallMillis / 1000).toFixed(1)} s`],
  ["CPU of the workers", `${(report.workerCpuMillis / workflows).toFixed(0)} ms per workflow`]
]

const printRows = Effect.forEach(([name, value]: readonly [string, string]) =>
  Console.log(`  ${name.padEnd(26)} ${value}`)
)

const isCorrect = (report: Report, { workflows }: Options): boolean =>
  report.outcomes.get("COMPLETED") === workflows &&
  report.executions === workflows &&
  report.keys === workflows &&
  report.cancelled === 0

const chaos = Effect.gen(function* () {
  const chosen = yield* options
  yield* Console.log(
    `${chosen.workflows} durable executions, ${chosen.workers} workers, seed ${chosen.seed}: ${engine}`
  )
  const report = yield* Effect.scoped(runDurableChaos(chosen))
  yield* printRows(toRows(report, chosen))
  if (report.workerLog !== "") yield* Console.log(`Log of the workers:\n${report.workerLog}`)
  if (!isCorrect(report, chosen)) return yield* Effect.dieMessage("a guarantee is violated")
})

const measurements = { idle: measureIdle, event: measureEvents, takeover: measureTakeover }

const isName = <Names extends object>(names: Names, name: string): name is keyof Names & string => name in names

const measure = (name: string) =>
  Effect.gen(function* () {
    const { serverUrl, workflows } = yield* options
    if (!isName(measurements, name)) return yield* Effect.dieMessage(`unknown measurement: ${name}`)
    if (!isName(settings, values.settings)) return yield* Effect.dieMessage(`unknown settings: ${values.settings}`)
    yield* Console.log(`${workflows} suspended workflows, ${values.settings} settings: ${name}`)
    const measured = measurements[name]({ serverUrl, workflows, settings: values.settings })
    yield* printRows(yield* Effect.scoped(measured))
  })

NodeRuntime.runMain(values.measure === undefined ? chaos : measure(values.measure), {
  // The connections of the engine to killed workers leave timers behind, which would keep the process alive.
  teardown: (exit) => process.exit(Exit.isSuccess(exit) ? 0 : 1)
})
