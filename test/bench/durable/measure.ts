/** Measures suspended workflows on PostgreSQL: their cost, the time from an event to the poll, and the takeover. */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { Clock, Effect, Layer, type Scope } from "effect"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import type { RequestRecord } from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { postgresClient, type Settings } from "../../utils/durableEngine.js"
import { bundleWorker, freePort, startWorker, temporaryFolder, type Worker } from "../../utils/durableProcess.js"
import { completedEventOf } from "../../utils/durableWorkload.js"
import { makeDatabase } from "../../utils/postgresServer.js"

export interface Options {
  readonly serverUrl: string
  readonly workflows: number
  readonly settings: Settings
}

export type Row = readonly [name: string, value: string]

const hourMillis = 3_600_000

const entityType = `Workflow/${DurableExecution.workflow.name}`

const waitUntil = (isTrue: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isTrue() ? Effect.void : Effect.delay(waitUntil(isTrue), 20)))

/** Waits until the engine has stored the suspension of each workflow. */
const allSuspended = (workflows: number): Effect.Effect<void, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql`
      SELECT id FROM cluster_messages WHERE tag = 'run' AND processed AND entity_type = ${entityType}`
    if (rows.length < workflows) yield* Effect.delay(allSuspended(workflows), 500)
  })

/** Waits until no worker has used more than 5 % of a core for 3 seconds. */
const settled = (workers: ReadonlyArray<Worker>): Effect.Effect<void> => {
  const total = () => workers.reduce((sum, worker) => sum + (worker.usage()?.cpuMillis ?? 0), 0)
  return Effect.suspend(() => {
    const before = total()
    return Effect.delay(
      Effect.suspend(() => (total() - before < 150 * workers.length ? Effect.void : settled(workers))),
      3000
    )
  })
}

/** Starts two workers and suspends the workflows. The executions have ended, and the clocks end in an hour. */
const setUp = (options: Options, url: string, workerCount: number, polledAt: Map<string, number>) =>
  Effect.gen(function* () {
    const { url: apiUrl } = yield* SimulatorServer.SimulatorServer
    const script = yield* bundleWorker(yield* temporaryFolder)
    const workers: Array<Worker> = []
    for (let index = 0; index < workerCount; index++) {
      const port = yield* freePort
      const worker = yield* startWorker(script, {
        engine: { _tag: "Postgres", url, port, settings: options.settings },
        apiUrl,
        baseDelay: hourMillis,
        maxDelay: hourMillis
      })
      yield* Effect.raceFirst(worker.ready, worker.exited)
      workers.push(worker)
    }
    yield* settled(workers)
    const start = (index: number) =>
      DurableExecution.start(`order-${index}`, { model: "flux-1.1-pro", input: { prompt: `picture ${index}` } })
    const suspend = Effect.gen(function* () {
      const indices = Array.from({ length: options.workflows }, (_, index) => index)
      const workflowIds = yield* Effect.forEach(indices, start, { concurrency: 10 })
      yield* allSuspended(options.workflows)
      yield* settled(workers)
      return workflowIds
    })
    return { polledAt, suspend, workers }
  })

type Setup = Effect.Effect.Success<ReturnType<typeof setUp>>

/** Runs a measurement with its own database and simulator. The executions end immediately. */
const withSetup = <E>(
  options: Options,
  workerCount: number,
  measure: (setup: Setup) => Effect.Effect<ReadonlyArray<Row>, E, WorkflowEngine | SqlClient.SqlClient>
): Effect.Effect<ReadonlyArray<Row>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const url = yield* makeDatabase(options.serverUrl)
    const polledAt = new Map<string, number>()
    const onRequest = ({ executionId, operation }: RequestRecord) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (operation === "executions.result" && executionId !== undefined) polledAt.set(executionId, now)
      })
    const simulator = SimulatorServer.layer({
      rateLimit: false,
      balance: "1000000.00",
      models: { "flux-1.1-pro": { duration: 0, cost: "0.001", output: "image" } },
      recordRequests: 1,
      onRequest
    })
    const run = Effect.flatMap(setUp(options, url, workerCount, polledAt), measure)
    return yield* Effect.provide(run, Layer.merge(postgresClient(url), simulator))
  }).pipe(Effect.orDie)

const percentile = (values: ReadonlyArray<number>, share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN

/** Collects the garbage of a worker and returns its usage. */
const usageOf = (worker: Worker) =>
  Effect.gen(function* () {
    yield* worker.signal("SIGUSR2")
    yield* Effect.sleep("2 seconds")
    return worker.usage() ?? { cpuMillis: 0, heapBytes: 0, rssBytes: 0 }
  })

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`

const readSize = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly messages: number; readonly replies: number; readonly bytes: number }>`
    SELECT (SELECT count(*)::int FROM cluster_messages) AS messages, (SELECT count(*)::int FROM cluster_replies) AS replies,
      (pg_total_relation_size('cluster_messages') + pg_total_relation_size('cluster_replies'))::int AS bytes`
  return row ?? { messages: 0, replies: 0, bytes: 0 }
})

/** Measures the heap, the CPU time and the rows of suspended workflows. */
export const measureIdle = (options: Options) =>
  withSetup(options, 1, ({ suspend, workers: [worker] }) =>
    Effect.gen(function* () {
      if (worker === undefined) return []
      const empty = yield* usageOf(worker)
      const emptySize = yield* readSize
      yield* suspend
      const full = yield* usageOf(worker)
      yield* Effect.sleep("30 seconds")
      const idle = yield* usageOf(worker)
      // The engine keeps the entity of a workflow in memory until it has been idle for a minute.
      yield* Effect.sleep("60 seconds")
      const rested = yield* usageOf(worker)
      const size = yield* readSize
      const perWorkflow = (bytes: number) => kilobytes(bytes / options.workflows)
      const rows: ReadonlyArray<Row> = [
        ["heap per workflow", perWorkflow(full.heapBytes - empty.heapBytes)],
        ["heap after a minute", perWorkflow(rested.heapBytes - empty.heapBytes)],
        ["RSS of the worker", `${(rested.rssBytes / 1024 ** 2).toFixed(0)} MiB`],
        ["CPU until the suspension", `${((full.cpuMillis - empty.cpuMillis) / options.workflows).toFixed(1)} ms each`],
        ["CPU while suspended", `${((idle.cpuMillis - full.cpuMillis) / 300).toFixed(2)} %`],
        ["messages per workflow", String((size.messages - emptySize.messages) / options.workflows)],
        ["replies per workflow", String((size.replies - emptySize.replies) / options.workflows)],
        ["database per workflow", perWorkflow(size.bytes - emptySize.bytes)]
      ]
      return rows
    })
  )

/** Measures the time from an event to the poll. The event arrives at a process that runs no workflows. */
export const measureEvents = (options: Options) =>
  withSetup(options, 2, ({ polledAt, suspend }) =>
    Effect.gen(function* () {
      const workflowIds = yield* suspend
      const millis: Array<number> = []
      for (const workflowId of workflowIds) {
        const from = yield* Clock.currentTimeMillis
        const count = polledAt.size
        yield* DurableExecution.onEvent(completedEventOf(workflowId))
        yield* waitUntil(() => polledAt.size > count)
        millis.push(Math.max(...polledAt.values()) - from)
      }
      const rows: ReadonlyArray<Row> = [
        ["event to poll: p50", `${percentile(millis, 0.5)} ms`],
        ["event to poll: p99", `${percentile(millis, 0.99)} ms`],
        ["event to poll: max", `${Math.max(...millis)} ms`]
      ]
      return rows
    })
  )

/** Measures the time from SIGKILL of one of two workers to the poll of its last workflow. */
export const measureTakeover = (options: Options) =>
  withSetup(options, 2, ({ polledAt, suspend, workers: [worker] }) =>
    Effect.gen(function* () {
      if (worker === undefined) return []
      const workflowIds = yield* suspend
      const from = yield* Clock.currentTimeMillis
      yield* worker.signal("SIGKILL")
      yield* Effect.forEach(workflowIds, (workflowId) => DurableExecution.onEvent(completedEventOf(workflowId)), {
        concurrency: 10,
        discard: true
      })
      yield* waitUntil(() => polledAt.size === workflowIds.length)
      const millis = [...polledAt.values()].map((at) => at - from)
      const rows: ReadonlyArray<Row> = [
        ["kill to poll: p50", `${percentile(millis, 0.5)} ms`],
        ["kill to poll: max", `${Math.max(...millis)} ms`]
      ]
      return rows
    })
  )
