/** Tests durable executions on PostgreSQL, with several workers and a process that runs no workflows. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Simulator } from "effect-modelroute/Simulator"
import * as SqlSuspensionStore from "effect-modelroute/SqlSuspensionStore"
import { ledger, receiveEvents, stateOf, until, withWebhook } from "../utils/durable.js"
import { runDurableChaos } from "../utils/durableChaos.js"
import { postgresClient, postgresWorker } from "../utils/durableEngine.js"
import { freePort } from "../utils/durableProcess.js"
import * as harness from "../utils/harness.js"
import { image, silent } from "../utils/harness.js"
import * as Postgres from "../utils/postgres.js"
import { isFull } from "../utils/suite.js"

/** Starts a worker in this process. The worker stops when the scope closes. */
const startWorker = (url: string, delay: "1 hour" | "2 seconds") =>
  Effect.flatMap(freePort, (port) =>
    Layer.build(
      DurableExecution.layer({ baseDelay: delay, maxDelay: delay }).pipe(
        Layer.provide(Layer.provideMerge(SqlSuspensionStore.layer(), postgresWorker(url, port)))
      )
    )
  )

const hasState = (id: string, expected: "Complete" | "Suspended") =>
  Effect.map(stateOf(id), (state) => state === expected)

describe.skipIf(Postgres.isSkipped)(`durable executions on ${Postgres.suiteName}`, () => {
  it.scopedLive("are started, resumed and cancelled by a process that runs no workflows", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      yield* startWorker(url, "1 hour")
      yield* Effect.gen(function* () {
        yield* receiveEvents
        yield* DurableExecution.start("order-7", withWebhook)
        yield* until(hasState("order-7", "Suspended"))
        assert.deepStrictEqual((yield* ledger).statuses, [])
        const { topUp } = yield* Simulator
        yield* topUp("1.00")
        yield* DurableExecution.resume("order-7")
        assert.strictEqual((yield* DurableExecution.await("order-7")).status, "COMPLETED")

        yield* DurableExecution.start("order-8", { ...image, model: "seedance-video" })
        yield* until(hasState("order-8", "Suspended"))
        yield* DurableExecution.cancel("order-8")
        const failure = yield* Effect.flip(DurableExecution.await("order-8"))
        assert.strictEqual(failure._tag, "DurableExecutionCancelled")
        assert.deepStrictEqual((yield* ledger).statuses, ["COMPLETED", "CANCELLED"])
      }).pipe(Effect.provide(postgresClient(url)))
    }).pipe(
      Effect.provide(
        harness.layer({
          simulator: {
            balance: "0.00",
            models: { "flux-1.1-pro": { duration: "3 seconds", cost: "0.010", output: "image" } }
          }
        })
      ),
      silent
    )
  )

  it.scopedLive.runIf(isFull)("continue after a database outage of 20 seconds", () =>
    Effect.gen(function* () {
      const proxy = yield* Postgres.makeProxy(yield* Postgres.database)
      yield* startWorker(proxy.url, "2 seconds")
      const ids = Array.from({ length: 40 }, (_, index) => `order-${index}`)
      yield* Effect.gen(function* () {
        // The outage starts while some workflows are suspended, others run, and others are not started yet.
        const outage = Effect.gen(function* () {
          yield* Effect.sleep("4 seconds")
          yield* proxy.stop
          yield* Effect.sleep("20 seconds")
          yield* proxy.start
        })
        yield* Effect.fork(outage)
        yield* Effect.forEach(
          ids,
          (id, index) =>
            Effect.zipRight(
              Effect.retry(Effect.sandbox(DurableExecution.start(id, image)), { times: 10 }),
              DurableExecution.await(id)
            ).pipe(Effect.delay(index * 150)),
          { concurrency: "unbounded", discard: true }
        )
        const { keys, statuses } = yield* ledger
        assert.deepStrictEqual([keys, statuses.length], [ids.length, ids.length])
        assert.deepStrictEqual(new Set(statuses), new Set(["COMPLETED"]))
      }).pipe(Effect.provide(postgresClient(proxy.url)))
    }).pipe(
      Effect.provide(
        harness.layer({
          simulator: { models: { "flux-1.1-pro": { duration: "3 seconds", cost: "0.010", output: "image" } } }
        })
      ),
      silent
    )
  )
})

describe.runIf(isFull)("durable executions on workers that are killed", () => {
  const run = (engine: "postgres" | "sqlite", signal: "SIGKILL" | "SIGTERM", workers: number, kills: number) =>
    Effect.gen(function* () {
      const report = yield* runDurableChaos({
        engine,
        serverUrl: Postgres.serverUrl,
        workflows: 60,
        workers,
        kills,
        signal,
        seed: 1
      })
      assert.deepStrictEqual(
        {
          outcomes: [...report.outcomes],
          executions: report.executions,
          keys: report.keys,
          cancelled: report.cancelled,
          kills: report.exitMillis.length
        },
        { outcomes: [["COMPLETED", 60]], executions: 60, keys: 60, cancelled: 0, kills }
      )
    })

  it.scopedLive.skipIf(Postgres.isSkipped)(
    "create one API execution each on three workers with PostgreSQL after SIGKILL",
    () => run("postgres", "SIGKILL", 3, 4)
  )

  it.scopedLive.skipIf(Postgres.isSkipped)("are not cancelled by SIGTERM on two workers with PostgreSQL", () =>
    run("postgres", "SIGTERM", 2, 4)
  )

  it.scopedLive("create one API execution each on one worker with SQLite after SIGKILL", () =>
    run("sqlite", "SIGKILL", 1, 3)
  )
})
