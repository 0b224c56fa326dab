/** Tests the driver that steps a schedule manually. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, ScheduleDecision, ScheduleInterval } from "effect"
import { Execution, type ModelRouteError } from "effect-modelroute"
import { makeFakeClient } from "../utils/fake.js"

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
})
