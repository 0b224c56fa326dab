/** Tests the method `request` for endpoints without a dedicated method. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { IdempotencyKey, type RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { arrivalTimes, image, layer, prompt, runToEnd, withClient } from "../utils/harness.js"

describe("client.request", () => {
  it.effect("retries after a 502 only if the method is idempotent", () =>
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

  it.effect("accepts a HEAD response without a body", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, headers: { "content-length": "5" } }))
    return Effect.gen(function* () {
      assert.isUndefined(valueOf(yield* runToEnd((yield* client).request("HEAD", "/x"))))
      assert.lengthOf(urls, 1)
    })
  })

  it.effect("adds /v1 to the path unless its first segment is v1", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: {} }))
    return Effect.gen(function* () {
      const { request } = yield* client
      for (const path of ["/v1", "/v1?a=b", "/v10/x", "/a/v1/b"]) yield* request("GET", path)
      assert.deepStrictEqual(
        urls.map((url) => new URL(url).pathname + new URL(url).search),
        ["/v1", "/v1?a=b", "/v1/v10/x", "/v1/a/v1/b"]
      )
    })
  })

  it.effect("retries after a 409 only if the request has an idempotency key", () =>
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
      assert.isTrue(keyed.error.retryable)
      assert.notInclude(JSON.stringify(keyed.error), prompt)
      const bare = yield* failing()
      assert.strictEqual(bare.sent, 1)
      assert.isUndefined(bare.error.idempotencyKey)
      assert.isFalse(bare.error.retryable)
    })
  )

  it.effect("rejects a second body with the same key of withKey", () => {
    const { bodies, client } = makeFakeClient(() => ({ status: 200, json: {} }))
    return Effect.gen(function* () {
      const { request } = yield* client
      const error = yield* Effect.gen(function* () {
        yield* request("POST", "/x", { a: 1 })
        yield* request("POST", "/x", { a: 1 })
        return yield* Effect.flip(request("POST", "/x", { a: 2 }))
      }).pipe(IdempotencyKey.withKey("mine"))
      assert.deepInclude(error, { _tag: "InvalidRequest", field: "idempotencyKey" })
      assert.deepStrictEqual(bodies, ['{"a":1}', '{"a":1}'])
    })
  })

  it.effect("retries after a response with truncated JSON", () => {
    const { client, urls } = makeFakeClient((_, n) => ({ status: 200, text: n === 1 ? '{"data":[1' : '{"data":[1]}' }))
    return Effect.gen(function* () {
      assert.deepStrictEqual(valueOf(yield* runToEnd((yield* client).request("GET", "/x"))), { data: [1] })
      assert.lengthOf(urls, 2)
    })
  })

  it.effect("rejects a request body that JSON cannot represent", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: {} }))
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).request("POST", "/x", () => 1)))
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "body")
      assert.deepStrictEqual(urls, [])
    })
  })

  it.effect("returns the response of any endpoint unchanged", () => {
    const replies = [{ data: [1] }, undefined, "plain text"]
    const { bodies, client, headers, urls } = makeFakeClient((_, n) => {
      const reply = replies[n - 1]
      return typeof reply === "string" ? { status: 200, text: reply } : { status: reply ? 200 : 204, json: reply }
    })
    return Effect.gen(function* () {
      const { request } = yield* client
      assert.deepStrictEqual(yield* request("GET", "/executions?limit=5"), { data: [1] })
      assert.isUndefined(yield* request("DELETE", "/v1/webhooks/endpoints/wh_1"))
      assert.strictEqual(yield* request("POST", "/files/confirm", { file_id: "file_1" }), "plain text")
      assert.deepStrictEqual(urls, [
        "https://api.modelroute.ai/v1/executions?limit=5",
        "https://api.modelroute.ai/v1/webhooks/endpoints/wh_1",
        "https://api.modelroute.ai/v1/files/confirm"
      ])
      assert.deepStrictEqual(bodies, ["", "", '{"file_id":"file_1"}'])
      assert.strictEqual(headers[2]?.["content-type"], "application/json")
      assert.isUndefined(headers[2]?.["idempotency-key"])
    })
  })

  for (const path of [
    "executions",
    "https://evil.example/",
    "//evil.example",
    "/a/../../b",
    "/a\nb",
    "/..",
    "/a/..",
    "/./b",
    "/a/.",
    "/a/..?b",
    "/%2e%2e/admin",
    "/%2E./x",
    "/a\\..\\..\\..\\b",
    "//[",
    "/..#"
  ]) {
    it.effect(`rejects the path ${JSON.stringify(path)}`, () => {
      const { client, urls } = makeFakeClient(() => ({ status: 200 }))
      return Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit((yield* client).request("GET", path)))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "path")
        assert.deepStrictEqual(urls, [])
      })
    })
  }

  const bad: ReadonlyArray<readonly [string, unknown, unknown, string]> = [
    ["CONNECT", "/executions", undefined, "method"],
    ["get", "/executions", undefined, "method"],
    ["GET\r\nX: y", "/executions", undefined, "method"],
    ["GET", "/executions", { limit: 5 }, "body"],
    ["HEAD", "/executions", null, "body"],
    ["GET", 5, undefined, "path"]
  ]
  for (const [method, path, body, field] of bad) {
    it.effect(
      `rejects the ${field} of a request with the method ${JSON.stringify(method)}, the path ${JSON.stringify(path)} and the body ${JSON.stringify(body)}`,
      () => {
        const { client, urls } = makeFakeClient(() => ({ status: 200 }))
        return Effect.gen(function* () {
          const { request } = yield* client
          // @ts-expect-error A JavaScript caller can pass any method and any path.
          const error = failureOf(yield* Effect.exit(request(method, path, body)))
          assert.strictEqual(error._tag === "InvalidRequest" && error.field, field)
          assert.deepStrictEqual(urls, [])
        })
      }
    )
  }

  it.effect("does not retry a POST request without an idempotency key if the API may have executed it", () => {
    const attempts = (method: "GET" | "POST", fault: Fault.Fault, key?: string, retry?: RetryPolicy.RetryPolicy) =>
      withClient((client) =>
        Effect.gen(function* () {
          const call = client.request(method, "/executions", method === "GET" ? undefined : image)
          yield* runToEnd(key === undefined ? call : IdempotencyKey.withKey(call, key))
          const { ledger } = yield* Simulator
          return [(yield* arrivalTimes()).length, (yield* ledger).executions.length]
        })
      ).pipe(Effect.provide(layer({ simulator: { faults: [fault] }, client: retry === undefined ? {} : { retry } })))
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* attempts("GET", Fault.dropAfter), [2, 0])
      assert.deepStrictEqual(yield* attempts("POST", Fault.dropAfter), [1, 1])
      assert.deepStrictEqual(yield* attempts("POST", Fault.badGateway), [1, 0])
      assert.deepStrictEqual(yield* attempts("POST", Fault.apiError("MODEL_OVERLOADED")), [1, 0])
      assert.deepStrictEqual(yield* attempts("POST", Fault.apiError("SERVICE_UNAVAILABLE", { phase: "after" })), [1, 1])
      assert.deepStrictEqual(yield* attempts("POST", Fault.apiError("RATE_LIMITED", { resetIn: "2 seconds" })), [2, 1])
      assert.deepStrictEqual(yield* attempts("POST", Fault.dropAfter, "mine"), [2, 1])
      assert.deepStrictEqual(yield* attempts("POST", Fault.dropAfter, undefined, Schedule.recurs(5)), [1, 1])
    })
  })
})
