/** Tests the table, the errors and the concurrency of the SQL journal. */
import { join } from "node:path"
import type { PlatformError } from "@effect/platform/Error"
import { LibsqlClient } from "@effect/sql-libsql"
import { PgClient } from "@effect/sql-pg"
import type { SqlError } from "@effect/sql/SqlError"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Array, Config, Context, Effect, Fiber, Layer, Option, type Scope } from "effect"
import type { ModelRouteError } from "effect-modelroute"
import * as SqlJournal from "effect-modelroute/SqlJournal"
import { revision } from "../src/internal/batch/journalEntry.js"
import { Journal } from "../src/internal/batch/journal.js"
import * as Postgres from "./utils/postgres.js"

import {
  readAll,
  encodeEntry,
  makeEntry,
  executionId,
  makeTempDirectory,
  makeLifecycle,
  nextTable,
  runProcess,
  readOne,
  assertEntry,
  sqliteClient
} from "./utils/journals.js"
import { numRuns } from "./utils/suite.js"

const databaseUrl = Postgres.useDatabase()
const postgres = Postgres.clientWith(databaseUrl)

interface Database {
  readonly name: string
  readonly skip?: boolean
  /** Creates a client layer for an empty database. Each build of the layer opens a new client. */
  readonly open: Effect.Effect<Layer.Layer<SqlClient.SqlClient>, PlatformError, Scope.Scope>
}

const databases: ReadonlyArray<Database> = [
  {
    name: "SQLite",
    open: Effect.map(makeTempDirectory, (directory) => sqliteClient(`file:${join(directory, "batch.db")}`))
  },
  { name: Postgres.suiteName, skip: Postgres.isSkipped, open: Effect.succeed(postgres) }
]

for (const { name, open, skip = false } of databases) {
  describe.skipIf(skip)(`SqlJournal in ${name}`, () => {
    /** Calls `use` with a client, the name of a new table and a layer that opens further clients. */
    const withTable = <A, E, R>(
      use: (sql: SqlClient.SqlClient, table: string, client: Layer.Layer<SqlClient.SqlClient>) => Effect.Effect<A, E, R>
    ) =>
      Effect.scoped(
        Effect.flatMap(open, (client) =>
          Effect.flatMap(SqlClient.SqlClient, (sql) => use(sql, nextTable(), client)).pipe(
            Effect.provide(Layer.fresh(client))
          )
        )
      )

    it.live("stores one row per item with readable columns", () =>
      withTable((sql, table, client) =>
        Effect.gen(function* () {
          const layer = Layer.provide(SqlJournal.layer({ table }), client)
          yield* runProcess(layer, (journal) =>
            Effect.gen(function* () {
              yield* journal.write("b", [makeEntry("x", "Submitted"), makeEntry("y".repeat(201), "Submitted")])
              yield* journal.write("b", [makeEntry("x", "Accepted", { executionId })])
            })
          )
          const rows = yield* sql<{
            readonly [column: string]: unknown
          }>`select * from ${sql(table)} order by item desc`
          assert.lengthOf(rows, 2)
          const { entry, ...columns } = rows[0] ?? {}
          assert.deepStrictEqual(columns, {
            batch: "b",
            item: "x",
            revision: revision(makeEntry("x", "Accepted")),
            step: "Accepted",
            execution_id: executionId,
            idempotency_key: "batch-Accepted-1"
          })
          assert.deepStrictEqual(JSON.parse(String(entry)), encodeEntry(makeEntry("x", "Accepted", { executionId })))
          assert.match(String(rows[1]?.["item"]), /^sha256:[0-9a-f]{64}$/)
          assert.isNull(rows[1]?.["execution_id"])
        })
      )
    )

    it.live("yields to the event loop during each read", () =>
      withTable((_, table, client) =>
        runProcess(Layer.provide(SqlJournal.layer({ table }), client), (journal) =>
          Effect.gen(function* () {
            yield* journal.write("b", [makeEntry("x", "Submitted")])
            for (const read of [journal.read("b", ["x"]), readAll(journal, "b")]) {
              let hasTurned = false
              setImmediate(() => (hasTurned = true))
              yield* read
              assert.isTrue(hasTurned)
            }
          })
        )
      )
    )

    it.live("creates the table once if eight processes start concurrently", () =>
      withTable((sql, _, client) =>
        Effect.gen(function* () {
          for (let round = 0; round < 5; round++) {
            const table = nextTable()
            const layer = Layer.provide(SqlJournal.layer({ table }), client)
            yield* Effect.forEach(
              Array.range(1, 8),
              (n) => runProcess(layer, (journal) => journal.write("b", [makeEntry(`${n}`, "Submitted")])),
              { concurrency: "unbounded" }
            )
            const rows = yield* sql<{ readonly n: unknown }>`select count(*) as n from ${sql(table)}`
            assert.strictEqual(Number(rows[0]?.n), 8)
          }
        })
      )
    )

    it.live("fails if the existing table has other columns", () =>
      withTable((sql, table, client) =>
        Effect.gen(function* () {
          yield* sql`create table ${sql(table)} (batch text, item text)`
          const error = yield* Effect.flip(
            runProcess(Layer.provide(SqlJournal.layer({ table }), client), () => Effect.void)
          )
          assert.strictEqual(error._tag, "JournalError")
          assert.strictEqual(
            error.message,
            `SqlJournal.layer: the table "${table}" is missing, or does not have the columns of a journal.`
          )
          assert.include(error.detail, "revision")
        })
      )
    )

    it.live("fails if the table cannot be created", () =>
      withTable((_, table, client) =>
        Effect.gen(function* () {
          const layer = Layer.provide(SqlJournal.layer({ table: `nowhere.${table}` }), client)
          const error = yield* Effect.flip(runProcess(layer, () => Effect.void))
          assert.match(error.detail ?? "", /unknown database "?nowhere|schema "nowhere" does not exist/)
        })
      )
    )

    it.live("fails with an error that contains the item and the batch of an unreadable row", () =>
      withTable((sql, table, client) =>
        Effect.gen(function* () {
          const layer = Layer.provide(SqlJournal.layer({ table }), client)
          yield* runProcess(layer, (journal) =>
            Effect.gen(function* () {
              yield* journal.write("b", [makeEntry("x", "Submitted"), makeEntry("y", "Submitted")])
              for (const text of ["", "{}", JSON.stringify(encodeEntry(makeEntry("y", "Submitted")))]) {
                yield* sql`update ${sql(table)} set entry = ${text} where item = 'x'`
                for (const effect of [
                  Effect.asVoid(journal.read("b", ["y", "x"])),
                  Effect.asVoid(readAll(journal, "b"))
                ]) {
                  const error = yield* Effect.flip(effect)
                  assert.strictEqual(error.operation, "Batch.run")
                  assert.include(
                    error.message,
                    `the row of the item "x" of the batch "b" in the table "${table}" is unreadable`
                  )
                }
              }
              yield* sql`delete from ${sql(table)} where item = 'x'`
              assert.lengthOf(yield* readAll(journal, "b"), 1)
            })
          )
        })
      )
    )

    it.live("rejects a write inside sql.withTransaction", () =>
      withTable((sql, table) =>
        runProcess(Layer.provide(SqlJournal.layer({ table }), Layer.succeed(SqlClient.SqlClient, sql)), (journal) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(sql.withTransaction(journal.write("b", [makeEntry("x", "Submitted")])))
            assert.strictEqual(error._tag, "JournalError")
            assert.propertyVal(error, "operation", "Batch.run")
            assert.include(error.message, "Run the batch outside of `sql.withTransaction`")
            yield* journal.write("b", [makeEntry("x", "Submitted")])
            assert.lengthOf(yield* readAll(journal, "b"), 1)
          })
        )
      )
    )

    it.live("supports an SQL client that transforms column names", () =>
      withTable((sql, table) =>
        Effect.gen(function* () {
          const odd = sql.onDialectOrElse<
            Layer.Layer<SqlClient.SqlClient, SqlError>,
            Layer.Layer<SqlClient.SqlClient, SqlError>
          >({
            sqlite: () =>
              LibsqlClient.layer({
                url: ":memory:",
                transformQueryNames: (name) => `q_${name}`,
                transformResultNames: (name) => `r_${name}`
              }),
            orElse: () =>
              Layer.unwrapEffect(
                Effect.map(databaseUrl, (url) =>
                  Postgres.clientOf(url, {
                    transformQueryNames: (name) => `q_${name}`,
                    transformResultNames: (name) => `r_${name}`
                  })
                )
              )
          })
          yield* runProcess(Layer.provide(SqlJournal.layer({ table }), Layer.orDie(odd)), (journal) =>
            Effect.gen(function* () {
              yield* journal.write("b", makeLifecycle("x").slice(0, 1))
              assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[0])
              assert.lengthOf(yield* readAll(journal, "b"), 1)
              yield* journal.remove("b")
              assert.lengthOf(yield* readAll(journal, "b"), 0)
            })
          )
        })
      )
    )
  })
}

describe("SqlJournal", () => {
  const failsWith = (client: Layer.Layer<SqlClient.SqlClient>, words: RegExp, end: Effect.Effect<void> = Effect.void) =>
    Effect.gen(function* () {
      const layer = Layer.provide(SqlJournal.layer({ table: nextTable() }), client)
      const journal = yield* Effect.scoped(Effect.map(Layer.build(Layer.fresh(layer)), Context.get(Journal)))
      yield* end
      const effects = [
        [journal.read("b", ["x"]), "read"],
        [journal.write("b", [makeEntry("x", "Submitted")]), "write to"],
        [readAll(journal, "b"), "read"],
        [journal.remove("b"), "delete from"]
      ] as const
      for (const [effect, verb] of effects) {
        const error = yield* Effect.flip(Effect.asVoid(effect))
        assert.strictEqual(error._tag, "JournalError")
        assert.include(error.message, `Batch.run: the journal could not ${verb} the table "journal_`)
        assert.match(error.detail ?? "", words)
      }
    })

  it.live("fails with an error that contains the message of a closed SQLite client", () =>
    Effect.gen(function* () {
      yield* failsWith(sqliteClient(`file:${yield* makeTempDirectory}/batch.db`), /client is closed/)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(Postgres.isSkipped)("fails with an error that contains the message of a closed PostgreSQL pool", () =>
    failsWith(postgres, /after calling end on the pool/)
  )

  it.live.skipIf(Postgres.isSkipped)(
    "fails with an error that contains the message of a stopped PostgreSQL server",
    () =>
      Effect.gen(function* () {
        const { stop, url } = yield* Postgres.makeProxy(yield* Postgres.database)
        const client = yield* Layer.build(Postgres.clientOf(url))
        yield* runProcess(Layer.provide(SqlJournal.layer(), Layer.succeedContext(client)), (journal) =>
          Effect.gen(function* () {
            yield* journal.write("b", [makeEntry("x", "Submitted")])
            yield* stop
            const error = yield* Effect.flip(journal.write("b", [makeEntry("y", "Submitted")]))
            assert.match(error.detail ?? "", /terminat|ECONN|ENOENT/i)
          })
        )
      }).pipe(Effect.scoped)
  )

  it.live("writes and reads more entries than one SQL statement supports", () =>
    Effect.gen(function* () {
      const entries = Array.makeBy(numRuns(500, 5000), (n) => makeEntry(`${n}`, "Submitted"))
      const keys = entries.map(({ key }) => key)
      yield* runProcess(
        Layer.provide(SqlJournal.layer(), sqliteClient(`file:${yield* makeTempDirectory}/batch.db`)),
        (journal) =>
          Effect.gen(function* () {
            yield* journal.write("b", entries)
            assert.deepStrictEqual(
              (yield* journal.read("b", keys)).flatMap(Option.toArray).map(encodeEntry),
              entries.map(encodeEntry)
            )
          })
      )
    }).pipe(Effect.scoped)
  )

  it.live("delays a write until the transaction of another SQLite client has ended", () =>
    Effect.gen(function* () {
      const client = sqliteClient(`file:${yield* makeTempDirectory}/batch.db`)
      const context = yield* Layer.build(Layer.fresh(client))
      const sql = Context.get(context, SqlClient.SqlClient)
      yield* runProcess(Layer.provide(SqlJournal.layer(), client), (journal) =>
        Effect.gen(function* () {
          yield* sql`begin immediate`
          const writing = yield* Effect.fork(journal.write("b", [makeEntry("x", "Submitted")]))
          yield* Effect.sleep("120 millis")
          assert.isTrue(Option.isNone(yield* Fiber.poll(writing)))
          yield* sql`commit`
          yield* Fiber.join(writing)
          assert.lengthOf(yield* readAll(journal, "b"), 1)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("rejects an invalid table name", () =>
    Effect.gen(function* () {
      const client = yield* Layer.build(sqliteClient(":memory:"))
      for (const table of ["", "a b", "1a", "a;drop", 'a"b', "a.b.c", "é", ".a", "a.", "x".repeat(64), "a\n"]) {
        const layer = Layer.provide(SqlJournal.layer({ table }), Layer.succeedContext(client))
        const error = yield* Effect.flip(runProcess(layer, () => Effect.void))
        assert.strictEqual(error._tag, "JournalError")
        assert.strictEqual(error.operation, "SqlJournal.layer")
        assert.include(error.message, `the table name ${JSON.stringify(table)} is not valid`)
      }
      for (const table of ["A_1", "x".repeat(63), "main.Batch"]) {
        const layer = Layer.provide(SqlJournal.layer({ table }), Layer.succeedContext(client))
        yield* runProcess(layer, (journal) => journal.write("b", [makeEntry("x", "Submitted")]))
      }
    }).pipe(Effect.scoped)
  )

  it.live("rejects databases other than SQLite and PostgreSQL", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(sqliteClient(":memory:"))
      const client = Context.get(context, SqlClient.SqlClient)
      const mysql = new Proxy(client, {
        get: (target, name): unknown =>
          name === "onDialectOrElse"
            ? (options: { readonly orElse: () => unknown }) => options.orElse()
            : Reflect.get(target, name)
      })
      const layer = Layer.provide(SqlJournal.layer(), Layer.succeed(SqlClient.SqlClient, mysql))
      const error = yield* Effect.flip(runProcess(layer, () => Effect.void))
      assert.strictEqual(error.operation, "SqlJournal.layer")
      assert.include(error.message, "this database is neither SQLite nor PostgreSQL")
    }).pipe(Effect.scoped)
  )

  it("declares JournalError and the requirement SqlClient in the type of its layer", () => {
    expectTypeOf(SqlJournal.layer).returns.toEqualTypeOf<
      Layer.Layer<Journal, ModelRouteError.JournalError, SqlClient.SqlClient>
    >()
    const configured = SqlJournal.layer().pipe(
      Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
    )
    expectTypeOf(configured).toExtend<Layer.Layer<Journal, unknown>>()
  })
})
