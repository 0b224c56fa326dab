/** Tests effects that wait for a callback or for a child fiber. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, FiberRef, Logger, LogLevel, TestClock } from "effect"
import { awaitCallback } from "../../src/internal/http/awaitCallback.js"
import { runInChild, startFiber } from "../../src/internal/http/childFiber.js"

type Resume = (result: Effect.Effect<string, string>) => void

/** Registers a callback. Returns the function that resumes the wait, and the number of cleanups. */
const register = () => {
  const state: { resume: Resume; cleanUps: number } = { resume: () => {}, cleanUps: 0 }
  const wait = awaitCallback<string, string>((resume) => {
    state.resume = resume
    return Effect.sync(() => void (state.cleanUps += 1))
  })
  return { state, wait }
}

describe("awaitCallback", () => {
  it.effect("returns the first result, and does not run the cleanup", () =>
    Effect.gen(function* () {
      for (const result of [Effect.succeed("a"), Effect.fail("a")]) {
        const { state, wait } = register()
        const fiber = yield* Effect.fork(Effect.exit(wait))
        yield* Effect.yieldNow()
        state.resume(result)
        state.resume(Effect.succeed("b"))
        assert.deepStrictEqual(yield* Fiber.join(fiber), yield* Effect.exit(result))
        assert.strictEqual(state.cleanUps, 0)
      }
    })
  )

  it.effect("returns a result that arrives during the registration", () =>
    Effect.gen(function* () {
      const wait = awaitCallback<string, never>((resume) => {
        resume(Effect.succeed("a"))
        resume(Effect.succeed("b"))
        return Effect.dieMessage("no cleanup is necessary")
      })
      assert.strictEqual(yield* wait, "a")
    })
  )

  it.effect("runs the cleanup once if the wait is interrupted", () =>
    Effect.gen(function* () {
      const { state, wait } = register()
      const fiber = yield* Effect.fork(wait)
      yield* Effect.yieldNow()
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.strictEqual(state.cleanUps, 1)
    })
  )

  it.effect("passes the fiber of the caller to the registration", () =>
    Effect.withFiberRuntime<void>((caller) =>
      Effect.map(
        awaitCallback<unknown, never>((resume, fiber) => {
          resume(Effect.succeed(fiber))
          return Effect.void
        }),
        (fiber) => assert.strictEqual(fiber, caller)
      )
    )
  )
})

class Name extends Context.Reference<Name>()("test/Name", { defaultValue: () => "default" }) {}

describe("startFiber", () => {
  it.scoped("starts an interruptible fiber with the context and the FiberRefs of its parent", () =>
    Effect.gen(function* () {
      const ref = yield* FiberRef.make("initial")
      const observe = Effect.all([Name, FiberRef.get(ref), Effect.checkInterruptible(Effect.succeed)])
      const observed = (options?: Parameters<typeof startFiber>[2]) =>
        Effect.withFiberRuntime<readonly [string, string, boolean]>((parent) =>
          Fiber.join(startFiber(parent, observe, options))
        ).pipe(Effect.provideService(Name, "parent"), Effect.locally(ref, "local"), Effect.uninterruptible)
      assert.deepStrictEqual(yield* observed(), ["parent", "local", true])
      const mapContext = Context.add(Name, "child")
      assert.deepStrictEqual(yield* observed({ mapContext: (context) => mapContext(context) }), [
        "child",
        "local",
        true
      ])
    })
  )
})

describe("runInChild", () => {
  /** Runs an effect in a child fiber. Returns the function that ends it early, and the number of removed listeners. */
  const run = (effect: Effect.Effect<string, string>) => {
    const state: { endEarly: Resume; removed: number } = { endEarly: () => {}, removed: 0 }
    const result = runInChild<string, string, string, string>(effect, (endEarly) => {
      state.endEarly = endEarly
      return () => void (state.removed += 1)
    })
    return { state, result }
  }

  for (const [what, effect] of [
    ["a value", Effect.succeed("a")],
    ["a failure", Effect.fail("a")],
    ["a defect", Effect.die("a")]
  ] as const) {
    it.effect(`returns ${what} of the child fiber without a log line, and removes the listener`, () => {
      const lines: Array<unknown> = []
      const logger = Logger.make<unknown, void>(({ message }) => void lines.push(message))
      return Effect.gen(function* () {
        const { result, state } = run(effect)
        assert.deepStrictEqual(yield* Effect.exit(result), yield* Effect.exit(effect))
        assert.strictEqual(state.removed, 1)
        assert.deepStrictEqual(lines, [])
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All))
    })
  }

  it.effect("does not start the child fiber immediately", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const result = runInChild(
        Effect.sync(() => void order.push("child")),
        () => {
          order.push("listener")
          return () => {}
        }
      )
      yield* result
      assert.deepStrictEqual(order, ["listener", "child"])
    })
  )

  it.effect("returns the first early result after the child fiber has ended", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const slow = Effect.never.pipe(
        Effect.onInterrupt(() =>
          Effect.zipRight(
            Effect.sleep(1000),
            Effect.sync(() => order.push("closed"))
          )
        )
      )
      const { result, state } = run(slow)
      const fiber = yield* Effect.fork(Effect.tap(Effect.flip(result), (error) => order.push(error)))
      yield* TestClock.adjust(0)
      state.endEarly(Effect.fail("early"))
      state.endEarly(Effect.fail("second"))
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(order, [])
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(order, ["closed", "early"])
      assert.strictEqual(state.removed, 1)
    })
  )

  it.effect("interrupts the child fiber if the caller is interrupted", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const { result, state } = run(Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted += 1))))
      const fiber = yield* Effect.fork(result)
      yield* TestClock.adjust(0)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      assert.deepStrictEqual([interrupted, state.removed], [1, 1])
    })
  )
})
