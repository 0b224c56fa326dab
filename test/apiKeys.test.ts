/** Tests the methods of `client.apiKeys`. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Redacted } from "effect"
import { ApiKey } from "effect-modelroute"
import * as samples from "./utils/apiSamples.js"
import { failureOf, valueOf } from "./utils/exit.js"
import { describeNonIdempotent } from "./utils/nonIdempotent.js"
import { renderings } from "./utils/renderings.js"
import { scriptedApi } from "./utils/scriptedApi.js"
import { spansOf } from "./utils/tracing.js"

describe("apiKeys.rotate", () => {
  const keyId = ApiKey.KeyId.make("key_a1b2c3d4")
  const rotation = { ...samples.rotatedKey.json, new_key: "sk_new_canary_value_0badcafe" }

  it.effect("returns the redacted new key and the expiry of the previous key", () =>
    Effect.gen(function* () {
      const { bodies, run, urls } = scriptedApi({ status: 200, json: rotation })
      const rotated = valueOf(yield* run(({ apiKeys }) => apiKeys.rotate(keyId)))
      assert.strictEqual(rotated.id, keyId)
      assert.strictEqual(Redacted.value(rotated.newKey), rotation.new_key)
      assert.strictEqual(
        rotated.previousKeyValidUntil && DateTime.toEpochMillis(rotated.previousKeyValidUntil),
        Date.UTC(2026, 2, 20, 11)
      )
      for (const text of renderings(rotated)) assert.notInclude(text, "canary")
      assert.match(urls[0] ?? "", /\/v1\/api-keys\/key_a1b2c3d4\/rotate$/)
      assert.deepStrictEqual(bodies, [""])
    })
  )

  it.effect("reads the new key from the field new_key or key", () =>
    Effect.gen(function* () {
      const requestedId = ApiKey.KeyId.make("key_1")
      for (const [json, id] of [
        [{ id: "key_2", new_key: "sk_new" }, "key_2"],
        [{ new_key: "sk_new", key: "sk_old" }, "key_1"],
        [{ id: "", key: "sk_new" }, "key_1"]
      ] as const) {
        const { run } = scriptedApi({ status: 200, json })
        const rotated = valueOf(yield* run(({ apiKeys }) => apiKeys.rotate(requestedId)))
        assert.strictEqual(String(rotated.id), id)
        assert.strictEqual(Redacted.value(rotated.newKey), "sk_new")
      }
    })
  )

  it.effect("omits the key from the error of an unexpected response", () =>
    Effect.gen(function* () {
      for (const json of [
        { id: "key_1", secret: rotation.new_key },
        { error: { code: "X", message: rotation.new_key } }
      ]) {
        const { run } = scriptedApi({ status: 200, json })
        const exit = yield* run(({ apiKeys }) => apiKeys.rotate(keyId))
        for (const text of renderings(failureOf(exit))) assert.notInclude(text, "canary")
      }
    })
  )

  it.effect("warns in the message of an ambiguous failure that the key may have been rotated", () =>
    Effect.gen(function* () {
      const { run } = scriptedApi({ status: 200, text: '{"id":"key' })
      const error = failureOf(yield* run(({ apiKeys }) => apiKeys.rotate(keyId)))
      assert.strictEqual(error._tag === "TransportError" && error.retryable, false)
      assert.include(error.message, "may have been executed")
    })
  )

  it.effect("encodes the id as a single path segment", () =>
    Effect.gen(function* () {
      const { requests, run } = scriptedApi({ status: 200, json: rotation })
      valueOf(yield* run(({ apiKeys }) => apiKeys.rotate(ApiKey.KeyId.make("id/1?x"))))
      assert.deepStrictEqual(requests, ["POST /v1/api-keys/id%2F1%3Fx/rotate"])
    })
  )

  it.effect('rejects the ids "." and ".." before it sends a request', () =>
    Effect.gen(function* () {
      for (const dots of [".", ".."]) {
        const { requests, run } = scriptedApi({ status: 200, json: rotation })
        const error = failureOf(yield* run(({ apiKeys }) => apiKeys.rotate(ApiKey.KeyId.make(dots))))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "id")
        assert.deepStrictEqual(requests, [])
      }
    })
  )

  it.effect("records one span with the name modelroute.apiKeys.rotate", () =>
    Effect.gen(function* () {
      const { client } = scriptedApi({ status: 200, json: rotation })
      const { apiKeys } = yield* client
      const spans = yield* spansOf(apiKeys.rotate(keyId))
      assert.deepStrictEqual(
        spans.map(({ attributes, name }) => [name, attributes.get("error.type") ?? "ok"]),
        [["modelroute.apiKeys.rotate", "ok"]]
      )
    })
  )
})

describeNonIdempotent("apiKeys.rotate", ({ apiKeys }) => apiKeys.rotate(ApiKey.KeyId.make("key_1")), {
  id: "key_1",
  new_key: "sk_new"
})
