/** Tests the hooks around the attempts of a call. */
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Execution, ModelRouteError } from "effect-modelroute"
import {
  type AttemptInterceptor,
  noInterceptor,
  reportTransportSend,
  withInterceptor
} from "../../src/internal/http/attemptInterceptor.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { image, runToEnd } from "../utils/harness.js"

const id = Execution.ExecutionId.make("exec_1")

/** Returns an interceptor that records each hook as `name hook details`. */
const recorder = (name: string, events: Array<string>): AttemptInterceptor => {
  const record = (event: string) => Effect.sync(() => void events.push(`${name} ${event}`))
  return {
    beforeSend: ({ isKeyed, operation, previousAttempts }) =>
      record(`beforeSend ${operation} ${isKeyed ? "keyed" : "unkeyed"} ${previousAttempts}`),
    onTransportSend: record("onTransportSend"),
    onSuccess: ({ previousAttempts }) => record(`onSuccess ${previousAttempts}`),
    onFailure: ({ previousAttempts }, error) => record(`onFailure ${previousAttempts} ${error._tag}`),
    beforeRetry: (error) => record(`beforeRetry ${error._tag}`)
  }
}

describe("withInterceptor", () => {
  it.effect("runs the hooks of each attempt and retry in order", () => {
    const events: Array<string> = []
    const { client } = makeFakeClient((_, n) =>
      n === 1 ? { status: 503, text: "" } : { status: 202, json: { id: "exec_1" } }
    )
    return Effect.gen(function* () {
      const { executions } = yield* client
      valueOf(yield* runToEnd(withInterceptor(executions.create(image), recorder("a", events))))
      yield* executions.create(image)
      assert.deepStrictEqual(events, [
        "a beforeSend executions.create keyed 0",
        "a onFailure 0 UnexpectedResponse",
        "a beforeRetry UnexpectedResponse",
        "a beforeSend executions.create keyed 1",
        "a onSuccess 1"
      ])
    })
  })

  it.effect("runs the hooks of the inner interceptor first", () => {
    const events: Array<string> = []
    const { client } = makeFakeClient((_, n) => ({ status: n === 1 ? 503 : 200, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { executions } = yield* client
      const inner = withInterceptor(executions.get(id), recorder("inner", events))
      valueOf(yield* runToEnd(withInterceptor(inner, recorder("outer", events))))
      yield* withInterceptor(reportTransportSend, recorder("inner", events)).pipe((send) =>
        withInterceptor(send, recorder("outer", events))
      )
      assert.deepStrictEqual(events, [
        "inner beforeSend executions.get unkeyed 0",
        "outer beforeSend executions.get unkeyed 0",
        "inner onFailure 0 UnexpectedResponse",
        "outer onFailure 0 UnexpectedResponse",
        "inner beforeRetry UnexpectedResponse",
        "outer beforeRetry UnexpectedResponse",
        "inner beforeSend executions.get unkeyed 1",
        "outer beforeSend executions.get unkeyed 1",
        "inner onSuccess 1",
        "outer onSuccess 1",
        "inner onTransportSend",
        "outer onTransportSend"
      ])
    })
  })

  it.effect("sends no request if the hook beforeSend fails", () => {
    const events: Array<string> = []
    const blocked = new ModelRouteError.InvalidRequest({ operation: "x", field: "request", message: "blocked" })
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { executions, rateLimit } = yield* client
      const call = withInterceptor(executions.get(id), {
        ...recorder("a", events),
        beforeSend: () => Effect.fail(blocked)
      })
      assert.strictEqual(failureOf(yield* Effect.exit(call)).message, "blocked")
      assert.deepStrictEqual([urls, events], [[], []])
      assert.strictEqual((yield* rateLimit).inFlight, 0)
    })
  })

  it.effect("runs onTransportSend for each request that a retry in transformClient sends", () => {
    const events: Array<string> = []
    const { client } = makeFakeClient((_, n) => ({ status: n === 1 ? 500 : 200, json: { id: "exec_1" } }), {
      transformClient: (http) => HttpClient.retry(HttpClient.filterStatusOk(http), { times: 1 })
    })
    return Effect.gen(function* () {
      const { executions } = yield* client
      yield* withInterceptor(executions.get(id), {
        ...noInterceptor,
        onTransportSend: recorder("a", events).onTransportSend
      })
      assert.deepStrictEqual(events, ["a onTransportSend", "a onTransportSend"])
    })
  })

  it.effect("is not necessary for a successful call of reportTransportSend", () => reportTransportSend)
})
