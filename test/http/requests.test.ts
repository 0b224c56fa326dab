/** Tests the construction of requests. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { Execution, File } from "effect-modelroute"
import * as requests from "../../src/internal/http/requests.js"
import { failureOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"

describe("encodeSegment", () => {
  it.effect('rejects an empty id and the ids "." and ".."', () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1" } }))
    return Effect.gen(function* () {
      const { executions, files } = yield* client
      for (const text of [".", ".."]) {
        assert.strictEqual(
          failureOf(yield* Effect.exit(executions.get(Execution.ExecutionId.make(text))))._tag,
          "InvalidRequest"
        )
        assert.strictEqual(failureOf(yield* Effect.exit(files.url(File.FileId.make(text))))._tag, "InvalidRequest")
      }
      // Unchecked JSON can contain an empty id.
      const empty: { id: Execution.ExecutionId } = JSON.parse('{"id":""}')
      assert.strictEqual(failureOf(yield* Effect.exit(executions.get(empty.id)))._tag, "InvalidRequest")
      assert.deepStrictEqual(urls, [])
    })
  })
})

describe("encodeSegment", () => {
  it.effect("encodes an id as one segment of a path", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* requests.encodeSegment("files.url", "id", "a/b c"), "a%2Fb%20c")
      const error = yield* Effect.flip(requests.encodeSegment("files.url", "id", ".."))
      assert.strictEqual(error.message, "files.url: id is not an id. Pass the id that the API returned.")
    })
  )
})

describe("encodeJsonBody", () => {
  const encode = (fields: { readonly [name: string]: unknown }, body: unknown) =>
    Either.match(requests.encodeJsonBody("executions.create", fields, body), {
      onLeft: ({ message }) => message,
      onRight: ({ privateTexts, text }) => [text, privateTexts.texts]
    })

  it("returns the JSON text and the private texts", () => {
    assert.deepStrictEqual(encode({ input: { prompt: "a fox" } }, { model: "m", input: { prompt: "a fox" } }), [
      '{"model":"m","input":{"prompt":"a fox"}}',
      ["a fox"]
    ])
  })

  it("rejects a body that has no JSON form", () => {
    assert.strictEqual(encode({ input: Number.NaN }, {}), "executions.create: input is NaN. Pass a finite number.")
    assert.strictEqual(encode({}, undefined), "executions.create: body has no JSON form. Pass an object.")
    assert.match(
      String(encode({}, 1n)),
      /^executions\.create: body cannot be written as JSON \(.*BigInt.*\)\. Remove cycles and bigints\.$/
    )
    const throwing = {
      toJSON: () => {
        throw "not now"
      }
    }
    assert.include(String(encode({}, throwing)), "cannot be written as JSON (not now)")
  })
})

describe("make", () => {
  it("creates a request with an optional body and an optional idempotency key", () => {
    const bare = requests.make("GET", "/v1/executions")
    assert.deepStrictEqual([bare.method, bare.url, bare.body._tag], ["GET", "/v1/executions", "Empty"])
    assert.deepStrictEqual({ ...bare.headers }, {})
    const full = requests.make("POST", "/v1/executions", { body: "{}", key: "key-1" })
    assert.strictEqual(full.headers["idempotency-key"], "key-1")
    if (full.body._tag !== "Uint8Array") return assert.fail(full.body._tag)
    assert.deepStrictEqual(
      [new TextDecoder().decode(full.body.body), full.body.contentType],
      ["{}", "application/json"]
    )
  })
})
