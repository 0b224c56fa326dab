/** The method `request` for endpoints without a method of their own. */
import { Effect } from "effect"
import { IdempotencyKey } from "effect-modelroute"
import { assert, describe, it } from "@effect/vitest"
import { failureOf, valueOf } from "../utils/exit.js"
import { image, prompt, runToEnd } from "../utils/harness.js"
import { makeFakeClient } from "../utils/fake.js"

describe("request", () => {
  it.effect("retries exactly the idempotent methods", () =>
    Effect.gen(function* () {
      for (const [method, count] of [
        ["GET", 2],
        ["HEAD", 2],
        ["PUT", 2],
        ["DELETE", 2],
        ["OPTIONS", 2],
        ["POST", 1],
        ["PATCH", 1]
      ] as const) {
        const { client, urls } = makeFakeClient((_, n) => (n === 1 ? { status: 502 } : { status: 200, json: {} }))
        yield* runToEnd(Effect.flatMap(client, ({ request }) => request(method, "/x")))
        assert.lengthOf(urls, count, method)
      }
    })
  )

  it.effect("does not expect a body in the response to a HEAD", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, headers: { "content-length": "5" } }))
    return Effect.gen(function* () {
      assert.isUndefined(valueOf(yield* runToEnd((yield* client).request("HEAD", "/x"))))
      assert.lengthOf(urls, 1)
    })
  })

  it.effect("adds /v1 unless the first segment of the path is exactly v1", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: {} }))
    return Effect.gen(function* () {
      const { request } = yield* client
      for (const path of ["/v1", "/v1?a=b", "/v10/x"]) yield* request("GET", path)
      assert.deepStrictEqual(
        urls.map((url) => new URL(url).pathname + new URL(url).search),
        ["/v1", "/v1?a=b", "/v1/v10/x"]
      )
    })
  })

  it.effect("retries a 409 only with an idempotency key, and fails with the method and the key", () =>
    Effect.gen(function* () {
      const failing = (key?: string) => {
        const { client, urls } = makeFakeClient(() => ({
          status: 409,
          json: { error: { code: "CONFLICT", message: `not "${prompt}"` } }
        }))
        return Effect.gen(function* () {
          const call = (yield* client).request("POST", "/executions", image)
          const exit = yield* runToEnd(key === undefined ? call : IdempotencyKey.withKey(call, key))
          return { error: failureOf(exit), sent: urls.length }
        })
      }
      const keyed = yield* failing("mine")
      assert.strictEqual(keyed.sent, 4)
      assert.strictEqual(keyed.error.idempotencyKey, "mine")
      assert.strictEqual(keyed.error.operation, "request POST")
      assert.notInclude(JSON.stringify(keyed.error), prompt)
      const bare = yield* failing()
      assert.strictEqual(bare.sent, 1)
      assert.isUndefined(bare.error.idempotencyKey)
    })
  )

  it.effect("retries truncated JSON", () => {
    const { client, urls } = makeFakeClient((_, n) => ({ status: 200, text: n === 1 ? '{"data":[1' : '{"data":[1]}' }))
    return Effect.gen(function* () {
      assert.deepStrictEqual(valueOf(yield* runToEnd((yield* client).request("GET", "/x"))), { data: [1] })
      assert.lengthOf(urls, 2)
    })
  })

  it.effect("rejects a body without a JSON form", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: {} }))
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).request("POST", "/x", () => 1)))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "body")
      assert.deepStrictEqual(urls, [])
    })
  })
})
