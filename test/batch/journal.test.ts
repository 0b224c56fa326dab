/** Tests every implementation of `Batch.Journal` against the same contract. */
import { join } from "node:path"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, it } from "@effect/vitest"
import { Array, Chunk, Duration, Effect, Layer, Option, Schema, Stream } from "effect"
import { Execution, ModelRouteError } from "effect-modelroute"
import * as SqlJournal from "effect-modelroute/SqlJournal"
import { JournalEntry } from "../../src/internal/batch/journalEntry.js"
import { Journal, type JournalService } from "../../src/internal/batch/journal.js"
import * as journalMemory from "../../src/internal/batch/journalMemory.js"
import { sha256Hex } from "../../src/internal/data/sha256.js"

import {
  type Kind,
  readAll,
  completed,
  makeEntry,
  errors,
  executionId,
  makeTempDirectory,
  fileJournal,
  keyValueJournal,
  makeLifecycle,
  nextTable,
  runProcess,
  readOne,
  assertEntry,
  sqliteClient,
  storedJournal,
  rateLimitFields
} from "../utils/journals.js"
import * as Postgres from "../utils/postgres.js"
import { numRuns } from "../utils/suite.js"

const postgres = Postgres.clientWith(Postgres.useDatabase())

const kinds: ReadonlyArray<Kind> = [
  {
    name: "memory",
    isInMemory: true,
    open: Effect.succeed(Layer.effect(Journal, journalMemory.make))
  },
  {
    name: "a KeyValueStore in memory",
    open: Effect.map(Layer.build(KeyValueStore.layerMemory), (store) =>
      Layer.provide(keyValueJournal(), Layer.succeedContext(store))
    )
  },
  { name: "a KeyValueStore on files", open: Effect.map(makeTempDirectory, fileJournal) },
  {
    name: "SQLite in a file",
    open: Effect.map(makeTempDirectory, (directory) =>
      Layer.provide(SqlJournal.layer(), sqliteClient(`file:${join(directory, "batch.db")}`))
    )
  },
  {
    name: "SQLite in memory",
    open: Effect.map(Layer.build(sqliteClient(":memory:")), (client) =>
      Layer.provide(SqlJournal.layer({ table: "main.batches" }), Layer.succeedContext(client))
    )
  },
  {
    name: Postgres.suiteName,
    skip: Postgres.isSkipped,
    open: Effect.sync(() => Layer.provide(SqlJournal.layer({ table: nextTable() }), postgres))
  }
]
for (const { isInMemory = false, name, open, skip = false } of kinds) {
  describe.skipIf(skip)(`Batch.Journal in ${name}`, () => {
    const withNewJournal = <A, E>(use: (journal: JournalService) => Effect.Effect<A, E>) =>
      Effect.scoped(Effect.flatMap(open, (layer) => runProcess(layer, use)))

    /**
     * Runs `first` and `second` sequentially in two processes. Uses one process for both if the journal is in memory.
     */
    const runInTwoProcesses = <A, B, E1, E2>(
      first: (journal: JournalService) => Effect.Effect<A, E1>,
      second: (journal: JournalService, result: A) => Effect.Effect<B, E2>
    ) =>
      Effect.scoped(
        Effect.flatMap(open, (layer) =>
          isInMemory
            ? runProcess(layer, (journal) => Effect.flatMap(first(journal), (result) => second(journal, result)))
            : Effect.flatMap(runProcess(layer, first), (result) =>
                runProcess(layer, (journal) => second(journal, result))
              )
        )
      )

    it.live("returns the newest entry of each item in the order of the keys", () =>
      runInTwoProcesses(
        (journal) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* journal.read("b", []), [])
            assert.deepStrictEqual((yield* journal.read("b", ["x", "y"])).map(Option.isNone), [true, true])
            yield* journal.write("b", [])
            yield* journal.write("b", [makeEntry("x", "Submitted"), makeEntry("y", "Submitted")])
            yield* journal.write("b", [makeEntry("y", "Accepted", { executionId })])
            assertEntry(yield* readOne(journal, "b", "x"), makeEntry("x", "Submitted"))
          }),
        (journal) =>
          Effect.gen(function* () {
            const [y, none, x, again] = yield* journal.read("b", ["y", "z", "x", "y"])
            assertEntry(Option.getOrUndefined(y ?? Option.none()), makeEntry("y", "Accepted", { executionId }))
            assertEntry(Option.getOrUndefined(x ?? Option.none()), makeEntry("x", "Submitted"))
            assert.isTrue(none !== undefined && Option.isNone(none))
            assert.isTrue(again !== undefined && Option.isSome(again))
          })
      )
    )

    it.live("returns every type of entry unchanged", () => {
      const entries = [
        ...makeLifecycle("a").map((entry, n) => new JournalEntry({ ...entry, key: `step ${n}` })),
        makeEntry("refused", "Refused", { attempt: 12, error: errors[4] ?? assert.fail() }),
        ...errors.map((error) => makeEntry(error._tag, "Ended", { executionId, error }))
      ]
      return runInTwoProcesses(
        (journal) => journal.write("b", entries),
        (journal) =>
          Effect.gen(function* () {
            const read = yield* journal.read(
              "b",
              entries.map(({ key }) => key)
            )
            assert.lengthOf(read, entries.length)
            for (const [n, entry] of read.entries()) {
              assert.isTrue(Option.isSome(entry))
              if (Option.isNone(entry)) return
              assertEntry(entry.value, entries[n])
              assert.instanceOf(entry.value, JournalEntry)
              const { error } = entry.value
              if (error === undefined) continue
              assert.isTrue(ModelRouteError.isModelRouteError(error))
              assert.strictEqual(error.constructor, errors.find(({ _tag }) => _tag === error._tag)?.constructor)
            }
            const limited = (yield* readOne(journal, "b", "RateLimited"))?.error
            assert.isTrue(limited?._tag === "RateLimited")
            if (limited?._tag !== "RateLimited") return
            assert.strictEqual(limited.resetAt?.epochMillis, rateLimitFields.resetAt.epochMillis)
            assert.strictEqual(Duration.toMillis(limited.retryAfter ?? 0), 2500)
            const late = (yield* readOne(journal, "b", "AwaitTimeout"))?.error
            assert.isTrue(late?._tag === "AwaitTimeout" && late.execution?.holdAmount === "0.048")
            const ended = (yield* readOne(journal, "b", "step 2"))?.completed
            assert.deepStrictEqual<ReadonlyArray<string> | undefined>(ended?.fileIds, [
              "file_d4e5f678-9012-3456-abcd-ef1234567890"
            ])
            assert.strictEqual(ended?.cost, "0.040")
            assert.deepStrictEqual(ended?.metadata, completed.metadata)
            assert.strictEqual(Duration.toMillis(ended?.latency ?? 0), 8420)
          })
      )
    })

    it.live("returns the newest entry of an item after each restart", () => {
      const steps = [
        makeEntry("x", "Submitted"),
        makeEntry("x", "Refused", { error: errors[6] ?? assert.fail() }),
        makeEntry("x", "Submitted", { attempt: 2 }),
        ...makeLifecycle("x", { attempt: 2 }).slice(1)
      ]
      return Effect.scoped(
        Effect.gen(function* () {
          const layer = yield* open
          if (isInMemory) return
          for (const [n, step] of steps.entries()) {
            yield* runProcess(layer, (journal) =>
              Effect.gen(function* () {
                assertEntry(yield* readOne(journal, "b", "x"), steps[n - 1])
                yield* journal.write("b", [step])
                assertEntry(yield* readOne(journal, "b", "x"), step)
              })
            )
          }
        })
      )
    })

    it.live("replaces an entry unless the stored entry has a higher revision", () =>
      runInTwoProcesses(
        (journal) =>
          Effect.gen(function* () {
            yield* journal.write("b", [makeEntry("x", "Accepted", { attempt: 2 }), makeEntry("y", "Ended")])
            yield* journal.write("b", [makeEntry("x", "Submitted", { attempt: 2 })])
            yield* journal.write("b", [makeEntry("x", "Ended", { attempt: 1 }), makeEntry("z", "Submitted")])
            assertEntry(yield* readOne(journal, "b", "x"), makeEntry("x", "Accepted", { attempt: 2 }))
            assertEntry(yield* readOne(journal, "b", "z"), makeEntry("z", "Submitted"))
            yield* journal.write("b", [makeEntry("y", "Ended", { hold: "1" })])
            yield* journal.write("b", [makeEntry("y", "Ended", { hold: "2" })])
          }),
        (journal) =>
          Effect.gen(function* () {
            assertEntry(yield* readOne(journal, "b", "y"), makeEntry("y", "Ended", { hold: "2" }))
            yield* journal.write("b", [makeEntry("y", "Ended", { hold: "3" })])
            yield* journal.write("b", [makeEntry("y", "Accepted"), makeEntry("x", "Submitted")])
            assertEntry(yield* readOne(journal, "b", "y"), makeEntry("y", "Ended", { hold: "3" }))
            assertEntry(yield* readOne(journal, "b", "x"), makeEntry("x", "Accepted", { attempt: 2 }))
          })
      )
    )

    it.live("accepts any text as item key or batch id", () => {
      const texts = [
        "a",
        "A",
        " ",
        ".",
        "..",
        "../../x",
        "a/b\\c",
        `it's "quoted"; drop table modelroute_batch; --`,
        "?$1%_",
        "\u0000",
        "a\u0000",
        "\ud800",
        "\ud801",
        "\udc00\ud800",
        "\ufffd",
        "𝄞",
        "é",
        "e\u0301",
        "ﬀ",
        "\n",
        "\r\n",
        "sha256:",
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
        // This text equals the hash of another text in the list.
        `sha256:${sha256Hex(JSON.stringify("x".repeat(201)))}`,
        "__proto__",
        "constructor",
        "x".repeat(200),
        "x".repeat(201),
        "☃".repeat(200),
        "x".repeat(10_000),
        // This text is incompressible and exceeds the size limit of an index in PostgreSQL.
        Array.makeBy(2_000, (n) => `${(n * 7_368_787) % 99_991}`).join("")
      ]
      return runInTwoProcesses(
        (journal) =>
          Effect.gen(function* () {
            yield* journal.write(
              "keys",
              texts.map((text, n) => makeEntry(text, "Submitted", { idempotencyKey: `key-${n}` }))
            )
            yield* Effect.forEach(texts, (text, n) =>
              journal.write(text, [
                makeEntry("x", "Submitted", { idempotencyKey: `batch-${n}` }),
                makeEntry(text, "Submitted", { idempotencyKey: `${n}` })
              ])
            )
          }),
        (journal) =>
          Effect.gen(function* () {
            const read = yield* journal.read("keys", texts)
            for (const [n, text] of texts.entries()) {
              assertEntry(
                Option.getOrUndefined(read[n] ?? Option.none()),
                makeEntry(text, "Submitted", { idempotencyKey: `key-${n}` })
              )
            }
            assert.deepStrictEqual(
              (yield* readAll(journal, "keys")).map(({ key }) => key),
              texts.toSorted((a, b) => (a < b ? -1 : 1))
            )
            for (const [n, text] of texts.entries()) {
              assert.strictEqual((yield* readOne(journal, text, "x"))?.idempotencyKey, `batch-${n}`)
              assert.strictEqual((yield* readOne(journal, text, text))?.idempotencyKey, `${n}`)
              assert.lengthOf(yield* readAll(journal, text), 2)
            }
          })
      )
    })

    it.live("separates the entries of two batches", () =>
      runInTwoProcesses(
        (journal) =>
          Effect.gen(function* () {
            yield* journal.write("one", [makeEntry("x", "Ended"), makeEntry("y", "Ended")])
            yield* journal.write("two", [makeEntry("x", "Submitted")])
            assert.isUndefined(yield* readOne(journal, "two", "y"))
          }),
        (journal) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(
              (yield* readAll(journal, "one")).map(({ key }) => key),
              ["x", "y"]
            )
            yield* journal.remove("one")
            assert.deepStrictEqual(yield* readAll(journal, "one"), [])
            assertEntry(yield* readOne(journal, "two", "x"), makeEntry("x", "Submitted"))
            assert.lengthOf(yield* readAll(journal, "two"), 1)
          })
      )
    )

    it.live("streams each entry of a large write exactly once", () => {
      const count = numRuns(200, 1000)
      const keys = Array.makeBy(count, (n) => `item ${n}`)
      return runInTwoProcesses(
        (journal) =>
          Effect.gen(function* () {
            const none = yield* journal.read("b", keys)
            assert.isTrue(none.length === count && none.every(Option.isNone))
            yield* journal.write(
              "b",
              keys.map((key) => makeEntry(key, "Submitted"))
            )
            yield* journal.write(
              "b",
              keys.slice(count / 2).map((key) => makeEntry(key, "Accepted"))
            )
          }),
        (journal) =>
          Effect.gen(function* () {
            const read = yield* journal.read("b", keys)
            for (const [n, entry] of read.entries()) {
              assertEntry(
                Option.getOrUndefined(entry),
                makeEntry(`item ${n}`, n < count / 2 ? "Submitted" : "Accepted")
              )
            }
            const entries = yield* readAll(journal, "b")
            assert.deepStrictEqual(
              entries.map(({ key }) => key),
              keys.toSorted((a, b) => (a < b ? -1 : 1))
            )
            const few = yield* Stream.runCollect(Stream.take(journal.entries("b"), 3))
            assert.strictEqual(Chunk.size(few), 3)
          })
      )
    })

    it.live("accepts new entries after the removal of a batch", () =>
      runInTwoProcesses(
        (journal) =>
          Effect.gen(function* () {
            yield* journal.remove("unknown")
            assert.deepStrictEqual(yield* readAll(journal, "unknown"), [])
            yield* journal.write("b", [makeEntry("x", "Submitted"), makeEntry("y", "Ended", { attempt: 3 })])
            yield* journal.write("b", [makeEntry("x", "Accepted"), makeEntry("z", "Submitted")])
            yield* journal.remove("b")
            assert.deepStrictEqual((yield* journal.read("b", ["x", "y"])).map(Option.isNone), [true, true])
            assert.deepStrictEqual(yield* readAll(journal, "b"), [])
            yield* journal.write("b", [makeEntry("x", "Submitted")])
            yield* journal.write("b", [makeEntry("y", "Submitted")])
          }),
        (journal) =>
          Effect.gen(function* () {
            assertEntry(yield* readOne(journal, "b", "x"), makeEntry("x", "Submitted"))
            assertEntry(yield* readOne(journal, "b", "y"), makeEntry("y", "Submitted"))
            assert.lengthOf(yield* readAll(journal, "b"), 2)
            yield* journal.remove("b")
            yield* journal.remove("b")
            assert.deepStrictEqual(yield* readAll(journal, "b"), [])
          })
      )
    )

    it.live("reads and writes several batches concurrently", () =>
      withNewJournal((journal) =>
        Effect.gen(function* () {
          const batches = Array.makeBy(numRuns(6, 20), (n) => `batch ${n}`)
          yield* Effect.forEach(
            batches,
            (batch) =>
              Effect.forEach(makeLifecycle("x"), (entry) =>
                Effect.zipRight(journal.write(batch, [entry]), readOne(journal, batch, "x"))
              ),
            { concurrency: "unbounded" }
          )
          for (const batch of batches) {
            assert.deepStrictEqual(
              (yield* readAll(journal, batch)).map(({ step }) => step),
              ["Delivered"]
            )
          }
        })
      )
    )
  })
}
it("the entries of these tests include every error of AwaitFailure", () => {
  assert.deepStrictEqual(
    errors.map(({ _tag }) => _tag),
    ModelRouteError.AwaitFailure.members.map(({ _tag }) => _tag)
  )
})
describe("Batch.JournalEntry", { concurrent: true }, () => {
  it("encodes a result with the field names of the API", () => {
    const entry = makeEntry("x", "Ended", {
      completed: new Execution.Completed({
        id: executionId,
        status: "COMPLETED",
        cost: "0.04",
        latency: Duration.seconds(8),
        output: { images: [] },
        extra: { region: "EU" }
      })
    })
    const stored = Schema.encodeSync(JournalEntry)(entry)
    assert.deepStrictEqual(stored.completed, {
      id: executionId,
      status: "COMPLETED",
      cost: "0.04",
      latency_ms: 8000,
      output: { images: [] },
      extra: { region: "EU" }
    })
    assert.deepStrictEqual(Schema.decodeSync(JournalEntry)(stored), entry)
  })
  it.live("causes a JournalError if JSON cannot represent the entry", () =>
    Effect.gen(function* () {
      const round: { self?: unknown } = {}
      round.self = round
      const odd = makeEntry("x", "Ended", {
        completed: new Execution.Completed({ id: executionId, status: "COMPLETED", output: round, extra: {} })
      })
      const directory = yield* makeTempDirectory
      for (const layer of [
        storedJournal(new Map()),
        Layer.provide(SqlJournal.layer(), sqliteClient(`file:${directory}/x.db`))
      ]) {
        yield* runProcess(layer, (journal) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(journal.write("b", [odd]))
            assert.include(error.message, 'the entry of the item "x" cannot be written as JSON')
            assert.isUndefined(yield* readOne(journal, "b", "x"))
          })
        )
      }
    }).pipe(Effect.scoped)
  )
})
