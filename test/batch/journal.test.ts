/** What a batch has written down is read again, by whichever journal keeps it, and whenever its process was killed. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { LibsqlClient } from "@effect/sql-libsql"
import { PgClient } from "@effect/sql-pg"
import type { SqlError } from "@effect/sql/SqlError"
import * as SqlClient from "@effect/sql/SqlClient"
import { afterAll, assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  Array,
  Chunk,
  Config,
  Context,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  ManagedRuntime,
  Option,
  type Scope,
  Schema,
  Stream
} from "effect"
import { Execution, ModelRouteError } from "effect-modelroute"
import * as SqlJournal from "effect-modelroute/SqlJournal"
import { JournalEntry, revision, type JournalStep } from "../../src/internal/batch/journalEntry.js"
import { Journal, type JournalService } from "../../src/internal/batch/journal.js"
import * as journalMemory from "../../src/internal/batch/journalMemory.js"
import * as journalStore from "../../src/internal/batch/journalKeyValueStore.js"
import { sha256Hex } from "../../src/internal/data/sha256.js"
import * as Postgres from "../utils/postgres.js"
import { type Hooks, storeFailure, storeOver, type Values } from "../utils/store.js"
import { isFull } from "../utils/suite.js"

const at = (text: string) => DateTime.unsafeMake(text)
const executionId = Execution.ExecutionId.make("exec_a1b2c3d4-e5f6-7890-abcd-ef1234567890")

type Fields = Partial<ConstructorParameters<typeof JournalEntry>[0]>

const entryOf = (key: string, step: JournalStep, fields: Fields = {}) =>
  new JournalEntry({
    key,
    step,
    attempt: 1,
    digest: "0123456789abcdef0123456789abcdef",
    idempotencyKey: `batch-${step}-1`,
    submittedAt: at("2026-03-20T10:30:00.123Z"),
    ...fields
  })

const completed = new Execution.Completed({
  id: executionId,
  status: "COMPLETED",
  model: "flux-1.1-pro",
  cost: "0.040",
  latency: Duration.millis(8420),
  createdAt: at("2026-03-20T10:30:00Z"),
  completedAt: at("2026-03-20T10:32:15.5Z"),
  metadata: { page: 7, título: "Übersicht ☃ 𝄞", quote: `"'\\\n\u0000\ud800`, none: null },
  output: { file_id: "file_d4e5f678-9012-3456-abcd-ef1234567890", list: [1, 2.5, -1e-9, true, [], {}], empty: "" },
  extra: { later: "a field of another version" }
})

const call = {
  message: "A sentence for the log.",
  operation: "executions.await",
  attempts: 3,
  idempotencyKey: "batch-1",
  executionId
}
const answered = {
  ...call,
  code: "CODE",
  apiMessage: 'the API\'s "own" words',
  retryable: true,
  status: 599,
  requestId: "req_1",
  executionStatus: "FAILED" as const
}
const waits = { retryAfter: Duration.millis(2500), resetAt: at("2026-03-20T10:31:00Z"), limit: 60, remaining: 0 }

const errors: ReadonlyArray<ModelRouteError.AwaitFailure> = [
  new ModelRouteError.InputValidationError({
    ...answered,
    details: [{ field: "input.width", code: "too_big", message: "at most 2048" }]
  }),
  new ModelRouteError.ContentModerationRejected(answered),
  new ModelRouteError.FileNotFound(answered),
  new ModelRouteError.FileFormatUnsupported(answered),
  new ModelRouteError.InsufficientBalance(answered),
  new ModelRouteError.RateLimited({ ...answered, ...waits }),
  new ModelRouteError.ModelOverloaded(answered),
  new ModelRouteError.ModelUnavailable(answered),
  new ModelRouteError.GenerationTimeout(answered),
  new ModelRouteError.GenerationFailed(answered),
  new ModelRouteError.ServiceUnavailable(answered),
  new ModelRouteError.InternalError(answered),
  new ModelRouteError.Unauthorized(answered),
  new ModelRouteError.UnrecognizedError({ ...answered, ...waits }),
  new ModelRouteError.UnexpectedResponse({ ...call, status: 502, contentType: "text/html", body: "<html>" }),
  new ModelRouteError.TransportError({ ...call, reason: "reset", detail: "read ECONNRESET" }),
  new ModelRouteError.InvalidRequest({ ...call, field: "model" }),
  new ModelRouteError.ExecutionCancelled({ ...call, executionId }),
  new ModelRouteError.ExecutionExpired({ ...call, executionId }),
  new ModelRouteError.AwaitTimeout({
    ...call,
    executionId,
    execution: new Execution.Execution({
      id: executionId,
      status: "A_NEW_STATUS",
      holdAmount: "0.048",
      estimatedCost: "0.040",
      expiresAt: at("2026-03-20T10:35:00Z"),
      result: { file_id: "file_1" },
      error: new Execution.Failure({ code: "X", message: "no", retryable: false, details: [{ a: 1 }] }),
      extra: {}
    })
  })
]

/** One of each step, as an item has them. */
const life = (key: string, fields: Fields = {}): ReadonlyArray<JournalEntry> => [
  entryOf(key, "Submitted", {
    body: { model: "flux-1.1-pro", input: { prompt: "un château, à l'huile ☃" } },
    ...fields
  }),
  entryOf(key, "Accepted", { executionId, model: "flux-1.1-pro", hold: "0.048", ...fields }),
  entryOf(key, "Ended", { executionId, model: "flux-1.1-pro", hold: "0.048", completed, ...fields }),
  entryOf(key, "Delivered", { executionId, model: "flux-1.1-pro", hold: "0.048", completed, ...fields })
]

const encodeEntry = Schema.encodeSync(JournalEntry)
const encode = (entry: JournalEntry): object => encodeEntry(entry)
const same = (actual: JournalEntry | undefined, expected: JournalEntry | undefined) =>
  assert.deepStrictEqual(
    actual === undefined ? undefined : encode(actual),
    expected === undefined ? undefined : encode(expected)
  )

const readOne = (journal: JournalService, batch: string, key: string) =>
  Effect.map(journal.read(batch, [key]), ([entry]) => Option.getOrUndefined(entry ?? Option.none()))

const all = (journal: JournalService, batch: string) =>
  Effect.map(Stream.runCollect(journal.entries(batch)), (entries) =>
    Chunk.toReadonlyArray(entries).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  )

/** One process: what it does with a journal, from start to end. */
const process_ = <A, E, R>(
  layer: Layer.Layer<Journal, ModelRouteError.JournalError>,
  use: (journal: JournalService) => Effect.Effect<A, E, R>
) => Effect.flatMap(Journal, use).pipe(Effect.provide(Layer.fresh(layer)))

type JournalLayer = Layer.Layer<Journal, ModelRouteError.JournalError>

interface Kind {
  readonly name: string
  readonly skip?: boolean
  /** An empty place: each build of the layer is a process that keeps its journal there. */
  readonly place: Effect.Effect<JournalLayer, PlatformError, Scope.Scope>
  /** It is gone with the process. */
  readonly forgets?: boolean
}

const inStore = (prefix = "modelroute-batch-") =>
  Layer.effect(
    Journal,
    Effect.flatMap(KeyValueStore.KeyValueStore, (store) => journalStore.make(store, { prefix }))
  )

const folder = Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeContext.layer)
)

const inFiles = (directory: string) =>
  inStore().pipe(Layer.provide(KeyValueStore.layerFileSystem(directory)), Layer.provide(NodeContext.layer), Layer.orDie)

const sqlite = (url: string) =>
  Layer.effectDiscard(
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      Effect.zipRight(sql`PRAGMA journal_mode = WAL`, sql`PRAGMA synchronous = NORMAL`)
    )
  ).pipe(Layer.provideMerge(LibsqlClient.layer({ url })), Layer.orDie)

const found = Postgres.find(Effect.runSync(Config.withDefault(Config.string("PATH"), "")))
class Server extends Context.Tag("test/Server")<Server, Postgres.Server>() {}
const server = ManagedRuntime.make(
  Layer.scoped(Server, typeof found === "string" ? Effect.dieMessage(found) : Postgres.start(found))
)
afterAll(() => server.dispose())
const postgres = Layer.unwrapEffect(
  Effect.promise(() => server.runPromise(Server)).pipe(
    Effect.map(({ host, username }) => PgClient.layer({ host, username, database: "postgres" }))
  )
).pipe(Layer.orDie)
const noPostgres = typeof found === "string" ? { skip: true } : {}
const postgresName = typeof found === "string" ? `PostgreSQL (left out: ${found})` : "PostgreSQL"

let tables = 0
const nextTable = () => `journal_${(tables += 1)}`

const kinds: ReadonlyArray<Kind> = [
  {
    name: "memory",
    forgets: true,
    place: Effect.succeed(Layer.effect(Journal, journalMemory.make))
  },
  {
    name: "a KeyValueStore in memory",
    place: Effect.map(Layer.build(KeyValueStore.layerMemory), (store) =>
      Layer.provide(inStore(), Layer.succeedContext(store))
    )
  },
  { name: "a KeyValueStore on files", place: Effect.map(folder, inFiles) },
  {
    name: "SQLite in a file",
    place: Effect.map(folder, (directory) =>
      Layer.provide(SqlJournal.layer(), sqlite(`file:${join(directory, "batch.db")}`))
    )
  },
  {
    name: "SQLite in memory",
    place: Effect.map(Layer.build(sqlite(":memory:")), (client) =>
      Layer.provide(SqlJournal.layer({ table: "main.batches" }), Layer.succeedContext(client))
    )
  },
  {
    name: postgresName,
    ...noPostgres,
    place: Effect.sync(() => Layer.provide(SqlJournal.layer({ table: nextTable() }), postgres))
  }
]

for (const { forgets = false, name, place, skip = false } of kinds) {
  describe.skipIf(skip)(name, () => {
    const journal = <A, E>(use: (journal: JournalService) => Effect.Effect<A, E>) =>
      Effect.scoped(Effect.flatMap(place, (layer) => process_(layer, use)))

    /** Two processes, one after the other, or one that does both. */
    const twice = <A, B, E1, E2>(
      first: (journal: JournalService) => Effect.Effect<A, E1>,
      second: (journal: JournalService, of: A) => Effect.Effect<B, E2>
    ) =>
      Effect.scoped(
        Effect.flatMap(place, (layer) =>
          forgets
            ? process_(layer, (journal) => Effect.flatMap(first(journal), (of) => second(journal, of)))
            : Effect.flatMap(process_(layer, first), (of) => process_(layer, (journal) => second(journal, of)))
        )
      )

    it.live("reads the entry last written for each item, in the order of the keys", () =>
      twice(
        (journal) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* journal.read("b", []), [])
            assert.deepStrictEqual((yield* journal.read("b", ["x", "y"])).map(Option.isNone), [true, true])
            yield* journal.write("b", [])
            yield* journal.write("b", [entryOf("x", "Submitted"), entryOf("y", "Submitted")])
            yield* journal.write("b", [entryOf("y", "Accepted", { executionId })])
            same(yield* readOne(journal, "b", "x"), entryOf("x", "Submitted"))
          }),
        (journal) =>
          Effect.gen(function* () {
            const [y, none, x, again] = yield* journal.read("b", ["y", "z", "x", "y"])
            same(Option.getOrUndefined(y ?? Option.none()), entryOf("y", "Accepted", { executionId }))
            same(Option.getOrUndefined(x ?? Option.none()), entryOf("x", "Submitted"))
            assert.isTrue(none !== undefined && Option.isNone(none))
            assert.isTrue(again !== undefined && Option.isSome(again))
          })
      )
    )

    it.live("gives back every kind of entry as it was", () => {
      const entries = [
        ...life("a").map((entry, n) => new JournalEntry({ ...entry, key: `step ${n}` })),
        entryOf("refused", "Refused", { attempt: 12, error: errors[4] ?? assert.fail() }),
        ...errors.map((error) => entryOf(error._tag, "Ended", { executionId, error }))
      ]
      return twice(
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
              same(entry.value, entries[n])
              assert.instanceOf(entry.value, JournalEntry)
              const { error } = entry.value
              if (error === undefined) continue
              assert.isTrue(ModelRouteError.isModelRouteError(error))
              assert.strictEqual(error.constructor, errors.find(({ _tag }) => _tag === error._tag)?.constructor)
            }
            const limited = (yield* readOne(journal, "b", "RateLimited"))?.error
            assert.isTrue(limited?._tag === "RateLimited")
            if (limited?._tag !== "RateLimited") return
            assert.strictEqual(limited.resetAt?.epochMillis, waits.resetAt.epochMillis)
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

    it.live("follows an item from its first key to its next one, an entry at a time", () => {
      const steps = [
        entryOf("x", "Submitted"),
        entryOf("x", "Refused", { error: errors[6] ?? assert.fail() }),
        entryOf("x", "Submitted", { attempt: 2 }),
        ...life("x", { attempt: 2 }).slice(1)
      ]
      return Effect.scoped(
        Effect.gen(function* () {
          const layer = yield* place
          if (forgets) return
          for (const [n, step] of steps.entries()) {
            yield* process_(layer, (journal) =>
              Effect.gen(function* () {
                same(yield* readOne(journal, "b", "x"), steps[n - 1])
                yield* journal.write("b", [step])
                same(yield* readOne(journal, "b", "x"), step)
              })
            )
          }
        })
      )
    })

    it.live("never lets an older entry take the place of a younger one, but an equal one", () =>
      twice(
        (journal) =>
          Effect.gen(function* () {
            yield* journal.write("b", [entryOf("x", "Accepted", { attempt: 2 }), entryOf("y", "Ended")])
            yield* journal.write("b", [entryOf("x", "Submitted", { attempt: 2 })])
            yield* journal.write("b", [entryOf("x", "Ended", { attempt: 1 }), entryOf("z", "Submitted")])
            same(yield* readOne(journal, "b", "x"), entryOf("x", "Accepted", { attempt: 2 }))
            same(yield* readOne(journal, "b", "z"), entryOf("z", "Submitted"))
            yield* journal.write("b", [entryOf("y", "Ended", { hold: "1" })])
            yield* journal.write("b", [entryOf("y", "Ended", { hold: "2" })])
          }),
        (journal) =>
          Effect.gen(function* () {
            same(yield* readOne(journal, "b", "y"), entryOf("y", "Ended", { hold: "2" }))
            yield* journal.write("b", [entryOf("y", "Ended", { hold: "3" })])
            yield* journal.write("b", [entryOf("y", "Accepted"), entryOf("x", "Submitted")])
            same(yield* readOne(journal, "b", "y"), entryOf("y", "Ended", { hold: "3" }))
            same(yield* readOne(journal, "b", "x"), entryOf("x", "Accepted", { attempt: 2 }))
          })
      )
    )

    it.live("takes any text as a key and as the name of a batch", () => {
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
        // The hash of another one of these.
        `sha256:${sha256Hex(JSON.stringify("x".repeat(201)))}`,
        "__proto__",
        "constructor",
        "x".repeat(200),
        "x".repeat(201),
        "☃".repeat(200),
        "x".repeat(10_000),
        // What does not compress is too long for an index, too.
        Array.makeBy(2_000, (n) => `${(n * 7_368_787) % 99_991}`).join("")
      ]
      return twice(
        (journal) =>
          Effect.gen(function* () {
            yield* journal.write(
              "keys",
              texts.map((text, n) => entryOf(text, "Submitted", { idempotencyKey: `key-${n}` }))
            )
            yield* Effect.forEach(texts, (text, n) =>
              journal.write(text, [
                entryOf("x", "Submitted", { idempotencyKey: `batch-${n}` }),
                entryOf(text, "Submitted", { idempotencyKey: `${n}` })
              ])
            )
          }),
        (journal) =>
          Effect.gen(function* () {
            const read = yield* journal.read("keys", texts)
            for (const [n, text] of texts.entries()) {
              same(
                Option.getOrUndefined(read[n] ?? Option.none()),
                entryOf(text, "Submitted", { idempotencyKey: `key-${n}` })
              )
            }
            assert.deepStrictEqual(
              (yield* all(journal, "keys")).map(({ key }) => key),
              texts.toSorted((a, b) => (a < b ? -1 : 1))
            )
            for (const [n, text] of texts.entries()) {
              assert.strictEqual((yield* readOne(journal, text, "x"))?.idempotencyKey, `batch-${n}`)
              assert.strictEqual((yield* readOne(journal, text, text))?.idempotencyKey, `${n}`)
              assert.lengthOf(yield* all(journal, text), 2)
            }
          })
      )
    })

    it.live("keeps two batches apart", () =>
      twice(
        (journal) =>
          Effect.gen(function* () {
            yield* journal.write("one", [entryOf("x", "Ended"), entryOf("y", "Ended")])
            yield* journal.write("two", [entryOf("x", "Submitted")])
            assert.isUndefined(yield* readOne(journal, "two", "y"))
          }),
        (journal) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(
              (yield* all(journal, "one")).map(({ key }) => key),
              ["x", "y"]
            )
            yield* journal.remove("one")
            assert.deepStrictEqual(yield* all(journal, "one"), [])
            same(yield* readOne(journal, "two", "x"), entryOf("x", "Submitted"))
            assert.lengthOf(yield* all(journal, "two"), 1)
          })
      )
    )

    it.live("takes a thousand entries in one write, and gives each once", () => {
      const keys = Array.makeBy(1_000, (n) => `item ${n}`)
      return twice(
        (journal) =>
          Effect.gen(function* () {
            const none = yield* journal.read("b", keys)
            assert.isTrue(none.length === 1_000 && none.every(Option.isNone))
            yield* journal.write(
              "b",
              keys.map((key) => entryOf(key, "Submitted"))
            )
            yield* journal.write(
              "b",
              keys.slice(500).map((key) => entryOf(key, "Accepted"))
            )
          }),
        (journal) =>
          Effect.gen(function* () {
            const read = yield* journal.read("b", keys)
            for (const [n, entry] of read.entries()) {
              same(Option.getOrUndefined(entry), entryOf(`item ${n}`, n < 500 ? "Submitted" : "Accepted"))
            }
            const entries = yield* all(journal, "b")
            assert.deepStrictEqual(
              entries.map(({ key }) => key),
              keys.toSorted((a, b) => (a < b ? -1 : 1))
            )
            const few = yield* Stream.runCollect(Stream.take(journal.entries("b"), 3))
            assert.strictEqual(Chunk.size(few), 3)
          })
      )
    })

    it.live("forgets a batch, also one that is unknown, and begins it anew", () =>
      twice(
        (journal) =>
          Effect.gen(function* () {
            yield* journal.remove("unknown")
            assert.deepStrictEqual(yield* all(journal, "unknown"), [])
            yield* journal.write("b", [entryOf("x", "Submitted"), entryOf("y", "Ended", { attempt: 3 })])
            yield* journal.write("b", [entryOf("x", "Accepted"), entryOf("z", "Submitted")])
            yield* journal.remove("b")
            assert.deepStrictEqual((yield* journal.read("b", ["x", "y"])).map(Option.isNone), [true, true])
            assert.deepStrictEqual(yield* all(journal, "b"), [])
            yield* journal.write("b", [entryOf("x", "Submitted")])
            yield* journal.write("b", [entryOf("y", "Submitted")])
          }),
        (journal) =>
          Effect.gen(function* () {
            same(yield* readOne(journal, "b", "x"), entryOf("x", "Submitted"))
            same(yield* readOne(journal, "b", "y"), entryOf("y", "Submitted"))
            assert.lengthOf(yield* all(journal, "b"), 2)
            yield* journal.remove("b")
            yield* journal.remove("b")
            assert.deepStrictEqual(yield* all(journal, "b"), [])
          })
      )
    )

    it.live("serves several batches at once", () =>
      journal((journal) =>
        Effect.gen(function* () {
          const batches = Array.makeBy(20, (n) => `batch ${n}`)
          yield* Effect.forEach(
            batches,
            (batch) =>
              Effect.forEach(life("x"), (entry) =>
                Effect.zipRight(journal.write(batch, [entry]), readOne(journal, batch, "x"))
              ),
            { concurrency: "unbounded" }
          )
          for (const batch of batches) {
            assert.deepStrictEqual(
              (yield* all(journal, batch)).map(({ step }) => step),
              ["Delivered"]
            )
          }
        })
      )
    )
  })
}

it("there is an entry of every error that a wait can end with", () => {
  assert.deepStrictEqual(
    errors.map(({ _tag }) => _tag),
    ModelRouteError.AwaitFailure.members.map(({ _tag }) => _tag)
  )
})

const stored = (values: Values, hooks?: Hooks): JournalLayer =>
  Layer.provide(
    inStore(),
    Layer.sync(KeyValueStore.KeyValueStore, () => storeOver(values, hooks))
  )

const isList = (key: string): boolean => /-n\d+$/.test(key)

/** What is left of a value of which so many bytes were written. */
const cut = (value: string, bytes: number): string => Buffer.from(value).subarray(0, bytes).toString()

/** Kills the process while it sets a value for the n-th time, from 1. `part` makes of a value what is left, if anything is. */
const killing = (values: Values, n: number, part: (value: string) => string | undefined): Hooks => {
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

describe.runIf(isFull)("a process that is killed", () => {
  const steps = [
    entryOf("x", "Submitted"),
    entryOf("x", "Refused", { error: errors[4] ?? assert.fail() }),
    entryOf("x", "Submitted", { attempt: 2 }),
    ...life("x", { attempt: 2 }).slice(1)
  ]

  it.live(
    "at any byte of any entry leaves the one before, and the next process goes on from there",
    () =>
      Effect.gen(function* () {
        let cases = 0
        for (const [n, step] of steps.entries()) {
          const before: Values = new Map()
          yield* process_(stored(before), (journal) =>
            Effect.forEach(steps.slice(0, n), (entry) => journal.write("b", [entry]), { discard: true })
          )
          const whole: Values = new Map(before)
          yield* process_(stored(whole), (journal) => journal.write("b", [step]))
          const [slot, value] = [...whole].find(([key, value]) => !isList(key) && before.get(key) !== value) ?? ["", ""]
          assert.isAbove(value.length, 150)
          for (let bytes = 0; bytes <= Buffer.from(value).length; bytes++) {
            const values: Values = new Map(n === 0 ? whole : before)
            values.set(slot, cut(value, bytes))
            const left = values.get(slot) === value ? step : steps[n - 1]
            yield* process_(stored(values), (journal) =>
              Effect.gen(function* () {
                // Half of them do not read first.
                if (bytes % 2 === 0) same(yield* readOne(journal, "b", "x"), left)
                assert.lengthOf(yield* all(journal, "b"), left === undefined ? 0 : 1)
                const next = steps[n + 1] ?? step
                yield* journal.write("b", [step])
                yield* journal.write("b", [next])
                assert.strictEqual((yield* readOne(journal, "b", "x"))?.step, next.step)
                assert.lengthOf(yield* all(journal, "b"), 1)
              })
            )
            cases += 1
          }
        }
        assert.isAbove(cases, 2_500)
      }),
    120_000
  )

  it.live("in the middle of a write leaves of each item one entry or the other, and forgets none", () =>
    Effect.gen(function* () {
      const known = ["a", "b", "c"].map((key) => entryOf(key, "Submitted"))
      const next = [
        ...known.map(({ key }) => entryOf(key, "Accepted")),
        ...["d", "e", "f"].map((key) => entryOf(key, "Submitted"))
      ]
      let sets = 0
      const parts = [
        () => undefined,
        () => "",
        (value: string) => cut(value, value.length >> 1),
        (value: string) => value
      ]
      for (const part of parts) {
        for (let n = 1; n <= 7; n++) {
          const values: Values = new Map()
          yield* process_(stored(values), (journal) => journal.write("b", known))
          const exit = yield* process_(stored(values, killing(values, n, part)), (journal) =>
            Effect.exit(journal.write("b", next))
          )
          assert.isTrue(Exit.isFailure(exit))
          sets += 1
          const agree = (journal: JournalService) =>
            Effect.gen(function* () {
              const keys = next.map(({ key }) => key)
              const read = (yield* journal.read("b", keys)).flatMap(Option.toArray)
              assert.deepStrictEqual((yield* all(journal, "b")).map(encode), read.map(encode))
              return read
            })
          yield* process_(stored(values), (journal) =>
            Effect.gen(function* () {
              for (const entry of yield* agree(journal)) {
                assert.include(entry.key < "d" ? ["Submitted", "Accepted"] : ["Submitted"], entry.step)
              }
              yield* journal.write("b", next)
              assert.deepStrictEqual((yield* agree(journal)).map(encode), next.map(encode))
            })
          )
          yield* process_(stored(values), (journal) =>
            Effect.gen(function* () {
              assert.lengthOf(yield* agree(journal), 6)
              yield* journal.remove("b")
            })
          )
          assert.strictEqual(values.size, 0)
        }
      }
      assert.strictEqual(sets, 28)
    })
  )

  it.live("at any byte of a list leaves nothing that is not listed", () =>
    Effect.gen(function* () {
      const keys = ["a", "b", "c"]
      const submitted = keys.map((key) => entryOf(key, "Submitted"))
      for (let bytes = 0; bytes <= keys.length * 33; bytes++) {
        const values: Values = new Map()
        yield* process_(stored(values), (journal) => journal.write("b", [entryOf("z", "Submitted")]))
        yield* process_(
          stored(
            values,
            killing(values, 1, (value) => cut(value, bytes))
          ),
          (journal) => Effect.exit(journal.write("b", submitted))
        )
        assert.strictEqual(values.size, 3)
        // Half a name is none.
        const get = (key: string) => Effect.sync(() => assert.match(key, /^modelroute-batch-[0-9a-f]{32}-(0|1|n\d)$/))
        yield* process_(stored(values, { get }), (journal) =>
          Effect.gen(function* () {
            assert.isTrue((yield* journal.read("b", keys)).every(Option.isNone))
            assert.lengthOf(yield* all(journal, "b"), 1)
            yield* journal.write("b", submitted)
            assert.lengthOf(yield* all(journal, "b"), 4)
            yield* journal.write(
              "b",
              keys.map((key) => entryOf(key, "Accepted"))
            )
          })
        )
        assert.strictEqual([...values.keys()].filter(isList).length, 3)
        yield* process_(stored(values), (journal) =>
          Effect.gen(function* () {
            assert.lengthOf(yield* all(journal, "b"), 4)
            yield* journal.remove("b")
          })
        )
        assert.strictEqual(values.size, 0)
      }
    })
  )

  it.live("while it removes a batch leaves the rest to the next one", () =>
    Effect.gen(function* () {
      let removals = 0
      for (let n = 1; ; n++) {
        const values: Values = new Map()
        yield* process_(stored(values), (journal) =>
          Effect.gen(function* () {
            yield* journal.write("other", life("x").slice(0, 1))
            for (const key of ["a", "b", "c", "d", "e"]) yield* journal.write("b", life(key).slice(0, 1))
            yield* Effect.forEach(["a", "b", "c"], (key) => journal.write("b", life(key).slice(1, 2)))
          })
        )
        const other = values.size - 5 - 3 - 5
        let left = n
        const remove = () => Effect.suspend(() => ((left -= 1) > 0 ? Effect.void : Effect.die("killed")))
        const exit = yield* process_(stored(values, { remove }), (journal) => Effect.exit(journal.remove("b")))
        yield* process_(stored(values), (journal) =>
          Effect.gen(function* () {
            const entries = yield* all(journal, "b")
            const read = (yield* journal.read("b", ["a", "b", "c", "d", "e"])).flatMap(Option.toArray)
            assert.deepStrictEqual(entries.map(encode), read.map(encode))
            // It may also be begun anew.
            const gone = ["a", "b", "c", "d", "e"].filter((key) => !entries.some((entry) => entry.key === key))
            const again = gone.map((key) => entryOf(key, "Submitted", { idempotencyKey: "again" }))
            if (n % 2 === 0) {
              yield* journal.write("b", again)
              for (const entry of again) same(yield* readOne(journal, "b", entry.key), entry)
              assert.lengthOf(yield* all(journal, "b"), 5)
            }
            yield* journal.remove("b")
            assert.deepStrictEqual(yield* all(journal, "b"), [])
            assert.lengthOf(yield* all(journal, "other"), 1)
          })
        )
        assert.strictEqual(values.size, other)
        if (Exit.isSuccess(exit)) break
        removals += 1
      }
      // Two for each item, though some have but one value, and one for each list.
      assert.strictEqual(removals, 2 * 5 + 5)
    })
  )
})

describe("the values of a store", () => {
  const written = (values: Values, entries: ReadonlyArray<JournalEntry>) =>
    process_(stored(values), (journal) => Effect.forEach(entries, (entry) => journal.write("b", [entry])))
  const slots = (values: Values) => [...values.keys()].filter((key) => !isList(key)).toSorted()

  it.live("have names that any file system takes", () =>
    Effect.gen(function* () {
      const home = yield* folder
      const directory = join(home, "store")
      const keys = ["../../x", "a/b", "A", "a", "x".repeat(10_000), "ü☃"]
      yield* process_(inFiles(directory), (journal) =>
        Effect.gen(function* () {
          yield* journal.write(
            "../b",
            keys.map((key) => entryOf(key, "Submitted"))
          )
          yield* journal.write(
            "../b",
            keys.map((key) => entryOf(key, "Accepted"))
          )
        })
      )
      const names = readdirSync(directory)
      assert.lengthOf(names, 2 * keys.length + 1)
      assert.lengthOf(new Set(names.map((name) => name.toLowerCase())), names.length)
      for (const name of names) assert.match(name, /^modelroute-batch-[0-9a-f]{32}-(0|1|n0)$/)
      yield* process_(inFiles(directory), (journal) => journal.remove("../b"))
      assert.deepStrictEqual(readdirSync(directory), [])
      assert.deepStrictEqual(readdirSync(home), ["store"])
    }).pipe(Effect.scoped)
  )

  const garbage = ["", "0", "{}", "null", "\u0000\u0000\u0000", `{"sequence":9,"list":0,"entry":{}}`]

  it.live("may be anything in one of two", () =>
    Effect.gen(function* () {
      for (const text of garbage) {
        for (const count of [2, 3]) {
          for (const which of [0, 1]) {
            const values: Values = new Map()
            yield* written(values, life("x").slice(0, count))
            const newest = count - 1
            values.set(slots(values)[which] ?? "", text)
            const left = newest % 2 === which ? newest - 1 : newest
            yield* process_(stored(values), (journal) =>
              Effect.gen(function* () {
                same(yield* readOne(journal, "b", "x"), life("x")[left])
                yield* journal.write("b", life("x").slice(3))
                same(yield* readOne(journal, "b", "x"), life("x")[3])
              })
            )
          }
        }
      }
    })
  )

  it.live("are damaged where neither can be read, and the error says what to do", () =>
    Effect.gen(function* () {
      for (const text of garbage) {
        const values: Values = new Map()
        yield* written(values, life("x").slice(0, 2))
        yield* written(values, life("y").slice(0, 2))
        const [one, two] = slots(values).filter((key) => values.get(key)?.includes('"key":"x"'))
        if (one === undefined || two === undefined) return assert.fail()
        values.set(one, text)
        values.set(two, text)
        yield* process_(stored(values), (journal) =>
          Effect.gen(function* () {
            same(yield* readOne(journal, "b", "y"), life("y")[1])
            const effects = [
              journal.read("b", ["y", "x"]),
              journal.write("b", [entryOf("x", "Accepted")]),
              all(journal, "b")
            ]
            for (const [n, effect] of effects.entries()) {
              const error = yield* Effect.flip(effect)
              assert.strictEqual(error._tag, "JournalError")
              assert.strictEqual(error.operation, "Batch.run")
              for (const word of [one, two, "Restore the values, or remove both"]) assert.include(error.message, word)
              if (n < 2) assert.include(error.message, 'the item "x"')
            }
            // As it says.
            values.delete(one)
            values.delete(two)
            assert.isUndefined(yield* readOne(journal, "b", "x"))
            yield* journal.write("b", life("x").slice(0, 1))
            same(yield* readOne(journal, "b", "x"), life("x")[0])
            assert.lengthOf(yield* all(journal, "b"), 2)
          })
        )
      }
    })
  )

  it.live("of another item, or another batch, are none of this one's", () =>
    Effect.gen(function* () {
      const values: Values = new Map()
      yield* written(values, life("x").slice(0, 2))
      const [one = "", two = ""] = slots(values)
      const foreign: Values = new Map()
      yield* written(foreign, life("y").slice(0, 2))
      for (const [slot, left] of [
        [one, 1],
        [two, 0]
      ] as const) {
        const mixed: Values = new Map(values)
        mixed.set(slot, foreign.get(slots(foreign)[1] ?? "") ?? "")
        yield* process_(stored(mixed), (journal) =>
          Effect.gen(function* () {
            same(yield* readOne(journal, "b", "x"), life("x")[left])
            assert.deepStrictEqual(
              (yield* all(journal, "b")).map(({ key, step }) => [key, step]),
              [["x", life("x")[left]?.step]]
            )
          })
        )
      }
    })
  )

  it.live("may be set by another process while they are read", () =>
    Effect.gen(function* () {
      const values: Values = new Map()
      yield* written(values, life("x").slice(0, 3))
      const [one = "", two = ""] = slots(values)
      const [first = "", second = ""] = [values.get(one), values.get(two)]
      let gets = 0
      const get = (key: string) =>
        Effect.sync(() => {
          if (isList(key)) return
          gets += 1
          // Each is looked at in the moment at which it is being set.
          values.set(one, key === one && gets <= 2 ? "" : first)
          values.set(two, key === two && gets <= 2 ? "" : second)
        })
      yield* process_(stored(values, { get }), (journal) =>
        Effect.gen(function* () {
          same(yield* readOne(journal, "b", "x"), life("x")[2])
          assert.strictEqual(gets, 4)
        })
      )
    })
  )
})

describe("what a journal in a store costs", () => {
  const counted = (values: Values) => {
    const counts = { get: 0, set: 0 }
    const hooks: Hooks = {
      get: () => Effect.sync(() => void (counts.get += 1)),
      set: () => Effect.sync(() => void (counts.set += 1))
    }
    const during = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        const { get, set } = counts
        return Effect.map(effect, () => ({ get: counts.get - get, set: counts.set - set }))
      })
    return { during, layer: stored(values, hooks) }
  }

  it.live("is one read for an item that is unknown, and one write for each step", () => {
    const { during, layer } = counted(new Map())
    return process_(layer, (journal) =>
      Effect.gen(function* () {
        const keys = ["a", "b", "c"]
        assert.deepStrictEqual(yield* during(journal.read("b", keys)), { get: 3, set: 0 })
        const [first = [], ...next] = Array.makeBy(4, (n) => keys.flatMap((key) => life(key).slice(n, n + 1)))
        // One list for the three, whose number is the first one.
        assert.deepStrictEqual(yield* during(journal.write("b", first)), { get: 1, set: 4 })
        for (const entries of next) {
          assert.deepStrictEqual(yield* during(journal.write("b", entries)), { get: 0, set: 3 })
        }
        // What is delivered is forgotten, and found again when it is wanted.
        assert.deepStrictEqual(yield* during(journal.write("b", [life("a", { attempt: 2 })[0] ?? assert.fail()])), {
          get: 2,
          set: 1
        })
        same(yield* readOne(journal, "b", "a"), life("a", { attempt: 2 })[0])
        assert.deepStrictEqual(yield* during(journal.write("b", life("d").slice(0, 1))), { get: 2, set: 2 })
      })
    )
  })

  it.live("is no memory of more items than some thousand", () => {
    const values: Values = new Map()
    const { during, layer } = counted(values)
    return process_(layer, (journal) =>
      Effect.gen(function* () {
        yield* journal.write("b", [...life("a").slice(0, 1), ...life("b").slice(0, 1)])
        yield* journal.read("b", ["c"])
        yield* journal.read(
          "b",
          Array.makeBy(16_384, (n) => `${n}`)
        )
        assert.deepStrictEqual(yield* during(journal.write("b", life("a").slice(1, 2))), { get: 2, set: 1 })
        assert.deepStrictEqual(yield* during(journal.write("b", life("a").slice(2, 3))), { get: 0, set: 1 })
        // The item itself, and the list after the one that is there.
        assert.deepStrictEqual(yield* during(journal.write("b", life("c").slice(0, 1))), { get: 2, set: 2 })
        assert.lengthOf(yield* all(journal, "b"), 3)
      })
    )
  })
})

describe("a journal in a store", () => {
  it.live("does not learn from a read what a write has changed meanwhile", () =>
    Effect.gen(function* () {
      for (const last of [2, 3, 4]) {
        const values: Values = new Map()
        yield* process_(stored(values), (journal) => journal.write("b", life("x").slice(0, 1)))
        const begun = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        let isSlow = true
        const get = (key: string) =>
          Effect.suspend(() => {
            if (!isSlow || !key.endsWith("-1")) return Effect.void
            isSlow = false
            // It has seen the first value.
            return Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(go))
          })
        yield* process_(stored(values, { get }), (journal) =>
          Effect.gen(function* () {
            const reading = yield* Effect.fork(journal.read("b", ["x"]))
            yield* Deferred.await(begun)
            for (const entry of life("x").slice(1, last)) yield* journal.write("b", [entry])
            yield* Deferred.succeed(go, undefined)
            yield* Fiber.join(reading)
            const next = entryOf("x", "Submitted", { attempt: 2 })
            const before = new Map(values)
            yield* journal.write("b", [next])
            const changed = [...values.keys()].find((key) => values.get(key) !== before.get(key)) ?? ""
            // Torn, it leaves the one before.
            values.set(changed, "")
            same(yield* readOne(journal, "b", "x"), life("x")[last - 1])
          })
        )
      }
    })
  )

  it.live("does not learn from a read what was removed meanwhile", () =>
    Effect.gen(function* () {
      const values: Values = new Map()
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      let isSlow = false
      const get = (key: string) =>
        Effect.suspend(() =>
          isSlow && key.endsWith("-1")
            ? Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(go))
            : Effect.void
        )
      yield* process_(stored(values, { get }), (journal) =>
        Effect.gen(function* () {
          // Delivered, so that nothing is known of it.
          yield* journal.write("b", life("x").slice(3))
          isSlow = true
          const reading = yield* Effect.fork(journal.read("b", ["x"]))
          yield* Deferred.await(begun)
          yield* journal.remove("b")
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(reading)
          isSlow = false
          yield* journal.write("b", life("x").slice(3))
          assert.isDefined(yield* readOne(journal, "b", "x"))
          assert.lengthOf(yield* all(journal, "b"), 1)
          yield* journal.write("b", [entryOf("y", "Submitted")])
          yield* journal.remove("b")
          // What was known of it is no more.
          yield* journal.write("b", [entryOf("y", "Accepted")])
          assert.isDefined(yield* readOne(journal, "b", "y"))
          assert.lengthOf(yield* all(journal, "b"), 1)
        })
      )
    })
  )

  it.live("fails with the store's words, and goes on when it works", () =>
    Effect.gen(function* () {
      const values: Values = new Map()
      let down: "get" | "set" | "remove" | undefined
      const failing = (which: typeof down) => () =>
        Effect.suspend(() => (down === which ? storeFailure() : Effect.void))
      const layer = stored(values, { get: failing("get"), set: failing("set"), remove: failing("remove") })
      yield* process_(layer, (journal) =>
        Effect.gen(function* () {
          const fails = (
            which: typeof down,
            effect: Effect.Effect<unknown, ModelRouteError.JournalError>,
            verb: string
          ) =>
            Effect.gen(function* () {
              down = which
              const error = yield* Effect.flip(effect)
              down = undefined
              assert.strictEqual(error._tag, "JournalError")
              assert.isFalse(error.retryable)
              assert.include(error.message, `Batch.run: the journal could not ${verb} "modelroute-batch-`)
              assert.strictEqual(error.detail, storeFailure().message)
            })
          yield* fails("set", journal.write("b", life("x").slice(0, 1)), "write")
          yield* fails("get", journal.write("b", life("y").slice(0, 1)), "read")
          yield* journal.write("b", life("x").slice(0, 1))
          yield* fails("set", journal.write("b", life("x").slice(1, 2)), "write")
          same(yield* readOne(journal, "b", "x"), life("x")[0])
          yield* journal.write("b", life("x").slice(1, 2))
          yield* fails("get", journal.read("b", ["x"]), "read")
          yield* fails("get", all(journal, "b"), "read")
          yield* fails("get", journal.remove("b"), "look for")
          yield* fails("remove", journal.remove("b"), "remove")
          yield* journal.remove("b")
        })
      )
      assert.strictEqual(values.size, 0)
    })
  )

  it.live("lists every item, also where several write at the same time", () => {
    const set = () => Effect.yieldNow()
    const keys = Array.makeBy(10, (n) => `${n}`)
    return process_(stored(new Map(), { set }), (journal) =>
      Effect.gen(function* () {
        yield* Effect.forEach(keys, (key) => journal.write("b", life(key).slice(0, 1)), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          (yield* all(journal, "b")).map(({ key }) => key),
          keys
        )
      })
    )
  })

  it.live("ends a write of a value that has begun though the caller is gone", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const values: Values = new Map()
      const set = (key: string) =>
        isList(key) ? Effect.void : Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(go))
      yield* process_(stored(values, { set }), (journal) =>
        Effect.gen(function* () {
          const writing = yield* Effect.fork(journal.write("b", life("x").slice(0, 1)))
          yield* Deferred.await(begun)
          const interruption = yield* Effect.fork(Fiber.interrupt(writing))
          yield* Effect.yieldNow()
          // The next one waits for it.
          const next = yield* Effect.fork(journal.write("b", life("x").slice(1, 2)))
          yield* Effect.yieldNow()
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(interruption)
          yield* Fiber.join(next)
          same(yield* readOne(journal, "b", "x"), life("x")[1])
        })
      )
      assert.lengthOf([...values.keys()].filter(isList), 1)
      assert.strictEqual(values.size, 3)
    })
  )

  it.live("does not write what is no JSON", () =>
    Effect.gen(function* () {
      const round: { self?: unknown } = {}
      round.self = round
      const odd = entryOf("x", "Ended", {
        completed: new Execution.Completed({ id: executionId, status: "COMPLETED", output: round, extra: {} })
      })
      const directory = yield* folder
      for (const layer of [stored(new Map()), Layer.provide(SqlJournal.layer(), sqlite(`file:${directory}/x.db`))]) {
        yield* process_(layer, (journal) =>
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

interface Database {
  readonly name: string
  readonly skip?: boolean
  /** Empty but for what the test puts there. Each build is a client of its own. */
  readonly place: Effect.Effect<Layer.Layer<SqlClient.SqlClient>, PlatformError, Scope.Scope>
}

const databases: ReadonlyArray<Database> = [
  { name: "SQLite", place: Effect.map(folder, (directory) => sqlite(`file:${join(directory, "batch.db")}`)) },
  { name: postgresName, ...noPostgres, place: Effect.succeed(postgres) }
]

for (const { name, place, skip = false } of databases) {
  describe.skipIf(skip)(`a journal in ${name}`, () => {
    /** A client of one's own, as another process has it, and a table that is not there. */
    const using = <A, E, R>(
      use: (sql: SqlClient.SqlClient, table: string, client: Layer.Layer<SqlClient.SqlClient>) => Effect.Effect<A, E, R>
    ) =>
      Effect.scoped(
        Effect.flatMap(place, (client) =>
          Effect.flatMap(SqlClient.SqlClient, (sql) => use(sql, nextTable(), client)).pipe(
            Effect.provide(Layer.fresh(client))
          )
        )
      )

    it.live("has one row per item, for people to read", () =>
      using((sql, table, client) =>
        Effect.gen(function* () {
          const layer = Layer.provide(SqlJournal.layer({ table }), client)
          yield* process_(layer, (journal) =>
            Effect.gen(function* () {
              yield* journal.write("b", [entryOf("x", "Submitted"), entryOf("y".repeat(201), "Submitted")])
              yield* journal.write("b", [entryOf("x", "Accepted", { executionId })])
            })
          )
          const rows = yield* sql<{
            readonly [column: string]: unknown
          }>`select * from ${sql(table)} order by item desc`
          assert.lengthOf(rows, 2)
          const { entry, ...columns } = rows[0] ?? {}
          assert.deepStrictEqual(columns, {
            batch: "b",
            item: "x",
            revision: revision(entryOf("x", "Accepted")),
            step: "Accepted",
            execution_id: executionId,
            idempotency_key: "batch-Accepted-1"
          })
          assert.deepStrictEqual(JSON.parse(String(entry)), encode(entryOf("x", "Accepted", { executionId })))
          assert.match(String(rows[1]?.["item"]), /^sha256:[0-9a-f]{64}$/)
          assert.isNull(rows[1]?.["execution_id"])
        })
      )
    )

    it.live("lets the event loop turn whenever it reads: what the driver has taken for it is freed only then", () =>
      using((_, table, client) =>
        process_(Layer.provide(SqlJournal.layer({ table }), client), (journal) =>
          Effect.gen(function* () {
            yield* journal.write("b", [entryOf("x", "Submitted")])
            for (const read of [journal.read("b", ["x"]), all(journal, "b")]) {
              let hasTurned = false
              setImmediate(() => (hasTurned = true))
              yield* read
              assert.isTrue(hasTurned)
            }
          })
        )
      )
    )

    it.live("creates its table once, though many processes begin at the same time", () =>
      using((sql, _, client) =>
        Effect.gen(function* () {
          for (let round = 0; round < 5; round++) {
            const table = nextTable()
            const layer = Layer.provide(SqlJournal.layer({ table }), client)
            yield* Effect.forEach(
              Array.range(1, 8),
              (n) => process_(layer, (journal) => journal.write("b", [entryOf(`${n}`, "Submitted")])),
              { concurrency: "unbounded" }
            )
            const rows = yield* sql<{ readonly n: unknown }>`select count(*) as n from ${sql(table)}`
            assert.strictEqual(Number(rows[0]?.n), 8)
          }
        })
      )
    )

    it.live("fails to begin where the table is another one", () =>
      using((sql, table, client) =>
        Effect.gen(function* () {
          yield* sql`create table ${sql(table)} (batch text, item text)`
          const error = yield* Effect.flip(
            process_(Layer.provide(SqlJournal.layer({ table }), client), () => Effect.void)
          )
          assert.strictEqual(error._tag, "JournalError")
          assert.strictEqual(
            error.message,
            `SqlJournal.layer: the table "${table}" is missing, or its columns are not those of a journal.`
          )
          assert.include(error.detail, "revision")
        })
      )
    )

    it.live("fails to begin where the table cannot be created", () =>
      using((_, table, client) =>
        Effect.gen(function* () {
          const layer = Layer.provide(SqlJournal.layer({ table: `nowhere.${table}` }), client)
          const error = yield* Effect.flip(process_(layer, () => Effect.void))
          assert.match(error.detail ?? "", /unknown database "?nowhere|schema "nowhere" does not exist/)
        })
      )
    )

    it.live("fails where a row was written by another hand, and says which one", () =>
      using((sql, table, client) =>
        Effect.gen(function* () {
          const layer = Layer.provide(SqlJournal.layer({ table }), client)
          yield* process_(layer, (journal) =>
            Effect.gen(function* () {
              yield* journal.write("b", [entryOf("x", "Submitted"), entryOf("y", "Submitted")])
              for (const text of ["", "{}", JSON.stringify(encode(entryOf("y", "Submitted")))]) {
                yield* sql`update ${sql(table)} set entry = ${text} where item = 'x'`
                for (const effect of [Effect.asVoid(journal.read("b", ["y", "x"])), Effect.asVoid(all(journal, "b"))]) {
                  const error = yield* Effect.flip(effect)
                  assert.include(
                    error.message,
                    `the row of the item "x" of the batch "b" in the table "${table}" is unreadable`
                  )
                }
              }
              yield* sql`delete from ${sql(table)} where item = 'x'`
              assert.lengthOf(yield* all(journal, "b"), 1)
            })
          )
        })
      )
    )

    it.live("refuses to write in a transaction, which could undo it", () =>
      using((sql, table) =>
        process_(Layer.provide(SqlJournal.layer({ table }), Layer.succeed(SqlClient.SqlClient, sql)), (journal) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(sql.withTransaction(journal.write("b", [entryOf("x", "Submitted")])))
            assert.strictEqual(error._tag, "JournalError")
            assert.include(error.message, "Run it outside of `sql.withTransaction`")
            yield* journal.write("b", [entryOf("x", "Submitted")])
            assert.lengthOf(yield* all(journal, "b"), 1)
          })
        )
      )
    )

    it.live("reads and writes under transformed names, too", () =>
      using((sql, table) =>
        Effect.gen(function* () {
          const odd = sql.onDialectOrElse<
            Layer.Layer<SqlClient.SqlClient, SqlError>,
            Layer.Layer<SqlClient.SqlClient, SqlError>
          >({
            sqlite: () =>
              LibsqlClient.layer({
                url: ":memory:",
                transformQueryNames: (name) => `q_${name}`,
                transformResultNames: (name) => `r_${name}`
              }),
            orElse: () =>
              Layer.unwrapEffect(
                Effect.map(
                  Effect.promise(() => server.runPromise(Server)),
                  ({ host, username }) =>
                    PgClient.layer({
                      host,
                      username,
                      transformQueryNames: (name) => `q_${name}`,
                      transformResultNames: (name) => `r_${name}`
                    })
                )
              )
          })
          yield* process_(Layer.provide(SqlJournal.layer({ table }), Layer.orDie(odd)), (journal) =>
            Effect.gen(function* () {
              yield* journal.write("b", life("x").slice(0, 1))
              same(yield* readOne(journal, "b", "x"), life("x")[0])
              assert.lengthOf(yield* all(journal, "b"), 1)
              yield* journal.remove("b")
              assert.lengthOf(yield* all(journal, "b"), 0)
            })
          )
        })
      )
    )
  })
}

describe("a journal in SQL", () => {
  const closed = (client: Layer.Layer<SqlClient.SqlClient>, words: RegExp, end: Effect.Effect<void> = Effect.void) =>
    Effect.gen(function* () {
      const layer = Layer.provide(SqlJournal.layer({ table: nextTable() }), client)
      const journal = yield* Effect.scoped(Effect.map(Layer.build(Layer.fresh(layer)), Context.get(Journal)))
      yield* end
      const effects = [
        [journal.read("b", ["x"]), "read"],
        [journal.write("b", [entryOf("x", "Submitted")]), "write to"],
        [all(journal, "b"), "read"],
        [journal.remove("b"), "delete from"]
      ] as const
      for (const [effect, verb] of effects) {
        const error = yield* Effect.flip(Effect.asVoid(effect))
        assert.strictEqual(error._tag, "JournalError")
        assert.include(error.message, `Batch.run: the journal could not ${verb} the table "journal_`)
        assert.match(error.detail ?? "", words)
      }
    })

  it.live("fails with the database's words when it is closed", () =>
    Effect.gen(function* () {
      yield* closed(sqlite(`file:${yield* folder}/batch.db`), /client is closed/)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(noPostgres.skip === true)("fails with the database's words when the connection is", () =>
    closed(postgres, /after calling end on the pool/)
  )

  it.live.skipIf(noPostgres.skip === true)("fails with the database's words when its server ends", () =>
    Effect.gen(function* () {
      if (typeof found === "string") return
      const { host, stop, username } = yield* Postgres.start(found)
      const client = yield* Layer.build(PgClient.layer({ host, username, database: "postgres" }))
      yield* process_(Layer.provide(SqlJournal.layer(), Layer.succeedContext(client)), (journal) =>
        Effect.gen(function* () {
          yield* journal.write("b", [entryOf("x", "Submitted")])
          yield* stop
          const error = yield* Effect.flip(journal.write("b", [entryOf("y", "Submitted")]))
          assert.match(error.detail ?? "", /terminat|ECONN|ENOENT/i)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("takes more entries than a statement has parameters", () =>
    Effect.gen(function* () {
      const entries = Array.makeBy(5_000, (n) => entryOf(`${n}`, "Submitted"))
      const keys = entries.map(({ key }) => key)
      yield* process_(Layer.provide(SqlJournal.layer(), sqlite(`file:${yield* folder}/batch.db`)), (journal) =>
        Effect.gen(function* () {
          yield* journal.write("b", entries)
          assert.deepStrictEqual(
            (yield* journal.read("b", keys)).flatMap(Option.toArray).map(encode),
            entries.map(encode)
          )
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("waits for a SQLite database that another one is writing to", () =>
    Effect.gen(function* () {
      const client = sqlite(`file:${yield* folder}/batch.db`)
      const context = yield* Layer.build(Layer.fresh(client))
      const sql = Context.get(context, SqlClient.SqlClient)
      yield* process_(Layer.provide(SqlJournal.layer(), client), (journal) =>
        Effect.gen(function* () {
          yield* sql`begin immediate`
          const writing = yield* Effect.fork(journal.write("b", [entryOf("x", "Submitted")]))
          yield* Effect.sleep("120 millis")
          assert.isTrue(Option.isNone(yield* Fiber.poll(writing)))
          yield* sql`commit`
          yield* Fiber.join(writing)
          assert.lengthOf(yield* all(journal, "b"), 1)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("refuses a table that is none", () =>
    Effect.gen(function* () {
      const client = yield* Layer.build(sqlite(":memory:"))
      for (const table of ["", "a b", "1a", "a;drop", 'a"b', "a.b.c", "é", ".a", "a.", "x".repeat(64), "a\n"]) {
        const layer = Layer.provide(SqlJournal.layer({ table }), Layer.succeedContext(client))
        const error = yield* Effect.flip(process_(layer, () => Effect.void))
        assert.strictEqual(error._tag, "JournalError")
        assert.strictEqual(error.operation, "SqlJournal.layer")
        assert.include(error.message, `table is ${JSON.stringify(table)}, which is not a table name`)
      }
      for (const table of ["A_1", "x".repeat(63), "main.Batch"]) {
        const layer = Layer.provide(SqlJournal.layer({ table }), Layer.succeedContext(client))
        yield* process_(layer, (journal) => journal.write("b", [entryOf("x", "Submitted")]))
      }
    }).pipe(Effect.scoped)
  )

  it.live("refuses other databases", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(sqlite(":memory:"))
      const client = Context.get(context, SqlClient.SqlClient)
      const mysql = new Proxy(client, {
        get: (target, name): unknown =>
          name === "onDialectOrElse"
            ? (options: { readonly orElse: () => unknown }) => options.orElse()
            : Reflect.get(target, name)
      })
      const layer = Layer.provide(SqlJournal.layer(), Layer.succeed(SqlClient.SqlClient, mysql))
      const error = yield* Effect.flip(process_(layer, () => Effect.void))
      assert.include(error.message, "this database is neither SQLite nor PostgreSQL")
    }).pipe(Effect.scoped)
  )

  it("has the types that it says", () => {
    expectTypeOf(SqlJournal.layer).returns.toEqualTypeOf<
      Layer.Layer<Journal, ModelRouteError.JournalError, SqlClient.SqlClient>
    >()
    const configured = SqlJournal.layer().pipe(
      Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
    )
    expectTypeOf(configured).toExtend<Layer.Layer<Journal, unknown>>()
  })
})
