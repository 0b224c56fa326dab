import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Execution, Webhook } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { simulate, wrapEngine } from "../utils/durable.js"
import { image } from "../utils/harness.js"

const eventOf = (durableExecution: unknown) =>
  new Webhook.Event({
    id: Webhook.EventId.make("evt_1"),
    type: "execution.completed",
    execution: new Execution.Execution({
      id: Execution.ExecutionId.make("exec_1"),
      status: "COMPLETED",
      metadata: { durable_execution: durableExecution }
    })
  })

describe("DurableExecution.onEvent", () => {
  it.effect("ignores metadata of other applications that contains no id of a workflow", () => {
    const signals: Array<string> = []
    const engine = wrapEngine(({ deferredDone }) => ({
      deferredDone: (deferred, options) => {
        signals.push(options.executionId)
        return deferredDone(deferred, options)
      }
    }))
    return Effect.gen(function* () {
      for (const id of ["order-7", "a".repeat(300), "\0", 7]) yield* DurableExecution.onEvent(eventOf(id))
      const workflowId = yield* DurableExecution.start("order-7", image)
      yield* DurableExecution.onEvent(eventOf(workflowId))
      assert.deepStrictEqual(signals, [workflowId])
    }).pipe((test) => simulate(test, { engine }))
  })
})
