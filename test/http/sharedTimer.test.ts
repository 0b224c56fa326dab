import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import { atStart } from "../utils/executions.js"
import { start } from "../utils/harness.js"

describe("SharedTimer", () => {
  it.effect("uses one sleeping fiber for any number of waits", () =>
    atStart(
      Effect.gen(function* () {
        const timer = new SharedTimer()
        const fired: Array<number> = []
        const wait = (n: number) =>
          timer.wait<void, never>(
            start + n * 1000,
            () => Effect.sync(() => void fired.push(n)),
            () => () => {}
          )
        const fibers = yield* Effect.forEach([5, 3, 9, 3, 7], (n) => Effect.fork(wait(n)))
        yield* TestClock.adjust(0)
        assert.deepStrictEqual([...(yield* TestClock.sleeps())], [start + 3000])
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual([...(yield* TestClock.sleeps())], [start + 5000])
        yield* Effect.forEach(fibers.slice(0, 1), Fiber.interrupt)
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual([...(yield* TestClock.sleeps())], [start + 9000])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(fired, [3, 3, 7, 9])
        assert.deepStrictEqual([...(yield* TestClock.sleeps())], [])
        // A wait until a past time must end immediately.
        yield* wait(1)
        assert.deepStrictEqual(fired.at(-1), 1)
      })
    )
  )
})
