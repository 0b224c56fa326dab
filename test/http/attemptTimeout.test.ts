import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Layer, Redacted } from "effect"
import { Execution, IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { makeAttemptTimeout } from "../../src/internal/http/attemptTimeout.js"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import { valueOf } from "../utils/exit.js"
import { silent, start } from "../utils/harness.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

const seconds = Effect.map(Clock.currentTimeMillis, (now) => now / 1000)

describe("makeAttemptTimeout", () => {
  it.effect("ends each of several concurrent attempts at its own deadline", () =>
    Effect.gen(function* () {
      const withTimeout = makeAttemptTimeout(new SharedTimer(), 5000)
      const ended: Array<readonly [name: string, how: string, at: number]> = []
      const attempt = (name: string, from: number, takes: number) =>
        withTimeout(Effect.as(Effect.sleep(takes * 1000), "done"), () => "late").pipe(
          Effect.merge,
          Effect.tap((how) => Effect.map(seconds, (at) => ended.push([name, how, at]))),
          Effect.delay(from * 1000)
        )
      const program = Effect.gen(function* () {
        // The interruption of the attempt that started the timer must not affect the other attempts.
        const first = yield* Effect.fork(attempt("interrupted", 0, 60))
        const others = yield* Effect.fork(
          Effect.all(
            [
              attempt("a", 1, 60),
              attempt("b", 1, 3),
              attempt("c", 2.5, 60),
              attempt("d", 2.5, 4.999),
              // The timer must restart after a period without attempts.
              attempt("e", 20, 60),
              attempt("f", 40, 1)
            ],
            { concurrency: "unbounded" }
          )
        )
        yield* Effect.sleep(2000)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(first)))
        yield* Fiber.join(others)
      })
      // Virtual time fails with a defect if a fiber is still sleeping.
      valueOf(yield* runInVirtualTime(program, 0))
      assert.deepStrictEqual(ended, [
        ["b", "done", 4],
        ["a", "late", 6],
        ["d", "done", 7.499],
        ["c", "late", 7.5],
        ["e", "late", 25],
        ["f", "done", 41]
      ])
    })
  )

  it.effect("waits for the finalizers of an attempt that exceeds the timeout", () =>
    Effect.gen(function* () {
      const withTimeout = makeAttemptTimeout(new SharedTimer(), 5000)
      const order: Array<string> = []
      const attempt = Effect.never.pipe(
        Effect.onInterrupt(() =>
          Effect.zipRight(
            Effect.sleep(1000),
            Effect.sync(() => order.push("cleaned up"))
          )
        )
      )
      const program = withTimeout(attempt, () => "late").pipe(
        Effect.catchAll((how) => Effect.map(seconds, (at) => order.push(`${how} at ${at}`)))
      )
      valueOf(yield* runInVirtualTime(program, 0))
      assert.deepStrictEqual(order, ["cleaned up", "late at 6"])
    })
  )

  it.effect("preserves the failures and defects of an attempt", () =>
    Effect.gen(function* () {
      const withTimeout = makeAttemptTimeout(new SharedTimer(), 5000)
      assert.deepStrictEqual(yield* Effect.exit(withTimeout(Effect.fail("no"), () => "late")), Exit.fail("no"))
      assert.deepStrictEqual(yield* Effect.exit(withTimeout(Effect.die("oh"), () => "late")), Exit.die("oh"))
    })
  )

  it.effect("uses a timer that ends each wait on time even if fibers yield often", () =>
    Effect.gen(function* () {
      // Effect makes no progress with fewer than ten operations between two yields.
      for (let steps = 10; steps <= 80; steps++) {
        const timer = new SharedTimer()
        const wait = (millis: number) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) =>
            timer.wait<number, never>(
              now + millis,
              () => Clock.currentTimeMillis,
              () => () => {}
            )
          )
        const program = Effect.all([wait(0), wait(5), wait(0), wait(7)]).pipe(Effect.withMaxOpsBeforeYield(steps))
        assert.deepStrictEqual(valueOf(yield* runInVirtualTime(program, 0)), [0, 5, 5, 12])
      }
    })
  )
})

describe("ModelRouteClient option attemptTimeout", () => {
  const id = Execution.ExecutionId.make("exec_1")

  it.effect("waits for the finalizers of an attempt that exceeds the timeout", () => {
    const at: Array<readonly [string, number]> = []
    const record = (what: string) => Effect.map(Clock.currentTimeMillis, (now) => void at.push([what, now - start]))
    const http = HttpClient.make(() =>
      Effect.onInterrupt(Effect.never, () => Effect.zipRight(Effect.sleep("1 second"), record("closed")))
    )
    return Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const { executions } = yield* ModelRouteClient.make({
          apiKey: Redacted.make("sk_1"),
          retry: RetryPolicy.none,
          attemptTimeout: "5 seconds"
        })
        yield* Effect.exit(executions.get(id))
        yield* record("late")
        const fiber = yield* Effect.fork(executions.get(id))
        yield* Effect.sleep("2 seconds")
        yield* Fiber.interrupt(fiber)
        yield* record("left")
      }).pipe(Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layer)))
      valueOf(yield* runInVirtualTime(silent(program), start))
      assert.deepStrictEqual(at, [
        ["closed", 6000],
        ["late", 6000],
        ["closed", 9000],
        ["left", 9000]
      ])
    })
  })
})
