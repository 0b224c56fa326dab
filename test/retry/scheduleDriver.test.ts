/** Tests the driver that steps a schedule manually. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schedule, ScheduleDecision, ScheduleInterval, TestClock } from "effect"
import { Execution, ModelRouteError, RetryPolicy } from "effect-modelroute"
import { makeScheduleDriver } from "../../src/internal/retry/scheduleDriver.js"
import { makeFakeClient } from "../utils/fake.js"
import { SettableClock } from "../utils/settableClock.js"

describe("makeScheduleDriver", () => {
  const id = Execution.ExecutionId.make("exec_1")

  it.effect("retries without a delay if the next interval of the schedule is in the past", () => {
    const { at, client } = makeFakeClient(
      (_, n) => (n === 1 ? { status: 503 } : { status: 200, json: { id: "exec_1" } }),
      {
        retry: Schedule.makeWithState(0, (now, _: ModelRouteError.ModelRouteError, n) =>
          Effect.succeed([n + 1, n, ScheduleDecision.continueWith(ScheduleInterval.after(now - 5000))])
        )
      }
    )
    return Effect.gen(function* () {
      yield* (yield* client).executions.get(id)
      assert.lengthOf(at, 2)
    })
  })

  it.effect("returns the delays of the schedule until the schedule ends", () =>
    Effect.gen(function* () {
      const driver = makeScheduleDriver(Schedule.intersect(Schedule.exponential("1 second"), Schedule.recurs(2)))
      assert.deepStrictEqual([yield* driver.next(0), yield* driver.next(0)], [1000, 2000])
      assert.isUndefined(yield* driver.next(0))
    })
  )

  it.effect("reevaluates the latest step with another error, without a further step", () =>
    Effect.gen(function* () {
      const driver = makeScheduleDriver(RetryPolicy.make({ backoff: { times: 2 }, rateLimit: { maxWait: "1 minute" } }))
      const fault = new ModelRouteError.ModelOverloaded({})
      const limited = (retryAfter: Duration.DurationInput) =>
        new ModelRouteError.RateLimited({ retryAfter: Duration.decode(retryAfter) })
      assert.strictEqual(yield* driver.reevaluate(fault), 1000)
      assert.strictEqual(yield* driver.next(fault), 1000)
      assert.strictEqual(yield* driver.reevaluate(fault), 1000)
      assert.strictEqual(yield* driver.reevaluate(limited("30 seconds")), 30_000)
      assert.isUndefined(yield* driver.reevaluate(limited("61 seconds")))
      assert.strictEqual(yield* driver.next(fault), 2000)
      assert.isUndefined(yield* driver.next(fault))
    })
  )

  it.effect("starts the schedule at the wall-clock time and advances the schedule with the monotonic time", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const driver = makeScheduleDriver(
        Schedule.makeWithState(0, (now, _: number, n) => {
          times.push(now)
          return Effect.succeed([n, n, ScheduleDecision.continueWith(ScheduleInterval.after(now + 5000))])
        })
      )
      const clock = new SettableClock(yield* Effect.clock)
      clock.offset = 3_600_000
      const next = Effect.withClock(driver.next(0), clock)
      assert.strictEqual(yield* next, 5000)
      clock.offset = -3_600_000
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* next, 5000)
      assert.deepStrictEqual(times, [3_600_000, 3_605_000])
    })
  )
})
