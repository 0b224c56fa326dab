/** Tests the executions of the simulator: status, result, validation, idempotency keys and holds. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import { start } from "../utils/harness.js"
import {
  call,
  createExecution,
  errorOf,
  fluxRequest,
  getStatus,
  idOf,
  listAt,
  objectAt,
  test
} from "../utils/rawApi.js"

const { Fault } = Simulator

const get = (id: string) => Effect.map(call("GET", `/executions/${id}`), ({ json }) => json)
const getResult = (id: string) => call("GET", `/executions/${id}/result`)
const cancel = (id: string) => call("POST", `/executions/${id}/cancel`)

describe("Simulator execution status", () => {
  test(
    "changes from PENDING to PROCESSING to COMPLETED at the model's times",
    {},
    Effect.gen(function* () {
      const created = yield* createExecution()
      const id = idOf(created)
      assert.match(id, /^exec_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.strictEqual(created.status, 202)
      assert.deepStrictEqual(created.json, {
        id,
        status: "PENDING",
        model: "flux-1.1-pro",
        hold_amount: "0.048",
        estimated_cost: "0.040",
        expires_at: "2026-03-20T10:35:00Z",
        created_at: "2026-03-20T10:30:00Z"
      })
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* getStatus(id), "PENDING")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* getStatus(id), "PROCESSING")
      yield* TestClock.adjust("7419 millis")
      assert.strictEqual(yield* getStatus(id), "PROCESSING")
      yield* TestClock.adjust("1 millis")
      const json = yield* get(id)
      assert.deepInclude(json, { status: "COMPLETED", cost: "0.040", latency_ms: 8420 })
      assert.deepInclude(json["result"], { content_type: "image/png", width: 1024, height: 768 })
    })
  )

  test(
    "changes to AWAITING_WEBHOOK after half of the run time of a video execution",
    {},
    Effect.gen(function* () {
      const id = idOf(yield* createExecution({ model: "seedance-video", input: { prompt: "waves" } }))
      yield* TestClock.adjust("119999 millis")
      assert.strictEqual(yield* getStatus(id), "PROCESSING")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* getStatus(id), "AWAITING_WEBHOOK")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* getStatus(id), "COMPLETED")
    })
  )

  test(
    "becomes EXPIRED after `expiresAfter`",
    { models: { slow: { duration: "1 hour", cost: "1.00", output: "none" } }, expiresAfter: "10 minutes" },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = idOf(yield* createExecution({ model: "slow", input: {} }))
      assert.deepInclude(yield* simulator.balance, { held: "1.200", available: "98.800" })
      yield* TestClock.adjust("599999 millis")
      assert.strictEqual(yield* getStatus(id), "PROCESSING")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* getStatus(id), "EXPIRED")
      assert.deepStrictEqual(yield* simulator.balance, {
        total: "100.000",
        held: "0.000",
        available: "100.000",
        charged: "0.000"
      })
    })
  )

  const output = { text: "A fox.", usage: { tokens: 3 } }
  test(
    "completes with the scripted output and charges the cost",
    { faults: [Fault.executionOutcome({ status: "COMPLETED", output })] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = idOf(yield* createExecution())
      const next = idOf(yield* createExecution())
      yield* TestClock.adjust("8419 millis")
      assert.strictEqual(yield* getStatus(id), "PROCESSING")
      yield* TestClock.adjust("1 millis")
      assert.deepInclude(yield* get(id), { status: "COMPLETED", result: output, cost: "0.040" })
      assert.deepStrictEqual(objectAt((yield* getResult(id)).json, "output"), output)
      assert.property(objectAt(yield* get(next), "result"), "file_id")
      assert.strictEqual((yield* simulator.ledger).charged, "0.080")
    })
  )

  test(
    "changes to the scripted terminal status",
    {
      faults: [
        Fault.dropAfter,
        Fault.executionOutcome({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED", message: "no" }),
        Fault.executionOutcome({ status: "CANCELLED" }),
        Fault.executionOutcome({ status: "EXPIRED" })
      ]
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* Effect.exit(createExecution(fluxRequest, "lost"))
      const failed = idOf(yield* createExecution(fluxRequest, "lost"))
      const cancelled = idOf(yield* createExecution())
      const expired = idOf(yield* createExecution())
      const completed = idOf(yield* createExecution())
      yield* TestClock.adjust("8420 millis")
      assert.deepInclude(yield* get(failed), {
        status: "FAILED",
        error: { code: "CONTENT_MODERATION_REJECTED", message: "no" }
      })
      assert.strictEqual(yield* getStatus(cancelled), "CANCELLED")
      assert.strictEqual(yield* getStatus(expired), "PROCESSING")
      yield* TestClock.setTime(start + 300_000)
      assert.strictEqual(yield* getStatus(expired), "EXPIRED")
      assert.strictEqual(yield* getStatus(completed), "COMPLETED")
      assert.deepInclude(yield* simulator.balance, { charged: "0.040", held: "0.000" })
      assert.deepStrictEqual(
        (yield* simulator.ledger).executions.map((entry) => entry.status),
        ["FAILED", "CANCELLED", "EXPIRED", "COMPLETED"]
      )
      assert.strictEqual(yield* simulator.pendingFaults, 0)
      assert.deepStrictEqual(
        (yield* simulator.requests).slice(0, 5).map((request) => request.fault),
        ["DropAfter", undefined, "ExecutionOutcome", "ExecutionOutcome", undefined]
      )
    })
  )
})

describe("Simulator execution", () => {
  test(
    "contains the metadata of the create request",
    {},
    Effect.gen(function* () {
      const id = idOf(yield* createExecution({ ...fluxRequest, metadata: { order: 7 } }))
      assert.deepInclude(yield* get(id), { metadata: { order: 7 } })
      assert.notProperty(yield* get(idOf(yield* createExecution())), "metadata")
    })
  )

  test(
    "releases its hold after a cancel request",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const id = idOf(yield* createExecution())
      const cancelled = yield* cancel(id)
      assert.strictEqual(cancelled.status, 200)
      assert.deepInclude(cancelled.json, { id, status: "CANCELLED" })
      assert.deepInclude(yield* simulator.balance, { held: "0.000", total: "100.000" })
      const again = yield* cancel(id)
      assert.strictEqual(again.status, 409)
      assert.deepInclude(errorOf(again), { code: "EXECUTION_NOT_CANCELLABLE", retryable: false })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* getStatus(id), "CANCELLED")
      assert.deepInclude(yield* simulator.balance, { held: "0.000", total: "100.000" })
    })
  )

  test(
    "has no result before its completion",
    {},
    Effect.gen(function* () {
      const id = idOf(yield* createExecution({ model: "text-generation-standard", input: { prompt: "hi" } }))
      const early = yield* getResult(id)
      assert.strictEqual(early.status, 409)
      assert.deepInclude(errorOf(early), { code: "EXECUTION_NOT_COMPLETED", retryable: false })
      yield* TestClock.adjust("2500 millis")
      const late = yield* getResult(id)
      assert.deepStrictEqual(late.json, {
        execution_id: id,
        status: "COMPLETED",
        output: { text: "Response of text-generation-standard to: hi" },
        cost: "0.010",
        latency_ms: 2500
      })
    })
  )

  test(
    "contains the output fields that its model selects with `result`",
    {
      models: {
        separate: { duration: "1 second", cost: "0.01", output: "images", result: "separate" },
        both: { duration: "1 second", cost: "0.01", output: "images", result: "both" }
      }
    },
    Effect.gen(function* () {
      const separate = idOf(yield* createExecution({ model: "separate", input: { num_images: 2 } }))
      const both = idOf(yield* createExecution({ model: "both", input: { n: 3, width: 256, height: 300 } }))
      yield* TestClock.adjust("1 second")
      assert.doesNotHaveAnyKeys(yield* get(separate), ["result", "output"])
      const output = objectAt((yield* getResult(separate)).json, "output")
      assert.lengthOf(listAt(output, "images"), 2)
      const json = yield* get(both)
      const images = listAt(objectAt(json, "output"), "images")
      assert.deepStrictEqual(
        images.map(({ format, width, height }) => ({ format, width, height })),
        Array.from({ length: 3 }, () => ({ format: "png", width: 256, height: 300 }))
      )
      assert.strictEqual(new Set(images.map((image) => image["file_id"])).size, 3)
      assert.property(json, "result")
    })
  )
})

describe("GET /v1/executions", () => {
  test(
    "returns the newest execution first",
    {},
    Effect.gen(function* () {
      const first = idOf(yield* createExecution())
      const second = idOf(yield* createExecution())
      assert.deepStrictEqual(
        listAt((yield* call("GET", "/executions")).json, "executions").map(({ id }) => id),
        [second, first]
      )
    })
  )
})

describe("POST /v1/executions", () => {
  const cases: ReadonlyArray<
    readonly [title: string, body: unknown, details: ReadonlyArray<readonly [field: string, code: string]>]
  > = [
    [
      "a body without model and input",
      {},
      [
        ["model", "REQUIRED"],
        ["input", "REQUIRED"]
      ]
    ],
    ["an input without the required prompt", { model: "flux-1.1-pro", input: {} }, [["input.prompt", "REQUIRED"]]],
    ["a body that is not an object", [], [["", "INVALID_TYPE"]]],
    [
      "a width above the maximum",
      { model: "flux-1.1-pro", input: { prompt: "p", width: 2049 } },
      [["input.width", "OUT_OF_RANGE"]]
    ],
    [
      "a height below the minimum",
      { model: "flux-1.1-pro", input: { prompt: "p", height: 255 } },
      [["input.height", "OUT_OF_RANGE"]]
    ],
    [
      "a fractional width",
      { model: "flux-1.1-pro", input: { prompt: "p", width: 1.5 } },
      [["input.width", "INVALID_TYPE"]]
    ],
    [
      "a URL in place of a file id",
      { model: "other", input: { image: "https://x.test/a.png" } },
      [["input.image", "URL_NOT_ACCEPTED"]]
    ],
    ["metadata that is not an object", { model: "other", input: {}, metadata: "m" }, [["metadata", "INVALID_TYPE"]]]
  ]
  for (const [title, body, expected] of cases) {
    test(
      `rejects ${title}`,
      {},
      Effect.gen(function* () {
        const response = yield* createExecution(body)
        assert.strictEqual(response.status, 400)
        const error = errorOf(response)
        assert.deepInclude(error, { code: "INPUT_VALIDATION_ERROR", retryable: false })
        assert.match(String(error["request_id"]), /^req_[0-9a-f]{8}$/)
        const details: ReadonlyArray<ReadonlyArray<unknown>> = listAt(error, "details").map(({ field, code }) => [
          field,
          code
        ])
        assert.deepStrictEqual(details, expected)
      })
    )
  }

  test(
    "returns the documented error details for a width below the minimum",
    {},
    Effect.gen(function* () {
      const response = yield* createExecution({ model: "flux-1.1-pro", input: { prompt: "p", width: 100 } })
      assert.deepStrictEqual(errorOf(response)["details"], [
        { field: "input.width", code: "OUT_OF_RANGE", message: "width must be between 256 and 2048" }
      ])
    })
  )

  test(
    "accepts an existing output file as input",
    {},
    Effect.gen(function* () {
      const id = idOf(yield* createExecution())
      const createWithFile = (file: unknown) =>
        createExecution({ model: "seedance-video", input: { prompt: "p", frames: [{ file }] } })
      const missing = yield* createWithFile("file_00000000-0000-4000-8000-000000000000")
      assert.strictEqual(missing.status, 400)
      assert.deepInclude(errorOf(missing), { code: "FILE_NOT_FOUND", retryable: false })
      yield* TestClock.adjust("8420 millis")
      const file = Schema.decodeUnknownSync(Schema.Struct({ file_id: Schema.String }))((yield* get(id))["result"])
      assert.strictEqual((yield* createWithFile(file.file_id)).status, 202)
    })
  )

  test(
    "accepts a URL as the prompt",
    {},
    Effect.gen(function* () {
      const response = yield* createExecution({ model: "flux-1.1-pro", input: { prompt: "https://x.test/" } })
      assert.strictEqual(response.status, 202)
    })
  )
})

describe("POST /v1/executions with an idempotency key", () => {
  test(
    "returns the existing execution to a repeated request",
    { balance: "0.05" },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const first = yield* createExecution(fluxRequest, "key")
      const second = yield* createExecution(fluxRequest, "key")
      assert.strictEqual(second.status, 202)
      assert.deepStrictEqual(second.json, first.json)
      yield* TestClock.adjust("8420 millis")
      const third = yield* createExecution(fluxRequest, "key")
      assert.deepInclude(third.json, { id: idOf(first), status: "COMPLETED" })
      const { executions, charged } = yield* simulator.ledger
      assert.lengthOf(executions, 1)
      assert.strictEqual(charged, "0.040")
      assert.deepInclude(executions[0], { idempotencyKey: "key", body: JSON.stringify(fluxRequest), held: "0.000" })
    })
  )

  test(
    "returns a 409 if the body differs",
    {},
    Effect.gen(function* () {
      yield* createExecution(fluxRequest, "key")
      const response = yield* createExecution({ ...fluxRequest, input: { prompt: "another" } }, "key")
      assert.strictEqual(response.status, 409)
      assert.deepInclude(errorOf(response), { code: "IDEMPOTENCY_CONFLICT", retryable: false })
    })
  )

  test(
    "creates another execution after `keyTtl`",
    { keyTtl: "1 hour", balance: "0.01" },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const rejected = yield* createExecution(fluxRequest, "key")
      assert.strictEqual(rejected.status, 402)
      assert.deepInclude(errorOf(rejected), { code: "INSUFFICIENT_BALANCE", retryable: false })
      yield* simulator.topUp("10")
      const first = idOf(yield* createExecution(fluxRequest, "key"))
      yield* TestClock.adjust("3599999 millis")
      assert.strictEqual(idOf(yield* createExecution(fluxRequest, "key")), first)
      yield* TestClock.adjust("1 millis")
      assert.notStrictEqual(idOf(yield* createExecution(fluxRequest, "key")), first)
    })
  )
})

describe("Simulator hold", () => {
  test(
    "is at least one cent",
    { models: { cheap: { duration: "1 second", cost: "0.0001", output: "none" } } },
    Effect.gen(function* () {
      const { json } = yield* createExecution({ model: "cheap", input: {} })
      assert.deepInclude(json, { hold_amount: "0.010", estimated_cost: "0.0001" })
    })
  )

  test(
    "reduces the available balance until the execution ends",
    { balance: "0.096" },
    Effect.gen(function* () {
      assert.strictEqual((yield* createExecution()).status, 202)
      assert.strictEqual((yield* createExecution()).status, 202)
      assert.strictEqual((yield* createExecution()).status, 402)
      yield* TestClock.adjust("8419 millis")
      assert.strictEqual((yield* createExecution()).status, 402)
      yield* TestClock.adjust("1 millis")
      const text = { model: "text-generation-standard", input: { prompt: "p" } }
      assert.strictEqual((yield* createExecution(text)).status, 202)
      assert.deepStrictEqual(yield* (yield* Simulator.Simulator).balance, {
        total: "0.016",
        held: "0.012",
        available: "0.004",
        charged: "0.080"
      })
    })
  )
})
