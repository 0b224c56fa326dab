import { assert, describe, it } from "@effect/vitest"
import * as SqlClient from "@effect/sql/SqlClient"
import { DateTime, Effect, Layer, Logger, TestClock } from "effect"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import * as SqlSuspensionStore from "effect-modelroute/SqlSuspensionStore"
import { injectInto, layer, ledger, runToEnd, secondsOf, simulate, wrapEngine } from "../utils/durable.js"
import { valueOf } from "../utils/exit.js"
import * as harness from "../utils/harness.js"
import { makeTempDirectory, sqliteClient } from "../utils/journals.js"
import * as Postgres from "../utils/postgres.js"

const startAll = (...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (id) => Effect.zipLeft(DurableExecution.start(id, harness.image), TestClock.adjust(1)))

const suspendedIds = Effect.map(DurableExecution.suspensions, (all) => all.map(({ id, tag }) => [id, tag]))

const seconds = (time: DateTime.Utc) => (time.epochMillis - harness.start) / 1000

describe("DurableExecution.suspensions", { concurrent: true }, () => {
  it.effect("contains the error and the time of the next attempt after a rejected submission", () =>
    Effect.gen(function* () {
      const [workflowId] = yield* startAll("order-7")
      const [suspension, ...others] = yield* DurableExecution.suspensions
      assert.lengthOf(others, 0)
      assert.deepStrictEqual(
        [suspension?.id, suspension?.workflowId, suspension?.tag],
        ["order-7", workflowId, "InsufficientBalance"]
      )
      assert.match(suspension?.message ?? "", /^executions\.create failed: the balance/)
      assert.deepStrictEqual(
        suspension && [seconds(suspension.suspendedAt), seconds(suspension.nextAttemptAt)],
        [0, 30]
      )
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("keeps the times of the latest attempt if the workflow runs before the next attempt", () =>
    Effect.gen(function* () {
      yield* startAll("order-7")
      yield* TestClock.adjust("20 seconds")
      yield* DurableExecution.resume("order-7")
      // The clock after the first attempt still runs the workflow after 30 seconds.
      yield* TestClock.adjust("40 seconds")
      const [suspension] = yield* DurableExecution.suspensions
      assert.deepStrictEqual(
        suspension && [seconds(suspension.suspendedAt), seconds(suspension.nextAttemptAt)],
        [20.001, 65.001]
      )
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 20.001])
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("contains an execution from a failed poll until a successful poll", () =>
    Effect.gen(function* () {
      yield* injectInto("executions.result", Fault.apiError("UNAUTHORIZED", { status: 401 }))
      yield* DurableExecution.start("order-7", { ...harness.image, model: "seedance-video" })
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(yield* suspendedIds, [["order-7", "Unauthorized"]])
      yield* TestClock.adjust("45 seconds")
      assert.deepStrictEqual(yield* suspendedIds, [])
      assert.deepStrictEqual(yield* secondsOf("result"), [30, 75])
    }).pipe(simulate)
  )

  it.effect("does not contain an execution that was cancelled", () =>
    Effect.gen(function* () {
      yield* startAll("order-7", "order-8")
      yield* DurableExecution.cancel("order-7")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* suspendedIds, [["order-8", "InsufficientBalance"]])
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("does not contain an execution that has ended", () =>
    Effect.gen(function* () {
      yield* injectInto("executions.result", Fault.badGateway)
      yield* startAll("order-7")
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(yield* suspendedIds, [["order-7", "UnexpectedResponse"]])
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* suspendedIds, [])
    }).pipe(simulate)
  )

  it.effect("contains an execution until its workflow resumes after a defect of the engine", () => {
    let isFailing = false
    const engine = wrapEngine(({ deferredResult }) => ({
      deferredResult: (deferred) => (isFailing ? Effect.dieMessage("connection lost") : deferredResult(deferred))
    }))
    return Effect.gen(function* () {
      yield* startAll("order-7")
      yield* Effect.flatMap(Simulator, ({ topUp }) => topUp("2.00"))
      isFailing = true
      yield* TestClock.adjust("30 seconds")
      isFailing = false
      assert.deepStrictEqual(yield* suspendedIds, [["order-7", "InsufficientBalance"]])
      assert.strictEqual(yield* DurableExecution.resumeAll(), 1)
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* suspendedIds, [])
    }).pipe((test) => simulate(test, { engine, simulator: { balance: "0.00" } }))
  })

  it.effect("is ordered by the time of the latest error", () =>
    Effect.gen(function* () {
      yield* startAll("a", "b", "c")
      yield* DurableExecution.resume("a")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        (yield* DurableExecution.suspensions).map(({ id }) => id),
        ["b", "c", "a"]
      )
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )
})

describe("DurableExecution.resumeAll", { concurrent: true }, () => {
  it.effect("starts the next attempt of every suspended execution immediately", () =>
    Effect.gen(function* () {
      const ids = Array.from({ length: 25 }, (_, index) => `order-${index}`)
      yield* startAll(...ids)
      yield* Effect.flatMap(Simulator, ({ topUp }) => topUp("2.00"))
      assert.strictEqual(yield* DurableExecution.resumeAll(), 25)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* suspendedIds, [])
      assert.strictEqual((yield* ledger).keys, 25)
      assert.lengthOf(yield* secondsOf("create"), 50)
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("resumes only the executions whose error has the given tag", () =>
    Effect.gen(function* () {
      yield* injectInto("executions.create", Fault.apiError("UNAUTHORIZED", { status: 401 }))
      yield* startAll("order-7", "order-8")
      yield* Effect.flatMap(Simulator, ({ topUp }) => topUp("2.00"))
      assert.strictEqual(yield* DurableExecution.resumeAll({ tag: "InsufficientBalance" }), 1)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* suspendedIds, [["order-7", "Unauthorized"]])
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("removes the suspension of a workflow that has ended", () =>
    Effect.gen(function* () {
      const workflowId = yield* DurableExecution.start("order-7", harness.image)
      valueOf(yield* runToEnd("order-7"))
      const store = yield* DurableExecution.SuspensionStore
      yield* store.put(new DurableExecution.Suspension({ ...makeSuspension(workflowId, harness.start), id: "order-7" }))
      assert.strictEqual(yield* DurableExecution.resumeAll(), 0)
      assert.deepStrictEqual(yield* suspendedIds, [])
    }).pipe(simulate)
  )
})

const failure = new DurableExecution.SuspensionStoreError({ message: "The disk is full.", detail: "ENOSPC" })

const failingStore = Layer.succeed(DurableExecution.SuspensionStore, {
  put: () => failure,
  remove: () => failure,
  list: failure
})

describe("failing store of suspensions", { concurrent: true }, () => {
  it.effect("does not end the workflow", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel._tag === "Warning") warnings.push(String(message))
    })
    return Effect.gen(function* () {
      yield* TestClock.setTime(harness.start)
      yield* injectInto("executions.create", Fault.badGateway)
      yield* startAll("order-7")
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 30])
      // One failed `put`, one failed `remove` after the accepted submission and one at the end.
      assert.strictEqual(warnings.filter((text) => text === "The disk is full. ENOSPC").length, 3)
      assert.strictEqual((yield* Effect.flip(DurableExecution.resumeAll())).detail, "ENOSPC")
    }).pipe(Effect.provide([layer({ suspensionStore: failingStore }), Logger.replace(Logger.defaultLogger, logger)]))
  })
})

const postgresUrl = Postgres.useDatabase()

const databases = [
  {
    name: "SQLite",
    skip: false,
    client: Layer.unwrapScoped(Effect.map(makeTempDirectory, (folder) => sqliteClient(`file:${folder}/store.db`)))
  },
  { name: Postgres.suiteName, skip: Postgres.isSkipped, client: Postgres.clientWith(postgresUrl) }
]

const makeSuspension = (workflowId: string, suspendedAt: number, message = "No balance.") =>
  new DurableExecution.Suspension({
    id: `order "${workflowId}"`,
    workflowId,
    tag: "InsufficientBalance",
    message,
    suspendedAt: DateTime.unsafeMake(suspendedAt),
    nextAttemptAt: DateTime.unsafeMake(suspendedAt + 30_000)
  })

for (const { client, name, skip } of databases) {
  describe.skipIf(skip)(`SqlSuspensionStore in ${name}`, () => {
    const now = 1_800_000_000_000
    let tables = 0

    /** Provides a store in a new table. */
    const withStore = <A, E>(
      use: (store: DurableExecution.SuspensionStoreService, table: string) => Effect.Effect<A, E, SqlClient.SqlClient>
    ) =>
      Effect.suspend(() => {
        const table = `suspensions_${(tables += 1)}`
        return Effect.flatMap(DurableExecution.SuspensionStore, (store) => use(store, table)).pipe(
          Effect.provide(Layer.provideMerge(SqlSuspensionStore.layer({ table }), client)),
          Effect.scoped
        )
      })

    it.live("returns the suspensions in the order of suspendedAt", () =>
      withStore((store) =>
        Effect.gen(function* () {
          const [early, late] = [makeSuspension("b", now), makeSuspension("a", now + 5)]
          yield* store.put(late)
          yield* store.put(early)
          assert.deepStrictEqual(yield* store.list, [early, late])
        })
      )
    )

    it.live("replaces the stored suspension of the same workflow", () =>
      withStore((store) =>
        Effect.gen(function* () {
          yield* store.put(makeSuspension("a", now))
          const later = makeSuspension("a", now + 45_000, "Still no balance. 'quoted' ☃")
          yield* store.put(later)
          assert.deepStrictEqual(yield* store.list, [later])
        })
      )
    )

    it.live("removes a suspension and ignores an unknown workflow", () =>
      withStore((store) =>
        Effect.gen(function* () {
          yield* Effect.forEach(["a", "b"], (id) => store.put(makeSuspension(id, now)))
          yield* store.remove("a")
          yield* store.remove("c")
          assert.deepStrictEqual(
            (yield* store.list).map(({ workflowId }) => workflowId),
            ["b"]
          )
        })
      )
    )

    it.live("shares the suspensions with a second process", () =>
      withStore((store, table) =>
        Effect.gen(function* () {
          yield* store.put(makeSuspension("a", now))
          const second = Layer.fresh(SqlSuspensionStore.layer({ table }))
          assert.deepStrictEqual(yield* Effect.provide(DurableExecution.suspensions, second), yield* store.list)
        })
      )
    )

    it.live("fails with SuspensionStoreError if a row is unreadable or the table is missing", () =>
      withStore((store, table) =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* store.put(makeSuspension("a", now))
          yield* sql`update ${sql(table)} set suspension = '{}'`
          assert.include((yield* Effect.flip(store.list)).message, `The table "${table}" contains a row`)
          yield* sql`drop table ${sql(table)}`
          for (const effect of [store.put(makeSuspension("a", now)), store.remove("a"), Effect.asVoid(store.list)]) {
            const error = yield* Effect.flip(effect)
            assert.strictEqual(error._tag, "SuspensionStoreError")
            assert.include(error.message, `the table "${table}"`)
            assert.match(error.detail ?? "", /no such table|does not exist/)
          }
        })
      )
    )

    it.live("fails with SuspensionStoreError if the table name is invalid or in use", () =>
      withStore((_, table) =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const build = (name: string) =>
            Effect.flip(Effect.provide(Effect.void, Layer.fresh(SqlSuspensionStore.layer({ table: name }))))
          assert.include((yield* build("a; drop table b")).message, `the table name "a; drop table b" is not valid`)
          yield* sql`create table ${sql(`other_${table}`)} (id integer)`
          assert.include((yield* build(`other_${table}`)).message, "does not have the columns of the store")
        })
      )
    )
  })
}
