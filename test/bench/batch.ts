/**
 * Measures the memory and CPU time of a long batch with a SQLite journal and an in-memory API. The memory must not grow
 * after the first 10,000 items.
 *
 *     npm run bench:batch [-- --items 1000000 --runs 2]
 */
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as SqlClient from "@effect/sql/SqlClient"
import { Effect, Layer, Logger, LogLevel, Redacted, Stream } from "effect"
import { Batch, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as SqlJournal from "effect-modelroute/SqlJournal"

const print = (...columns: ReadonlyArray<string>): boolean => process.stdout.write(`${columns.join("")}\n`)

/** Responds within one turn of the event loop to exclude the API from the measurement. */
const api = HttpClient.make((request) =>
  Effect.async<HttpClientResponse.HttpClientResponse>((resume) => {
    const body = JSON.stringify({
      id: `exec_${request.headers["idempotency-key"]}`,
      status: "COMPLETED",
      model: "flux-1.1-pro",
      cost: "0.040",
      hold_amount: "0.048",
      created_at: "2026-03-20T10:30:00Z",
      output: { images: [{ file_id: "file_f47ac10b-58cc-4372-a567-0e02b2c3d479", format: "png" }] }
    })
    const headers = { "content-type": "application/json", "content-length": String(body.length) }
    const response = HttpClientResponse.fromWeb(request, new Response(body, { status: 202, headers }))
    setImmediate(() => resume(Effect.succeed(response)))
  })
)

const client = ModelRouteClient.layer({ apiKey: Redacted.make("sk_bench") }).pipe(
  Layer.provide([IdempotencyKey.layer, Layer.succeed(HttpClient.HttpClient, api)])
)

const journal = (file: string) =>
  SqlJournal.layer().pipe(
    Layer.provide(
      Layer.effectDiscard(
        Effect.flatMap(SqlClient.SqlClient, (sql) =>
          Effect.zipRight(sql`pragma journal_mode = wal`, sql`pragma synchronous = normal`)
        )
      )
    ),
    Layer.provide(LibsqlClient.layer({ url: `file:${file}` }))
  )

const megabytes = (bytes: number): string => (bytes / 1_048_576).toFixed(1)

function* numbers(count: number): Generator<number> {
  for (let n = 0; n < count; n++) yield n
}

const runMeasured = (items: number, directory: string) => {
  const file = join(directory, "batch.db")
  const started = { cpu: process.cpuUsage(), at: performance.now() }
  const report = (done: number) =>
    Effect.promise(async () => {
      globalThis.gc?.()
      const { heapUsed, rss } = process.memoryUsage()
      const cpu = process.cpuUsage(started.cpu)
      const { size } = await stat(file)
      print(
        String(done).padStart(10),
        megabytes(heapUsed).padStart(12),
        megabytes(rss).padStart(12),
        ((cpu.user + cpu.system) / done).toFixed(0).padStart(14),
        ((performance.now() - started.at) / 1000).toFixed(0).padStart(10),
        (size / done).toFixed(0).padStart(16)
      )
    })
  const isPoint = (n: number): boolean => n === items || (n % 10_000 === 0 && /^[125]0*$/.test(String(n)))
  return Batch.run(numbers(items), {
    id: "bench",
    key: String,
    request: (n) => ({ model: "flux-1.1-pro", input: { prompt: `picture ${n}` } }),
    concurrency: 50
  }).pipe(
    Stream.runFoldEffect({ all: 0, succeeded: 0 }, ({ all, succeeded }, { _tag }) => {
      const next = { all: all + 1, succeeded: succeeded + (_tag === "Succeeded" ? 1 : 0) }
      return isPoint(next.all) ? Effect.as(report(next.all), next) : Effect.succeed(next)
    }),
    Effect.provide(Layer.merge(client, journal(file)))
  )
}

const { values } = parseArgs({
  options: { items: { type: "string", default: "100000" }, runs: { type: "string", default: "2" } }
})
const items = Number(values.items)
const directory = await mkdtemp(join(tmpdir(), "batch-"))
const run = (name: string) =>
  Effect.gen(function* () {
    print(name)
    print(
      "     items",
      "heap MB".padStart(12),
      "RSS MB".padStart(12),
      "us CPU / item",
      "seconds".padStart(11),
      "bytes / item".padStart(16)
    )
    const { succeeded } = yield* runMeasured(items, directory)
    if (succeeded !== items) throw new Error(`only ${succeeded} of ${items} items succeeded`)
  })

const runs = ["first run", "second run, from the journal"].slice(0, Number(values.runs))
await Effect.runPromise(
  Effect.forEach(runs, run, { discard: true }).pipe(
    Logger.withMinimumLogLevel(LogLevel.Warning),
    Effect.ensuring(Effect.promise(() => rm(directory, { recursive: true })))
  )
)
