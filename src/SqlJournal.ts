/**
 * The journal of batches in a SQL database, SQLite or PostgreSQL. Each item has one row, which can be queried while a
 * batch runs. Needs `@effect/sql` and the package of a driver, such as `@effect/sql-libsql` or `@effect/sql-pg`.
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
   * Name of the table, optionally after the name of a schema and a dot. Each name has up to 63 letters, digits and `_`,
   * and does not begin with a digit. Default: `modelroute_batch`.
   */
  readonly table?: string | undefined
}

/**
 * Keeps the journal of batches in a table of the database in the context. Works with SQLite and PostgreSQL and any
 * driver of `@effect/sql`. Creates the table if it is missing.
 *
 * Many batches share one table. The columns `batch`, `item`, `step`, `execution_id` and `idempotency_key` are meant for
 * queries. They hold `sha256:` and a hash in place of a text that is longer than 200 characters or that PostgreSQL
 * cannot store. The column `entry` is internal.
 *
 * One process at a time may run a batch. A batch must not run within `sql.withTransaction`, whose rollback would remove
 * the journal's writes. The journal waits up to 5 seconds for another writer of a SQLite database.
 *
 * A killed process loses nothing in any mode. After a power failure:
 *
 * - SQLite with `synchronous = FULL`, the default of most drivers, loses nothing. Each write waits for the disk.
 * - SQLite with `synchronous = NORMAL` in WAL mode may lose the latest writes. Such an item continues from an older entry
 *   and its key.
 * - SQLite with `synchronous = OFF` may lose the whole file.
 * - PostgreSQL loses nothing, unless `synchronous_commit` is off.
 *
 * The layer fails with `JournalError` if `table` is not a table name, if the table can be neither created nor read, or
 * if the database is neither SQLite nor PostgreSQL. A batch fails with `JournalError` if the database fails, or if
 * another program has changed a row.
 *
 * @since 0.1.0
 * @category layers
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
 * @example
 * ```ts
 * import { SqlClient } from "@effect/sql"
 * import { LibsqlClient } from "@effect/sql-libsql"
 * import { Effect, Layer } from "effect"
 * import * as SqlJournal from "effect-modelroute/SqlJournal"
 *
 * // In WAL mode a reader does not block the batch, and not every step waits for the disk.
 * const walMode = Layer.effectDiscard(
 *   Effect.flatMap(SqlClient.SqlClient, (sql) =>
 *     Effect.zipRight(sql`PRAGMA journal_mode = WAL`, sql`PRAGMA synchronous = NORMAL`)
 *   )
 * )
 * const database = Layer.provideMerge(walMode, LibsqlClient.layer({ url: "file:batch.db" }))
 *
 * export const journal = Layer.provide(SqlJournal.layer(), database)
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<Journal, JournalError, SqlClient.SqlClient> =>
  Layer.effect(Journal, journalSql.make(options.table ?? "modelroute_batch"))
