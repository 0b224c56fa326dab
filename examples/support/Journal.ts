/**
 * Where a batch is written down, and under which name.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { Context, Data, Effect, Layer } from "effect"
import { Batch, type ModelRouteError } from "effect-modelroute"
import * as SqlJournal from "effect-modelroute/SqlJournal"
import { randomUUID } from "node:crypto"
import { pathToFileURL } from "node:url"
import { Backend } from "./Backend.js"

export class BatchId extends Context.Tag("examples/BatchId")<BatchId, string>() {}

export class WrongFolder extends Data.TaggedError("WrongFolder")<{ readonly message: string }> {}

const database = "batch.db"

/** Whoever reads does not stop the batch, and the batch need not wait for the disk at every step. */
const wal = Layer.effectDiscard(
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.zipRight(sql`PRAGMA journal_mode = WAL`, sql`PRAGMA synchronous = NORMAL`)
  )
)

const databaseIn = (folder: string) =>
  Layer.unwrapEffect(
    Effect.map(Path.Path, (path) =>
      Layer.provideMerge(wal, LibsqlClient.layer({ url: pathToFileURL(path.resolve(folder, database)) }))
    )
  )

/**
 * The name in the journal, or a new one: the folder is the batch. Moved or renamed it goes on, and so does its input; removed, it
 * begins anew. A batch whose name was given finds its executions even then, as long as the API remembers their idempotency keys.
 */
const nameIn = (folder: string, wanted: string | undefined) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<{ readonly batch: string }>`select batch from modelroute_batch limit 1`
    if (row === undefined) return wanted ?? randomUUID()
    if (wanted === undefined || wanted === row.batch) return row.batch
    return yield* new WrongFolder({
      message: `${folder} holds the batch ${row.batch}: take another folder for ${wanted}, or leave --id away to go on.`
    })
  })

/**
 * SQLite in the folder of the results: one file, in which each item is one row, safe when the process is killed, and open to be
 * asked meanwhile: `select step, count(*) from modelroute_batch group by step`.
 */
const inFolder = (folder: string, wanted: string | undefined) =>
  Layer.effect(BatchId, nameIn(folder, wanted)).pipe(
    Layer.provideMerge(SqlJournal.layer()),
    Layer.provide(databaseIn(folder)),
    Layer.mapError((error) => {
      if (error._tag !== "SqlError") return error
      const words = error.cause instanceof Error ? error.cause.message : error.message
      return new WrongFolder({ message: `${database} in ${folder} cannot be used: ${words}` })
    })
  )

/** For a simulator that ends with this program: what is written down about it is worth nothing to the next. */
const inMemory = (folder: string) =>
  Layer.effect(
    BatchId,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      if (!(yield* fs.exists(path.join(folder, database)))) return "simulated"
      return yield* new WrongFolder({
        message: `${folder} holds a batch that has been paid for, and a simulator would write over its results: set MODELROUTE_API_KEY to go on with it, or take another folder.`
      })
    })
  ).pipe(Layer.provideMerge(Batch.layerJournalMemory))

type Chosen = Layer.Layer<
  Batch.Journal | BatchId,
  ModelRouteError.JournalError | WrongFolder | PlatformError,
  FileSystem.FileSystem | Path.Path
>

export const layer = (folder: string, wanted: string | undefined) =>
  Layer.unwrapEffect(
    Effect.map(Backend, ({ isEphemeral }): Chosen => (isEphemeral ? inMemory(folder) : inFolder(folder, wanted)))
  )
