import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import type { Execution } from "effect-modelroute"
import { encodeCreateBody, toCreateRequest } from "../../src/internal/executions/requests.js"

describe("toCreateRequest", () => {
  const minimal = { model: "m", input: { prompt: "a fox" } }
  const requests: ReadonlyArray<readonly [string, Execution.CreateRequest]> = [
    ["the required fields", minimal],
    [
      "all fields",
      { ...minimal, webhookUrl: "https://example.com/hook", metadata: { order: 7 }, extra: { priority: "high" } }
    ]
  ]
  for (const [name, request] of requests) {
    it(`returns the request of an encoded body with ${name}`, () => {
      const { body } = Either.getOrThrow(encodeCreateBody("executions.create", request))
      assert.deepStrictEqual(toCreateRequest(body), { webhookUrl: undefined, extra: {}, ...request })
    })
  }

  it("returns a request that encodeCreateBody rejects if the body contains no model", () => {
    for (const model of [undefined, "", 5]) {
      const encoded = encodeCreateBody("executions.create", toCreateRequest({ model, input: {} }))
      assert.strictEqual(Either.isLeft(encoded) && encoded.left.field, "model")
    }
  })

  it("omits an input or metadata that is not an object", () => {
    assert.deepStrictEqual(toCreateRequest({ model: "m", input: ["a"], metadata: "order 7" }), {
      model: "m",
      input: {},
      webhookUrl: undefined,
      extra: {}
    })
  })
})
