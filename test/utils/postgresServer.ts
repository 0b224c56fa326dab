/** Connects to the PostgreSQL server of the tests, and creates databases. */
import { PgClient } from "@effect/sql-pg"
import * as SqlClient from "@effect/sql/SqlClient"
import { Config, Effect, Layer, Redacted, type Scope } from "effect"

/** URL in `DATABASE_URL`. Default: the database `test` of a server on this machine. */
export const configuredUrl: Effect.Effect<string> = Effect.orDie(
  Config.withDefault(Config.string("DATABASE_URL"), "postgres://postgres@127.0.0.1:5432/test")
)

/** Provides a client for the database of a URL. */
export const clientOf = (
  url: string,
  config: Omit<PgClient.PgClientConfig, "url"> = {}
): Layer.Layer<SqlClient.SqlClient> => Layer.orDie(PgClient.layer({ ...config, url: Redacted.make(url) }))

/** Returns `undefined` if the server accepts connections. Otherwise, returns the reason. */
export const check = (url: string): Effect.Effect<string | undefined> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select 1`).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(url), connectTimeout: "3 seconds" })),
    Effect.match({
      onSuccess: () => undefined,
      onFailure: ({ cause, message }) => (cause instanceof Error && cause.message !== "" ? cause.message : message)
    })
  )

let databases = 0

/** Creates an empty database on the server. Drops the database when the scope closes. Returns its URL. */
export const makeDatabase = (serverUrl: string): Effect.Effect<string, never, Scope.Scope> => {
  const name = `modelroute_${process.pid}_${(databases += 1)}`
  const run = (statement: string) =>
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement)).pipe(
      Effect.provide(clientOf(serverUrl, { maxConnections: 1 })),
      Effect.orDie
    )
  return Effect.as(
    Effect.acquireRelease(
      Effect.zipRight(run(`drop database if exists ${name} with (force)`), run(`create database ${name}`)),
      () => run(`drop database if exists ${name} with (force)`)
    ),
    Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href
  )
}
