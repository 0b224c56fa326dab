/**
 * Stores the journal of batches in SQLite or PostgreSQL. Each item of a batch has one row, and other programs can query
 * the table while a batch runs. Requires `@effect/sql` and a driver package, such as `@effect/sql-libsql` or
 * `@effect/sql-pg`.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Layer from "effect/Layer"
import { Journal } from "./internal/batch/journal.js"
import * as journalSql from "./internal/batch/journalSql.js"
import type { JournalError } from "./ModelRouteError.js"

/**
 * Options of the SQL journal.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The name of the table, optionally with a schema, such as `schema.table`. Each name consists of up to 63 letters,
   * digits and `_`, and does not begin with a digit. Default: `modelroute_batch`.
   */
  readonly table?: string | undefined
}

/**
 * Provides a journal in a table of the database in the context. Supports SQLite and PostgreSQL with any driver of
 * `@effect/sql`. Creates the table if the table does not exist.
 *
 * Several batches can share one table. The columns `batch`, `item`, `step`, `execution_id` and `idempotency_key` are
 * intended for queries. The column `entry` is internal. If a text has more than 200 characters, its column contains
 * `sha256:` and the hash of the text. A text that PostgreSQL cannot store is replaced in the same way.
 *
 * Run a batch in only one process at a time. Do not run a batch within `sql.withTransaction`, because a rollback would
 * remove the entries of the journal. If another program is writing to a SQLite database, the journal waits up to 5
 * seconds.
 *
 * No entry is lost if the process is killed. The effects of a power failure depend on the database:
 *
 * - SQLite with `synchronous = FULL`, the default of most drivers, loses no entry. Each write waits for the disk.
 * - SQLite with `synchronous = NORMAL` in WAL mode may lose the latest entries. The next run continues an affected item
 *   from an older entry with the same idempotency key.
 * - SQLite with `synchronous = OFF` may lose the whole file.
 * - PostgreSQL loses no entry, unless `synchronous_commit` is off.
 *
 * The layer fails with `JournalError` if `table` is invalid or if the table can be neither created nor read. The layer
 * also fails with `JournalError` if the database is neither SQLite nor PostgreSQL. A batch fails with `JournalError` if
 * the database fails, or if another program has changed a row.
 *
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import * as SqlJournal from "effect-modelroute/SqlJournal"
 *
 * export const journal = SqlJournal.layer().pipe(
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 *
 * @example
 * ```ts
 * import { SqlClient } from "@effect/sql"
 * import { LibsqlClient } from "@effect/sql-libsql"
 * import { Effect, Layer } from "effect"
 * import * as SqlJournal from "effect-modelroute/SqlJournal"
 *
 * // In WAL mode, a reader does not block the batch. Only some steps wait for the disk.
 * const walMode = Layer.effectDiscard(
 *   Effect.flatMap(SqlClient.SqlClient, (sql) =>
 *     Effect.zipRight(sql`PRAGMA journal_mode = WAL`, sql`PRAGMA synchronous = NORMAL`)
 *   )
 * )
 * const database = Layer.provideMerge(walMode, LibsqlClient.layer({ url: "file:batch.db" }))
 *
 * export const journal = Layer.provide(SqlJournal.layer(), database)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Journal, JournalError, SqlClient.SqlClient> =>
  Layer.effect(Journal, journalSql.make(options.table ?? "modelroute_batch"))
