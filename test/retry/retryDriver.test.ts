/** Tests the driver of the retries of one call. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { ModelRouteError, RetryPolicy } from "effect-modelroute"
import { makeRetryDriver } from "../../src/internal/retry/retryDriver.js"

describe("makeRetryDriver", () => {
  const overloaded = new ModelRouteError.ModelOverloaded({})
  const internal = new ModelRouteError.InternalError({})
  const policy = Schedule.intersect(Schedule.spaced("3 seconds"), Schedule.recurs(2))

  it.effect("uses the policy of the client without a policy from withPolicy", () =>
    Effect.gen(function* () {
      const driver = makeRetryDriver({ policy, retryWhile: () => true })
      assert.deepStrictEqual([yield* driver.next(overloaded), yield* driver.next(internal)], [3000, 3000])
      assert.isUndefined(yield* driver.next(overloaded))
    })
  )

  it.effect("uses the policy from withPolicy instead of the policy of the client", () =>
    Effect.gen(function* () {
      const driver = makeRetryDriver({ policy, retryWhile: () => true })
      assert.strictEqual(yield* driver.next(overloaded), 7000)
    }).pipe(RetryPolicy.withPolicy(Schedule.spaced("7 seconds")))
  )

  it.effect("counts only errors that match retryWhile", () =>
    Effect.gen(function* () {
      const driver = makeRetryDriver({ policy, retryWhile: ({ retryable }) => retryable })
      for (const step of [driver.next, driver.reevaluate]) assert.isUndefined(yield* step(internal))
      assert.strictEqual(yield* driver.reevaluate(overloaded), 3000)
      assert.deepStrictEqual([yield* driver.next(overloaded), yield* driver.next(overloaded)], [3000, 3000])
      assert.isUndefined(yield* driver.next(overloaded))
    })
  )

  it.effect("provides retryWhile to the policies of RetryPolicy", () =>
    Effect.gen(function* () {
      const driver = makeRetryDriver({ policy: RetryPolicy.standard, retryWhile: () => true })
      assert.deepStrictEqual([yield* driver.next(internal), yield* driver.next(internal)], [1000, 2000])
    })
  )
})
