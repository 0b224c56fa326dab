/**
 * Creates a database for one run of an example. The server is at `DATABASE_URL`, or on this machine.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { Config, Data, Effect, Option, Redacted, type Scope } from "effect"
import { randomBytes } from "node:crypto"

/** PostgreSQL does not accept a connection. */
export class NotReachable extends Data.TaggedError("NotReachable")<{ readonly message: string }> {}

const local = "postgres://postgres@127.0.0.1:5432/postgres"

const variable = Config.option(Config.redacted("DATABASE_URL"))

/** Returns whether `DATABASE_URL` is set. */
export const isConfigured = Effect.map(variable, Option.isSome)

/** The text of the variable may contain a password, so no error contains the text. */
const serverUrl = Effect.flatMap(variable, (url) =>
  Effect.try({
    try: () => new URL(Option.match(url, { onNone: () => local, onSome: Redacted.value })),
    catch: () => new NotReachable({ message: "DATABASE_URL is not a URL." })
  })
)

const execute = (url: URL, statement: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement)).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(url.href), connectTimeout: "3 seconds", maxConnections: 1 })),
    Effect.mapError(({ cause, message }) => {
      const reason = cause instanceof Error && cause.message !== "" ? cause.message : message
      return new NotReachable({ message: `PostgreSQL cannot be used at ${url.host}: ${reason}` })
    })
  )

/** Creates a database and returns its URL. Drops the database when the scope closes. */
export const temporaryDatabase: Effect.Effect<
  Redacted.Redacted,
  NotReachable | Effect.Effect.Error<typeof serverUrl>,
  Scope.Scope
> = Effect.gen(function* () {
  const server = yield* serverUrl
  const name = `modelroute_example_${randomBytes(4).toString("hex")}`
  yield* Effect.acquireRelease(execute(server, `create database ${name}`), () =>
    // A killed process can leave a connection that the server still regards as open.
    Effect.orDie(execute(server, `drop database ${name} with (force)`))
  )
  const url = new URL(server)
  url.pathname = name
  return Redacted.make(url.href)
})
