import { ClusterError, ClusterWorkflowEngine, MessageStorage, SingleRunner } from "@effect/cluster"
import { LibsqlClient } from "@effect/sql-libsql"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Execution } from "effect-modelroute"
import * as ClusterDurableExecution from "effect-modelroute/ClusterDurableExecution"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { ledger } from "./utils/durable.js"
import * as harness from "./utils/harness.js"
import { image } from "./utils/harness.js"
import { makeTempDirectory } from "./utils/journals.js"

/** Provides the cluster engine on an empty SQLite database. */
const engine = Layer.unwrapScoped(
  Effect.map(makeTempDirectory, (folder) =>
    ClusterWorkflowEngine.layer.pipe(
      Layer.provideMerge(
        SingleRunner.layer({ shardingConfig: { entityMessagePollInterval: "200 millis", shardsPerGroup: 10 } })
      ),
      Layer.provideMerge(LibsqlClient.layer({ url: `file:${folder}/engine.db`, intMode: "bigint" })),
      Layer.orDie
    )
  )
)

/** The API executes `image` in 100 milliseconds, and `slow` in 1 hour. */
const slow = { ...image, model: "slow" }
const models = {
  [image.model]: { duration: "100 millis", cost: "0.010", output: "image" },
  [slow.model]: { duration: "1 hour", cost: "0.010", output: "image" }
} as const

/** Provides a worker on the real clock. The first poll follows 300 milliseconds after the submission. */
const worker = DurableExecution.layer({ baseDelay: "300 millis", maxDelay: "1 second" }).pipe(
  Layer.provideMerge(
    Layer.mergeAll(harness.layer({ simulator: { models } }), engine, DurableExecution.layerSuspensionStoreMemory)
  )
)

/** Returns the number of messages and replies of a workflow in the database. */
const countRows = (workflowId: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.map(
      sql<{ readonly messages: bigint; readonly replies: bigint }>`
        select count(distinct m.id) as messages, count(distinct r.id) as replies from cluster_messages m
        left join cluster_replies r on r.request_id = m.id where m.entity_id = ${workflowId}`,
      (rows) => rows.map(({ messages, replies }) => [Number(messages), Number(replies)])
    )
  )

const startAndAwait = (id: string, request: Execution.CreateRequest) =>
  Effect.zipLeft(DurableExecution.start(id, request), DurableExecution.await(id))

describe("ClusterDurableExecution.forget", { concurrent: true }, () => {
  it.live("deletes only the messages and replies of the given execution", () =>
    Effect.gen(function* () {
      const first = yield* startAndAwait("order-7", image)
      const second = yield* startAndAwait("order-8", image)
      const [before] = yield* countRows(first)
      assert.deepStrictEqual([yield* countRows(second)], [[before]])
      assert.isTrue(before !== undefined && before.every((count) => count > 3), `${before}`)
      yield* ClusterDurableExecution.forget("order-7")
      assert.deepStrictEqual(yield* countRows(first), [[0, 0]])
      assert.deepStrictEqual(yield* countRows(second), [before])
    }).pipe(Effect.provide(worker), harness.silent)
  )

  it.live("allows another start with the same id, which sends the same idempotency key", () =>
    Effect.gen(function* () {
      yield* startAndAwait("order-7", image)
      yield* ClusterDurableExecution.forget("order-7")
      yield* startAndAwait("order-7", image)
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
      assert.lengthOf(yield* harness.arrivalTimes("executions.create"), 2)
    }).pipe(Effect.provide(worker), harness.silent)
  )

  it.live("deletes a signal that arrives after an earlier call", () =>
    Effect.gen(function* () {
      const workflowId = yield* startAndAwait("order-7", image)
      yield* ClusterDurableExecution.forget("order-7")
      yield* DurableExecution.resume("order-7")
      assert.isAbove((yield* countRows(workflowId))[0]?.[0] ?? 0, 0)
      yield* ClusterDurableExecution.forget("order-7")
      assert.deepStrictEqual((yield* countRows(workflowId))[0]?.[0], 0)
    }).pipe(Effect.provide(worker), harness.silent)
  )

  it.live("deletes a cancelled execution", () =>
    Effect.gen(function* () {
      const workflowId = yield* DurableExecution.start("order-7", slow)
      yield* DurableExecution.cancel("order-7")
      yield* Effect.flip(DurableExecution.await("order-7"))
      yield* ClusterDurableExecution.forget("order-7")
      assert.deepStrictEqual(yield* countRows(workflowId), [[0, 0]])
    }).pipe(Effect.provide(worker), harness.silent)
  )

  it.live("fails with InvalidRequest and deletes nothing if the execution has not ended", () =>
    Effect.gen(function* () {
      const workflowId = yield* DurableExecution.start("order-7", slow)
      const failure = yield* Effect.flip(ClusterDurableExecution.forget("order-7"))
      assert.strictEqual(failure._tag === "InvalidRequest" && failure.field, "id")
      assert.match(failure.message, /has not ended\. Wait for its end with DurableExecution\.await, or call/)
      const rows = yield* countRows(workflowId)
      assert.isTrue((rows[0]?.[0] ?? 0) > 0)
    }).pipe(Effect.provide(worker), harness.silent)
  )

  it.live("has no effect if the execution does not exist", () =>
    Effect.gen(function* () {
      yield* ClusterDurableExecution.forget("order-7")
    }).pipe(Effect.provide(worker), harness.silent)
  )

  it.live("fails with PersistenceError if the database fails", () =>
    Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const error = new ClusterError.PersistenceError({ cause: "no connection" })
      const failure = yield* ClusterDurableExecution.forget("order-7").pipe(
        Effect.provideService(MessageStorage.MessageStorage, { ...storage, clearAddress: () => Effect.fail(error) }),
        Effect.flip
      )
      assert.strictEqual(failure, error)
    }).pipe(Effect.provide(worker), harness.silent)
  )
})
