/**
 * Runs a batch in the process that the kill tests start.
 *
 * Arguments: the journal kind, the journal directory, the simulator URL, the number of items, the outcomes file, the
 * run. The process starts the batch on the command `Begin`. Later commands kill the process or block its journal. The
 * process exits when its standard input closes.
 */
import { appendFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Batch from "../../src/Batch.js"
import * as IdempotencyKey from "../../src/IdempotencyKey.js"
import * as ModelRouteClient from "../../src/ModelRouteClient.js"
import * as RetryPolicy from "../../src/RetryPolicy.js"
import * as SqlJournal from "../../src/SqlJournal.js"
import { concurrency, blockedLine, parseCommand } from "./killCommands.js"
import { keyOf, type OutcomeLine, modelOf, type Summary } from "./killWitness.js"

const [, , kind = "", directory = "", url = "", count = "", log = "", run = ""] = process.argv

const die = () => void process.kill(process.pid, "SIGKILL")

/** Completes when the process receives `Begin`. */
const beginReceived = Deferred.unsafeMake<void>(FiberId.none)
/** Number of writes until a torn write, and the share of the value that the torn write stores. */
let tear: { left: number; readonly share: number } | undefined
/** Number of deliveries until the process kills itself. */
let dieAfter: { left: number } | undefined
/** Number of journal writes until a write blocks. */
let block: { left: number } | undefined

const listen = Effect.acquireRelease(
  Effect.sync(() => {
    const lines = createInterface(process.stdin)
    lines.on("line", (line) => {
      const command = parseCommand(line)
      switch (command._tag) {
        case "Begin":
          return void Deferred.unsafeDone(beginReceived, Effect.void)
        case "TearWrite":
          tear = { left: command.writes, share: command.share }
          return
        case "DieAfterDelivery":
          dieAfter = { left: command.writes }
          return
        case "BlockWrite":
          block = { left: command.writes }
          return
      }
    })
    const exit = () => process.exit()
    lines.once("close", exit)
    return { lines, exit }
  }),
  ({ exit, lines }) =>
    Effect.sync(() => {
      lines.off("close", exit)
      lines.close()
      process.stdin.destroy()
    })
)

/** Provides a file store that can kill the process during a write. The file then contains only a part of the value. */
const tornStore = Layer.effect(
  KeyValueStore.KeyValueStore,
  Effect.map(KeyValueStore.KeyValueStore, (store) =>
    KeyValueStore.makeStringOnly({
      get: store.get,
      remove: store.remove,
      clear: store.clear,
      size: store.size,
      has: store.has,
      set: (key, value) =>
        Effect.suspend(() => {
          if (tear !== undefined && --tear.left <= 0) {
            writeFileSync(
              join(directory, encodeURIComponent(key)),
              value.slice(0, Math.floor(tear.share * value.length))
            )
            die()
          }
          return store.set(key, value)
        })
    })
  )
).pipe(Layer.provide(KeyValueStore.layerFileSystem(directory)))

const database = Layer.provideMerge(
  Layer.effectDiscard(
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      Effect.zipRight(sql`PRAGMA journal_mode = WAL`, sql`PRAGMA synchronous = NORMAL`)
    )
  ),
  LibsqlClient.layer({ url: `file:${join(directory, "journal.db")}` })
)

const storedJournal: Layer.Layer<Batch.Journal> =
  kind === "sqlite"
    ? SqlJournal.layer().pipe(Layer.provide(database), Layer.orDie)
    : Batch.layerJournal().pipe(Layer.provide(tornStore), Layer.provide(NodeContext.layer), Layer.orDie)

/** Wraps the journal. A write can block forever, and the process can kill itself after a delivery is stored. */
const journal = Layer.effect(
  Batch.Journal,
  Effect.map(Batch.Journal, (journal) => ({
    ...journal,
    write: (batch: string, entries: ReadonlyArray<Batch.JournalEntry>) =>
      Effect.suspend(() => {
        if (block !== undefined && --block.left <= 0) {
          process.stdout.write(`${blockedLine}\n`)
          return Effect.never
        }
        return Effect.tap(journal.write(batch, entries), () => {
          if (dieAfter !== undefined && entries.some(({ step }) => step === "Delivered") && --dieAfter.left <= 0) die()
        })
      })
  }))
).pipe(Layer.provide(storedJournal))

const client = ModelRouteClient.layer({
  apiKey: Redacted.make("sk_test"),
  baseUrl: url,
  // Few retries are allowed, because some items must exhaust them. A later run resumes those items.
  retry: RetryPolicy.make({ backoff: { base: "5 millis", cap: "50 millis", times: 3 }, rateLimit: false }),
  attemptTimeout: "2 seconds"
}).pipe(Layer.provide([NodeHttpClient.layerUndici, IdempotencyKey.layer]))

function* numbers(end: number): Generator<number> {
  for (let n = 0; n < end; n++) yield n
}

const lineOf = (outcome: Batch.Outcome<number>): OutcomeLine => {
  const { _tag: tag, delivered, key } = outcome
  const common = { run: Number(run), key, tag, delivered }
  switch (outcome._tag) {
    case "Succeeded": {
      const { cost, fileIds, id, output } = outcome.completed
      // The shape of an output depends on the endpoint of the API.
      const files = fileIds.length > 0 ? fileIds : output
      return { ...common, final: true, executionId: id, end: JSON.stringify([cost, files]) }
    }
    case "Failed": {
      const { error, final } = outcome
      const executionId = "executionId" in error ? error.executionId : undefined
      return { ...common, final, end: error._tag, ...(executionId === undefined ? {} : { executionId }) }
    }
    case "NotAttempted":
      return { ...common, final: false, end: outcome.reason }
  }
}

const batch = "kills"

const program = Effect.gen(function* () {
  const keys = new Set<string>()
  const tags: Record<string, number> = {}
  let [outcomes, final, delivered] = [0, 0, 0]
  yield* Batch.run(numbers(Number(count)), {
    id: batch,
    key: keyOf,
    request: (n) => ({ model: modelOf(n), input: { prompt: keyOf(n) } }),
    concurrency,
    retryBudget: false,
    wait: { pollSchedule: Schedule.spaced("30 millis") }
  }).pipe(
    Stream.runForEach((outcome) =>
      Effect.sync(() => {
        const line = lineOf(outcome)
        appendFileSync(log, `${JSON.stringify(line)}\n`)
        keys.add(line.key)
        const name = line.tag === "Failed" ? `Failed with ${line.end}` : line.tag
        tags[name] = (tags[name] ?? 0) + 1
        outcomes += 1
        if (line.final) final += 1
        if (line.delivered) delivered += 1
      })
    )
  )
  const { entries } = yield* Batch.Journal
  const entryKeys = new Set<string>()
  let [entryCount, entriesDelivered] = [0, 0]
  yield* Stream.runForEach(entries(batch), ({ key, step }) =>
    Effect.sync(() => {
      entryKeys.add(key)
      entryCount += 1
      if (step === "Delivered") entriesDelivered += 1
    })
  )
  const summary: Summary = {
    outcomes,
    keys: keys.size,
    tags,
    final,
    delivered,
    entries: entryCount,
    entriesDelivered,
    entryKeys: entryKeys.size
  }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
})

NodeRuntime.runMain(
  Effect.gen(function* () {
    yield* listen
    yield* Deferred.await(beginReceived)
    // The program must open the journal after `Begin`, because an earlier process may still use the journal.
    yield* Effect.provide(program, [client, journal])
  }).pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.Warning))
)
