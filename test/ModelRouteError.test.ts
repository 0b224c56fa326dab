/** Tests the classes of errors. The other tests of errors are in `errors`. */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Schema } from "effect"
import { Execution, ModelRouteError as E } from "effect-modelroute"
import { summarizeExecution } from "../src/internal/errors/executionSummary.js"

const executionId = Execution.ExecutionId.make("exec_1")
const message = "failed"
const prompt = "a lighthouse in a storm"
const execution = new Execution.Execution({
  id: executionId,
  status: "PROCESSING",
  model: "flux-1.1-pro",
  createdAt: DateTime.unsafeMake(0),
  expiresAt: DateTime.unsafeMake(1000),
  output: prompt
})
const bare = new Execution.Execution({ id: executionId, status: "UNKNOWN", output: prompt })
const issues = [{ path: "output.text", message: "Expected string" }]
const completed = new Execution.Completed({ id: executionId, status: "COMPLETED", model: "m", output: prompt })

const callFields = { message, operation: "executions.await", attempts: 2, executionId }
const shown = { ...callFields, retryable: false }
const summary = {
  id: "exec_1",
  status: "PROCESSING",
  model: "flux-1.1-pro",
  createdAt: "1970-01-01T00:00:00.000Z",
  expiresAt: "1970-01-01T00:00:01.000Z"
}

describe("error with an execution", () => {
  for (const [name, error, json] of [
    ["AwaitTimeout", new E.AwaitTimeout({ ...callFields, execution }), { execution: summary }],
    [
      "AwaitTimeout without a model and times",
      new E.AwaitTimeout({ ...callFields, execution: bare }),
      { execution: { id: "exec_1", status: "UNKNOWN" } }
    ],
    ["AwaitTimeout without an execution", new E.AwaitTimeout(callFields), {}],
    ["ExecutionNotReady", new E.ExecutionNotReady({ ...callFields, execution }), { execution: summary }],
    [
      "OutputDecodeError",
      new E.OutputDecodeError({ ...callFields, model: "m", issues, completed }),
      { model: "m", issues, completed: { id: "exec_1", status: "COMPLETED", model: "m" } }
    ]
  ] as const) {
    it(`is written to logs without the output: ${name}`, () => {
      assert.deepStrictEqual(JSON.parse(JSON.stringify(error)), { ...shown, _tag: error._tag, ...json })
      assert.strictEqual(inspect(error), error.stack)
      assert.include(inspect(error), message)
      assert.notInclude(inspect(error), prompt)
    })
  }
})

describe("summarizeExecution", () => {
  it("omits the fields that the execution does not contain", () => {
    assert.deepStrictEqual(summarizeExecution(execution), summary)
    assert.deepStrictEqual(summarizeExecution(bare), { id: "exec_1", status: "UNKNOWN" })
  })
})

describe("error without fields", () => {
  const defaults = (error: E.ModelRouteError) => [error.operation, error.attempts, error.retryable]
  const id = executionId

  for (const [error, retryable] of [
    [new E.Unauthorized({}), false],
    [new E.UnrecognizedError({}), false],
    [new E.UnexpectedResponse({ message, status: 500 }), false],
    [new E.TransportError({ message, reason: "reset" }), true],
    [new E.ExecutionCancelled({ message, executionId: id }), false],
    [new E.ExecutionExpired({ message, executionId: id }), false],
    [new E.AwaitTimeout({ message, executionId: id }), false],
    [new E.ExecutionNotReady({ message, executionId: id, execution }), false],
    [new E.OutputDecodeError({ message, executionId: id, model: "m", issues, completed }), false],
    [new E.FileTooLarge({ message, size: 2, limit: 1 }), false],
    [new E.InvalidRequest({ message, field: "input" }), false],
    [new E.SubmissionOutcomeUnknown({ message, submittedAt: DateTime.unsafeMake(0) }), false],
    [new E.JournalError({ message }), false]
  ] as const) {
    it(`has the default fields of ${error._tag}`, () => {
      assert.deepStrictEqual(defaults(error), ["request", 1, retryable])
      assert.strictEqual(error[E.TypeId], E.TypeId)
      assert.isTrue(E.isModelRouteError(error))
      assert.strictEqual(E.isRetryable(error), retryable)
    })
  }

  it("has the details, the body, the code and the status of its class", () => {
    assert.deepStrictEqual(new E.InputValidationError({}).details, [])
    assert.strictEqual(new E.UnexpectedResponse({ message, status: 500 }).body, "")
    const { code, status } = new E.Unauthorized({})
    assert.deepStrictEqual([code, status], ["UNAUTHORIZED", 401])
    const unrecognized = new E.UnrecognizedError({})
    assert.deepStrictEqual([unrecognized.code, unrecognized.status], ["", 0])
  })
})

describe("guards of errors", () => {
  it("return false for values that are not errors of this library", () => {
    for (const value of [
      undefined,
      null,
      "TransportError",
      {},
      { _tag: "RateLimited", retryable: true, status: 404 }
    ]) {
      for (const guard of [
        E.isModelRouteError,
        E.isApiError,
        E.isRetryable,
        E.isNotFound,
        E.isIdempotencyConflict,
        E.isExecutionEnded
      ]) {
        assert.isFalse(guard(value))
      }
    }
  })

  it("isIdempotencyConflict requires a key and status 409, and no execution id", () => {
    const conflict = { code: "CONFLICT", status: 409, idempotencyKey: "key-1" }
    const guarded = [
      new E.UnrecognizedError(conflict),
      new E.UnrecognizedError({ ...conflict, status: 404 }),
      new E.UnrecognizedError({ code: "CONFLICT", status: 409 }),
      new E.UnrecognizedError({ ...conflict, executionId }),
      new E.TransportError({ message, reason: "reset", idempotencyKey: "key-1" })
    ].map(E.isIdempotencyConflict)
    assert.deepStrictEqual(guarded, [true, false, false, false, false])
  })

  it("isApiError returns true only for the documented codes", () => {
    for (const [code, { tag }] of Object.entries(E.codes)) {
      const Class = E.ApiError.members.find((member) => member._tag === tag) ?? assert.fail(code)
      const error = new Class({})
      assert.isTrue(E.isApiError(error))
      assert.strictEqual(error[E.TypeId], E.TypeId)
    }
    assert.isFalse(E.isApiError(new E.UnrecognizedError({})))
  })
})

describe("schema ModelRouteError", () => {
  it("encodes and decodes errors", () => {
    const errors: ReadonlyArray<E.ModelRouteError> = [
      new E.RateLimited({ limit: 60, remaining: 0, resetAt: DateTime.unsafeMake(0), retryAfter: Duration.seconds(5) }),
      new E.ExecutionCancelled({ message, executionId }),
      new E.UnexpectedResponse({ message, status: 502, contentType: "text/html", requestId: "req_1", body: "x" })
    ]
    for (const error of errors) {
      const decoded = Schema.decodeSync(E.ModelRouteError)(Schema.encodeSync(E.ModelRouteError)(error))
      assert.strictEqual(decoded._tag, error._tag)
      assert.deepStrictEqual(JSON.stringify(decoded), JSON.stringify(error))
    }
  })
})
