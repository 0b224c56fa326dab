import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, TestClock } from "effect"
import { maxSleepMillis, SharedTimer } from "../../src/internal/http/sharedTimer.js"
import { atStart } from "../utils/executions.js"
import { valueOf } from "../utils/exit.js"
import { start } from "../utils/harness.js"
import { layerRuntime } from "../utils/runtimes.js"
import { SettableClock } from "../utils/settableClock.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

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

  const sleeps = Effect.map(TestClock.sleeps(), (times) => [...times].map((at) => at - start))

  /** Schedules timers in the fiber of the caller. Returns the functions that cancel them, and the times that fired. */
  const schedule = (timer: SharedTimer, ...times: ReadonlyArray<number>) =>
    Effect.withFiberRuntime<{ readonly fired: Array<number>; readonly cancels: ReadonlyArray<() => void> }>((fiber) => {
      const fired: Array<number> = []
      const cancels = times.map((at) => timer.schedule(fiber, start + at, () => void fired.push(at)))
      return Effect.succeed({ fired, cancels })
    })

  for (const runtime of ["Node", "Cloudflare Workers"]) {
    const inRuntime = <A, E>(effect: Effect.Effect<A, E>) =>
      runtime === "Node"
        ? atStart(effect)
        : Effect.scoped(Effect.zipRight(Layer.build(layerRuntime(runtime)), atStart(effect)))

    describe(`in ${runtime}`, () => {
      it.effect("never fires before schedule returns", () =>
        inRuntime(
          Effect.gen(function* () {
            const { fired } = yield* schedule(new SharedTimer(), 0, -5000, 5000)
            assert.deepStrictEqual(fired, [])
            yield* TestClock.adjust(0)
            assert.deepStrictEqual([...fired].sort(), [-5000, 0])
            yield* TestClock.adjust(4999)
            assert.lengthOf(fired, 2)
            yield* TestClock.adjust(1)
            assert.lengthOf(fired, 3)
            assert.deepStrictEqual(yield* sleeps, [])
          })
        )
      )

      it.effect("sleeps for at most 1 hour at a time", () =>
        inRuntime(
          Effect.gen(function* () {
            for (const at of [maxSleepMillis, 2.5 * maxSleepMillis]) {
              yield* TestClock.setTime(start)
              const { fired } = yield* schedule(new SharedTimer(), at)
              yield* TestClock.adjust(0)
              for (let slept = 0; slept < at; slept += maxSleepMillis) {
                assert.deepStrictEqual([fired, yield* sleeps], [[], [Math.min(at, slept + maxSleepMillis)]])
                yield* TestClock.adjust(maxSleepMillis)
              }
              assert.deepStrictEqual(fired, [at])
            }
          })
        )
      )

      it.effect("does not fire after the timer has been cancelled", () =>
        inRuntime(
          Effect.gen(function* () {
            const { cancels, fired } = yield* schedule(new SharedTimer(), 1000, 2000, 3000)
            yield* TestClock.adjust(0)
            cancels[0]?.()
            cancels[2]?.()
            yield* TestClock.adjust(5000)
            assert.deepStrictEqual(fired, [2000])
            assert.deepStrictEqual(yield* sleeps, [])
          })
        )
      )

      it.effect("never fires at Infinity, and throws for NaN", () =>
        inRuntime(
          Effect.gen(function* () {
            const timer = new SharedTimer()
            const { cancels, fired } = yield* schedule(timer, Infinity)
            yield* TestClock.adjust("10 days")
            assert.deepStrictEqual([fired, yield* sleeps], [[], []])
            cancels[0]?.()
            const exit = yield* Effect.exit(schedule(timer, Number.NaN))
            assert.isTrue(Exit.isFailure(exit))
          })
        )
      )
    })
  }

  it.effect("fires an earlier timer that was added later", () =>
    atStart(
      Effect.gen(function* () {
        const timer = new SharedTimer()
        const late = yield* schedule(timer, 9000)
        yield* TestClock.adjust(0)
        const early = yield* schedule(timer, 3000)
        yield* TestClock.adjust(2999)
        assert.deepStrictEqual([early.fired, late.fired], [[], []])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual([early.fired, late.fired], [[3000], []])
        yield* TestClock.adjust(6000)
        assert.deepStrictEqual([early.fired, late.fired], [[3000], [9000]])
      })
    )
  )

  it.effect("keeps its fiber if the next wait of a sequence follows immediately", () =>
    atStart(
      Effect.gen(function* () {
        const timer = new SharedTimer()
        const first = yield* schedule(timer, 9000)
        yield* TestClock.adjust(0)
        for (const cancel of first.cancels) cancel()
        const second = yield* schedule(timer, 9500)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(yield* sleeps, [9000])
        yield* TestClock.adjust(9499)
        assert.deepStrictEqual(second.fired, [])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual([first.fired, second.fired], [[], [9500]])
      })
    )
  )

  it.effect("ends its fiber if no timer is left, and starts another fiber for the next timer", () =>
    Effect.gen(function* () {
      const timer = new SharedTimer()
      const cancelLate = Effect.gen(function* () {
        const { cancels, fired } = yield* schedule(timer, 900_000)
        yield* Effect.sleep(1000)
        for (const cancel of [...cancels, ...cancels]) cancel()
        yield* Effect.sleep(1)
        return fired
      })
      // Virtual time fails with a defect if a fiber is still sleeping.
      const twice = Effect.all([cancelLate, cancelLate])
      assert.deepStrictEqual(valueOf(yield* runInVirtualTime(twice, start)), [[], []])
      const wait = timer.wait<void, never>(
        start + 900_000,
        () => Effect.void,
        () => () => {}
      )
      const interrupted = Effect.timeoutOption(wait, 1000)
      assert.isTrue(Option.isNone(valueOf(yield* runInVirtualTime(interrupted, start))))
    })
  )

  it.effect("uses the clock of each fiber", () =>
    atStart(
      Effect.gen(function* () {
        const timer = new SharedTimer()
        const steady = yield* Effect.clock
        const other = new SettableClock(steady)
        yield* schedule(timer, 3000)
        yield* Effect.withClock(schedule(timer, 4000), other)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual((yield* sleeps).sort(), [3000, 4000])
      })
    )
  )

  describe("wait", () => {
    /** Waits for 5 seconds. Returns the function that ends the wait early, and the number of removed listeners. */
    const wait = () => {
      const state: { end: (result: Effect.Effect<string>) => void; removed: number; fired: number } = {
        end: () => {},
        removed: 0,
        fired: 0
      }
      const result = new SharedTimer().wait<string, never>(
        start + 5000,
        () => {
          state.fired += 1
          return Effect.succeed("late")
        },
        (end) => {
          state.end = end
          return () => void (state.removed += 1)
        }
      )
      return { result, state }
    }

    it.effect("removes the listener when the timer fires", () =>
      atStart(
        Effect.gen(function* () {
          const { result, state } = wait()
          const fiber = yield* Effect.fork(result)
          yield* TestClock.adjust(5000)
          assert.strictEqual(yield* Fiber.join(fiber), "late")
          assert.deepInclude(state, { removed: 1, fired: 1 })
        })
      )
    )

    it.effect("cancels the timer and removes the listener when the listener ends the wait", () =>
      atStart(
        Effect.gen(function* () {
          const { result, state } = wait()
          const fiber = yield* Effect.fork(result)
          yield* TestClock.adjust(1000)
          state.end(Effect.succeed("early"))
          assert.strictEqual(yield* Fiber.join(fiber), "early")
          yield* TestClock.adjust(10_000)
          assert.deepInclude(state, { removed: 1, fired: 0 })
          assert.deepStrictEqual(yield* sleeps, [])
        })
      )
    )

    it.effect("cancels the timer and removes the listener if the wait is interrupted", () =>
      atStart(
        Effect.gen(function* () {
          const { result, state } = wait()
          const fiber = yield* Effect.fork(result)
          yield* TestClock.adjust(1000)
          yield* Fiber.interrupt(fiber)
          assert.deepInclude(state, { removed: 1, fired: 0 })
          yield* TestClock.adjust(10_000)
          assert.deepInclude(state, { removed: 1, fired: 0 })
          assert.deepStrictEqual(yield* sleeps, [])
        })
      )
    )
  })
})
