/**
 * A process that runs a batch until it is killed, for tests that kill it. Its arguments: the kind of the journal and its directory,
 * the simulator's URL, how many items there are, a file to which each outcome is appended, and the number of this run. It begins
 * when it is told so, can be told to die in the middle of something, and ends with the one who started it.
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
import { concurrency, heldLine, order } from "./killOrders.js"
import { keyOf, type Line, modelOf, type Summary } from "./killWitness.js"

const [, , kind = "", directory = "", url = "", count = "", log = "", run = ""] = process.argv

const die = () => void process.kill(process.pid, "SIGKILL")

// What it was told.
const begun = Deferred.unsafeMake<void>(FiberId.none)
/** Which of the values to come is torn, and what part of it is written. */
let tear: { left: number; readonly share: number } | undefined
/** Which of the outcomes to come is the last that is acknowledged. */
let keep: { left: number } | undefined
/** Which of the calls to come never ends. */
let hold: { left: number } | undefined

const orders = Effect.acquireRelease(
  Effect.sync(() => {
    const lines = createInterface(process.stdin)
    lines.on("line", (line) => {
      const told = order(line)
      switch (told._tag) {
        case "Begin":
          return void Deferred.unsafeDone(begun, Effect.void)
        case "Tear":
          tear = { left: told.writes, share: told.share }
          return
        case "Keep":
          keep = { left: told.writes }
          return
        case "Hold":
          hold = { left: told.writes }
          return
      }
    })
    const left = () => process.exit()
    lines.once("close", left)
    return { lines, left }
  }),
  ({ left, lines }) =>
    Effect.sync(() => {
      lines.off("close", left)
      lines.close()
      process.stdin.destroy()
    })
)

/** A directory of values, one of which a kill may tear: that is what is left of a write which the process has not survived. */
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

const kept: Layer.Layer<Batch.Journal> =
  kind === "sqlite"
    ? SqlJournal.layer().pipe(Layer.provide(database), Layer.orDie)
    : Batch.layerJournal().pipe(Layer.provide(tornStore), Layer.provide(NodeContext.layer), Layer.orDie)

/** May stand still for good, or end the process when a step has been kept and before anybody hears of it. */
const journal = Layer.effect(
  Batch.Journal,
  Effect.map(Batch.Journal, (journal) => ({
    ...journal,
    write: (batch: string, entries: ReadonlyArray<Batch.JournalEntry>) =>
      Effect.suspend(() => {
        if (hold !== undefined && --hold.left <= 0) {
          process.stdout.write(`${heldLine}\n`)
          return Effect.never
        }
        return Effect.tap(journal.write(batch, entries), () => {
          if (keep !== undefined && entries.some(({ step }) => step === "Delivered") && --keep.left <= 0) die()
        })
      })
  }))
).pipe(Layer.provide(kept))

const client = ModelRouteClient.layer({
  apiKey: Redacted.make("sk_test"),
  baseUrl: url,
  // So few that some are used up: then the item is taken up again in a later run.
  retry: RetryPolicy.make({ backoff: { base: "5 millis", cap: "50 millis", times: 3 }, rateLimit: false }),
  attemptTimeout: "2 seconds"
}).pipe(Layer.provide([NodeHttpClient.layerUndici, IdempotencyKey.layer]))

function* numbers(end: number): Generator<number> {
  for (let n = 0; n < end; n++) yield n
}

const lineOf = (outcome: Batch.Outcome<number>): Line => {
  const { _tag: tag, delivered, key } = outcome
  const common = { run: Number(run), key, tag, delivered }
  switch (outcome._tag) {
    case "Succeeded": {
      const { cost, fileIds, id, output } = outcome.completed
      // The API has two shapes for the same pictures, one for each address that tells of them.
      const made = fileIds.length > 0 ? fileIds : output
      return { ...common, final: true, executionId: id, end: JSON.stringify([cost, made]) }
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
    yield* orders
    yield* Deferred.await(begun)
    // Not before: until then the journal is another process's.
    yield* Effect.provide(program, [client, journal])
  }).pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.Warning))
)
