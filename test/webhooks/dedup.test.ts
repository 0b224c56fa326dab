/** Tests for the deduplication of events in memory and in a store, including restarts and torn writes. */
import { NodeContext } from "@effect/platform-node"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Exit, Fiber, Layer, Option, TestClock } from "effect"
import * as Webhook from "effect-modelroute/Webhook"
import { InMemoryEvents } from "../../src/internal/webhooks/dedupMemory.js"
import { make } from "../../src/internal/webhooks/dedup.js"
import { silent, start } from "../utils/harness.js"
import { type StoreHooks, storeFailure, makeStore, type StoreValues } from "../utils/store.js"
import { numRuns } from "../utils/suite.js"

const id = (text: string) => Webhook.EventId.make(text)
const day = 86_400_000

const dedupOver = (values: StoreValues, options?: Webhook.StoredDedupOptions, hooks?: StoreHooks) =>
  Layer.provide(Webhook.layerDedup(options), Layer.succeed(KeyValueStore.KeyValueStore, makeStore(values, hooks)))

/** Returns `true` if a key belongs to the entry of a handled event. */
const isEntry = (key: string): boolean => /[0-9a-f]{64}$/.test(key)

/** Runs `use` with a fresh `Dedup` to simulate a new process. */
const withDedup = <A, E, R>(
  layer: Layer.Layer<Webhook.Dedup>,
  use: (dedup: Context.Tag.Service<Webhook.Dedup>) => Effect.Effect<A, E, R>
) => Effect.flatMap(Webhook.Dedup, use).pipe(Effect.provide(Layer.fresh(layer)), silent)

/** Yields to background fibers until the condition is true. */
const eventually = (isTrue: () => boolean) =>
  Effect.gen(function* () {
    for (let i = 0; i < 10_000 && !isTrue(); i++) {
      yield* Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
    }
    assert.isTrue(isTrue(), "in time")
  })

/** Handles an event. Returns `true` if this call handled the event. */
const handle = (dedup: Webhook.DedupService, text: string) => dedup.handleOnce(id(text), Effect.void)

/** Asserts that an event is handled again only after `millis`. */
const assertRetention = (millis: number) => (dedup: Webhook.DedupService) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    assert.isTrue(yield* handle(dedup, "a"))
    yield* TestClock.setTime(start + millis - 1)
    assert.isTrue(yield* handle(dedup, "b"))
    assert.isFalse(yield* handle(dedup, "a"))
    yield* TestClock.setTime(start + millis)
    assert.isTrue(yield* handle(dedup, "a"))
    assert.isFalse(yield* handle(dedup, "b"))
    yield* TestClock.setTime(start + 2 * millis - 1)
    assert.isFalse(yield* handle(dedup, "a"))
  })

const layers = {
  layerDedupMemory: () => Webhook.layerDedupMemory,
  layerDedup: () => dedupOver(new Map())
}

for (const [name, layer] of Object.entries(layers)) {
  describe(`Webhook.${name}`, () => {
    it.effect("handles each event once", () =>
      withDedup(layer(), (dedup) =>
        Effect.gen(function* () {
          const handled: Array<string> = []
          const handleOnce = (text: string) =>
            dedup.handleOnce(
              id(text),
              Effect.sync(() => void handled.push(text))
            )
          assert.isTrue(yield* handleOnce("a"))
          assert.isFalse(yield* handleOnce("a"))
          assert.isTrue(yield* handleOnce("b"))
          assert.isFalse(yield* handleOnce("a"))
          assert.deepStrictEqual(handled, ["a", "b"])
        })
      )
    )

    it.effect("waits for a running handler of the event, but not for handlers of other events", () =>
      withDedup(layer(), (dedup) =>
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          const end = yield* Deferred.make<void>()
          const first = yield* Effect.fork(
            dedup.handleOnce(id("a"), Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(end)))
          )
          yield* Deferred.await(begun)
          const second = yield* Effect.fork(dedup.handleOnce(id("a"), Effect.dieMessage("handled twice")))
          const third = yield* Effect.fork(dedup.handleOnce(id("a"), Effect.dieMessage("handled twice")))
          assert.isTrue(yield* handle(dedup, "b"))
          yield* TestClock.adjust("1 day")
          assert.isTrue(Option.isNone(yield* Fiber.poll(second)))
          yield* Fiber.interrupt(third)
          yield* Deferred.succeed(end, undefined)
          assert.isTrue(yield* Fiber.join(first))
          assert.isFalse(yield* Fiber.join(second))
          assert.isFalse(yield* handle(dedup, "a"))
        })
      )
    )

    const failures: Readonly<Record<string, Effect.Effect<void, string>>> = {
      fails: Effect.fail("no"),
      dies: Effect.die("no"),
      "interrupts itself": Effect.interrupt
    }
    for (const [how, failure] of Object.entries(failures)) {
      it.effect(`handles the event at the next delivery if the handler ${how}`, () =>
        withDedup(layer(), (dedup) =>
          Effect.gen(function* () {
            let tries = 0
            let running = 0
            const gate = yield* Deferred.make<void>()
            const failTwice = Effect.gen(function* () {
              tries += 1
              running += 1
              assert.strictEqual(running, 1)
              yield* Deferred.await(gate)
              running -= 1
              if (tries <= 2) yield* failure
            })
            const fibers = yield* Effect.forEach(Array.from({ length: 5 }), () =>
              Effect.fork(dedup.handleOnce(id("a"), failTwice))
            )
            yield* eventually(() => tries === 1)
            yield* Deferred.succeed(gate, undefined)
            const exits = yield* Effect.forEach(fibers, Fiber.await)
            assert.strictEqual(tries, 3)
            assert.lengthOf(exits.filter(Exit.isFailure), 2)
            assert.deepStrictEqual(
              exits
                .filter(Exit.isSuccess)
                .map(({ value }) => value)
                .sort(),
              [false, false, true]
            )
          })
        )
      )
    }

    it.effect("handles the event at the next delivery if the caller is interrupted", () =>
      withDedup(layer(), (dedup) =>
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          const first = yield* Effect.fork(
            dedup.handleOnce(id("a"), Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
          )
          yield* Deferred.await(begun)
          const second = yield* Effect.fork(handle(dedup, "a"))
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(first)
          assert.isTrue(yield* Fiber.join(second))
        })
      )
    )

    it.effect("recognizes a handled event for 24 hours", () => withDedup(layer(), assertRetention(day)))
  })
}

describe("InMemoryEvents", { concurrent: true }, () => {
  it.effect("removes expired events before it records a new event", () =>
    Effect.gen(function* () {
      const memory = new InMemoryEvents(day)
      const { handleOnce } = make(memory)
      let largest = 0
      for (let hour = 0; hour < 24 * 4; hour++) {
        yield* TestClock.setTime(start + (hour * day) / 24)
        for (let n = 0; n < 20; n++) yield* handleOnce(id(`${hour}-${n}`), Effect.void)
        largest = Math.max(largest, memory.size)
      }
      // Expired events are removed before a new event is recorded, so the memory never exceeds 24 hours of events.
      assert.strictEqual(largest, 24 * 20)
      yield* TestClock.adjust("2 days")
      yield* handleOnce(id("last"), Effect.void)
      assert.strictEqual(memory.size, 1)
    })
  )
})

describe("Webhook.layerDedup with a store", { concurrent: true }, () => {
  for (const [ttl, millis] of [
    ["1 hour", day],
    ["0 millis", day],
    ["3 days", 3 * day]
  ] as const) {
    it.effect(`recognizes a handled event for ${(24 * millis) / day} hours if the ttl is ${ttl}`, () =>
      withDedup(dedupOver(new Map(), { ttl }), assertRetention(millis))
    )
  }

  it.effect("recognizes a handled event permanently if the ttl is infinite", () =>
    withDedup(dedupOver(new Map(), { ttl: Infinity }), (dedup) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(start)
        assert.isTrue(yield* handle(dedup, "a"))
        yield* TestClock.setTime(start - 10 * day)
        assert.isFalse(yield* handle(dedup, "a"))
        assert.isTrue(yield* handle(dedup, "b"))
        yield* TestClock.setTime(start + 10_000 * day)
        assert.isFalse(yield* handle(dedup, "a"))
        assert.isFalse(yield* handle(dedup, "b"))
      })
    )
  )

  it.effect("recognizes handled events after a restart", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: StoreValues = new Map()
      assert.isTrue(yield* withDedup(dedupOver(values), (dedup) => handle(dedup, "a")))
      assert.isFalse(yield* withDedup(dedupOver(values), (dedup) => handle(dedup, "a")))
      assert.isTrue(yield* withDedup(dedupOver(values, { prefix: "other-" }), (dedup) => handle(dedup, "a")))
      for (const key of values.keys()) assert.match(key, /^(modelroute-webhook|other)-[\w-]+$/)
    })
  )

  it.effect("removes only the stored values of expired events", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: StoreValues = new Map([["mine", "kept"]])
      yield* withDedup(dedupOver(values), (dedup) =>
        Effect.gen(function* () {
          for (let n = 0; n < 100; n++) yield* handle(dedup, `a${n}`)
          // The store contains a foreign value, two values for each event, and the progress of the cleanup.
          yield* eventually(() => values.size === 1 + 200 + 1)
          yield* TestClock.adjust("12 hours")
          for (let n = 0; n < 50; n++) yield* handle(dedup, `b${n}`)
          yield* TestClock.setTime(start + day + day / 24)
          yield* handle(dedup, "c")
          // The store contains a foreign value, the values of c and of 50 events b, and the cleanup progress.
          yield* eventually(() => values.size === 1 + 2 + 100 + 1)
          assert.isFalse(yield* handle(dedup, "b0"))
          assert.isTrue(yield* handle(dedup, "a0"))
        })
      )
      assert.strictEqual(values.get("mine"), "kept")
    })
  )

  for (const days of [3, 100, 5000]) {
    it.effect(`removes expired events at startup after ${days} days without a process`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const values: StoreValues = new Map()
        for (let restart = 0; restart < 5; restart++) {
          yield* withDedup(dedupOver(values), (dedup) =>
            Effect.forEach(Array.from({ length: 33 }), (_, n) => handle(dedup, `${restart}-${n}`)).pipe(
              Effect.zipRight(eventually(() => values.has("modelroute-webhook-cleaned")))
            )
          )
          yield* TestClock.adjust("50 minutes")
        }
        assert.strictEqual(values.size, 2 * 33 * 5 + 1)
        yield* TestClock.setTime(start + days * day)
        yield* withDedup(dedupOver(values), () => eventually(() => values.size === 1))
      })
    )
  }

  it.effect("keeps an event for 24 hours even if an earlier event of the same hour has expired", () =>
    Effect.gen(function* () {
      const minute = 60_000
      yield* TestClock.setTime(start)
      const values: StoreValues = new Map()
      yield* withDedup(dedupOver(values), (dedup) =>
        Effect.gen(function* () {
          yield* handle(dedup, "a")
          yield* eventually(() => values.has("modelroute-webhook-cleaned"))
          yield* TestClock.setTime(start + 20 * minute)
          yield* handle(dedup, "b")
        })
      )
      const cleaned = values.get("modelroute-webhook-cleaned")
      yield* TestClock.setTime(start + day + 10 * minute)
      yield* withDedup(dedupOver(values), (dedup) =>
        Effect.gen(function* () {
          yield* eventually(() => values.get("modelroute-webhook-cleaned") !== cleaned)
          assert.isFalse(yield* handle(dedup, "b"))
          assert.isTrue(yield* handle(dedup, "a"))
        })
      )
    })
  )

  it.effect("removes expired events if the ttl is not a number of whole hours", () =>
    Effect.gen(function* () {
      const minute = 60_000
      const values: StoreValues = new Map()
      yield* withDedup(dedupOver(values, { ttl: "1460 minutes" }), (dedup) =>
        Effect.gen(function* () {
          yield* TestClock.setTime(start)
          yield* handle(dedup, "a")
          yield* TestClock.setTime(start + day + 40 * minute)
          yield* handle(dedup, "b")
          yield* eventually(() => values.size === 2 * 2 + 1)
          // The hour of "a" has expired 24 hours and 20 minutes after its end.
          yield* TestClock.setTime(start + day + 55 * minute)
          yield* handle(dedup, "c")
          yield* eventually(() => values.size === 2 * 2 + 1)
          assert.isFalse(yield* handle(dedup, "b"))
        })
      )
    })
  )

  it.effect("checks for expired events only at startup and after the first event of each hour", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const keys: Array<string> = []
      const record = (key: string) => Effect.sync(() => void keys.push(key))
      const isCleaned = (key: string) => key === "modelroute-webhook-cleaned"
      const values: StoreValues = new Map()
      yield* withDedup(dedupOver(values), (dedup) =>
        Effect.zipRight(
          handle(dedup, "a"),
          eventually(() => values.size === 3)
        )
      )
      const count = () => keys.filter(isCleaned).length
      yield* withDedup(dedupOver(values, {}, { get: record }), (dedup) =>
        Effect.gen(function* () {
          yield* eventually(() => count() === 1)
          yield* handle(dedup, "b")
          yield* eventually(() => count() === 2)
          for (const text of ["c", "d", "e"]) {
            yield* handle(dedup, text)
            yield* Effect.promise(() => new Promise((resolve) => void setImmediate(resolve)))
          }
          assert.strictEqual(count(), 2)
          yield* TestClock.adjust("1 hour")
          yield* handle(dedup, "f")
          yield* eventually(() => count() === 3)
        })
      )
      keys.length = 0
      yield* withDedup(dedupOver(values, {}, { get: record, set: record }), () => eventually(() => count() === 1))
      // No hour has expired since the last cleanup, so nothing is written.
      assert.deepStrictEqual(keys, ["modelroute-webhook-cleaned"])
    })
  )

  it.effect("reads and removes only its own keys if a stored value is corrupt", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const complete: StoreValues = new Map()
      yield* withDedup(dedupOver(complete), (dedup) => handle(dedup, "a"))
      const slot = [...complete.keys()].find((key) => /\d-0$/.test(key)) ?? ""
      const hash = complete.get(slot) ?? ""
      yield* TestClock.adjust("2 days")
      for (const value of ["../mine", `../${hash}`, `${hash}/../mine`, ""]) {
        const keys = new Set<string>()
        const record = (key: string) => Effect.sync(() => void keys.add(key))
        const values: StoreValues = new Map(complete).set(slot, value)
        const hooks = { get: record, set: record, remove: record }
        yield* withDedup(dedupOver(values, {}, hooks), () => eventually(() => !values.has(slot)))
        for (const key of keys) assert.match(key, /^modelroute-webhook-([0-9a-f]{64}|\d+-\d+|cleaned)$/)
      }
    })
  )

  it.effect("removes expired events even if the record of the last cleanup is invalid", () =>
    Effect.gen(function* () {
      for (const cleaned of [undefined, "", "49", "x.", "999999999."]) {
        yield* TestClock.setTime(start)
        const values: StoreValues = new Map()
        yield* withDedup(dedupOver(values), (dedup) => handle(dedup, "a"))
        values.delete("modelroute-webhook-cleaned")
        if (cleaned !== undefined) values.set("modelroute-webhook-cleaned", cleaned)
        yield* TestClock.adjust("7 days")
        yield* withDedup(dedupOver(values), () => eventually(() => values.size === 1))
      }
    })
  )

  it.effect("stores at most two values for each event of the last 25 hours", () =>
    Effect.gen(function* () {
      let calls = 0
      // Each call yields, so that the calls for different events interleave.
      const count = () =>
        Effect.async<void>((resume) => {
          calls += 1
          setImmediate(() => resume(Effect.void))
        })
      const values: StoreValues = new Map()
      const perHour = 30
      const hours = numRuns(30, 72)
      let largest = 0
      yield* withDedup(dedupOver(values, {}, { get: count, set: count, remove: count }), (dedup) =>
        Effect.gen(function* () {
          for (let hour = 0; hour < hours; hour++) {
            yield* TestClock.setTime(start + (hour * day) / 24)
            yield* Effect.forEach(Array.from({ length: perHour }), (_, n) => handle(dedup, `${hour}-${n}`), {
              concurrency: 10
            })
            const live = Math.min(hour + 1, 25)
            yield* eventually(() => values.size <= 2 * perHour * live + 1)
            largest = Math.max(largest, values.size)
          }
        })
      )
      assert.isAtMost(largest, 2 * perHour * 25 + 1)
      assert.isBelow(calls / (perHour * hours), 12)
    })
  )

  it.effect("recognizes a handled event if only one of its two stored values has expired", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: StoreValues = new Map()
      yield* withDedup(dedupOver(values), (dedup) =>
        Effect.gen(function* () {
          assert.isTrue(yield* handle(dedup, "again"))
          assert.isTrue(yield* dedup.handleOnce(id("long"), TestClock.adjust("3 hours")))
          yield* TestClock.setTime(start + day)
          assert.isTrue(yield* handle(dedup, "again"))
          yield* TestClock.adjust("2 hours")
          assert.isTrue(yield* handle(dedup, "other"))
          // Cleanup has removed the first slot of "again" and the first slot of "long".
          yield* eventually(() => values.size === 2 * 3 + 1)
          assert.isFalse(yield* handle(dedup, "again"))
          assert.isFalse(yield* handle(dedup, "long"))
        })
      )
      yield* TestClock.adjust("2 days")
      yield* withDedup(dedupOver(values), () => eventually(() => values.size === 1))
    })
  )

  it.effect("accepts any event id if the store uses its keys as file names", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      const ids = ["../../x", "a/b", "evt_A", "evt_a", "x".repeat(5000), ".", "ü☃", "con", " "]
      const layer = Layer.provide(Webhook.layerDedup(), KeyValueStore.layerFileSystem(directory)).pipe(
        Layer.provide(NodeContext.layer),
        Layer.orDie
      )
      for (const expected of [true, false]) {
        yield* withDedup(layer, (dedup) =>
          Effect.forEach(ids, (text) => Effect.map(handle(dedup, text), (now) => assert.strictEqual(now, expected)))
        )
      }
      const names = yield* files.readDirectory(directory)
      assert.lengthOf(names, 2 * ids.length)
      assert.lengthOf(new Set(names.map((name) => name.toLowerCase())), names.length)
      for (const name of names) assert.isBelow(name.length, 100)
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.effect("handles each event once if two processes use the same store", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: StoreValues = new Map()
      yield* withDedup(dedupOver(values), (one) =>
        withDedup(dedupOver(values), (two) =>
          Effect.gen(function* () {
            for (let n = 0; n < 20; n++) {
              assert.isTrue(yield* handle(n % 3 === 0 ? one : two, `${n}`))
              assert.isFalse(yield* handle(n % 3 === 0 ? two : one, `${n}`))
            }
            yield* eventually(() => values.size === 40 + 1)
          })
        )
      )
      yield* TestClock.adjust("2 days")
      // The hook simulates another process that has already removed the value.
      const remove = (key: string) => Effect.sync(() => void values.delete(key))
      yield* withDedup(dedupOver(values, {}, { remove }), () => eventually(() => values.size === 1))
    })
  )
})

describe("Webhook.layerDedup after a crash", { concurrent: true }, () => {
  /**
   * Handles three events and dies during write number `writes`. `part` is the written fraction of the last value. A
   * negative `part` writes no value.
   */
  const runUntilKilled = (values: StoreValues, writes: number, part: number) => {
    const handled: Array<string> = []
    let left = writes
    const hooks: StoreHooks = {
      set: (key, value) =>
        Effect.suspend(() => {
          if (key.endsWith("cleaned")) return Effect.void
          left -= 1
          if (left > 0) return Effect.void
          if (left === 0 && part >= 0) values.set(key, value.slice(0, Math.floor(value.length * part)))
          return Effect.die("killed")
        })
    }
    return withDedup(dedupOver(values, {}, hooks), (dedup) =>
      Effect.forEach(["a", "b", "c"], (text) =>
        Effect.exit(
          dedup.handleOnce(
            id(text),
            Effect.sync(() => void handled.push(text))
          )
        )
      )
    ).pipe(
      Effect.map((exits) => ({ handled, confirmed: ["a", "b", "c"].filter((_, n) => exits[n]?._tag === "Success") }))
    )
  }

  it.effect("loses no event and repeats no acknowledged event", () =>
    Effect.gen(function* () {
      let cases = 0
      for (let writes = 1; writes <= 7; writes++) {
        for (const part of [-1, 0, 0.5, 0.9]) {
          yield* TestClock.setTime(start)
          const values: StoreValues = new Map()
          const before = yield* runUntilKilled(values, writes, part)
          const again: Array<string> = []
          yield* withDedup(dedupOver(values), (dedup) =>
            Effect.forEach(["a", "b", "c"], (text) =>
              dedup.handleOnce(
                id(text),
                Effect.sync(() => void again.push(text))
              )
            )
          )
          assert.strictEqual(before.confirmed.length, Math.min(3, Math.floor((writes - 1) / 2)))
          for (const text of ["a", "b", "c"]) assert.include([...before.handled, ...again], text)
          for (const text of before.confirmed) assert.notInclude(again, text)
          yield* TestClock.adjust("2 days")
          yield* withDedup(dedupOver(values), () => eventually(() => values.size === 1))
          cases += 1
        }
      }
      assert.strictEqual(cases, 28)
    })
  )

  it.effect("completes an interrupted cleanup after a restart", () =>
    Effect.gen(function* () {
      for (let removals = 1; removals <= 21; removals++) {
        yield* TestClock.setTime(start)
        const values: StoreValues = new Map()
        yield* withDedup(dedupOver(values), (dedup) =>
          Effect.forEach(Array.from({ length: 10 }), (_, n) => handle(dedup, `${n}`))
        )
        yield* TestClock.adjust("2 days")
        let left = removals
        let died = false
        const remove = () =>
          Effect.suspend(() => {
            left -= 1
            if (left > 0) return Effect.void
            died = true
            return Effect.die("killed")
          })
        yield* withDedup(dedupOver(values, {}, { remove }), () => eventually(() => died || values.size === 1))
        yield* withDedup(dedupOver(values), () => eventually(() => values.size === 1))
      }
    })
  )

  it.effect("recognizes handled events if one stored value is corrupt", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const complete: StoreValues = new Map()
      yield* withDedup(dedupOver(complete), (dedup) => Effect.forEach(["a", "b"], (text) => handle(dedup, text)))
      for (const key of complete.keys()) {
        for (const garbage of ["", "0", "\u0000\u0000", "17739", "x1.", "1.5", "{}", "x".repeat(64), "9".repeat(40)]) {
          yield* TestClock.setTime(start)
          const values: StoreValues = new Map(complete)
          values.set(key, garbage)
          yield* withDedup(dedupOver(values), (dedup) =>
            Effect.gen(function* () {
              // Both events count as handled, because an entry exists only for a handled event.
              assert.isFalse(yield* handle(dedup, "a"))
              assert.isFalse(yield* handle(dedup, "b"))
              assert.isTrue(yield* handle(dedup, "c"))
              assert.isFalse(yield* handle(dedup, "c"))
              yield* TestClock.adjust("2 days")
              assert.isTrue(yield* handle(dedup, "d"))
            })
          )
        }
      }
    })
  )
})

describe("Webhook.layerDedup with a failing store", { concurrent: true }, () => {
  it.effect("fails before it handles the event if the store cannot be read", () =>
    Effect.gen(function* () {
      const layer = dedupOver(new Map(), {}, { get: () => storeFailure() })
      yield* withDedup(layer, (dedup) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(dedup.handleOnce(id("a"), Effect.dieMessage("handled")))
          assert.strictEqual(error.message, storeFailure().message)
        })
      )
    })
  )

  it.effect("does not handle an event again if the store failed to record it", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: StoreValues = new Map()
      let isDown = true
      const set = (key: string) => Effect.suspend(() => (isDown && isEntry(key) ? storeFailure() : Effect.void))
      yield* withDedup(dedupOver(values, {}, { set }), (dedup) =>
        Effect.gen(function* () {
          let handled = 0
          const handleOnce = dedup.handleOnce(
            id("a"),
            Effect.sync(() => void (handled += 1))
          )
          assert.strictEqual((yield* Effect.flip(handleOnce))._tag, "SystemError")
          assert.strictEqual((yield* Effect.flip(handleOnce))._tag, "SystemError")
          assert.strictEqual(handled, 1)
          isDown = false
          assert.isFalse(yield* handleOnce)
          assert.isFalse(yield* handleOnce)
          assert.strictEqual(handled, 1)
          yield* TestClock.adjust("24 hours")
          assert.isTrue(yield* handleOnce)
        })
      )
      assert.isFalse(yield* withDedup(dedupOver(values), (dedup) => handle(dedup, "a")))
      yield* TestClock.setTime(start + 3 * day)
      yield* withDedup(dedupOver(values), () => eventually(() => values.size === 1))
    })
  )

  for (const [name, millis, isHandledAgain] of [
    ["does not handle an event again within 24 hours", day - 1, false],
    ["handles an event again after 24 hours", day, true]
  ] as const) {
    it.effect(`${name} if the store failed to record it and a later event`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(start)
        let isDown = true
        const set = (key: string) => Effect.suspend(() => (isDown && isEntry(key) ? storeFailure() : Effect.void))
        yield* withDedup(dedupOver(new Map(), {}, { set }), (dedup) =>
          Effect.gen(function* () {
            yield* Effect.flip(handle(dedup, "a"))
            yield* TestClock.adjust(millis)
            yield* Effect.flip(handle(dedup, "b"))
            isDown = false
            assert.strictEqual(yield* handle(dedup, "a"), isHandledAgain)
            assert.isFalse(yield* handle(dedup, "b"))
          })
        )
      })
    )
  }

  it.effect("records a handled event even if the caller is interrupted", () =>
    Effect.gen(function* () {
      const values: StoreValues = new Map()
      const writing = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const set = (key: string) =>
        isEntry(key) ? Effect.zipRight(Deferred.succeed(writing, undefined), Deferred.await(go)) : Effect.void
      yield* withDedup(dedupOver(values, {}, { set }), (dedup) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(handle(dedup, "a"))
          yield* Deferred.await(writing)
          const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* Effect.yieldNow()
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(interruption)
          assert.isFalse(yield* handle(dedup, "a"))
        })
      )
      assert.strictEqual(values.size, 2)
    })
  )

  it.effect("retries a failed cleanup with the next event", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: StoreValues = new Map()
      yield* withDedup(dedupOver(values), (dedup) => handle(dedup, "a"))
      yield* TestClock.adjust("2 days")
      let tries = 0
      let isDown = true
      const remove = () =>
        Effect.suspend(() => {
          tries += 1
          return isDown ? storeFailure() : Effect.void
        })
      yield* withDedup(dedupOver(values, {}, { remove }), (dedup) =>
        Effect.gen(function* () {
          yield* eventually(() => tries === 1)
          isDown = false
          yield* handle(dedup, "b")
          yield* eventually(() => values.size === 2 + 1)
        })
      )
    })
  )
})

describe("Dedup.handleOnce", { concurrent: true }, () => {
  it("preserves the error and requirement types of the handler", () => {
    class Failed {
      readonly _tag = "Failed"
    }
    const handleEvent = (dedup: Webhook.DedupService, handle: Effect.Effect<void, Failed, FileSystem.FileSystem>) =>
      dedup.handleOnce(id("a"), handle)
    expectTypeOf(handleEvent).returns.toEqualTypeOf<
      Effect.Effect<boolean, Failed | PlatformError, FileSystem.FileSystem>
    >()
    expectTypeOf(Webhook.layerDedupMemory).toEqualTypeOf<Layer.Layer<Webhook.Dedup>>()
    expectTypeOf(Webhook.layerDedup).returns.toEqualTypeOf<
      Layer.Layer<Webhook.Dedup, never, KeyValueStore.KeyValueStore>
    >()
  })
})
