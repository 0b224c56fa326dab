import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Option, Schema } from "effect"
import { Execution } from "effect-modelroute"
import * as decode from "../../src/internal/executions/decode.js"
import { numRuns } from "../utils/suite.js"

/** Names of the fields in the API's JSON, by their names in `Execution`. The decoder converts `status` and `error`. */
const wireNames = {
  model: "model",
  cost: "cost",
  latency: "latency_ms",
  createdAt: "created_at",
  completedAt: "completed_at",
  metadata: "metadata",
  holdAmount: "hold_amount",
  estimatedCost: "estimated_cost",
  expiresAt: "expires_at",
  result: "result",
  output: "output"
}

/** Values near those of the API, and any other JSON. */
const value = FastCheck.oneof(
  FastCheck.constantFrom(
    "0.04",
    " 1 ",
    "1e-3",
    "$1",
    "",
    0,
    -1,
    0.5,
    8000,
    1e300,
    "2026-03-20T10:30:00Z",
    "2026-03-20",
    "2026-02-30T00:00:00Z",
    "soon",
    null,
    true
  ),
  FastCheck.jsonValue()
)

describe("decode.StoredCompleted", () => {
  it("keeps a metadata field with the name __proto__", () => {
    const metadata = JSON.parse('{"__proto__":{"tenant":"a"},"tenant":"b"}')
    const execution = decode.execution({ id: "exec_1", status: "COMPLETED", metadata })
    if (execution === undefined) throw new Error("the execution has an id")
    const stored = Schema.encodeSync(decode.StoredCompleted)(decode.toCompleted(execution))
    const restored = Schema.decodeUnknownSync(decode.StoredCompleted)(JSON.parse(JSON.stringify(stored)))
    assert.strictEqual(JSON.stringify(restored.metadata), '{"__proto__":{"tenant":"a"},"tenant":"b"}')
    assert.strictEqual(Object.getPrototypeOf(restored.metadata), Object.prototype)
  })
})

describe("decode.execution", () => {
  it("decodes every field like the schema Execution.Execution", () => {
    const decodeWithSchema = Schema.decodeUnknownOption(Execution.Execution)
    const fields = FastCheck.record(Object.fromEntries(Object.keys(wireNames).map((name) => [name, value])), {
      requiredKeys: []
    })
    FastCheck.assert(
      FastCheck.property(fields, (model) => {
        const json = Object.fromEntries(
          Object.entries(wireNames).flatMap(([name, wireName]) => (name in model ? [[wireName, model[name]]] : []))
        )
        const decoded = decode.execution({ id: "exec_1", status: "PENDING", ...json })
        const expected = decodeWithSchema({ ...model, id: "exec_1", status: "PENDING", extra: decoded?.extra })
        assert.deepStrictEqual(Option.some(decoded), Option.map(expected, Option.some).pipe(Option.flatten))
      }),
      { numRuns: numRuns(500, 20_000) }
    )
  })
})
