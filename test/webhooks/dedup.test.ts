/** Each event once: while it is handled, after it was handled, over restarts and torn writes, and not for ever. */
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
import { type Hooks, storeFailure, storeOver, type Values } from "../utils/store.js"

const id = (text: string) => Webhook.EventId.make(text)
const day = 86_400_000

const stored = (values: Values, options?: Webhook.StoredDedupOptions, hooks?: Hooks) =>
  Layer.provide(Webhook.layerDedup(options), Layer.succeed(KeyValueStore.KeyValueStore, storeOver(values, hooks)))

/** Where it is written that an event has been handled. */
const isEntry = (key: string): boolean => /[0-9a-f]{64}$/.test(key)

/** One process: what it does with its memory of events, from start to end. */
const process_ = <A, E, R>(
  layer: Layer.Layer<Webhook.Dedup>,
  use: (dedup: Context.Tag.Service<Webhook.Dedup>) => Effect.Effect<A, E, R>
) => Effect.flatMap(Webhook.Dedup, use).pipe(Effect.provide(Layer.fresh(layer)), silent)

/** Lets the fibers in the background run until something is true. */
const eventually = (isTrue: () => boolean) =>
  Effect.gen(function* () {
    for (let i = 0; i < 10_000 && !isTrue(); i++) {
      yield* Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
    }
    assert.isTrue(isTrue(), "in time")
  })

/** Handles an event and says whether it did. */
const handles = (dedup: Webhook.DedupService, text: string) => dedup.handleOnce(id(text), Effect.void)

const layers = {
  layerDedupMemory: (options?: Webhook.DedupOptions) => Webhook.layerDedupMemory(options),
  layerDedup: (options?: Webhook.DedupOptions) => stored(new Map(), options)
}

for (const [name, layer] of Object.entries(layers)) {
  describe(name, () => {
    it.effect("handles an event once", () =>
      process_(layer(), (dedup) =>
        Effect.gen(function* () {
          const handled: Array<string> = []
          const once = (text: string) =>
            dedup.handleOnce(
              id(text),
              Effect.sync(() => void handled.push(text))
            )
          assert.isTrue(yield* once("a"))
          assert.isFalse(yield* once("a"))
          assert.isTrue(yield* once("b"))
          assert.isFalse(yield* once("a"))
          assert.deepStrictEqual(handled, ["a", "b"])
        })
      )
    )

    it.effect("waits for the one that is handled now, and for no other", () =>
      process_(layer(), (dedup) =>
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          const end = yield* Deferred.make<void>()
          const first = yield* Effect.fork(
            dedup.handleOnce(id("a"), Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(end)))
          )
          yield* Deferred.await(begun)
          const second = yield* Effect.fork(dedup.handleOnce(id("a"), Effect.dieMessage("handled twice")))
          const third = yield* Effect.fork(dedup.handleOnce(id("a"), Effect.dieMessage("handled twice")))
          assert.isTrue(yield* handles(dedup, "b"))
          yield* TestClock.adjust("1 day")
          assert.isTrue(Option.isNone(yield* Fiber.poll(second)))
          yield* Fiber.interrupt(third)
          yield* Deferred.succeed(end, undefined)
          assert.isTrue(yield* Fiber.join(first))
          assert.isFalse(yield* Fiber.join(second))
          assert.isFalse(yield* handles(dedup, "a"))
        })
      )
    )

    const ways: Readonly<Record<string, Effect.Effect<void, string>>> = {
      fails: Effect.fail("no"),
      dies: Effect.die("no"),
      "interrupts itself": Effect.interrupt
    }
    for (const [how, fails] of Object.entries(ways)) {
      it.effect(`lets the next one handle what ${how}, one at a time`, () =>
        process_(layer(), (dedup) =>
          Effect.gen(function* () {
            let tries = 0
            let now = 0
            const gate = yield* Deferred.make<void>()
            const handle = Effect.gen(function* () {
              tries += 1
              now += 1
              assert.strictEqual(now, 1)
              yield* Deferred.await(gate)
              now -= 1
              if (tries <= 2) yield* fails
            })
            const fibers = yield* Effect.forEach(Array.from({ length: 5 }), () =>
              Effect.fork(dedup.handleOnce(id("a"), handle))
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

    it.effect("lets the next one handle what was interrupted", () =>
      process_(layer(), (dedup) =>
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          const first = yield* Effect.fork(
            dedup.handleOnce(id("a"), Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
          )
          yield* Deferred.await(begun)
          const second = yield* Effect.fork(handles(dedup, "a"))
          yield* Effect.yieldNow()
          yield* Fiber.interrupt(first)
          assert.isTrue(yield* Fiber.join(second))
        })
      )
    )

    it.effect("remembers for 24 hours, whatever less it is told, and longer if told so", () =>
      Effect.gen(function* () {
        for (const [ttl, millis] of [
          [undefined, day],
          ["1 hour", day],
          ["0 millis", day],
          ["3 days", 3 * day]
        ] as const) {
          yield* process_(layer(ttl === undefined ? {} : { ttl }), (dedup) =>
            Effect.gen(function* () {
              yield* TestClock.setTime(start)
              assert.isTrue(yield* handles(dedup, "a"))
              yield* TestClock.setTime(start + millis - 1)
              assert.isTrue(yield* handles(dedup, "b"))
              assert.isFalse(yield* handles(dedup, "a"))
              yield* TestClock.setTime(start + millis)
              assert.isTrue(yield* handles(dedup, "a"))
              assert.isFalse(yield* handles(dedup, "b"))
              yield* TestClock.setTime(start + 2 * millis - 1)
              assert.isFalse(yield* handles(dedup, "a"))
            })
          )
        }
      })
    )

    it.effect("can remember for ever, and over a clock that is set back", () =>
      process_(layer({ ttl: Infinity }), (dedup) =>
        Effect.gen(function* () {
          yield* TestClock.setTime(start)
          assert.isTrue(yield* handles(dedup, "a"))
          yield* TestClock.setTime(start - 10 * day)
          assert.isFalse(yield* handles(dedup, "a"))
          assert.isTrue(yield* handles(dedup, "b"))
          yield* TestClock.setTime(start + 10_000 * day)
          assert.isFalse(yield* handles(dedup, "a"))
          assert.isFalse(yield* handles(dedup, "b"))
        })
      )
    )
  })
}

describe("memory", () => {
  it.effect("holds no more than the events of its time", () =>
    Effect.gen(function* () {
      const memory = new InMemoryEvents(day)
      const { handleOnce } = make(memory)
      let largest = 0
      for (let hour = 0; hour < 24 * 4; hour++) {
        yield* TestClock.setTime(start + (hour * day) / 24)
        for (let n = 0; n < 20; n++) yield* handleOnce(id(`${hour}-${n}`), Effect.void)
        largest = Math.max(largest, memory.size)
      }
      // An event of the very moment at which the oldest expire is told after they have been forgotten.
      assert.strictEqual(largest, 24 * 20)
      yield* TestClock.adjust("2 days")
      yield* handleOnce(id("last"), Effect.void)
      assert.strictEqual(memory.size, 1)
    })
  )
})

describe("a store", () => {
  it.effect("remembers over restarts", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: Values = new Map()
      assert.isTrue(yield* process_(stored(values), (dedup) => handles(dedup, "a")))
      assert.isFalse(yield* process_(stored(values), (dedup) => handles(dedup, "a")))
      assert.isTrue(yield* process_(stored(values, { prefix: "other-" }), (dedup) => handles(dedup, "a")))
      for (const key of values.keys()) assert.match(key, /^(modelroute-webhook|other)-[\w-]+$/)
    })
  )

  it.effect("is left as it was found, once its events have expired", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: Values = new Map([["mine", "kept"]])
      yield* process_(stored(values), (dedup) =>
        Effect.gen(function* () {
          for (let n = 0; n < 100; n++) yield* handles(dedup, `a${n}`)
          // and how far the cleaning has come
          yield* eventually(() => values.size === 1 + 200 + 1)
          yield* TestClock.adjust("12 hours")
          for (let n = 0; n < 50; n++) yield* handles(dedup, `b${n}`)
          yield* TestClock.setTime(start + day + day / 24)
          yield* handles(dedup, "c")
          // two of c and a hundred of b
          yield* eventually(() => values.size === 1 + 2 + 100 + 1)
          assert.isFalse(yield* handles(dedup, "b0"))
          assert.isTrue(yield* handles(dedup, "a0"))
        })
      )
      assert.strictEqual(values.get("mine"), "kept")
    })
  )

  for (const days of [3, 100, 5000]) {
    it.effect(`is cleaned after ${days} days without a process, before any event`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const values: Values = new Map()
        for (let restart = 0; restart < 5; restart++) {
          yield* process_(stored(values), (dedup) =>
            Effect.forEach(Array.from({ length: 33 }), (_, n) => handles(dedup, `${restart}-${n}`)).pipe(
              Effect.zipRight(eventually(() => values.has("modelroute-webhook-cleaned")))
            )
          )
          yield* TestClock.adjust("50 minutes")
        }
        assert.strictEqual(values.size, 2 * 33 * 5 + 1)
        yield* TestClock.setTime(start + days * day)
        yield* process_(stored(values), () => eventually(() => values.size === 1))
      })
    )
  }

  it.effect("is cleaned though nothing tells how far that had come", () =>
    Effect.gen(function* () {
      for (const cleaned of [undefined, "", "49", "x.", "999999999."]) {
        yield* TestClock.setTime(start)
        const values: Values = new Map()
        yield* process_(stored(values), (dedup) => handles(dedup, "a"))
        values.delete("modelroute-webhook-cleaned")
        if (cleaned !== undefined) values.set("modelroute-webhook-cleaned", cleaned)
        yield* TestClock.adjust("7 days")
        yield* process_(stored(values), () => eventually(() => values.size === 1))
      }
    })
  )

  it.effect("costs the same for each event, and holds no more than the events of its time", () =>
    Effect.gen(function* () {
      let calls = 0
      // Each call lets those of the hour's other events go first.
      const count = () =>
        Effect.async<void>((resume) => {
          calls += 1
          setImmediate(() => resume(Effect.void))
        })
      const values: Values = new Map()
      const perHour = 30
      const hours = 24 * 3
      let largest = 0
      yield* process_(stored(values, {}, { get: count, set: count, remove: count }), (dedup) =>
        Effect.gen(function* () {
          for (let hour = 0; hour < hours; hour++) {
            yield* TestClock.setTime(start + (hour * day) / 24)
            yield* Effect.forEach(Array.from({ length: perHour }), (_, n) => handles(dedup, `${hour}-${n}`), {
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

  it.effect("keeps an event that came again after its time, and cleans up what took from one hour to another", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: Values = new Map()
      yield* process_(stored(values), (dedup) =>
        Effect.gen(function* () {
          assert.isTrue(yield* handles(dedup, "again"))
          assert.isTrue(yield* dedup.handleOnce(id("long"), TestClock.adjust("3 hours")))
          yield* TestClock.setTime(start + day)
          assert.isTrue(yield* handles(dedup, "again"))
          yield* TestClock.adjust("2 hours")
          assert.isTrue(yield* handles(dedup, "other"))
          // Gone is the slot of what came again, and the first one of what took so long.
          yield* eventually(() => values.size === 2 * 3 + 1)
          assert.isFalse(yield* handles(dedup, "again"))
          assert.isFalse(yield* handles(dedup, "long"))
        })
      )
      yield* TestClock.adjust("2 days")
      yield* process_(stored(values), () => eventually(() => values.size === 1))
    })
  )

  it.effect("takes any id, also as names of files", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      const ids = ["../../x", "a/b", "evt_A", "evt_a", "x".repeat(5000), ".", "ü☃", "con", " "]
      const layer = Layer.provide(Webhook.layerDedup(), KeyValueStore.layerFileSystem(directory)).pipe(
        Layer.provide(NodeContext.layer),
        Layer.orDie
      )
      for (const expected of [true, false]) {
        yield* process_(layer, (dedup) =>
          Effect.forEach(ids, (text) => Effect.map(handles(dedup, text), (now) => assert.strictEqual(now, expected)))
        )
      }
      const names = yield* files.readDirectory(directory)
      assert.lengthOf(names, 2 * ids.length)
      assert.lengthOf(new Set(names.map((name) => name.toLowerCase())), names.length)
      for (const name of names) assert.isBelow(name.length, 100)
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.effect("is shared by processes, none of which writes over another's", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: Values = new Map()
      yield* process_(stored(values), (one) =>
        process_(stored(values), (two) =>
          Effect.gen(function* () {
            for (let n = 0; n < 20; n++) {
              assert.isTrue(yield* handles(n % 3 === 0 ? one : two, `${n}`))
              assert.isFalse(yield* handles(n % 3 === 0 ? two : one, `${n}`))
            }
            yield* eventually(() => values.size === 40 + 1)
          })
        )
      )
      yield* TestClock.adjust("2 days")
      // The other one is always a little faster.
      const remove = (key: string) => Effect.sync(() => void values.delete(key))
      yield* process_(stored(values, {}, { remove }), () => eventually(() => values.size === 1))
    })
  )
})

describe("a process that is killed", () => {
  /** Handles three events and is killed while it writes for the n-th time: a part of the value is there, or none. */
  const killed = (values: Values, writes: number, part: number) => {
    const handled: Array<string> = []
    let left = writes
    const hooks: Hooks = {
      set: (key, value) =>
        Effect.suspend(() => {
          if (key.endsWith("cleaned")) return Effect.void
          left -= 1
          if (left > 0) return Effect.void
          if (left === 0 && part >= 0) values.set(key, value.slice(0, Math.floor(value.length * part)))
          return Effect.die("killed")
        })
    }
    return process_(stored(values, {}, hooks), (dedup) =>
      Effect.forEach(["a", "b", "c"], (text) =>
        Effect.exit(
          dedup.handleOnce(
            id(text),
            Effect.sync(() => void handled.push(text))
          )
        )
      )
    ).pipe(
      Effect.map((exits) => ({ handled, answered: ["a", "b", "c"].filter((_, n) => exits[n]?._tag === "Success") }))
    )
  }

  it.effect("loses no event, handles none again that it has answered for, and leaves nothing for ever", () =>
    Effect.gen(function* () {
      let cases = 0
      for (let writes = 1; writes <= 7; writes++) {
        for (const part of [-1, 0, 0.5, 0.9]) {
          yield* TestClock.setTime(start)
          const values: Values = new Map()
          const before = yield* killed(values, writes, part)
          const again: Array<string> = []
          yield* process_(stored(values), (dedup) =>
            Effect.forEach(["a", "b", "c"], (text) =>
              dedup.handleOnce(
                id(text),
                Effect.sync(() => void again.push(text))
              )
            )
          )
          assert.strictEqual(before.answered.length, Math.min(3, Math.floor((writes - 1) / 2)))
          for (const text of ["a", "b", "c"]) assert.include([...before.handled, ...again], text)
          for (const text of before.answered) assert.notInclude(again, text)
          yield* TestClock.adjust("2 days")
          yield* process_(stored(values), () => eventually(() => values.size === 1))
          cases += 1
        }
      }
      assert.strictEqual(cases, 28)
    })
  )

  it.effect("leaves nothing for ever either when it is killed while it cleans up", () =>
    Effect.gen(function* () {
      for (let removals = 1; removals <= 21; removals++) {
        yield* TestClock.setTime(start)
        const values: Values = new Map()
        yield* process_(stored(values), (dedup) =>
          Effect.forEach(Array.from({ length: 10 }), (_, n) => handles(dedup, `${n}`))
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
        yield* process_(stored(values, {}, { remove }), () => eventually(() => died || values.size === 1))
        yield* process_(stored(values), () => eventually(() => values.size === 1))
      }
    })
  )

  it.effect("may leave anything in any value", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const whole: Values = new Map()
      yield* process_(stored(whole), (dedup) => Effect.forEach(["a", "b"], (text) => handles(dedup, text)))
      for (const key of whole.keys()) {
        for (const garbage of ["", "0", "\u0000\u0000", "17739", "{}", "x".repeat(64), "9".repeat(40)]) {
          yield* TestClock.setTime(start)
          const values: Values = new Map(whole)
          values.set(key, garbage)
          yield* process_(stored(values), (dedup) =>
            Effect.gen(function* () {
              // There is an entry only of what has been handled.
              assert.isFalse(yield* handles(dedup, "a"))
              assert.isFalse(yield* handles(dedup, "b"))
              assert.isTrue(yield* handles(dedup, "c"))
              assert.isFalse(yield* handles(dedup, "c"))
              yield* TestClock.adjust("2 days")
              assert.isTrue(yield* handles(dedup, "d"))
            })
          )
        }
      }
    })
  )
})

describe("a store that fails", () => {
  it.effect("fails the delivery before the event is handled", () =>
    Effect.gen(function* () {
      const layer = stored(new Map(), {}, { get: () => storeFailure() })
      yield* process_(layer, (dedup) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(dedup.handleOnce(id("a"), Effect.dieMessage("handled")))
          assert.strictEqual(error.message, storeFailure().message)
        })
      )
    })
  )

  it.effect("does not get an event handled again that it could not write down", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: Values = new Map()
      let isDown = true
      const set = (key: string) => Effect.suspend(() => (isDown && isEntry(key) ? storeFailure() : Effect.void))
      yield* process_(stored(values, {}, { set }), (dedup) =>
        Effect.gen(function* () {
          let handled = 0
          const once = dedup.handleOnce(
            id("a"),
            Effect.sync(() => void (handled += 1))
          )
          assert.strictEqual((yield* Effect.flip(once))._tag, "SystemError")
          assert.strictEqual((yield* Effect.flip(once))._tag, "SystemError")
          assert.strictEqual(handled, 1)
          isDown = false
          assert.isFalse(yield* once)
          assert.isFalse(yield* once)
          assert.strictEqual(handled, 1)
        })
      )
      assert.isFalse(yield* process_(stored(values), (dedup) => handles(dedup, "a")))
      yield* TestClock.setTime(start + 2 * day)
      yield* process_(stored(values), () => eventually(() => values.size === 1))
    })
  )

  it.effect("writes down what was handled though the caller is gone", () =>
    Effect.gen(function* () {
      const values: Values = new Map()
      const writing = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const set = (key: string) =>
        isEntry(key) ? Effect.zipRight(Deferred.succeed(writing, undefined), Deferred.await(go)) : Effect.void
      yield* process_(stored(values, {}, { set }), (dedup) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(handles(dedup, "a"))
          yield* Deferred.await(writing)
          const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* Effect.yieldNow()
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(interruption)
          assert.isFalse(yield* handles(dedup, "a"))
        })
      )
      assert.strictEqual(values.size, 2)
    })
  )

  it.effect("is cleaned up with the next hour's first event when it could not be now", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const values: Values = new Map()
      yield* process_(stored(values), (dedup) => handles(dedup, "a"))
      yield* TestClock.adjust("2 days")
      let tries = 0
      let isDown = true
      const remove = () =>
        Effect.suspend(() => {
          tries += 1
          return isDown ? storeFailure() : Effect.void
        })
      yield* process_(stored(values, {}, { remove }), (dedup) =>
        Effect.gen(function* () {
          yield* eventually(() => tries === 1)
          isDown = false
          yield* handles(dedup, "b")
          yield* eventually(() => values.size === 2 + 1)
        })
      )
    })
  )
})

it("the types of a handling come through", () => {
  class Failed {
    readonly _tag = "Failed"
  }
  const through = (dedup: Webhook.DedupService, handle: Effect.Effect<void, Failed, FileSystem.FileSystem>) =>
    dedup.handleOnce(id("a"), handle)
  expectTypeOf(through).returns.toEqualTypeOf<Effect.Effect<boolean, Failed | PlatformError, FileSystem.FileSystem>>()
  expectTypeOf(Webhook.layerDedupMemory).returns.toEqualTypeOf<Layer.Layer<Webhook.Dedup>>()
  expectTypeOf(Webhook.layerDedup).returns.toEqualTypeOf<
    Layer.Layer<Webhook.Dedup, never, KeyValueStore.KeyValueStore>
  >()
})
