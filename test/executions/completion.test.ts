import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ModelRouteError, RetryPolicy } from "effect-modelroute"
import { atStart, clientWithStatus, errorResponse, id } from "../utils/executions.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { image, prompt, runToEnd } from "../utils/harness.js"

describe("isExecutionEnded", () => {
  it.effect("returns true for the error of an ended execution and false for a request failure", () =>
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

describe("client.executions", () => {
  it.effect("await fails with an error that contains the fields of the execution error", () => {
    const { client } = makeFakeClient(() => ({
      status: 200,
      json: {
        id: "exec_1",
        status: "FAILED",
        error: {
          code: "MODEL_OVERLOADED",
          message: "busy",
          retryable: false,
          request_id: "req_1",
          details: [{ field: "input.width", code: "MAX", message: "too wide" }]
        }
      }
    }))
    return Effect.gen(function* () {
      const error = failureOf(yield* runToEnd((yield* client).executions.await(id)))
      assert.strictEqual(error._tag, "ModelOverloaded")
      if (error._tag !== "ModelOverloaded") return
      assert.isFalse(error.retryable)
      assert.strictEqual(error.requestId, "req_1")
      assert.strictEqual(error.status, 503)
      assert.include(error.message, "Execution exec_1 failed: ")
      assert.include(error.message, "input.width: too wide (MAX).")
    })
  })

  it.effect("await merges the fields of the execution with the fields of /result", () => {
    const { client } = makeFakeClient((url) => ({
      status: 200,
      json: url.endsWith("/result")
        ? { execution_id: "exec_1", status: "COMPLETED", output: "out", result: "res", page: 2 }
        : { id: "exec_1", status: "COMPLETED", region: "EU", page: 1 }
    }))
    return Effect.gen(function* () {
      const completed = valueOf(yield* runToEnd((yield* client).executions.await(id)))
      assert.strictEqual(completed.output, "out")
      assert.deepStrictEqual(completed.extra, { region: "EU", page: 2 })
    })
  })

  it.effect("await fails with the error of /result if /result responds with a 403", () => {
    const { client } = makeFakeClient((url) =>
      url.endsWith("/result") ? errorResponse(403) : { status: 200, json: { id: "exec_1", status: "COMPLETED" } }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* runToEnd((yield* client).executions.await(id)))
      assert.strictEqual(error._tag === "UnrecognizedError" && error.status, 403)
    })
  })

  it.effect("result fetches the execution after an error of /result only if the error is a 404", () =>
    Effect.gen(function* () {
      for (const [status, code, requests] of [
        [404, "NEW", 2],
        [401, "UNAUTHORIZED", 1],
        [429, "RATE_LIMITED", 1],
        [500, "INTERNAL_ERROR", 1]
      ] as const) {
        const { client, urls } = makeFakeClient(
          (url) =>
            url.endsWith("/result")
              ? errorResponse(status, code)
              : { status: 200, json: { id: "exec_1", status: "COMPLETED" } },
          { retry: RetryPolicy.none }
        )
        const error = failureOf(yield* Effect.exit((yield* client).executions.result(id)))
        assert.strictEqual("status" in error && error.status, status)
        assert.lengthOf(urls, requests)
      }
    })
  )

  it.effect("run fails with an error that contains the idempotency key and the execution id", () => {
    const rejection = { status: 403, json: { error: { code: "NEW", message: `not ${prompt}` } } }
    const completed = { status: 200, json: { id: "exec_1", status: "COMPLETED" } }
    return Effect.gen(function* () {
      for (const poll of [rejection, completed]) {
        const { client, urls } = makeFakeClient((url, n) =>
          n === 1
            ? { status: 202, json: { id: "exec_1", status: "PENDING" } }
            : url.endsWith("/result")
              ? rejection
              : poll
        )
        const error = failureOf(yield* runToEnd((yield* client).executions.run(image)))
        assert.strictEqual(error._tag, "UnrecognizedError")
        assert.strictEqual(error.idempotencyKey, "key-1")
        assert.strictEqual(error.executionId, id)
        assert.notInclude(JSON.stringify(error), prompt)
        assert.lengthOf(urls, poll === rejection ? 2 : 3)
      }
    })
  })
})
