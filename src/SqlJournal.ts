/**
 * The journal of batches in a SQL database, SQLite or PostgreSQL: one row per item, which can be looked at with SQL while a batch
 * runs. Needs `@effect/sql` and the package of a driver, such as `@effect/sql-libsql` or `@effect/sql-pg`.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { JournalEntry, revision } from "./internal/batch/journalEntry.js"
import { Journal, type JournalService } from "./internal/batch/journal.js"
import { sha256Hex } from "./internal/data/sha256.js"
import { stringify } from "./internal/data/jsonText.js"
import { JournalError } from "./ModelRouteError.js"

/**
 * Where the rows are.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The name of the table, after the name of a schema and a dot where you like: letters, digits and `_`. Default
   * `modelroute_batch`.
   */
  readonly table?: string | undefined
}

/** Rows per statement: their parameters are fewer than the 999 that an old SQLite takes. */
const rowsPerStatement = 128

/** Rows that are in memory at the same time while all are read. */
const rowsPerPage = 128

const names = /^[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?$/

/**
 * A text as a column has it. PostgreSQL has no NUL and no half of a surrogate pair, and its index has no room for a long one:
 * of these there is a hash, and of what looks like one.
 */
const column = (text: string): string =>
  text.length <= 200 && !/[\0\p{Surrogate}]/u.test(text) && !text.startsWith("sha256:")
    ? text
    : `sha256:${sha256Hex(JSON.stringify(text))}`

const quoted = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)

const Row = Schema.Struct({ item: Schema.String, entry: Schema.String })
const decodeRows = Schema.decodeUnknown(Schema.Array(Row))
const encodeEntry = (entry: JournalEntry) =>
  Effect.flatMap(Schema.encode(JournalEntry)(entry), (json) => Effect.try(() => stringify(json)))
const decodeEntry = Schema.decode(Schema.parseJson(JournalEntry))

const failure = (operation: string, message: string, detail?: string): JournalError =>
  new JournalError({
    operation,
    attempts: 0,
    message: `${operation}: ${message}`,
    ...(detail === undefined ? {} : { detail })
  })

const wordsOf = (u: unknown): string | undefined => {
  if (!(u instanceof Error)) return undefined
  // A connection that was refused has one error for each address, and no words of its own.
  return u.message || (u instanceof AggregateError ? wordsOf(u.errors[0]) : undefined)
}
const words = (error: SqlError): string => wordsOf(error.cause) ?? error.message

/** Not the one of the context, which tests replace. */
const clock = Clock.make()

/** SQLite lets one write at a time, and some drivers do not wait for it. */
const isBusy = (error: SqlError): boolean => /SQLITE_BUSY|database (table )?is locked/.test(words(error))
const untilFree = Schedule.spaced("50 millis").pipe(Schedule.intersect(Schedule.recurs(100)))

/** Drivers keep a transaction's connection in the context. */
const transactions: ReadonlyArray<Context.Tag<never, unknown>> = [
  Context.GenericTag<never, unknown>(SqlClient.TransactionConnection.key),
  Context.GenericTag<never, unknown>("@effect/sql-libsql/LibsqlClient/LibsqlTransaction")
]

const make = (options: Options): Effect.Effect<JournalService, JournalError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const { table = "modelroute_batch" } = options
    if (!names.test(table)) {
      return yield* failure(
        "SqlJournal.layer",
        `table is ${quoted(table)}, which is no name of a table. Give up to 63 letters, digits and "_" that do not begin ` +
          "with a digit; the name of a schema and a dot may come first."
      )
    }
    const sql = yield* SqlClient.SqlClient
    const rows = sql(table)
    const text = sql.onDialectOrElse({
      sqlite: () => "text",
      // The pages of a table follow its order, which may not change with the system's locales.
      pg: () => 'text collate "C"',
      orElse: () => undefined
    })
    if (text === undefined) {
      return yield* failure(
        "SqlJournal.layer",
        "this database is neither SQLite nor PostgreSQL. Use one of them, or keep the journal in a KeyValueStore."
      )
    }
    const key = sql.literal(`${text} not null`)

    const create = sql`create table if not exists ${rows} (
      batch ${key}, item ${key}, revision integer not null, step text not null, execution_id text,
      idempotency_key text not null, entry text not null, primary key (batch, item)
    )`.withoutTransform
    const look = sql`select batch, item, revision, step, execution_id, idempotency_key, entry from ${rows} where 1 = 0`
      .withoutTransform

    // Another process may create it at the same time, and then PostgreSQL fails; or the one who may create tables has done so.
    const created = yield* Effect.either(create)
    yield* Effect.mapError(look, (error) =>
      failure(
        "SqlJournal.layer",
        `the table "${table}" is not there, or not as the journal needs it.`,
        words(Either.isLeft(created) ? created.left : error)
      )
    )

    // Some drivers of SQLite answer within one turn of the event loop, and free what a statement has taken only between two.
    const turn = sql.onDialectOrElse({ sqlite: () => clock.sleep(Duration.zero), orElse: () => Effect.void })

    const run = <A>(verb: string, effect: Effect.Effect<A, SqlError>) =>
      effect.pipe(
        Effect.retry({ schedule: untilFree, while: isBusy }),
        Effect.mapError((error) =>
          failure(
            "Batch.run",
            `the journal could not ${verb} the table "${table}". When the database works, run the batch again: it goes on.`,
            words(error)
          )
        )
      )

    const unreadable = (batch: string, item: string) =>
      failure(
        "Batch.run",
        `the row of the item ${quoted(item)} of the batch ${quoted(batch)} in the table "${table}" is unreadable: another ` +
          "hand or a newer version has written it. Restore it, or delete it: then the item is submitted again, under its " +
          "first idempotency key."
      )

    const entriesOf = (batch: string, found: unknown) =>
      decodeRows(found).pipe(
        Effect.mapError(() => failure("Batch.run", `the table "${table}" is not as the journal needs it.`)),
        Effect.flatMap(
          Effect.forEach(({ entry, item }) =>
            decodeEntry(entry).pipe(
              Effect.filterOrFail(
                ({ key }) => column(key) === item,
                () => unreadable(batch, item)
              ),
              Effect.mapError(() => unreadable(batch, item)),
              Effect.map((decoded) => ({ item, entry: decoded }))
            )
          )
        )
      )

    const read: JournalService["read"] = (batch, keys) =>
      Effect.gen(function* () {
        const found = yield* Effect.forEach(Arr.chunksOf(keys, rowsPerStatement), (some) =>
          Effect.flatMap(
            run(
              "read",
              sql`select item, entry from ${rows} where batch = ${column(batch)} and item in ${sql.in(some.map(column))}`
                .withoutTransform
            ),
            (rows) => Effect.zipRight(turn, entriesOf(batch, rows))
          )
        )
        const byItem = new Map(found.flat().map(({ entry, item }) => [item, entry]))
        return keys.map((key) => Option.fromNullable(byItem.get(column(key))))
      })

    const rowOf = (batch: string, entry: JournalEntry) =>
      encodeEntry(entry).pipe(
        Effect.mapError(() =>
          failure(
            "Batch.run",
            `the entry of the item ${quoted(entry.key)} cannot be written as JSON. Nothing was written for it.`
          )
        ),
        Effect.map((text) => ({
          batch: column(batch),
          item: column(entry.key),
          revision: revision(entry),
          step: entry.step,
          execution_id: entry.executionId === undefined ? null : column(entry.executionId),
          idempotency_key: column(entry.idempotencyKey),
          entry: text
        }))
      )

    const write: JournalService["write"] = (batch, entries) =>
      Effect.gen(function* () {
        const context = yield* Effect.context<never>()
        if (transactions.some((tag) => Option.isSome(Context.getOption(context, tag)))) {
          return yield* failure(
            "Batch.run",
            "the batch runs in a transaction, and what the journal writes would be undone with it. Run it outside of " +
              "`sql.withTransaction`."
          )
        }
        const written = yield* Effect.forEach(entries, (entry) => rowOf(batch, entry))
        yield* Effect.forEach(
          Arr.chunksOf(written, rowsPerStatement),
          (some) =>
            run(
              "write to",
              sql`insert into ${rows} as kept ${sql.insert(some)} on conflict (batch, item) do update set
                revision = excluded.revision, step = excluded.step, execution_id = excluded.execution_id,
                idempotency_key = excluded.idempotency_key, entry = excluded.entry
                where excluded.revision >= kept.revision`.withoutTransform
            ),
          { discard: true }
        )
      })

    const entries: JournalService["entries"] = (batch) =>
      Stream.paginateChunkEffect("", (after) =>
        run(
          "read",
          sql`select item, entry from ${rows} where batch = ${column(batch)} and item > ${after}
            order by item limit ${rowsPerPage}`.withoutTransform
        ).pipe(
          Effect.flatMap((page) => Effect.zipRight(turn, entriesOf(batch, page))),
          Effect.map((page) => {
            const last = page.length < rowsPerPage ? undefined : page.at(-1)?.item
            return [Chunk.unsafeFromArray(page.map(({ entry }) => entry)), Option.fromNullable(last)] as const
          })
        )
      )

    const remove: JournalService["remove"] = (batch) =>
      run("delete from", sql`delete from ${rows} where batch = ${column(batch)}`.withoutTransform)

    return { read, write, entries, remove }
  })

/**
 * The journal of batches in a table of the database in the context, which is created if it is missing: SQLite or PostgreSQL, by
 * any driver of `@effect/sql`. Many batches share one table; the columns `batch`, `item`, `step`, `execution_id` and
 * `idempotency_key` are there to be read (a text that is longer than 200 characters, or that PostgreSQL cannot hold, as
 * `sha256:` and its hash), `entry` is the journal's own JSON.
 *
 * With PostgreSQL:
 *
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 *
 * const journal = SqlJournal.layer().pipe(Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })))
 * ```
 *
 * With SQLite, which should be in WAL mode, so that whoever reads does not stop the batch, and it need not wait for the disk
 * at every step:
 *
 * ```ts
 * import { LibsqlClient } from "@effect/sql-libsql"
 * import { SqlClient } from "@effect/sql"
 *
 * const wal = Layer.effectDiscard(
 *   Effect.flatMap(SqlClient.SqlClient, (sql) =>
 *     Effect.zipRight(sql`PRAGMA journal_mode = WAL`, sql`PRAGMA synchronous = NORMAL`)
 *   )
 * )
 * const database = Layer.provideMerge(wal, LibsqlClient.layer({ url: "file:batch.db" }))
 * const journal = Layer.provide(SqlJournal.layer(), database)
 * ```
 *
 * A process that is killed loses nothing in any mode. When the machine loses its power, SQLite loses nothing with `synchronous
 * = FULL` (the default of most drivers; each write waits for the disk), the last writes with `NORMAL` in WAL mode (such an item
 * goes on from the entry before them, under the idempotency key of that), and with `OFF` perhaps the whole file. PostgreSQL loses
 * nothing unless `synchronous_commit` is off.
 *
 * A SQLite database that another one is writing to is waited for, at most 5 seconds. One process at a time may run a batch, and
 * not within `sql.withTransaction`: what the journal has written would be undone with it.
 *
 * Fails with `JournalError` where `table` is no name of a table, the table can neither be created nor read, or the database is
 * another one. With the same error `Batch` fails when the database does, and where a row was written by another hand.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Journal, JournalError, SqlClient.SqlClient> =>
  Layer.effect(Journal, make(options))
