/**
 * Provides functions for tables in SQLite and PostgreSQL.
 *
 * @internal
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { sha256Hex } from "../data/sha256.js"

const maxColumnLength = 200

/**
 * Returns the column value of a text. The value is the text itself, or a hash of the text in these cases:
 *
 * - The text has more than 200 characters. PostgreSQL limits the size of an index entry.
 * - The text contains a NUL or an unpaired surrogate. PostgreSQL cannot store these characters.
 * - The text starts with `sha256:`. Without a hash, the value could be equal to the hash of another text.
 *
 * @internal
 */
export const toColumn = (text: string): string =>
  text.length <= maxColumnLength && !/[\0\p{Surrogate}]/u.test(text) && !text.startsWith("sha256:")
    ? text
    : `sha256:${sha256Hex(JSON.stringify(text))}`

const tablePattern = /^[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?$/

/** @internal Returns whether a text is the name of a table, optionally with a schema. */
export const isTableName = (name: string): boolean => tablePattern.test(name)

/** @internal Describes a valid table name, for error messages. */
export const tableNameRule =
  'Use up to 63 letters, digits and "_". Do not start with a digit. A schema name and a dot may come first.'

/**
 * Returns the SQL type of a text column. Returns `undefined` for a database other than SQLite or PostgreSQL.
 *
 * @internal
 */
export const textType = (sql: SqlClient.SqlClient): string | undefined =>
  sql.onDialectOrElse({
    sqlite: () => "text",
    // The journal reads pages in the order of a text column. With this collation, the order does not depend on the
    // locale of the database.
    pg: () => 'text collate "C"',
    orElse: () => undefined
  })

const messageOf = (u: unknown): string | undefined => {
  if (!(u instanceof Error)) return undefined
  // The error of a refused connection has no message, so the message of its first nested error is returned.
  return u.message || (u instanceof AggregateError ? messageOf(u.errors[0]) : undefined)
}

/**
 * Returns the error message of the database, or the message of the `SqlError` if the database sent no message.
 *
 * @internal
 */
export const databaseMessage = (error: SqlError): string => messageOf(error.cause) ?? error.message

/** Returns whether another writer blocks the statement. SQLite allows one writer at a time, and some drivers do not wait. */
const isBusy = (error: SqlError): boolean => /SQLITE_BUSY|database (table )?is locked/.test(databaseMessage(error))

const busySchedule = Schedule.spaced("50 millis").pipe(Schedule.intersect(Schedule.recurs(100)))

/** @internal Runs a statement. If another writer locks a SQLite database, retries the statement for up to 5 seconds. */
export const retryWhileBusy = <A, R>(statement: Effect.Effect<A, SqlError, R>): Effect.Effect<A, SqlError, R> =>
  Effect.retry(statement, { schedule: busySchedule, while: isBusy })
