/** Tests the authorization and the rotation of API keys in the simulator. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import { crc32 } from "node:zlib"
import { start } from "../utils/harness.js"
import { call, createExecution, describeError, errorOf, send, test, toUrl } from "../utils/rawApi.js"

const { Fault } = Simulator

const keyIds = Effect.flatMap(Simulator.Simulator, (simulator) =>
  Effect.map(simulator.apiKeys, (keys) => keys.map(({ id }) => id))
)

/** Sends a request with this key and returns the response status. */
const statusWith = (key: string): Effect.Effect<number, HttpClientError.HttpClientError, HttpClient.HttpClient> =>
  Effect.map(call("GET", "/executions", undefined, key), ({ status }) => status)

describe("Simulator authorization", () => {
  test(
    "accepts any non-empty API key by default",
    {},
    Effect.gen(function* () {
      assert.strictEqual((yield* call("GET", "/executions")).status, 200)
      assert.strictEqual((yield* send(HttpClientRequest.get(toUrl("/executions")))).status, 401)
    })
  )

  test(
    "accepts only the configured API keys",
    { apiKeys: ["sk_one"] },
    Effect.gen(function* () {
      const wrong = yield* createExecution()
      const none = yield* send(HttpClientRequest.get(toUrl("/executions")))
      const right = yield* call("GET", "/executions", undefined, "sk_one")
      assert.deepStrictEqual([wrong.status, none.status, right.status], [401, 401, 200])
      assert.deepInclude(errorOf(wrong), { code: "UNAUTHORIZED", retryable: false })
      assert.strictEqual(right.headers["x-ratelimit-remaining"], "59")
    })
  )
})

describe("POST /v1/api-keys/{id}/rotate", () => {
  test(
    "keeps the previous key valid for one hour",
    { apiKeys: ["sk_one", "sk_two"], clockSkew: -90_000 },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const [id = "", other = ""] = yield* keyIds
      assert.match(id, /^key_[0-9a-f]{8}$/)
      assert.notStrictEqual(id, other)
      const rotation = yield* call("POST", `/api-keys/${id}/rotate`, undefined, "sk_two")
      assert.strictEqual(rotation.status, 200)
      const { new_key: newKey, ...rest } = rotation.json
      assert.deepStrictEqual(rest, { id, previous_key_valid_until: "2026-03-20T11:28:30Z" })
      const [, digits = "", checksum] = /^sk_([0-9a-f]{64})_([0-9a-f]{8})$/.exec(String(newKey)) ?? []
      assert.strictEqual(Number.parseInt(checksum ?? "", 16), crc32(digits))
      assert.deepStrictEqual(
        (yield* simulator.apiKeys).map(({ id, key, validUntil }) => [id, Redacted.value(key), validUntil?.epochMillis]),
        [
          [id, "sk_one", start + 3_600_000],
          [other, "sk_two", undefined],
          [id, newKey, undefined]
        ]
      )
      yield* TestClock.adjust("3599999 millis")
      assert.deepStrictEqual([yield* statusWith("sk_one"), yield* statusWith(String(newKey))], [200, 200])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([yield* statusWith("sk_one"), yield* statusWith(String(newKey))], [401, 200])
      assert.strictEqual(yield* statusWith("sk_two"), 200)
    })
  )

  test(
    "creates another key if the client repeats a request after a lost response",
    { apiKeys: ["sk_one"], faults: [Fault.on("apiKeys.rotate", Fault.dropAfter)] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const [id = ""] = yield* keyIds
      const rotate = call("POST", `/api-keys/${id}/rotate`, undefined, "sk_one")
      assert(Exit.isFailure(yield* Effect.exit(rotate)))
      assert.deepStrictEqual(yield* keyIds, [id, id])
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual((yield* rotate).status, 200)
      const keys = yield* simulator.apiKeys
      assert.deepStrictEqual(
        keys.map(({ validUntil }) => validUntil && validUntil.epochMillis - start),
        [3_600_000, 5_400_000, undefined]
      )
      assert.strictEqual(new Set(keys.map(({ key }) => Redacted.value(key))).size, 3)
      assert.deepStrictEqual(
        (yield* simulator.requests).map(({ operation, outcome }) => [operation, outcome]),
        [
          ["apiKeys.rotate", "dropped"],
          ["apiKeys.rotate", 200]
        ]
      )
    })
  )

  test(
    "rotates the default key",
    {},
    Effect.gen(function* () {
      const [id = "", ...others] = yield* keyIds
      assert.lengthOf(others, 0)
      const rotation = yield* call("POST", `/api-keys/${id}/rotate`)
      assert.strictEqual(rotation.json["id"], id)
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(yield* statusWith("sk_anything"), 200)
      assert.deepStrictEqual(yield* keyIds, [id, id])
      assert.deepStrictEqual(describeError(yield* call("POST", "/api-keys/key_none/rotate")), [404, "NOT_FOUND"])
    })
  )

  it.effect("returns the same key for the same seed", () => {
    const newKey = (seed: number) =>
      Effect.gen(function* () {
        const [id = ""] = yield* keyIds
        return (yield* call("POST", `/api-keys/${id}/rotate`)).json
      }).pipe(Effect.provide(Simulator.layer({ seed })))
    return Effect.gen(function* () {
      const first = yield* newKey(7)
      assert.deepStrictEqual(yield* newKey(7), first)
      assert.notDeepEqual(yield* newKey(8), first)
    })
  })
})
