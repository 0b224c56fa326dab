/**
 * Selects the database of the demo.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { Effect, Redacted } from "effect"
import * as Postgres from "../support/Postgres.js"
import { wrap } from "../support/Text.js"

export type Engine = "postgres" | "sqlite"

export interface Database {
  readonly engine: Engine
  /** Value of `DATABASE_URL` in the processes. */
  readonly url: string
  readonly greeting: string
}

const postgres = Effect.map(Postgres.temporaryDatabase, (url): Database => ({
  engine: "postgres",
  url: Redacted.value(url),
  greeting: wrap("Three workers and a web server share a database in PostgreSQL.")
}))

const sqlite = (reason: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    const database: Database = {
      engine: "sqlite",
      url: `file:${folder}/durable.db`,
      greeting: wrap(
        `${reason}One process runs all workflows and the web server, because SQLite serves only one process. The process is killed and restarted.`
      )
    }
    return database
  })

/** Uses PostgreSQL if `DATABASE_URL` is set or if a server answers on this machine. Otherwise uses SQLite. */
const automatic = Effect.gen(function* () {
  if (yield* Postgres.isConfigured) return yield* postgres
  return yield* Effect.catchTag(postgres, "NotReachable", () =>
    sqlite("PostgreSQL does not run on this machine, so this demo uses SQLite. ")
  )
})

/** Creates a database, and deletes it when the scope closes. */
export const make = (engine: Engine | undefined) =>
  engine === undefined ? automatic : engine === "postgres" ? postgres : sqlite("")
