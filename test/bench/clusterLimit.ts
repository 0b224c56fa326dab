/**
 * Sends requests from several processes with one API key. Compares local gates with the gate of the cluster: rejected
 * requests, and how full the windows are. The parts are:
 *
 * - `virtual`: a cluster in memory in virtual time. The result does not depend on the machine.
 * - `processes`: processes, sockets, PostgreSQL and simulators whose windows last 6 s.
 * - `kill`: the same, and SIGKILL of the owner of a gate.
 * - `cost`: the time per request without a server.
 *
 * All parts but `virtual` need PostgreSQL. `DATABASE_URL` can name the server. An overloaded machine causes outages of the
 * cluster, which the log lines of the processes show.
 *
 *     npm run bench:cluster-limit [-- --processes 2,3,4 --limits 60,600 --windows 6 --parts virtual,processes,kill,cost]
 */
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { fixedWindow, slidingWindow } from "../../src/internal/simulator/http/rateLimiter.js"
import { measureCluster } from "../utils/clusterThroughput.js"
import {
  nextMultiple,
  ownerOf,
  reportOf,
  startJob,
  startWorkers,
  type LimitedJob,
  type LimitReport,
  type LimitWorker
} from "../utils/limitProcesses.js"
import { configuredUrl, makeDatabase } from "../utils/postgresServer.js"

const { values } = parseArgs({
  options: {
    processes: { type: "string", default: "2,3,4" },
    limits: { type: "string", default: "60,600" },
    windows: { type: "string", default: "6" },
    parts: { type: "string", default: "virtual,processes,kill,cost" }
  }
})

const windows = Number(values.windows)

/** A window of the API lasts a minute. The windows of the benchmark last a tenth, with a tenth of the limit. */
const windowMillis = 6000
const scale = 10

/** Requests per window. */
const limits = values.limits.split(",").map((perMinute) => Number(perMinute) / scale)

const kinds = ["fixed", "sliding"] as const
const gates = ["local", "cluster"] as const

const nameOf = (gate: string, kind: string, limit: number) => `${gate}, ${kind}, ${limit * scale} per minute`

/** Windows before the measurement. New processes compile their code in these windows. */
const warmUpWindows = 2

/** Starts simulators for `processes` workers. About 1.5 times as many requests as the limit are always waiting. */
const startJobs = (processes: number, chosen: ReadonlyArray<(typeof gates)[number]>) =>
  Effect.forEach(
    limits.flatMap((limit) => kinds.flatMap((kind) => chosen.map((gate) => ({ limit, kind, gate })))),
    ({ gate, kind, limit }) =>
      startJob(
        {
          name: `${gate}, ${kind}, ${limit * scale} per minute`,
          gate,
          concurrency: Math.ceil((1.5 * limit) / processes) + 1
        },
        { limit, windowMillis, kind }
      )
  )

const sum = (counts: ReadonlyArray<number>): number => counts.reduce((total, count) => total + count, 0)

const printHeader = (title: string) =>
  Console.log(
    `\n${title}\n  ${"".padEnd(34)}${"rejected".padStart(10)}${"per window".padStart(12)}${"accepted".padStart(10)}  accepted per window`
  )

const printRow = (name: string, limit: number, { accepted, rejected }: LimitReport) => {
  const share = sum(accepted) / (limit * accepted.length)
  return Console.log(
    `  ${name.padEnd(34)}${String(sum(rejected)).padStart(10)}${(sum(rejected) / rejected.length).toFixed(1).padStart(12)}${`${(share * 100).toFixed(0)} %`.padStart(10)}  ${accepted.join(" ")}`
  )
}

const printRows = (jobs: ReadonlyArray<LimitedJob>, from: number) =>
  Effect.forEach(
    jobs,
    (limited) =>
      Effect.flatMap(reportOf(limited, from, windows), (report) => printRow(limited.job.name, limited.limit, report)),
    { discard: true }
  )

const start = (jobs: ReadonlyArray<LimitedJob>, workers: number, isTuned: boolean, clientOnly = 0) =>
  Effect.gen(function* () {
    const databaseUrl = yield* makeDatabase(yield* configuredUrl)
    const started = yield* startWorkers({
      databaseUrl,
      isTuned,
      jobs: jobs.map(({ job }) => job),
      workers,
      clientOnly
    })
    yield* Effect.forEach(
      jobs.filter(({ job }) => job.gate === "cluster"),
      ({ job }) => ownerOf(started, job.name)
    )
    // A new runner takes over shards of the other runners.
    yield* Effect.sleep("5 seconds")
    return started
  })

/** Starts to send requests. Returns the start of the measurement after the warm-up. */
const sendRequests = (workers: ReadonlyArray<LimitWorker>) =>
  Effect.gen(function* () {
    yield* Effect.forEach(workers, ({ send }) => send("go"))
    yield* Effect.sleep(warmUpWindows * windowMillis)
    return yield* nextMultiple(windowMillis)
  })

/** Prints the log lines about outages of the cluster. */
const printLogs = (workers: ReadonlyArray<{ readonly log: () => string }>) =>
  Effect.forEach(
    workers.flatMap(({ log }) =>
      log()
        .split("\n")
        .filter((line) => /owner of|WARN|ERROR/.test(line))
    ),
    (line) => Console.log(`  ${line}`),
    { discard: true }
  )

const latency = { min: 2, max: 42 }

/** Kills the owner after this number of windows. */
const killAfter = 2.5

const runVirtual = (processes: number) => {
  const print = (limit: number, kind: (typeof kinds)[number], gate: (typeof gates)[number], isKilled: boolean) => {
    const limiter = (kind === "fixed" ? fixedWindow : slidingWindow)(limit, windowMillis)
    const scenario = { gate, processes, limiter, limit, windowMillis, windows, latency }
    return Effect.flatMap(measureCluster(isKilled ? { ...scenario, killAfter } : scenario), (report) =>
      printRow(isKilled ? "  the same, owner killed" : nameOf(gate, kind, limit), limit, report)
    )
  }
  const rows = limits.flatMap((limit) =>
    kinds.flatMap((kind) => [
      print(limit, kind, "local", false),
      print(limit, kind, "cluster", false),
      print(limit, kind, "cluster", true)
    ])
  )
  const header = `${processes} processes in virtual time, ${windows} windows of ${windowMillis / 1000} s`
  return Effect.zipRight(printHeader(header), Effect.all(rows, { discard: true }))
}

const runProcesses = (processes: number) =>
  Effect.gen(function* () {
    const jobs = yield* startJobs(processes, gates)
    const workers = yield* start(jobs, processes, false)
    const from = yield* sendRequests(workers)
    yield* Effect.sleep(windows * windowMillis)
    yield* printHeader(`${processes} processes, ${windows} windows of ${windowMillis / 1000} s`)
    yield* printRows(jobs, from)
    yield* printLogs(workers)
  }).pipe(Effect.scoped)

const runKill = Effect.gen(function* () {
  const jobs = yield* startJobs(4, ["cluster"])
  const [first] = jobs
  if (first === undefined) return
  const workers = yield* start(jobs, 4, true)
  const from = yield* sendRequests(workers)
  yield* Effect.sleep(killAfter * windowMillis)
  const owner = yield* ownerOf(workers, first.job.name)
  yield* owner.kill
  yield* Effect.sleep((windows - killAfter) * windowMillis)
  yield* printHeader(`4 processes, SIGKILL of the owner of the first gate in the third window`)
  yield* printRows(jobs, from)
  yield* printLogs(workers)
}).pipe(Effect.scoped)

const runCost = Effect.gen(function* () {
  const job = yield* startJob(
    { name: "cost", gate: "cluster", concurrency: 32 },
    { limit: 60, windowMillis, kind: "fixed" }
  )
  const workers = yield* start([job], 2, false, 1)
  yield* Console.log("\ntime per request without a server, 32 requests at a time\n")
  yield* Effect.forEach(workers, (worker, index) =>
    Effect.gen(function* () {
      yield* worker.send("cost")
      const { cluster, local } = yield* worker.cost
      const place = index === 0 ? "owner in this process" : "owner in another process"
      yield* Console.log(
        `  ${place.padEnd(28)} local gate ${local.toFixed(0)} us, cluster gate ${cluster.toFixed(0)} us, ratio ${(cluster / local).toFixed(1)}`
      )
    })
  )
}).pipe(Effect.scoped)

const parts = values.parts.split(",")
const processCounts = values.processes.split(",").map(Number)

NodeRuntime.runMain(
  Effect.gen(function* () {
    if (parts.includes("virtual")) yield* Effect.forEach(processCounts, runVirtual, { discard: true })
    if (parts.includes("processes")) yield* Effect.forEach(processCounts, runProcesses, { discard: true })
    if (parts.includes("kill")) yield* runKill
    if (parts.includes("cost")) yield* runCost
  })
)
