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

describe("decode.describeStatus", () => {
  it("returns only a documented status", () => {
    const statuses = ["PENDING", "PROCESSING", "AWAITING_WEBHOOK", "COMPLETED", "FAILED", "CANCELLED", "EXPIRED"]
    for (const status of statuses) assert.strictEqual(decode.describeStatus(status), status)
    assert.notInclude(decode.describeStatus("A LIGHTHOUSE IN A STORM"), "LIGHTHOUSE")
  })
})

describe("decode.toCompleted", () => {
  const completedWith = (fields: object) => {
    const execution = decode.execution({ id: "exec_1", status: "COMPLETED", ...fields })
    return execution === undefined ? assert.fail("the execution has an id") : decode.toCompleted(execution)
  }

  it("returns the output of the field output or result, if any", () => {
    assert.strictEqual(completedWith({ output: "o", result: "r" }).output, "o")
    assert.strictEqual(completedWith({ output: null, result: "r" }).output, "r")
    assert.notProperty(completedWith({}), "output")
    assert.notProperty(completedWith({ result: "r" }), "result")
  })

  it("returns a result that is unchanged after a journal has stored the result", () => {
    const completed = completedWith({ output: ["o"], cost: "0.04", latency_ms: 5, metadata: { a: 1 }, region: "EU" })
    const stored = JSON.stringify(Schema.encodeSync(decode.StoredCompleted)(completed))
    assert.deepStrictEqual(Schema.decodeUnknownSync(decode.StoredCompleted)(JSON.parse(stored)), completed)
    assert.deepStrictEqual(completed.extra, { region: "EU" })
  })
})

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
  const decodeWith = (fields: object) => decode.execution({ id: "exec_1", status: "PENDING", ...fields })

  it("keeps an amount in extra only if the amount cannot be decoded", () => {
    for (const name of ["cost", "hold_amount", "estimated_cost"]) {
      for (const amount of ["free", {}, false]) {
        assert.deepStrictEqual(decodeWith({ [name]: amount })?.extra, { [name]: amount })
      }
      for (const amount of ["0.04", 0, null, undefined]) {
        assert.deepStrictEqual(decodeWith({ [name]: amount })?.extra, {})
      }
    }
  })

  it("returns undefined if the JSON contains no execution id", () => {
    for (const json of [undefined, null, "exec_1", ["exec_1"], {}, { id: "" }, { id: 5, execution_id: ".." }]) {
      assert.isUndefined(decode.execution(json))
    }
    assert.strictEqual(decode.execution({ id: null, execution_id: "exec_2" })?.id, "exec_2")
    assert.strictEqual(decode.execution({ id: "exec_1", execution_id: "exec_2" })?.id, "exec_1")
    assert.deepStrictEqual(decode.execution({ id: "exec_1", execution_id: "exec_2" })?.extra, {})
  })

  const long = "A".repeat(64)
  for (const [wire, status] of [
    ["completed", "COMPLETED"],
    ["warming up-2_b", "WARMING UP-2_B"],
    [long, long],
    [`${long}A`, "UNKNOWN"],
    ["2ND", "UNKNOWN"],
    ["a.b", "UNKNOWN"],
    ["", "UNKNOWN"],
    [5, "UNKNOWN"],
    [undefined, "UNKNOWN"]
  ] as const) {
    it(`decodes the status ${JSON.stringify(wire)} to ${status}`, () => {
      assert.strictEqual(decodeWith({ status: wire })?.status, status)
    })
  }

  const errors: ReadonlyArray<readonly [error: unknown, failure: object | undefined]> = [
    [undefined, undefined],
    [null, undefined],
    ["out of memory", { message: "out of memory" }],
    ["", {}],
    [7, {}],
    [{}, {}],
    [
      { code: "C", message: "m", retryable: false, request_id: "r", details: [1] },
      { code: "C", message: "m", retryable: false, requestId: "r", details: [1] }
    ],
    [{ code: 1, message: 2, retryable: "no", request_id: 3, details: "d" }, {}],
    [{ message: "m", detail: "d", error: "e" }, { message: "m" }],
    [{ message: "", detail: "d", error: "e" }, { message: "d" }],
    [{ detail: null, error: "e" }, { message: "e" }],
    [[], { message: "", details: [] }],
    [["one", 2, { message: "three" }], { message: "one; three", details: [{ message: "three" }] }],
    [["one", { code: "C", details: ["d"] }, { code: "D" }], { code: "C", message: "one", details: ["d"] }]
  ]
  for (const [error, failure] of errors) {
    it(`decodes the error ${JSON.stringify(error)}`, () => {
      const decoded = decodeWith({ status: "FAILED", error })?.error
      assert.deepStrictEqual(decoded, failure === undefined ? undefined : new Execution.Failure(failure))
    })
  }

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
