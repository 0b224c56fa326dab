/**
 * Ends and restarts the workers of durable executions at seeded random moments. Reports the state of the engine and
 * the ledger of the simulator. Each run has its own database and its own simulator.
 */
import { createServer } from "node:http"
import { join } from "node:path"
import { NodeHttpServer } from "@effect/platform-node"
import { HttpRouter, HttpServer } from "@effect/platform"
import { Clock, Effect, Fiber, FiberSet, Layer, Redacted, Scope } from "effect"
import { Webhook } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { postgresClient } from "./durableEngine.js"
import { bundleWorker, freePort, startWorker, temporaryFolder, type Worker } from "./durableProcess.js"
import type { Engine } from "./durableWorkerLines.js"
import { idOf, models, outcomeOf, start } from "./durableWorkload.js"
import { makeDatabase } from "./postgresServer.js"
import { seededRandom } from "./seededRandom.js"

export interface Options {
  readonly engine: "postgres" | "sqlite"
  /** URL of the PostgreSQL server. Not used with SQLite. */
  readonly serverUrl: string
  readonly workflows: number
  /** Number of workers. SQLite has one worker. */
  readonly workers: number
  readonly kills: number
  readonly signal: "SIGKILL" | "SIGTERM"
  readonly seed: number
  /** Minimum time between two kills, in milliseconds. Default: 5,000 */
  readonly killSpacingMillis?: number
  /** Receives a line about each kill. Default: ignores the line. */
  readonly onKill?: (line: string) => Effect.Effect<void>
}

export interface Report {
  /** Number of workflows by outcome. */
  readonly outcomes: ReadonlyMap<string, number>
  readonly executions: number
  readonly keys: number
  readonly cancelled: number
  /** Number of create requests after the first one under the same key. */
  readonly repeatedCreates: number
  readonly polls: number
  readonly wallMillis: number
  /** CPU time of the workers. A killed worker can lose its last half second. */
  readonly workerCpuMillis: number
  /** Times from `signal` to the exit of the worker, in milliseconds. */
  readonly exitMillis: ReadonlyArray<number>
  /** Output of the workers, except the lines that the test reads. */
  readonly workerLog: string
}

/** Times between the kills. Each one is between the minimum and 1.4 times the minimum. */
const planKills = ({ killSpacingMillis = 5000, kills, seed, workers }: Options) => {
  const next = seededRandom(seed)
  return Array.from({ length: kills }, () => ({
    waitMillis: Math.round(killSpacingMillis * (1 + 0.4 * next())),
    victim: Math.floor(next() * workers)
  }))
}

/** Counts the requests of the simulator. */
const makeRequestCounter = () => {
  const creates = new Map<string, number>()
  let polls = 0
  return {
    onRequest: ({ headers, operation }: Simulator.RequestRecord) =>
      Effect.sync(() => {
        if (operation === "executions.result" || operation === "executions.get") polls += 1
        const key = headers["idempotency-key"]
        if (operation === "executions.create" && key !== undefined) creates.set(key, (creates.get(key) ?? 0) + 1)
      }),
    repeatedCreates: () => [...creates.values()].reduce((sum, count) => sum + count - 1, 0),
    polls: () => polls
  }
}

/** Worker processes that replace each other. */
const makeFleet = (options: Options, script: string, apiUrl: string, engines: ReadonlyArray<Engine>) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const outcomes = new Map<string, string>()
    const workers: Array<Worker> = []
    const exitMillis: Array<number> = []
    let [cpuMillis, workerLog] = [0, ""]
    const launch = (engine: Engine) =>
      startWorker(script, { engine, apiUrl, baseDelay: 3000, maxDelay: 10_000 }, (id, outcome) => {
        outcomes.set(id, outcome)
      }).pipe(Scope.extend(scope))
    const collect = (worker: Worker) => {
      cpuMillis += worker.usage()?.cpuMillis ?? 0
      workerLog += worker.log()
    }
    const replace = (index: number, engine: Engine) =>
      Effect.gen(function* () {
        const victim = workers[index]
        if (victim === undefined) return
        const from = yield* Clock.currentTimeMillis
        yield* victim.signal(options.signal)
        yield* victim.exited
        const millis = (yield* Clock.currentTimeMillis) - from
        exitMillis.push(millis)
        collect(victim)
        workers[index] = yield* launch(engine)
        yield* options.onKill?.(`worker ${index}: ${options.signal}, exit after ${millis} ms`) ?? Effect.void
      })
    // The engine creates its tables at the first start. Two workers that create them at the same time can fail.
    for (const engine of engines) {
      const worker = yield* launch(engine)
      workers.push(worker)
      yield* Effect.raceFirst(worker.ready, worker.exited)
    }
    return {
      outcomes,
      replace,
      stop: Effect.sync(() => {
        workers.forEach(collect)
        return { exitMillis, workerCpuMillis: cpuMillis, workerLog }
      })
    }
  })

type Fleet = Effect.Effect.Success<ReturnType<typeof makeFleet>>

/** Provides the receiver of the webhooks. Returns its URL. */
const receiveHooks = Effect.gen(function* () {
  const { webhookSecret } = yield* Simulator.Simulator
  const port = yield* freePort
  const router = HttpRouter.empty.pipe(
    HttpRouter.post("/hooks", Webhook.handler({ secrets: webhookSecret, onEvent: DurableExecution.onEvent }))
  )
  yield* Layer.build(
    HttpServer.serve(router).pipe(Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })))
  )
  return `http://127.0.0.1:${port}/hooks`
})

const indicesOf = ({ workflows }: Options) => Array.from({ length: workflows }, (_, index) => index)

const killAll = (options: Options, fleet: Fleet, engines: ReadonlyArray<Engine>) =>
  Effect.forEach(
    planKills(options),
    ({ victim, waitMillis }) => {
      const engine = engines[victim]
      return engine === undefined ? Effect.void : Effect.delay(fleet.replace(victim, engine), waitMillis)
    },
    { discard: true }
  )

/** Starts the workflows during the kills, from a process that runs no workflows. Waits for their ends. */
const drivePostgres = (options: Options, fleet: Fleet) =>
  Effect.gen(function* () {
    const url = yield* receiveHooks
    const waits = yield* FiberSet.make<string>()
    const outcomes = yield* Effect.forEach(indicesOf(options), (index) =>
      start(index, url).pipe(
        Effect.zipRight(FiberSet.run(waits, outcomeOf(index))),
        Effect.delay(((options.killSpacingMillis ?? 5000) * options.kills) / options.workflows)
      )
    )
    for (const [index, fiber] of outcomes.entries()) fleet.outcomes.set(idOf(index), yield* Fiber.join(fiber))
  })

const countBy = (values: Iterable<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

/** Waits until each durable execution has ended. */
const allEnded = (options: Options, fleet: Fleet): Effect.Effect<void> =>
  Effect.suspend(() =>
    fleet.outcomes.size >= options.workflows ? Effect.void : Effect.delay(allEnded(options, fleet), 100)
  )

export const runDurableChaos = (options: Options): Effect.Effect<Report, never, Scope.Scope> => {
  const counter = makeRequestCounter()
  const simulator = SimulatorServer.layer({
    rateLimit: false,
    balance: "1000000.00",
    models,
    seed: options.seed,
    recordRequests: 1,
    onRequest: counter.onRequest
  }).pipe(Layer.orDie)
  return Effect.gen(function* () {
    const { url: apiUrl } = yield* SimulatorServer.SimulatorServer
    const folder = yield* temporaryFolder
    const script = yield* bundleWorker(folder)
    const isPostgres = options.engine === "postgres"
    const database = isPostgres ? yield* makeDatabase(options.serverUrl) : ""
    const engines = isPostgres
      ? yield* postgresEngines(database, options.workers)
      : [yield* sqliteEngine(join(folder, "durable.db"), options.workflows)]
    const began = yield* Clock.currentTimeMillis
    const fleet = yield* makeFleet(options, script, apiUrl, engines)
    const kills = yield* Effect.fork(killAll(options, fleet, engines))
    if (isPostgres) yield* Effect.provide(drivePostgres(options, fleet), postgresClient(database))
    yield* Fiber.join(kills)
    yield* allEnded(options, fleet)
    const wallMillis = (yield* Clock.currentTimeMillis) - began
    const { executions } = yield* Effect.flatMap(Simulator.Simulator, ({ ledger }) => ledger)
    return {
      outcomes: countBy(fleet.outcomes.values()),
      executions: executions.length,
      keys: new Set(executions.map(({ idempotencyKey }) => idempotencyKey)).size,
      cancelled: executions.filter(({ status }) => status === "CANCELLED").length,
      repeatedCreates: counter.repeatedCreates(),
      polls: counter.polls(),
      wallMillis,
      ...(yield* fleet.stop)
    }
  }).pipe(Effect.orDie, Effect.provide(simulator))
}

const postgresEngines = (url: string, workers: number) =>
  Effect.replicateEffect(
    Effect.map(freePort, (port): Engine => ({ _tag: "Postgres", url, port, settings: "tuned" })),
    workers
  )

const sqliteEngine = (path: string, workflows: number) =>
  Effect.gen(function* () {
    const { webhookSecret } = yield* Simulator.Simulator
    const hooksPort = yield* freePort
    const engine: Engine = { _tag: "Sqlite", path, hooksPort, secret: Redacted.value(webhookSecret), workflows }
    return engine
  })
