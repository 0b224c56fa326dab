import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { mapConcurrently } from "../../src/internal/batch/mapConcurrently.js"

/** Returns an effect that runs until its element is released. Counts the starts and the interruptions of the effect. */
const makeWork = (elements: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const gates = new Map<number, Deferred.Deferred<number, string>>()
    for (const element of elements) gates.set(element, yield* Deferred.make<number, string>())
    const counts = { started: 0, interrupted: 0 }
    const gateOf = (element: number) => Effect.fromNullable(gates.get(element)).pipe(Effect.orDie)
    const run = (element: number) =>
      Effect.suspend(() => {
        counts.started++
        return Effect.flatMap(gateOf(element), (gate) => Deferred.await(gate))
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => counts.interrupted++)))
    const release = (element: number) => Effect.flatMap(gateOf(element), (gate) => Deferred.succeed(gate, element))
    const fail = (element: number) => Effect.flatMap(gateOf(element), (gate) => Deferred.fail(gate, "broken"))
    return { counts, run, release, fail }
  })

const elements = [0, 1, 2, 3, 4]

/** Runs all fibers until each fiber waits. */
const settle = TestClock.adjust("1 millis")

describe("mapConcurrently", () => {
  it.effect("runs at most the given number of effects at the same time", () =>
    Effect.gen(function* () {
      const { counts, release, run } = yield* makeWork(elements)
      const fiber = yield* Effect.fork(Stream.runCollect(mapConcurrently(Stream.fromIterable(elements), 2, run)))
      yield* settle
      assert.strictEqual(counts.started, 2)
      yield* release(0)
      yield* settle
      assert.strictEqual(counts.started, 3)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("emits each result when it is available", () =>
    Effect.gen(function* () {
      const { release, run } = yield* makeWork(elements)
      const fiber = yield* Effect.fork(Stream.runCollect(mapConcurrently(Stream.fromIterable(elements), 5, run)))
      const order = [3, 1, 4, 0, 2]
      for (const element of order) yield* Effect.zipRight(settle, release(element))
      assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Fiber.join(fiber)), order)
    })
  )

  it.effect("ends after the last element if the stream has fewer elements than the concurrency limit", () =>
    Effect.gen(function* () {
      const results = yield* Stream.runCollect(mapConcurrently(Stream.make(1, 2), 10, Effect.succeed))
      assert.deepStrictEqual(Chunk.toReadonlyArray(results), [1, 2])
    })
  )

  it.effect("interrupts the running effects if one effect fails, and fails with its error", () =>
    Effect.gen(function* () {
      const { counts, fail, run } = yield* makeWork(elements)
      const fiber = yield* Effect.fork(Stream.runDrain(mapConcurrently(Stream.fromIterable(elements), 3, run)))
      yield* settle
      yield* fail(1)
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("broken"))
      assert.strictEqual(counts.interrupted, 2)
      assert.strictEqual(counts.started, 3)
    })
  )

  it.effect("fails with the error of the input stream", () =>
    Effect.gen(function* () {
      const { counts, run } = yield* makeWork(elements)
      const input = Stream.concat(Stream.make(0), Effect.zipRight(Effect.yieldNow(), Effect.fail("no more input")))
      for (const concurrency of [2, 5]) {
        const exit = yield* Effect.exit(Stream.runDrain(mapConcurrently(input, concurrency, run)))
        assert.deepStrictEqual(exit, Exit.fail("no more input"))
        assert.strictEqual(counts.interrupted, counts.started)
      }
    })
  )

  it.effect("interrupts the effects when the consumer ends", () =>
    Effect.gen(function* () {
      const { counts, release, run } = yield* makeWork(elements)
      const first = Stream.runHead(mapConcurrently(Stream.fromIterable(elements), 3, run))
      const fiber = yield* Effect.fork(first)
      yield* settle
      yield* release(2)
      yield* Fiber.join(fiber)
      assert.strictEqual(counts.interrupted, counts.started - 1)
    })
  )

  it.effect("starts a limited number of effects while the consumer takes no results", () =>
    Effect.gen(function* () {
      let started = 0
      const input = Stream.range(1, 100)
      const results = mapConcurrently(input, 2, (element) =>
        Effect.sync(() => {
          started++
          return element
        })
      )
      const fiber = yield* Effect.fork(Stream.runForEach(results, () => Effect.never))
      yield* settle
      assert.isBelow(started, 25)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("ends in an uninterruptible region even if results wait for the consumer", () =>
    Effect.gen(function* () {
      const results = mapConcurrently(Stream.range(1, 100), 4, Effect.succeed)
      const first = yield* Effect.uninterruptible(Stream.runHead(Stream.tap(results, () => Effect.yieldNow())))
      assert.isTrue(first._tag === "Some")
    })
  )
})
