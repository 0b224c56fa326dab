/**
 * Stores the list of suspended durable executions in SQLite or PostgreSQL, so that all workers share one list. Requires
 * `@effect/sql` and a driver package, such as `@effect/sql-libsql` or `@effect/sql-pg`.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Layer from "effect/Layer"
import * as suspensionSql from "./internal/durable/suspensionSql.js"
import { SuspensionStore, type SuspensionStoreError } from "./internal/durable/suspensionStore.js"

/**
 * Options of the store.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The name of the table, optionally with a schema, such as `schema.table`. Each name consists of up to 63 letters,
   * digits and `_`, and does not begin with a digit. Default: `modelroute_suspensions`.
   */
  readonly table?: string | undefined
}

/**
 * Provides a `SuspensionStore` in a table of the database in the context. Use the same database as the workflow engine.
 * Creates the table if the table does not exist.
 *
 * The table contains one row for each durable execution that an error has suspended. A row contains the id of the
 * execution and the message of the error, but no input and no output. The columns `workflow_id`, `tag` and
 * `suspended_at` are intended for queries. The column `suspended_at` contains epoch milliseconds. The column
 * `suspension` is internal.
 *
 * Fails with `SuspensionStoreError` if `table` is invalid or if the table can be neither created nor read. Also fails
 * with `SuspensionStoreError` if the database is neither SQLite nor PostgreSQL.
 *
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import * as SqlSuspensionStore from "effect-modelroute/SqlSuspensionStore"
 *
 * export const store = SqlSuspensionStore.layer().pipe(
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<SuspensionStore, SuspensionStoreError, SqlClient.SqlClient> =>
  Layer.effect(SuspensionStore, suspensionSql.make(options.table ?? "modelroute_suspensions"))
