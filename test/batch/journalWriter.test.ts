/** Tests the journal writer. The writer combines the entries of many items into few writes. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Deferred, Effect, Exit, Fiber, Option, Scope } from "effect"
import { Batch, ModelRouteError } from "effect-modelroute"
import * as writer from "../../src/internal/batch/journalWriter.js"
import { makeMemoryJournal } from "../utils/batches.js"

const makeEntry = (key: string, step: Batch.JournalStep, attempt = 1): Batch.JournalEntry =>
  new Batch.JournalEntry({
    key,
    step,
    attempt,
    digest: "",
    idempotencyKey: `${key}-${attempt}`,
    submittedAt: DateTime.unsafeMake("2026-03-20T10:30:00Z")
  })

const nameOf = ({ attempt, key, step }: Batch.JournalEntry): string => `${key} ${step} ${attempt}`

/** Creates a journal with writes that wait. The test releases one write at a time. */
const makeBlockedJournal = Effect.gen(function* () {
  const memory = yield* makeMemoryJournal
  const calls: Array<ReadonlyArray<string>> = []
  const gate = yield* Effect.makeSemaphore(1)
  yield* gate.take(1)
  const service: Batch.JournalService = {
    ...memory,
    write: (batch, entries) =>
      Effect.suspend(() => {
        calls.push(entries.map(nameOf))
        return Effect.zipRight(gate.take(1), memory.write(batch, entries))
      })
  }
  return { calls, service, next: gate.release(1) }
})

const yieldRepeatedly = Effect.repeatN(Effect.yieldNow(), 20)

describe("journalWriter", () => {
  it.effect("combines all entries that arrive during a write into the next write", () =>
    Effect.gen(function* () {
      const { calls, next, service } = yield* makeBlockedJournal
      const write = yield* writer.make(service, "b")
      const first = yield* Effect.fork(write(makeEntry("a", "Submitted")))
      yield* yieldRepeatedly
      const others = yield* Effect.fork(
        Effect.forEach(["b", "c", "d"], (key) => write(makeEntry(key, "Submitted")), { concurrency: "unbounded" })
      )
      yield* yieldRepeatedly
      assert.deepStrictEqual(calls, [["a Submitted 1"]])
      yield* next
      yield* Fiber.join(first)
      yield* yieldRepeatedly
      assert.deepStrictEqual(calls[1], ["b Submitted 1", "c Submitted 1", "d Submitted 1"])
      assert.isTrue(Option.isNone(yield* Fiber.poll(others)))
      yield* next
      yield* Fiber.join(others)
      assert.lengthOf(calls, 2)
    }).pipe(Effect.scoped)
  )

  it.effect("writes at most 256 entries in one call", () =>
    Effect.gen(function* () {
      const { calls, next, service } = yield* makeBlockedJournal
      const write = yield* writer.make(service, "b")
      const keys = Array.from({ length: 301 }, (_, n) => `item ${n}`)
      const all = yield* Effect.fork(
        Effect.forEach(keys, (key) => write(makeEntry(key, "Submitted")), { concurrency: "unbounded" })
      )
      yield* yieldRepeatedly
      yield* Effect.repeatN(Effect.zipRight(next, yieldRepeatedly), 2)
      yield* Fiber.join(all)
      const sizes = calls.map(({ length }) => length)
      assert.deepStrictEqual(
        calls.flat(),
        keys.map((key) => `${key} Submitted 1`)
      )
      assert.isAtMost(Math.max(...sizes), 256)
      assert.isAtMost(sizes.length, 3)
    }).pipe(Effect.scoped)
  )

  for (const order of ["the older entry comes first", "the newer entry comes first"]) {
    it.effect(`writes only the newest of two entries of an item if ${order}`, () =>
      Effect.gen(function* () {
        const { calls, next, service } = yield* makeBlockedJournal
        const write = yield* writer.make(service, "b")
        const first = yield* Effect.fork(write(makeEntry("other", "Submitted")))
        yield* yieldRepeatedly
        const both = [makeEntry("a", "Delivered", 1), makeEntry("a", "Submitted", 2)]
        const written = yield* Effect.fork(
          Effect.forEach(order === "the older entry comes first" ? both : both.toReversed(), write, {
            concurrency: "unbounded"
          })
        )
        yield* yieldRepeatedly
        yield* Effect.zipRight(next, next)
        yield* Effect.zipRight(Fiber.join(first), yieldRepeatedly)
        yield* next
        yield* Fiber.join(written)
        assert.deepStrictEqual(calls, [["other Submitted 1"], ["a Submitted 2"]])
      }).pipe(Effect.scoped)
    )
  }
})

describe("journalWriter", () => {
  it.effect("writes the later of two entries with the same revision, like two writes", () =>
    Effect.gen(function* () {
      const { next, service } = yield* makeBlockedJournal
      const write = yield* writer.make(service, "b")
      const first = yield* Effect.fork(write(makeEntry("other", "Submitted")))
      yield* yieldRepeatedly
      const both = ["earlier", "later"].map((run) => new Batch.JournalEntry({ ...makeEntry("a", "Accepted"), run }))
      const written = yield* Effect.fork(Effect.forEach(both, write, { concurrency: "unbounded" }))
      yield* yieldRepeatedly
      yield* Effect.zipRight(next, next)
      yield* Effect.zipRight(Fiber.join(first), Fiber.join(written))
      const [entry] = yield* service.read("b", ["a"])
      assert.strictEqual(Option.getOrUndefined(entry ?? Option.none())?.run, "later")
    }).pipe(Effect.scoped)
  )

  it.effect("fails only the callers of a failed write", () =>
    Effect.gen(function* () {
      const memory = yield* makeMemoryJournal
      const full = new ModelRouteError.JournalError({ message: "the disk is full" })
      let isFull = true
      const write = yield* writer.make(
        { ...memory, write: (batch, entries) => (isFull ? Effect.fail(full) : memory.write(batch, entries)) },
        "b"
      )
      const failed = yield* Effect.forEach(["a", "b"], (key) => Effect.exit(write(makeEntry(key, "Submitted"))), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(failed, [Exit.fail(full), Exit.fail(full)])
      isFull = false
      yield* write(makeEntry("c", "Submitted"))
    }).pipe(Effect.scoped)
  )

  it.effect("completes a started write before the scope closes", () =>
    Effect.gen(function* () {
      const { next, service } = yield* makeBlockedJournal
      const scope = yield* Scope.make()
      const write = yield* Scope.extend(writer.make(service, "b"), scope)
      const written = yield* Effect.fork(write(makeEntry("a", "Submitted")))
      yield* yieldRepeatedly
      const closed = yield* Deferred.make<void>()
      yield* Effect.fork(Effect.zipRight(Scope.close(scope, Exit.void), Deferred.succeed(closed, undefined)))
      yield* yieldRepeatedly
      assert.isFalse(yield* Deferred.isDone(closed))
      yield* next
      yield* Deferred.await(closed)
      yield* Fiber.join(written)
      const kept = yield* service.read("b", ["a"])
      assert.isTrue(kept.every(Option.isSome))
    })
  )
})
