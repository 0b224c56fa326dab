import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ModelRouteError } from "effect-modelroute"
import { atStart, clientWithStatus, id } from "../utils/executions.js"
import { failureOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { runToEnd } from "../utils/harness.js"

describe("isExecutionEnded", () => {
  it.effect("is true for the error of an ended execution and false for the error of a request", () =>
    atStart(
      Effect.gen(function* () {
        const code = { code: "INTERNAL_ERROR", message: "oh" }
        const ends = [
          clientWithStatus("FAILED", { error: code }),
          clientWithStatus("FAILED"),
          clientWithStatus("CANCELLED"),
          clientWithStatus("EXPIRED")
        ]
        for (const { client } of ends) {
          const error = failureOf(yield* runToEnd((yield* client).executions.await(id)))
          assert.isTrue(ModelRouteError.isExecutionEnded(error), error._tag)
        }
        const requestFailures = [
          makeFakeClient(() => ({ status: 500, json: { error: code } })),
          makeFakeClient(() => ({ status: 404, text: "" })),
          clientWithStatus()
        ]
        for (const { client } of requestFailures) {
          const error = failureOf(yield* runToEnd((yield* client).executions.await(id, { timeout: "9 seconds" })))
          assert.isFalse(ModelRouteError.isExecutionEnded(error), error._tag)
          assert.strictEqual(error.executionId, id)
        }
        assert.isFalse(ModelRouteError.isExecutionEnded(new Error("FAILED")))
      })
    )
  )
})
