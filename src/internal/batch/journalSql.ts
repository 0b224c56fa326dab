/**
 * Keeps the journal in a table of a SQLite or PostgreSQL database.
 *
 * @internal
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
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { JournalError } from "../../ModelRouteError.js"
import { stringify } from "../data/jsonText.js"
import { databaseMessage, isTableName, retryWhileBusy, tableNameRule, textType, toColumn } from "../sql/table.js"
import { JournalEntry, revision } from "./journalEntry.js"
import type { JournalService } from "./journal.js"
import { journalError, notEncodable, quote } from "./journalFailure.js"

/**
 * Maximum number of rows per statement. A row has 7 parameters, and old SQLite versions allow at most 999 parameters
 * per statement.
 */
const rowsPerStatement = 128

/** Number of rows that one query of `entries` returns. Only these rows are in memory at the same time. */
const rowsPerPage = 128

const Row = Schema.Struct({ item: Schema.String, entry: Schema.String })
type Row = typeof Row.Type
const decodeRows = Schema.decodeUnknown(Schema.Array(Row))
const decodeEntry = Schema.decode(Schema.parseJson(JournalEntry))
const encodeEntry = (entry: JournalEntry): Effect.Effect<string, JournalError> =>
  Schema.encode(JournalEntry)(entry).pipe(
    Effect.flatMap((json) => Effect.try(() => stringify(json))),
    Effect.mapError(() => notEncodable(entry.key))
  )

/**
 * Live clock for `yieldToEventLoop`. The clock in the context may be a `TestClock`, and a sleep with a `TestClock`
 * would block a test.
 */
const clock = Clock.make()

/**
 * Tags under which the supported drivers provide the connection of a transaction. The context contains one of these
 * tags only inside a transaction.
 */
const transactionTags: ReadonlyArray<Context.Tag<never, unknown>> = [
  Context.GenericTag<never, unknown>(SqlClient.TransactionConnection.key),
  Context.GenericTag<never, unknown>("@effect/sql-libsql/LibsqlClient/LibsqlTransaction")
]

interface Table {
  readonly sql: SqlClient.SqlClient
  readonly name: string
  /**
   * Yields to the event loop after a query. Some SQLite drivers free the memory of a query only between two turns of
   * the event loop. Without the yield, many queries could run in one turn.
   */
  readonly yieldToEventLoop: Effect.Effect<void>
}

/** Returns the SQL type of a text column. Fails with `JournalError` for a database other than SQLite or PostgreSQL. */
const textTypeOrFail = (sql: SqlClient.SqlClient): Effect.Effect<string, JournalError> => {
  const type = textType(sql)
  return type === undefined
    ? journalError(
        "SqlJournal.layer",
        "this database is neither SQLite nor PostgreSQL. Use one of them, or keep the journal in a KeyValueStore."
      )
    : Effect.succeed(type)
}

/**
 * Creates the table `name` if necessary, and checks the columns. Fails with `JournalError` if the name is invalid, the
 * database is not supported, or the table lacks a column.
 */
const openTable = (name: string): Effect.Effect<Table, JournalError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    if (!isTableName(name)) {
      return yield* journalError("SqlJournal.layer", `the table name ${quote(name)} is not valid. ${tableNameRule}`)
    }
    const sql = yield* SqlClient.SqlClient
    const key = sql.literal(`${yield* textTypeOrFail(sql)} not null`)
    const create = sql`create table if not exists ${sql(name)} (
      batch ${key}, item ${key}, revision integer not null, step text not null, execution_id text,
      idempotency_key text not null, entry text not null, primary key (batch, item)
    )`.withoutTransform
    const checkColumns =
      sql`select batch, item, revision, step, execution_id, idempotency_key, entry from ${sql(name)} where 1 = 0`
        .withoutTransform
    // A failure of `create table` is ignored if the columns are correct. Another process or a user with more
    // permissions may have created the table.
    const created = yield* Effect.either(create)
    yield* Effect.mapError(checkColumns, (error) =>
      journalError(
        "SqlJournal.layer",
        `the table "${name}" is missing, or does not have the columns of a journal.`,
        databaseMessage(Either.isLeft(created) ? created.left : error)
      )
    )
    const yieldToEventLoop = sql.onDialectOrElse({
      sqlite: () => clock.sleep(Duration.zero),
      orElse: () => Effect.void
    })
    return { sql, name, yieldToEventLoop }
  })

/**
 * Runs a statement. If another writer locks a SQLite database, retries the statement for up to 5 seconds. Fails with
 * `JournalError` if the statement fails.
 */
const runStatement = <A>(
  { name }: Table,
  verb: string,
  statement: Effect.Effect<A, SqlError>
): Effect.Effect<A, JournalError> =>
  Effect.mapError(retryWhileBusy(statement), (error) =>
    journalError(
      "Batch.run",
      `the journal could not ${verb} the table "${name}". Run the batch again after you have repaired the database. The batch resumes from the journal.`,
      databaseMessage(error)
    )
  )

const unreadableRow = ({ name }: Table, batch: string, item: string): JournalError =>
  journalError(
    "Batch.run",
    `the row of the item ${quote(item)} of the batch ${quote(batch)} in the table "${name}" is unreadable. Another ` +
      "program or a newer version of the library wrote the row. Restore or delete the row. If you delete the row, the " +
      "item is submitted again under its first idempotency key."
  )

interface DecodedRow {
  readonly item: string
  readonly entry: JournalEntry
}

const decodeRow = (table: Table, batch: string, { entry, item }: Row): Effect.Effect<DecodedRow, JournalError> =>
  decodeEntry(entry).pipe(
    Effect.filterOrFail(
      ({ key }) => toColumn(key) === item,
      () => unreadableRow(table, batch, item)
    ),
    Effect.mapError(() => unreadableRow(table, batch, item)),
    Effect.map((decoded) => ({ item, entry: decoded }))
  )

const selectRows = (
  table: Table,
  batch: string,
  statement: Effect.Effect<unknown, SqlError>
): Effect.Effect<ReadonlyArray<DecodedRow>, JournalError> =>
  runStatement(table, "read", statement).pipe(
    Effect.zipLeft(table.yieldToEventLoop),
    Effect.flatMap((rows) =>
      Effect.mapError(decodeRows(rows), () =>
        journalError("Batch.run", `the table "${table.name}" does not have the columns of a journal.`)
      )
    ),
    Effect.flatMap(Effect.forEach((row) => decodeRow(table, batch, row)))
  )

const readEntries = (
  table: Table,
  batch: string,
  keys: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Option.Option<JournalEntry>>, JournalError> =>
  Effect.gen(function* () {
    const { name, sql } = table
    const found = yield* Effect.forEach(Arr.chunksOf(keys, rowsPerStatement), (chunk) =>
      selectRows(
        table,
        batch,
        sql`select item, entry from ${sql(name)} where batch = ${toColumn(batch)} and item in ${sql.in(chunk.map(toColumn))}`
          .withoutTransform
      )
    )
    const byItem = new Map(found.flat().map(({ entry, item }) => [item, entry]))
    return keys.map((key) => Option.fromNullable(byItem.get(toColumn(key))))
  })

const encodeRow = (batch: string, entry: JournalEntry) =>
  Effect.map(encodeEntry(entry), (text) => ({
    batch: toColumn(batch),
    item: toColumn(entry.key),
    revision: revision(entry),
    step: entry.step,
    execution_id: entry.executionId === undefined ? null : toColumn(entry.executionId),
    idempotency_key: toColumn(entry.idempotencyKey),
    entry: text
  }))

/**
 * Fails with `JournalError` inside a transaction, because a rollback of the transaction would remove the journal
 * entries.
 */
const rejectTransaction: Effect.Effect<void, JournalError> = Effect.flatMap(Effect.context<never>(), (context) =>
  transactionTags.some((tag) => Option.isSome(Context.getOption(context, tag)))
    ? journalError(
        "Batch.run",
        "the batch runs in a transaction, and a rollback would remove the journal entries. Run the batch outside of " +
          "`sql.withTransaction`."
      )
    : Effect.void
)

const writeEntries = (
  table: Table,
  batch: string,
  entries: ReadonlyArray<JournalEntry>
): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    const { name, sql } = table
    yield* rejectTransaction
    const rows = yield* Effect.forEach(entries, (entry) => encodeRow(batch, entry))
    yield* Effect.forEach(
      Arr.chunksOf(rows, rowsPerStatement),
      (chunk) =>
        runStatement(
          table,
          "write to",
          sql`insert into ${sql(name)} as kept ${sql.insert(chunk)} on conflict (batch, item) do update set
            revision = excluded.revision, step = excluded.step, execution_id = excluded.execution_id,
            idempotency_key = excluded.idempotency_key, entry = excluded.entry
            where excluded.revision >= kept.revision`.withoutTransform
        ),
      { discard: true }
    )
  })

const streamEntries = (table: Table, batch: string): Stream.Stream<JournalEntry, JournalError> => {
  const { name, sql } = table
  return Stream.paginateChunkEffect("", (after) =>
    Effect.map(
      selectRows(
        table,
        batch,
        sql`select item, entry from ${sql(name)} where batch = ${toColumn(batch)} and item > ${after}
          order by item limit ${rowsPerPage}`.withoutTransform
      ),
      (page) => {
        const last = page.length < rowsPerPage ? undefined : page.at(-1)?.item
        return [Chunk.unsafeFromArray(page.map(({ entry }) => entry)), Option.fromNullable(last)] as const
      }
    )
  )
}

const removeBatch = (table: Table, batch: string): Effect.Effect<void, JournalError> => {
  const { name, sql } = table
  return Effect.asVoid(
    runStatement(table, "delete from", sql`delete from ${sql(name)} where batch = ${toColumn(batch)}`.withoutTransform)
  )
}

/** @internal */
export const make = (tableName: string): Effect.Effect<JournalService, JournalError, SqlClient.SqlClient> =>
  Effect.map(openTable(tableName), (table) => ({
    read: (batch, keys) => readEntries(table, batch, keys),
    write: (batch, entries) => writeEntries(table, batch, entries),
    entries: (batch) => streamEntries(table, batch),
    remove: (batch) => removeBatch(table, batch)
  }))
