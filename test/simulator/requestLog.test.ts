/** Tests the request log of the simulator. */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import { start } from "../utils/harness.js"
import { call, createExecution, fluxRequest, idOf, send, test, toUrl, withApiKey } from "../utils/rawApi.js"

describe("Simulator requests", () => {
  const observed: Array<Simulator.RequestRecord> = []

  test(
    "are logged with a redacted API key",
    { recordRequests: 2, onRequest: (record) => Effect.sync(() => observed.push(record)) },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* call("GET", "/executions")
      yield* TestClock.adjust("1 second")
      const id = idOf(yield* createExecution(fluxRequest, "key"))
      yield* call("GET", `/executions/${id}`)
      const requests = yield* simulator.requests
      assert.deepStrictEqual(
        requests.map(({ operation, path, at, outcome, executionId }) => [operation, path, at, outcome, executionId]),
        [
          ["executions.create", "/v1/executions", start + 1000, 202, id],
          ["executions.get", `/v1/executions/${id}`, start + 1000, 200, id]
        ]
      )
      const [first] = requests
      assert(first !== undefined)
      assert.strictEqual(first.idempotencyKey, "key")
      assert.strictEqual(first.headers["authorization"], "Bearer <redacted>")
      assert.deepStrictEqual(new TextDecoder().decode(first.body), JSON.stringify(fluxRequest))
      assert.notInclude(JSON.stringify(requests), "sk_test")
      assert.deepStrictEqual(observed.slice(1), [...requests])
    })
  )

  test(
    "can have a text body or a stream body",
    {},
    Effect.gen(function* () {
      const text = JSON.stringify(fluxRequest)
      const chunks = Stream.make(new TextEncoder().encode(text.slice(0, 9)), new TextEncoder().encode(text.slice(9)))
      const base = HttpClientRequest.post(toUrl("/executions")).pipe(withApiKey)
      yield* send(HttpClientRequest.bodyStream(base, chunks))
      yield* send(HttpClientRequest.bodyText(base, text))
      const bodies = (yield* (yield* Simulator.Simulator).ledger).executions.map((entry) => entry.body)
      assert.deepStrictEqual(bodies, [text, text])
    })
  )
})
