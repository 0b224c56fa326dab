/**
 * Provides the journal and the id of the batch.
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

/** In WAL mode, readers do not block the batch. With `synchronous = NORMAL`, a killed process does not lose writes. */
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
 * Returns the batch id in the journal. If the journal is empty, returns `wanted` or a new id. A folder contains one
 * batch, and a renamed folder continues the same batch.
 *
 * If the folder is deleted, only an explicit `--id` can find the executions again. The API must also still store their
 * idempotency keys. Fails with `WrongFolder` if the journal contains another batch than `wanted`.
 */
const batchIdIn = (folder: string, wanted: string | undefined) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<{ readonly batch: string }>`select batch from modelroute_batch limit 1`
    if (row === undefined) return wanted ?? randomUUID()
    if (wanted === undefined || wanted === row.batch) return row.batch
    return yield* new WrongFolder({
      message: `${folder} contains the batch ${row.batch}. Use another folder for ${wanted}, or omit --id to continue.`
    })
  })

/**
 * Provides a journal in SQLite in the results folder. Each item is one row, and queries can run during the batch.
 * Example:
 *
 *     select step, count(*) from modelroute_batch group by step
 */
const inFolder = (folder: string, wanted: string | undefined) =>
  Layer.effect(BatchId, batchIdIn(folder, wanted)).pipe(
    Layer.provideMerge(SqlJournal.layer()),
    Layer.provide(databaseIn(folder)),
    Layer.mapError((error) => {
      if (error._tag !== "SqlError") return error
      const words = error.cause instanceof Error ? error.cause.message : error.message
      return new WrongFolder({ message: `${database} in ${folder} cannot be used: ${words}` })
    })
  )

/**
 * Provides a journal in memory for a simulator that ends with this program. Fails with `WrongFolder` if the folder
 * contains a paid batch.
 */
const inMemory = (folder: string) =>
  Layer.effect(
    BatchId,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      if (!(yield* fs.exists(path.join(folder, database)))) return "simulated"
      return yield* new WrongFolder({
        message: `${folder} contains the results of a paid batch. A simulator would overwrite the results. Set MODELROUTE_API_KEY to continue the batch, or use another folder.`
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
