/** Calls the `fetch` handler of the worker under Node, against a simulator on a local port. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { eventually, quiet } from "./backend/support/testing.js"
import worker from "./worker.js"

const { Fault } = Simulator

const simulator = (options: Simulator.Options = {}) =>
  SimulatorServer.layer({
    models: { "flux-1.1-pro": { duration: "100 millis", cost: "0.040", output: "image" } },
    ...options
  })

const call = (path: string, init?: RequestInit) =>
  Effect.gen(function* () {
    const { url } = yield* SimulatorServer.SimulatorServer
    const env = { MODELROUTE_API_KEY: "sk_test", MODELROUTE_BASE_URL: url }
    const response = yield* Effect.promise(() => worker.fetch(new Request(`http://worker.test${path}`, init), env))
    const body = yield* Effect.promise(() => response.text())
    return { status: response.status, headers: response.headers, body }
  })

const submit = (body: string) => call("/images", { method: "POST", headers: { "idempotency-key": "fox-1" }, body })

const prompt = JSON.stringify({ prompt: "a red fox in snow" })

describe("examples/worker.ts", () => {
  it.live("creates one execution for a repeated request and redirects to its image", () =>
    Effect.gen(function* () {
      const created = yield* submit(prompt)
      assert.strictEqual(created.status, 202)
      assert.deepStrictEqual(yield* submit(prompt), created)
      const { executions } = yield* (yield* Simulator.Simulator).ledger
      assert.lengthOf(executions, 1)
      const path = `/images/${executions[0]?.executionId}`
      assert.include(created.body, path)
      const shown = yield* eventually(call(path), ({ status }) => status !== 202)
      assert.strictEqual(shown.status, 302)
      const image = yield* Effect.promise(() => fetch(shown.headers.get("location") ?? ""))
      assert.strictEqual(image.headers.get("content-type"), "image/png")
    }).pipe(Effect.provide([simulator(), quiet]))
  )

  it.live("responds with the error tag if the create request fails", () =>
    Effect.gen(function* () {
      const responses = yield* Effect.all([submit("{}"), submit(prompt), submit(prompt), call("/nowhere")])
      assert.deepStrictEqual(
        responses.map(({ body, status }) => [status, body]),
        [
          [400, '{"error":"The body must contain a prompt"}'],
          [422, '{"error":"ContentModerationRejected"}'],
          [502, '{"error":"InsufficientBalance"}'],
          [404, ""]
        ]
      )
    }).pipe(
      Effect.provide([
        simulator({ faults: [Fault.apiError("CONTENT_MODERATION_REJECTED"), Fault.apiError("INSUFFICIENT_BALANCE")] }),
        quiet
      ])
    )
  )

  it.live("responds with 500 if no API key is configured", () =>
    Effect.gen(function* () {
      const response = yield* Effect.promise(() => worker.fetch(new Request("http://worker.test/images/exec_1"), {}))
      assert.strictEqual(response.status, 500)
    })
  )
})
