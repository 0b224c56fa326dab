/**
 * Tests the journal in a `KeyValueStore`. Covers kills during a write, damaged values, and the number of reads and
 * writes.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, it } from "@effect/vitest"
import { Array, Deferred, Effect, Exit, Fiber, Layer, Option } from "effect"
import { Batch, type ModelRouteError } from "effect-modelroute"
import type { JournalEntry } from "../../src/internal/batch/journalEntry.js"
import { type JournalService } from "../../src/internal/batch/journal.js"
import { makeStore, type StoreHooks, storeFailure, type StoreValues } from "../utils/store.js"
import { isFull } from "../utils/suite.js"

import {
  readAll,
  truncate,
  encodeEntry,
  makeEntry,
  errors,
  makeTempDirectory,
  fileJournal,
  isListKey,
  killDuringSet,
  makeLifecycle,
  runProcess,
  readOne,
  assertEntry,
  storedJournal
} from "../utils/journals.js"

describe.runIf(isFull)("Batch.layerJournal", () => {
  const steps = [
    makeEntry("x", "Submitted"),
    makeEntry("x", "Refused", { error: errors[4] ?? assert.fail() }),
    makeEntry("x", "Submitted", { attempt: 2 }),
    ...makeLifecycle("x", { attempt: 2 }).slice(1)
  ]

  it.live(
    "returns the previous entry if the new entry is truncated at any byte",
    () =>
      Effect.gen(function* () {
        let cases = 0
        for (const [n, step] of steps.entries()) {
          const before: StoreValues = new Map()
          yield* runProcess(storedJournal(before), (journal) =>
            Effect.forEach(steps.slice(0, n), (entry) => journal.write("b", [entry]), { discard: true })
          )
          const whole: StoreValues = new Map(before)
          yield* runProcess(storedJournal(whole), (journal) => journal.write("b", [step]))
          const [slot, value] = [...whole].find(([key, value]) => !isListKey(key) && before.get(key) !== value) ?? [
            "",
            ""
          ]
          assert.isAbove(value.length, 150)
          for (let bytes = 0; bytes <= Buffer.from(value).length; bytes++) {
            const values: StoreValues = new Map(n === 0 ? whole : before)
            values.set(slot, truncate(value, bytes))
            const left = values.get(slot) === value ? step : steps[n - 1]
            yield* runProcess(storedJournal(values), (journal) =>
              Effect.gen(function* () {
                // Half of the cases write without a previous read, because a read caches the position of the item.
                if (bytes % 2 === 0) assertEntry(yield* readOne(journal, "b", "x"), left)
                assert.lengthOf(yield* readAll(journal, "b"), left === undefined ? 0 : 1)
                const next = steps[n + 1] ?? step
                yield* journal.write("b", [step])
                yield* journal.write("b", [next])
                assert.strictEqual((yield* readOne(journal, "b", "x"))?.step, next.step)
                assert.lengthOf(yield* readAll(journal, "b"), 1)
              })
            )
            cases += 1
          }
        }
        assert.isAbove(cases, 2_500)
      }),
    120_000
  )

  it.live("returns the previous or the new entry if the process is killed during a write", () =>
    Effect.gen(function* () {
      const known = ["a", "b", "c"].map((key) => makeEntry(key, "Submitted"))
      const next = [
        ...known.map(({ key }) => makeEntry(key, "Accepted")),
        ...["d", "e", "f"].map((key) => makeEntry(key, "Submitted"))
      ]
      let sets = 0
      const parts = [
        () => undefined,
        () => "",
        (value: string) => truncate(value, value.length >> 1),
        (value: string) => value
      ]
      for (const part of parts) {
        for (let n = 1; n <= 7; n++) {
          const values: StoreValues = new Map()
          yield* runProcess(storedJournal(values), (journal) => journal.write("b", known))
          const exit = yield* runProcess(storedJournal(values, killDuringSet(values, n, part)), (journal) =>
            Effect.exit(journal.write("b", next))
          )
          assert.isTrue(Exit.isFailure(exit))
          sets += 1
          const agree = (journal: JournalService) =>
            Effect.gen(function* () {
              const keys = next.map(({ key }) => key)
              const read = (yield* journal.read("b", keys)).flatMap(Option.toArray)
              assert.deepStrictEqual((yield* readAll(journal, "b")).map(encodeEntry), read.map(encodeEntry))
              return read
            })
          yield* runProcess(storedJournal(values), (journal) =>
            Effect.gen(function* () {
              for (const entry of yield* agree(journal)) {
                assert.include(entry.key < "d" ? ["Submitted", "Accepted"] : ["Submitted"], entry.step)
              }
              yield* journal.write("b", next)
              assert.deepStrictEqual((yield* agree(journal)).map(encodeEntry), next.map(encodeEntry))
            })
          )
          yield* runProcess(storedJournal(values), (journal) =>
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

  it.live("streams every stored item if the list of new items is truncated at any byte", () =>
    Effect.gen(function* () {
      const keys = ["a", "b", "c"]
      const submitted = keys.map((key) => makeEntry(key, "Submitted"))
      for (let bytes = 0; bytes <= keys.length * 33; bytes++) {
        const values: StoreValues = new Map()
        yield* runProcess(storedJournal(values), (journal) => journal.write("b", [makeEntry("z", "Submitted")]))
        yield* runProcess(
          storedJournal(
            values,
            killDuringSet(values, 1, (value) => truncate(value, bytes))
          ),
          (journal) => Effect.exit(journal.write("b", submitted))
        )
        assert.strictEqual(values.size, 3)
        // A truncated name must not be read as an item.
        const get = (key: string) => Effect.sync(() => assert.match(key, /^modelroute-batch-[0-9a-f]{32}-(0|1|n\d)$/))
        yield* runProcess(storedJournal(values, { get }), (journal) =>
          Effect.gen(function* () {
            assert.isTrue((yield* journal.read("b", keys)).every(Option.isNone))
            assert.lengthOf(yield* readAll(journal, "b"), 1)
            yield* journal.write("b", submitted)
            assert.lengthOf(yield* readAll(journal, "b"), 4)
            yield* journal.write(
              "b",
              keys.map((key) => makeEntry(key, "Accepted"))
            )
          })
        )
        assert.strictEqual([...values.keys()].filter(isListKey).length, 3)
        yield* runProcess(storedJournal(values), (journal) =>
          Effect.gen(function* () {
            assert.lengthOf(yield* readAll(journal, "b"), 4)
            yield* journal.remove("b")
          })
        )
        assert.strictEqual(values.size, 0)
      }
    })
  )

  it.live("can remove the remaining entries after the process was killed during a removal", () =>
    Effect.gen(function* () {
      let removals = 0
      for (let n = 1; ; n++) {
        const values: StoreValues = new Map()
        yield* runProcess(storedJournal(values), (journal) =>
          Effect.gen(function* () {
            yield* journal.write("other", makeLifecycle("x").slice(0, 1))
            for (const key of ["a", "b", "c", "d", "e"]) yield* journal.write("b", makeLifecycle(key).slice(0, 1))
            yield* Effect.forEach(["a", "b", "c"], (key) => journal.write("b", makeLifecycle(key).slice(1, 2)))
          })
        )
        const other = values.size - 5 - 3 - 5
        let left = n
        const remove = () => Effect.suspend(() => ((left -= 1) > 0 ? Effect.void : Effect.die("killed")))
        const exit = yield* runProcess(storedJournal(values, { remove }), (journal) => Effect.exit(journal.remove("b")))
        yield* runProcess(storedJournal(values), (journal) =>
          Effect.gen(function* () {
            const entries = yield* readAll(journal, "b")
            const read = (yield* journal.read("b", ["a", "b", "c", "d", "e"])).flatMap(Option.toArray)
            assert.deepStrictEqual(entries.map(encodeEntry), read.map(encodeEntry))
            // A partially removed batch must accept new entries.
            const gone = ["a", "b", "c", "d", "e"].filter((key) => !entries.some((entry) => entry.key === key))
            const again = gone.map((key) => makeEntry(key, "Submitted", { idempotencyKey: "again" }))
            if (n % 2 === 0) {
              yield* journal.write("b", again)
              for (const entry of again) assertEntry(yield* readOne(journal, "b", entry.key), entry)
              assert.lengthOf(yield* readAll(journal, "b"), 5)
            }
            yield* journal.remove("b")
            assert.deepStrictEqual(yield* readAll(journal, "b"), [])
            assert.lengthOf(yield* readAll(journal, "other"), 1)
          })
        )
        assert.strictEqual(values.size, other)
        if (Exit.isSuccess(exit)) break
        removals += 1
      }
      // Each item needs two removals, even if the item has one value. Each list needs one removal.
      assert.strictEqual(removals, 2 * 5 + 5)
    })
  )
})

describe("Batch.layerJournal with stored values", () => {
  const writeAll = (values: StoreValues, entries: ReadonlyArray<JournalEntry>) =>
    runProcess(storedJournal(values), (journal) => Effect.forEach(entries, (entry) => journal.write("b", [entry])))
  const slots = (values: StoreValues) => [...values.keys()].filter((key) => !isListKey(key)).toSorted()

  it.live("stores values under keys that are valid file names", () =>
    Effect.gen(function* () {
      const home = yield* makeTempDirectory
      const directory = join(home, "store")
      const keys = ["../../x", "a/b", "A", "a", "x".repeat(10_000), "ü☃"]
      yield* runProcess(fileJournal(directory), (journal) =>
        Effect.gen(function* () {
          yield* journal.write(
            "../b",
            keys.map((key) => makeEntry(key, "Submitted"))
          )
          yield* journal.write(
            "../b",
            keys.map((key) => makeEntry(key, "Accepted"))
          )
        })
      )
      const names = readdirSync(directory)
      assert.lengthOf(names, 2 * keys.length + 1)
      assert.lengthOf(new Set(names.map((name) => name.toLowerCase())), names.length)
      for (const name of names) assert.match(name, /^modelroute-batch-[0-9a-f]{32}-(0|1|n0)$/)
      yield* runProcess(fileJournal(directory), (journal) => journal.remove("../b"))
      assert.deepStrictEqual(readdirSync(directory), [])
      assert.deepStrictEqual(readdirSync(home), ["store"])
    }).pipe(Effect.scoped)
  )

  it.live("stores values under the prefix of the options", () =>
    Effect.gen(function* () {
      for (const [options, prefix] of [
        [undefined, "modelroute-batch-"],
        [{}, "modelroute-batch-"],
        [{ prefix: "other/" }, "other/"]
      ] as const) {
        const values: StoreValues = new Map()
        const layer = Layer.provide(
          Batch.layerJournal(options),
          Layer.sync(KeyValueStore.KeyValueStore, () => makeStore(values))
        )
        yield* runProcess(layer, (journal) => journal.write("b", [makeEntry("x", "Submitted")]))
        assert.strictEqual(values.size, 2)
        for (const key of values.keys()) assert.match(key, new RegExp(`^${prefix}[0-9a-f]{32}-`))
      }
    })
  )

  const garbage = ["", "0", "{}", "null", "\u0000\u0000\u0000", `{"sequence":9,"list":0,"entry":{}}`]

  it.live("reads the entry in one slot if the other slot is unreadable", () =>
    Effect.gen(function* () {
      for (const text of garbage) {
        for (const count of [2, 3]) {
          for (const which of [0, 1]) {
            const values: StoreValues = new Map()
            yield* writeAll(values, makeLifecycle("x").slice(0, count))
            const newest = count - 1
            values.set(slots(values)[which] ?? "", text)
            const left = newest % 2 === which ? newest - 1 : newest
            yield* runProcess(storedJournal(values), (journal) =>
              Effect.gen(function* () {
                assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[left])
                yield* journal.write("b", makeLifecycle("x").slice(3))
                assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[3])
              })
            )
          }
        }
      }
    })
  )

  it.live("fails with an error that contains both keys if both slots are unreadable", () =>
    Effect.gen(function* () {
      for (const text of garbage) {
        const values: StoreValues = new Map()
        yield* writeAll(values, makeLifecycle("x").slice(0, 2))
        yield* writeAll(values, makeLifecycle("y").slice(0, 2))
        const [one, two] = slots(values).filter((key) => values.get(key)?.includes('"key":"x"'))
        if (one === undefined || two === undefined) return assert.fail()
        values.set(one, text)
        values.set(two, text)
        yield* runProcess(storedJournal(values), (journal) =>
          Effect.gen(function* () {
            assertEntry(yield* readOne(journal, "b", "y"), makeLifecycle("y")[1])
            const effects = [
              journal.read("b", ["y", "x"]),
              journal.write("b", [makeEntry("x", "Accepted")]),
              readAll(journal, "b")
            ]
            for (const [n, effect] of effects.entries()) {
              const error = yield* Effect.flip(effect)
              assert.strictEqual(error._tag, "JournalError")
              assert.strictEqual(error.operation, "Batch.run")
              for (const word of [one, two, "Restore the values, or remove both"]) assert.include(error.message, word)
              if (n < 2) assert.include(error.message, 'the item "x"')
            }
            // Removes both values, as the error message instructs.
            values.delete(one)
            values.delete(two)
            assert.isUndefined(yield* readOne(journal, "b", "x"))
            yield* journal.write("b", makeLifecycle("x").slice(0, 1))
            assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[0])
            assert.lengthOf(yield* readAll(journal, "b"), 2)
          })
        )
      }
    })
  )

  it.live("ignores the value in a slot if the value belongs to another item", () =>
    Effect.gen(function* () {
      const values: StoreValues = new Map()
      yield* writeAll(values, makeLifecycle("x").slice(0, 2))
      const [one = "", two = ""] = slots(values)
      const foreign: StoreValues = new Map()
      yield* writeAll(foreign, makeLifecycle("y").slice(0, 2))
      for (const [slot, left] of [
        [one, 1],
        [two, 0]
      ] as const) {
        const mixed: StoreValues = new Map(values)
        mixed.set(slot, foreign.get(slots(foreign)[1] ?? "") ?? "")
        yield* runProcess(storedJournal(mixed), (journal) =>
          Effect.gen(function* () {
            assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[left])
            assert.deepStrictEqual(
              (yield* readAll(journal, "b")).map(({ key, step }) => [key, step]),
              [["x", makeLifecycle("x")[left]?.step]]
            )
          })
        )
      }
    })
  )

  it.live("ignores an item without a value, and damaged hashes in a list", () =>
    Effect.gen(function* () {
      const values: StoreValues = new Map()
      const killed = storedJournal(
        values,
        killDuringSet(values, 2, () => undefined)
      )
      // The process is killed after the write of the list and before the write of the item.
      const exit = yield* runProcess(killed, (journal) =>
        Effect.exit(journal.write("b", [makeEntry("x", "Submitted")]))
      )
      assert.isTrue(Exit.isFailure(exit))
      const [list = "", hash = ""] = [...values].flat()
      values.set(list, `${hash}${hash.slice(0, 20)}\nx${hash}${hash.trim()}x\n`)
      const get = (key: string) => Effect.sync(() => assert.match(key, /^modelroute-batch-[0-9a-f]{32}-(0|1|n\d)$/))
      yield* runProcess(storedJournal(values, { get }), (journal) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* readAll(journal, "b"), [])
          yield* journal.write("b", [makeEntry("x", "Submitted")])
          assert.lengthOf(yield* readAll(journal, "b"), 1)
          yield* journal.remove("b")
        })
      )
      assert.strictEqual(values.size, 0)
    })
  )

  it.live("accesses the values of 16 items concurrently", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const hook = () =>
        Effect.acquireUseRelease(
          Effect.sync(() => (most = Math.max(most, ++running))),
          () => Effect.yieldNow(),
          () => Effect.sync(() => (running -= 1))
        )
      const values: StoreValues = new Map()
      const entries = Array.makeBy(40, (n) => makeEntry(`${n}`, "Submitted"))
      const keys = entries.map(({ key }) => key)
      const layer = storedJournal(values, { get: hook, set: hook, remove: hook })
      const uses: ReadonlyArray<(journal: JournalService) => Effect.Effect<unknown, ModelRouteError.JournalError>> = [
        (journal) => journal.write("b", entries),
        (journal) => journal.read("b", keys),
        (journal) => readAll(journal, "b"),
        (journal) => journal.remove("b")
      ]
      for (const use of uses) {
        most = 0
        yield* runProcess(layer, use)
        assert.strictEqual(most, 16)
      }
    })
  )

  it.live("treats an item as new if its first write was truncated", () =>
    Effect.gen(function* () {
      const values: StoreValues = new Map()
      yield* writeAll(values, makeLifecycle("x").slice(0, 1))
      const [slot = ""] = slots(values)
      values.set(slot, truncate(values.get(slot) ?? "", 50))
      yield* runProcess(storedJournal(values), (journal) =>
        Effect.gen(function* () {
          assert.isUndefined(yield* readOne(journal, "b", "x"))
          yield* journal.write("b", makeLifecycle("x").slice(0, 1))
          assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[0])
        })
      )
    })
  )

  it.live("reads both slots again while one of two unreadable slots changes", () =>
    Effect.gen(function* () {
      for (const changed of [0, 1]) {
        const values: StoreValues = new Map()
        yield* writeAll(values, makeLifecycle("x").slice(0, 2))
        const slot = slots(values)[changed] ?? ""
        const stored = values.get(slot) ?? ""
        values.set(slots(values)[1 - changed] ?? "", "")
        let reads = 0
        const get = (key: string) =>
          Effect.sync(() => {
            if (key === slot) values.set(key, ["", "{", stored][reads++] ?? stored)
          })
        yield* runProcess(storedJournal(values, { get }), (journal) =>
          Effect.gen(function* () {
            assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[changed])
          })
        )
        assert.strictEqual(reads, 3)
      }
    })
  )

  it.live("reads both slots again if another process writes during the read", () =>
    Effect.gen(function* () {
      const values: StoreValues = new Map()
      yield* writeAll(values, makeLifecycle("x").slice(0, 3))
      const [one = "", two = ""] = slots(values)
      const [first = "", second = ""] = [values.get(one), values.get(two)]
      let gets = 0
      const get = (key: string) =>
        Effect.sync(() => {
          if (isListKey(key)) return
          gets += 1
          // The first read of each value returns an empty text, as during a write of another process.
          values.set(one, key === one && gets <= 2 ? "" : first)
          values.set(two, key === two && gets <= 2 ? "" : second)
        })
      yield* runProcess(storedJournal(values, { get }), (journal) =>
        Effect.gen(function* () {
          assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[2])
          assert.strictEqual(gets, 4)
        })
      )
    })
  )
})

describe("Batch.layerJournal", () => {
  const countRequests = (values: StoreValues) => {
    const counts = { get: 0, set: 0 }
    const hooks: StoreHooks = {
      get: () => Effect.sync(() => void (counts.get += 1)),
      set: () => Effect.sync(() => void (counts.set += 1))
    }
    const during = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        const { get, set } = counts
        return Effect.map(effect, () => ({ get: counts.get - get, set: counts.set - set }))
      })
    return { during, layer: storedJournal(values, hooks) }
  }

  it.live("sends one write to the store for each step of an item", () => {
    const { during, layer } = countRequests(new Map())
    return runProcess(layer, (journal) =>
      Effect.gen(function* () {
        const keys = ["a", "b", "c"]
        assert.deepStrictEqual(yield* during(journal.read("b", keys)), { get: 3, set: 0 })
        const [first = [], ...next] = Array.makeBy(4, (n) => keys.flatMap((key) => makeLifecycle(key).slice(n, n + 1)))
        // The three items need one write for their list and one read for the number of the list.
        assert.deepStrictEqual(yield* during(journal.write("b", first)), { get: 1, set: 4 })
        for (const entries of next) {
          assert.deepStrictEqual(yield* during(journal.write("b", entries)), { get: 0, set: 3 })
        }
        // The position of a delivered item is not cached. The write therefore reads both values of the item.
        assert.deepStrictEqual(
          yield* during(journal.write("b", [makeLifecycle("a", { attempt: 2 })[0] ?? assert.fail()])),
          {
            get: 2,
            set: 1
          }
        )
        assertEntry(yield* readOne(journal, "b", "a"), makeLifecycle("a", { attempt: 2 })[0])
        assert.deepStrictEqual(yield* during(journal.write("b", makeLifecycle("d").slice(0, 1))), { get: 2, set: 2 })
      })
    )
  })

  it.live("evicts an item from the cache after reads of 16,384 other items", () => {
    const values: StoreValues = new Map()
    const { during, layer } = countRequests(values)
    return runProcess(layer, (journal) =>
      Effect.gen(function* () {
        yield* journal.write("b", [...makeLifecycle("a").slice(0, 1), ...makeLifecycle("b").slice(0, 1)])
        yield* journal.read("b", ["c"])
        yield* journal.read(
          "b",
          Array.makeBy(16_384, (n) => `${n}`)
        )
        assert.deepStrictEqual(yield* during(journal.write("b", makeLifecycle("a").slice(1, 2))), { get: 2, set: 1 })
        assert.deepStrictEqual(yield* during(journal.write("b", makeLifecycle("a").slice(2, 3))), { get: 0, set: 1 })
        // The two reads are for the item and for the number of the next list.
        assert.deepStrictEqual(yield* during(journal.write("b", makeLifecycle("c").slice(0, 1))), { get: 2, set: 2 })
        assert.lengthOf(yield* readAll(journal, "b"), 3)
      })
    )
  })
})

describe("Batch.layerJournal", () => {
  it.live("does not cache an outdated slot if an item is written during a read", () =>
    Effect.gen(function* () {
      for (const last of [2, 3, 4]) {
        const values: StoreValues = new Map()
        yield* runProcess(storedJournal(values), (journal) => journal.write("b", makeLifecycle("x").slice(0, 1)))
        const begun = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        let isSlow = true
        const get = (key: string) =>
          Effect.suspend(() => {
            if (!isSlow || !key.endsWith("-1")) return Effect.void
            isSlow = false
            // The read of the first slot has completed at this point.
            return Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(go))
          })
        yield* runProcess(storedJournal(values, { get }), (journal) =>
          Effect.gen(function* () {
            const reading = yield* Effect.fork(journal.read("b", ["x"]))
            yield* Deferred.await(begun)
            for (const entry of makeLifecycle("x").slice(1, last)) yield* journal.write("b", [entry])
            yield* Deferred.succeed(go, undefined)
            yield* Fiber.join(reading)
            const next = makeEntry("x", "Submitted", { attempt: 2 })
            const before = new Map(values)
            yield* journal.write("b", [next])
            const changed = [...values.keys()].find((key) => values.get(key) !== before.get(key)) ?? ""
            // If the newest value is unreadable, the read must return the previous entry.
            values.set(changed, "")
            assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[last - 1])
          })
        )
      }
    })
  )

  it.live("does not cache an outdated slot if an item is removed during a read", () =>
    Effect.gen(function* () {
      const values: StoreValues = new Map()
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      let isSlow = false
      const get = (key: string) =>
        Effect.suspend(() =>
          isSlow && key.endsWith("-1")
            ? Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(go))
            : Effect.void
        )
      yield* runProcess(storedJournal(values, { get }), (journal) =>
        Effect.gen(function* () {
          // The position of a delivered item is not cached, so the next read accesses the store.
          yield* journal.write("b", makeLifecycle("x").slice(3))
          isSlow = true
          const reading = yield* Effect.fork(journal.read("b", ["x"]))
          yield* Deferred.await(begun)
          yield* journal.remove("b")
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(reading)
          isSlow = false
          yield* journal.write("b", makeLifecycle("x").slice(3))
          assert.isDefined(yield* readOne(journal, "b", "x"))
          assert.lengthOf(yield* readAll(journal, "b"), 1)
          yield* journal.write("b", [makeEntry("y", "Submitted")])
          yield* journal.remove("b")
          // This write must not use a position that was cached before the removal.
          yield* journal.write("b", [makeEntry("y", "Accepted")])
          assert.isDefined(yield* readOne(journal, "b", "y"))
          assert.lengthOf(yield* readAll(journal, "b"), 1)
        })
      )
    })
  )

  it.live("fails with a JournalError that contains the message of the store", () =>
    Effect.gen(function* () {
      const values: StoreValues = new Map()
      let down: "get" | "set" | "remove" | undefined
      const failing = (which: typeof down) => () =>
        Effect.suspend(() => (down === which ? storeFailure() : Effect.void))
      const layer = storedJournal(values, { get: failing("get"), set: failing("set"), remove: failing("remove") })
      yield* runProcess(layer, (journal) =>
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
          yield* fails("set", journal.write("b", makeLifecycle("x").slice(0, 1)), "write")
          yield* fails("get", journal.write("b", makeLifecycle("y").slice(0, 1)), "read")
          yield* journal.write("b", makeLifecycle("x").slice(0, 1))
          yield* fails("set", journal.write("b", makeLifecycle("x").slice(1, 2)), "write")
          assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[0])
          yield* journal.write("b", makeLifecycle("x").slice(1, 2))
          yield* fails("get", journal.read("b", ["x"]), "read")
          yield* fails("get", readAll(journal, "b"), "read")
          yield* fails("get", journal.remove("b"), "check")
          yield* fails("remove", journal.remove("b"), "remove")
          yield* journal.remove("b")
        })
      )
      assert.strictEqual(values.size, 0)
    })
  )

  it.live("streams every item after concurrent writes", () => {
    const set = () => Effect.yieldNow()
    const keys = Array.makeBy(10, (n) => `${n}`)
    return runProcess(storedJournal(new Map(), { set }), (journal) =>
      Effect.gen(function* () {
        yield* Effect.forEach(keys, (key) => journal.write("b", makeLifecycle(key).slice(0, 1)), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(
          (yield* readAll(journal, "b")).map(({ key }) => key),
          keys
        )
      })
    )
  })

  it.live("completes the write of a value even if the caller is interrupted", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const values: StoreValues = new Map()
      const set = (key: string) =>
        isListKey(key) ? Effect.void : Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(go))
      yield* runProcess(storedJournal(values, { set }), (journal) =>
        Effect.gen(function* () {
          const writing = yield* Effect.fork(journal.write("b", makeLifecycle("x").slice(0, 1)))
          yield* Deferred.await(begun)
          const interruption = yield* Effect.fork(Fiber.interrupt(writing))
          yield* Effect.yieldNow()
          // The next write must wait for the interrupted write.
          const next = yield* Effect.fork(journal.write("b", makeLifecycle("x").slice(1, 2)))
          yield* Effect.yieldNow()
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(interruption)
          yield* Fiber.join(next)
          assertEntry(yield* readOne(journal, "b", "x"), makeLifecycle("x")[1])
        })
      )
      assert.lengthOf([...values.keys()].filter(isListKey), 1)
      assert.strictEqual(values.size, 3)
    })
  )
})
