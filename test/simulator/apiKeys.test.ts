/** The simulator's API keys: who comes in, before and after a rotation. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import { crc32 } from "node:zlib"
import { start } from "../utils/harness.js"
import { call, describeError, test } from "../utils/rawApi.js"

const { Fault } = Simulator

const ids = Effect.flatMap(Simulator.Simulator, (simulator) =>
  Effect.map(simulator.apiKeys, (keys) => keys.map(({ id }) => id))
)

/** The status of an answer to this key. */
const tried = (key: string): Effect.Effect<number, HttpClientError.HttpClientError, HttpClient.HttpClient> =>
  Effect.map(call("GET", "/executions", undefined, key), ({ status }) => status)

describe("a rotation", () => {
  test(
    "gives a new key in the documented form, and lets the old one in for an hour",
    { apiKeys: ["sk_one", "sk_two"], clockSkew: -90_000 },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const [id = "", other = ""] = yield* ids
      assert.match(id, /^key_[0-9a-f]{8}$/)
      assert.notStrictEqual(id, other)
      const rotated = yield* call("POST", `/api-keys/${id}/rotate`, undefined, "sk_two")
      assert.strictEqual(rotated.status, 200)
      const { new_key: newKey, ...rest } = rotated.json
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
      assert.deepStrictEqual([yield* tried("sk_one"), yield* tried(String(newKey))], [200, 200])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([yield* tried("sk_one"), yield* tried(String(newKey))], [401, 200])
      assert.strictEqual(yield* tried("sk_two"), 200)
    })
  )

  test(
    "is not repeatable: each makes a key, also one whose answer is lost",
    { apiKeys: ["sk_one"], faults: [Fault.on("apiKeys.rotate", Fault.dropAfter)] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const [id = ""] = yield* ids
      const rotate = call("POST", `/api-keys/${id}/rotate`, undefined, "sk_one")
      assert(Exit.isFailure(yield* Effect.exit(rotate)))
      assert.deepStrictEqual(yield* ids, [id, id])
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
    "is there where any key is let in, too; an unknown id is 404",
    {},
    Effect.gen(function* () {
      const [id = "", ...others] = yield* ids
      assert.lengthOf(others, 0)
      const rotated = yield* call("POST", `/api-keys/${id}/rotate`)
      assert.strictEqual(rotated.json["id"], id)
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(yield* tried("sk_anything"), 200)
      assert.deepStrictEqual(yield* ids, [id, id])
      assert.deepStrictEqual(describeError(yield* call("POST", "/api-keys/key_none/rotate")), [404, "NOT_FOUND"])
    })
  )

  it.effect("depends on the seed alone", () => {
    const newKey = (seed: number) =>
      Effect.gen(function* () {
        const [id = ""] = yield* ids
        return (yield* call("POST", `/api-keys/${id}/rotate`)).json
      }).pipe(Effect.provide(Simulator.layer({ seed })))
    return Effect.gen(function* () {
      const first = yield* newKey(7)
      assert.deepStrictEqual(yield* newKey(7), first)
      assert.notDeepEqual(yield* newKey(8), first)
    })
  })
})
