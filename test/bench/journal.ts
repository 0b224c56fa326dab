/**
 * Measures the cost of each journal. Each item is written in four steps, in groups of 1 or 32 items. The baseline
 * appends the same entries to a file as lines of JSON. Compare the ratios, because the absolute times depend on the
 * machine.
 *
 *     npm run bench:journal
 */
import { appendFile, mkdtemp, readdir, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { Array, Console, Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import { Execution } from "effect-modelroute"
import * as SqlJournal from "effect-modelroute/SqlJournal"
import { JournalEntry, type JournalStep } from "../../src/internal/batch/journalEntry.js"
import { Journal, type JournalService } from "../../src/internal/batch/journal.js"
import * as journalMemory from "../../src/internal/batch/journalMemory.js"
import * as journalStore from "../../src/internal/batch/journalKeyValueStore.js"

/** Duration of the measurement for each journal and group size. */
const runMillis = 1_000

const groups = [1, 32]

const executionId = Execution.ExecutionId.make("exec_a1b2c3d4-e5f6-7890-abcd-ef1234567890")
const completed = new Execution.Completed({
  id: executionId,
  status: "COMPLETED",
  model: "flux-1.1-pro",
  cost: "0.040",
  createdAt: DateTime.unsafeMake("2026-03-20T10:30:00Z"),
  completedAt: DateTime.unsafeMake("2026-03-20T10:32:15Z"),
  output: { file_id: "file_d4e5f678-9012-3456-abcd-ef1234567890" },
  extra: {}
})
const steps: ReadonlyArray<JournalStep> = ["Submitted", "Accepted", "Ended", "Delivered"]

const makeEntry = (key: string, step: JournalStep): JournalEntry =>
  new JournalEntry({
    key,
    step,
    attempt: 1,
    digest: "0123456789abcdef0123456789abcdef",
    idempotencyKey: "0123456789abcdef0123456789abcdef-1",
    submittedAt: DateTime.unsafeMake("2026-03-20T10:30:00Z"),
    ...(step === "Submitted"
      ? { body: { model: "flux-1.1-pro", input: { prompt: "a lighthouse in a storm" } } }
      : { executionId, model: "flux-1.1-pro", hold: "0.048" }),
    ...(step === "Ended" || step === "Delivered" ? { completed } : {})
  })

/** Journal with a write counter. */
interface Medium {
  readonly journal: JournalService
  readonly writes: () => number
}

interface Contestant {
  readonly name: string
  readonly open: (directory: string) => Layer.Layer<Bench>
}
class Bench extends Context.Tag("bench/Bench")<Bench, Medium>() {}

const countStoreWrites = (store: KeyValueStore.KeyValueStore) => {
  let writes = 0
  return {
    writes: () => writes,
    store: KeyValueStore.make({
      ...store,
      set: (key, value) => {
        writes += 1
        return store.set(key, value)
      }
    })
  }
}

/** Counts each `write` call as one write, because a group of up to 32 items fits into one statement. */
const countWrites = (journal: JournalService): Medium => {
  let writes = 0
  return {
    writes: () => writes,
    journal: {
      ...journal,
      write: (batch, entries) => {
        writes += 1
        return journal.write(batch, entries)
      }
    }
  }
}

const sqlite = (directory: string, synchronous: "NORMAL" | "FULL") => {
  const database = Layer.scopedDiscard(
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`PRAGMA journal_mode = WAL`
      yield* sql`PRAGMA synchronous = ${sql.literal(synchronous)}`
      // The benchmark measures only the main file, so the checkpoint moves all data from the WAL to the main file.
      yield* Effect.addFinalizer(() => Effect.orDie(sql`PRAGMA wal_checkpoint(TRUNCATE)`))
    })
  ).pipe(Layer.provideMerge(LibsqlClient.layer({ url: `file:${join(directory, "batch.db")}` })))
  return Layer.effect(Bench, Effect.map(Journal, countWrites)).pipe(
    Layer.provide(SqlJournal.layer()),
    Layer.provide(database),
    Layer.orDie
  )
}

const toText = Schema.encodeSync(Schema.parseJson(JournalEntry))

const baseline = "line log (appendFile)"
const contestants: ReadonlyArray<Contestant> = [
  {
    name: baseline,
    open: (directory) =>
      Layer.sync(Bench, () =>
        countWrites({
          read: (_, keys) => Effect.succeed(keys.map(() => Option.none())),
          write: (_, entries) =>
            Effect.promise(() =>
              appendFile(join(directory, "log"), entries.map((entry) => `${toText(entry)}\n`).join(""))
            ),
          entries: () => Effect.dieMessage("the baseline is never read"),
          remove: () => Effect.void
        })
      )
  },
  { name: "memory", open: () => Layer.effect(Bench, Effect.map(journalMemory.make, countWrites)) },
  {
    name: "KeyValueStore on files",
    open: (directory) =>
      Layer.effect(
        Bench,
        Effect.flatMap(KeyValueStore.KeyValueStore, (bare) => {
          const { store, writes } = countStoreWrites(bare)
          return Effect.map(journalStore.make(store, { prefix: "modelroute-batch-" }), (journal) => ({
            journal,
            writes
          }))
        })
      ).pipe(Layer.provide(KeyValueStore.layerFileSystem(directory)), Layer.provide(NodeContext.layer), Layer.orDie)
  },
  { name: "SQLite, WAL, NORMAL", open: (directory) => sqlite(directory, "NORMAL") },
  { name: "SQLite, WAL, FULL", open: (directory) => sqlite(directory, "FULL") }
]

const makeDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "modelroute-bench-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true }))
)

const sizes = (directory: string) =>
  Effect.promise(async () => {
    const names = (await readdir(directory)).filter((name) => !/-(shm|wal)$/.test(name))
    const stats = await Promise.all(names.map((name) => stat(join(directory, name))))
    return {
      bytes: stats.reduce((sum, { size }) => sum + size, 0),
      blocks: stats.reduce((sum, { blocks }) => sum + blocks * 512, 0)
    }
  })

/** Reads the items of a group and then writes their four steps, like a batch. Measures only the journal calls. */
const write = ({ journal, writes }: Medium, group: number, duration: number) =>
  Effect.gen(function* () {
    let [items, cpu, wall] = [0, 0, 0]
    const end = performance.now() + duration
    while (performance.now() < end) {
      const keys = Array.makeBy(group, (n) => `picture-${items + n}.png`)
      const entries = steps.map((step) => keys.map((key) => makeEntry(key, step)))
      const cpuBefore = process.cpuUsage()
      const began = performance.now()
      yield* journal.read("pictures", keys)
      for (const step of entries) yield* journal.write("pictures", step)
      wall += performance.now() - began
      const { system, user } = process.cpuUsage(cpuBefore)
      cpu += system + user
      items += group
    }
    return { items, cpu: cpu / items, wall: (wall * 1000) / items, writes: writes() / items }
  })

const measure = ({ open }: Contestant, group: number, duration: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const directory = yield* makeDirectory
      const figures = yield* Effect.flatMap(Bench, (medium) => write(medium, group, duration)).pipe(
        Effect.provide(open(directory))
      )
      const { blocks, bytes } = yield* sizes(directory)
      return { ...figures, bytes: bytes / figures.items, blocks: blocks / figures.items }
    })
  )

const main = Effect.gen(function* () {
  yield* Effect.forEach(contestants, (contestant) => measure(contestant, 8, 250))
  yield* Console.log(
    "Values per item of four steps. Each time is followed by its ratio to the baseline. On disk: whole blocks after close."
  )
  for (const group of groups) {
    const rows = yield* Effect.forEach(contestants, (contestant) =>
      Effect.map(measure(contestant, group, runMillis), (figures) => ({ name: contestant.name, ...figures }))
    )
    const plain = rows.find(({ name }) => name === baseline)
    yield* Console.log(
      `\n${`${group} item${group === 1 ? "" : "s"} per write`.padEnd(28)}      CPU us         wall us        bytes  on disk  writes   items`
    )
    for (const { blocks, bytes, cpu, items, name, wall, writes } of rows) {
      const against = (value: number, of = Number.NaN) =>
        `${value.toFixed(0).padStart(7)} ${(value / of).toFixed(2).padStart(6)}`
      yield* Console.log(
        `${name.padEnd(28)} ${against(cpu, plain?.cpu)} ${against(wall, plain?.wall)} ${bytes.toFixed(0).padStart(8)} ` +
          `${blocks.toFixed(0).padStart(8)} ${writes.toFixed(2).padStart(7)} ${String(items).padStart(7)}`
      )
    }
  }
})

NodeRuntime.runMain(main)
