/**
 * Keeps the store of suspended workflows in a table of a SQLite or PostgreSQL database.
 *
 * @internal
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { databaseMessage, isTableName, retryWhileBusy, tableNameRule, textType } from "../sql/table.js"
import { Suspension, SuspensionStoreError, type SuspensionStoreService } from "./suspensionStore.js"

const fail = (message: string, error?: SqlError): SuspensionStoreError =>
  new SuspensionStoreError({ message, ...(error === undefined ? {} : { detail: databaseMessage(error) }) })

const Row = Schema.Struct({ workflow_id: Schema.String, suspension: Schema.parseJson(Suspension) })
const decodeRows = Schema.decodeUnknown(Schema.Array(Row))
const encodeRow = Schema.encodeSync(Row)

/**
 * Creates the table if necessary, and checks the columns. Fails with `SuspensionStoreError` if the name is invalid, the
 * database is not supported, or the table lacks a column.
 */
const openTable = (table: string): Effect.Effect<SqlClient.SqlClient, SuspensionStoreError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    if (!isTableName(table)) {
      return yield* fail(`SqlSuspensionStore.layer: the table name "${table}" is not valid. ${tableNameRule}`)
    }
    const sql = yield* SqlClient.SqlClient
    const type = textType(sql)
    if (type === undefined) {
      return yield* fail("SqlSuspensionStore.layer: this database is neither SQLite nor PostgreSQL. Use one of them.")
    }
    const text = sql.literal(`${type} not null`)
    const create = sql`create table if not exists ${sql(table)} (
      workflow_id ${text} primary key, tag ${text}, suspended_at bigint not null, suspension ${text}
    )`.withoutTransform
    const check = sql`select workflow_id, tag, suspended_at, suspension from ${sql(table)} where 1 = 0`.withoutTransform
    // A failure of `create table` is ignored if the columns are correct. Another process or a user with more
    // permissions may have created the table.
    yield* Effect.zipRight(Effect.ignore(create), check).pipe(
      Effect.mapError((error) =>
        fail(
          `SqlSuspensionStore.layer: the table "${table}" is missing, or does not have the columns of the store.`,
          error
        )
      )
    )
    return sql
  })

/** @internal Opens the table and returns the suspension store in this table. */
export const make = (table: string): Effect.Effect<SuspensionStoreService, SuspensionStoreError, SqlClient.SqlClient> =>
  Effect.map(openTable(table), (sql) => {
    const run = <A>(verb: string, statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SuspensionStoreError> =>
      Effect.mapError(retryWhileBusy(statement), (error) =>
        fail(`The store of suspensions could not ${verb} the table "${table}".`, error)
      )
    return {
      put: (suspension) => {
        const { workflowId, suspendedAt, tag } = suspension
        const row = {
          ...encodeRow({ workflow_id: workflowId, suspension }),
          tag,
          suspended_at: suspendedAt.epochMillis
        }
        return Effect.asVoid(
          run(
            "write to",
            sql`insert into ${sql(table)} ${sql.insert(row)} on conflict (workflow_id) do update set
              tag = excluded.tag, suspended_at = excluded.suspended_at, suspension = excluded.suspension`
              .withoutTransform
          )
        )
      },
      remove: (workflowId) =>
        Effect.asVoid(
          run("delete from", sql`delete from ${sql(table)} where workflow_id = ${workflowId}`.withoutTransform)
        ),
      list: run(
        "read",
        sql`select workflow_id, suspension from ${sql(table)} order by suspended_at, workflow_id`.withoutTransform
      ).pipe(
        Effect.flatMap((rows) =>
          Effect.mapError(decodeRows(rows), () =>
            fail(`The table "${table}" contains a row that another program or a newer version of the library wrote.`)
          )
        ),
        Effect.map((rows) => rows.map(({ suspension }) => suspension))
      )
    }
  })
