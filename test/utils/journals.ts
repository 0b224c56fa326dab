/** Provides journals of every kind, and entries for them. */
import { NodeContext } from "@effect/platform-node"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { LibsqlClient } from "@effect/sql-libsql"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert } from "@effect/vitest"
import { Chunk, DateTime, Duration, Effect, Layer, Option, type Scope, Schema, Stream } from "effect"
import { Execution, ModelRouteError } from "effect-modelroute"
import { JournalEntry, type JournalStep } from "../../src/internal/batch/journalEntry.js"
import { Journal, type JournalService } from "../../src/internal/batch/journal.js"
import * as journalStore from "../../src/internal/batch/journalKeyValueStore.js"
import { type StoreHooks, makeStore, type StoreValues } from "./store.js"

export const utc = (text: string) => DateTime.unsafeMake(text)
export const executionId = Execution.ExecutionId.make("exec_a1b2c3d4-e5f6-7890-abcd-ef1234567890")

export type Fields = Partial<ConstructorParameters<typeof JournalEntry>[0]>

export const makeEntry = (key: string, step: JournalStep, fields: Fields = {}) =>
  new JournalEntry({
    key,
    step,
    attempt: 1,
    digest: "0123456789abcdef0123456789abcdef",
    idempotencyKey: `batch-${step}-1`,
    submittedAt: utc("2026-03-20T10:30:00.123Z"),
    ...fields
  })

export const completed = new Execution.Completed({
  id: executionId,
  status: "COMPLETED",
  model: "flux-1.1-pro",
  cost: "0.040",
  latency: Duration.millis(8420),
  createdAt: utc("2026-03-20T10:30:00Z"),
  completedAt: utc("2026-03-20T10:32:15.5Z"),
  metadata: { page: 7, título: "Übersicht ☃ 𝄞", quote: `"'\\\n\u0000\ud800`, none: null },
  output: { file_id: "file_d4e5f678-9012-3456-abcd-ef1234567890", list: [1, 2.5, -1e-9, true, [], {}], empty: "" },
  extra: { later: "a field of another version" }
})

export const callFields = {
  message: "A sentence for the log.",
  operation: "executions.await",
  attempts: 3,
  idempotencyKey: "batch-1",
  executionId
}
export const responseFields = {
  ...callFields,
  code: "CODE",
  apiMessage: 'the API\'s "own" words',
  retryable: true,
  status: 599,
  requestId: "req_1",
  executionStatus: "FAILED" as const
}
export const rateLimitFields = {
  retryAfter: Duration.millis(2500),
  resetAt: utc("2026-03-20T10:31:00Z"),
  limit: 60,
  remaining: 0
}

export const errors: ReadonlyArray<ModelRouteError.AwaitFailure> = [
  new ModelRouteError.InputValidationError({
    ...responseFields,
    details: [{ field: "input.width", code: "too_big", message: "at most 2048" }]
  }),
  new ModelRouteError.ContentModerationRejected(responseFields),
  new ModelRouteError.FileNotFound(responseFields),
  new ModelRouteError.FileFormatUnsupported(responseFields),
  new ModelRouteError.InsufficientBalance(responseFields),
  new ModelRouteError.RateLimited({ ...responseFields, ...rateLimitFields }),
  new ModelRouteError.ModelOverloaded(responseFields),
  new ModelRouteError.ModelUnavailable(responseFields),
  new ModelRouteError.GenerationTimeout(responseFields),
  new ModelRouteError.GenerationFailed(responseFields),
  new ModelRouteError.ServiceUnavailable(responseFields),
  new ModelRouteError.InternalError(responseFields),
  new ModelRouteError.Unauthorized(responseFields),
  new ModelRouteError.UnrecognizedError({ ...responseFields, ...rateLimitFields }),
  new ModelRouteError.UnexpectedResponse({ ...callFields, status: 502, contentType: "text/html", body: "<html>" }),
  new ModelRouteError.TransportError({ ...callFields, reason: "reset", detail: "read ECONNRESET" }),
  new ModelRouteError.InvalidRequest({ ...callFields, field: "model" }),
  new ModelRouteError.ExecutionCancelled({ ...callFields, executionId }),
  new ModelRouteError.ExecutionExpired({ ...callFields, executionId }),
  new ModelRouteError.AwaitTimeout({
    ...callFields,
    executionId,
    execution: new Execution.Execution({
      id: executionId,
      status: "A_NEW_STATUS",
      holdAmount: "0.048",
      estimatedCost: "0.040",
      expiresAt: utc("2026-03-20T10:35:00Z"),
      result: { file_id: "file_1" },
      error: new Execution.Failure({ code: "X", message: "no", retryable: false, details: [{ a: 1 }] }),
      extra: {}
    })
  })
]

/** Returns the entries of an item from its submission to its delivery. */
export const makeLifecycle = (key: string, fields: Fields = {}): ReadonlyArray<JournalEntry> => [
  makeEntry(key, "Submitted", {
    body: { model: "flux-1.1-pro", input: { prompt: "un château, à l'huile ☃" } },
    ...fields
  }),
  makeEntry(key, "Accepted", { executionId, model: "flux-1.1-pro", hold: "0.048", ...fields }),
  makeEntry(key, "Ended", { executionId, model: "flux-1.1-pro", hold: "0.048", completed, ...fields }),
  makeEntry(key, "Delivered", { executionId, model: "flux-1.1-pro", hold: "0.048", completed, ...fields })
]

export const encodeJournalEntry = Schema.encodeSync(JournalEntry)
export const encodeEntry = (entry: JournalEntry): object => encodeJournalEntry(entry)
export const assertEntry = (actual: JournalEntry | undefined, expected: JournalEntry | undefined) =>
  assert.deepStrictEqual(
    actual === undefined ? undefined : encodeEntry(actual),
    expected === undefined ? undefined : encodeEntry(expected)
  )

export const readOne = (journal: JournalService, batch: string, key: string) =>
  Effect.map(journal.read(batch, [key]), ([entry]) => Option.getOrUndefined(entry ?? Option.none()))

export const readAll = (journal: JournalService, batch: string) =>
  Effect.map(Stream.runCollect(journal.entries(batch)), (entries) =>
    Chunk.toReadonlyArray(entries).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  )

/** Runs a program with a new instance of a journal, like a new process. */
export const runProcess = <A, E, R>(
  layer: Layer.Layer<Journal, ModelRouteError.JournalError>,
  use: (journal: JournalService) => Effect.Effect<A, E, R>
) => Effect.flatMap(Journal, use).pipe(Effect.provide(Layer.fresh(layer)))

export type JournalLayer = Layer.Layer<Journal, ModelRouteError.JournalError>

export interface Kind {
  readonly name: string
  readonly skip?: boolean
  /** Returns the layer of an empty journal. Each build of the layer represents a process. */
  readonly open: Effect.Effect<JournalLayer, PlatformError, Scope.Scope>
  /** `true` if the journal does not outlive its process. Default: `false`. */
  readonly isInMemory?: boolean
}

export const keyValueJournal = (prefix = "modelroute-batch-") =>
  Layer.effect(
    Journal,
    Effect.flatMap(KeyValueStore.KeyValueStore, (store) => journalStore.make(store, { prefix }))
  )

export const makeTempDirectory = Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeContext.layer)
)

export const fileJournal = (directory: string) =>
  keyValueJournal().pipe(
    Layer.provide(KeyValueStore.layerFileSystem(directory)),
    Layer.provide(NodeContext.layer),
    Layer.orDie
  )

export const sqliteClient = (url: string) =>
  Layer.effectDiscard(
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      Effect.zipRight(sql`PRAGMA journal_mode = WAL`, sql`PRAGMA synchronous = NORMAL`)
    )
  ).pipe(Layer.provideMerge(LibsqlClient.layer({ url })), Layer.orDie)

let tables = 0
export const nextTable = () => `journal_${(tables += 1)}`
export const storedJournal = (values: StoreValues, hooks?: StoreHooks): JournalLayer =>
  Layer.provide(
    keyValueJournal(),
    Layer.sync(KeyValueStore.KeyValueStore, () => makeStore(values, hooks))
  )

export const isListKey = (key: string): boolean => /-n\d+$/.test(key)

/** Returns the first bytes of a value, like an interrupted write. */
export const truncate = (value: string, bytes: number): string => Buffer.from(value).subarray(0, bytes).toString()

/**
 * Returns hooks that kill the process during its n-th write, from 1. `part` returns the part of the value that remains,
 * or `undefined` if the write has no effect.
 */
export const killDuringSet = (
  values: StoreValues,
  n: number,
  part: (value: string) => string | undefined
): StoreHooks => {
  let left = n
  return {
    set: (key, value) =>
      Effect.suspend(() => {
        left -= 1
        if (left > 0) return Effect.void
        const torn = left === 0 ? part(value) : undefined
        if (torn !== undefined) values.set(key, torn)
        return Effect.die("killed")
      })
  }
}
