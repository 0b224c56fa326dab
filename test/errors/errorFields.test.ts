/** Tests the fields of errors. `classify.test.ts` tests the classes of errors. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration } from "effect"
import { Execution, File } from "effect-modelroute"
import * as classify from "../../src/internal/errors/classify.js"
import { privateTextsOf } from "../../src/internal/errors/confidential.js"
import { prompt, start } from "../utils/harness.js"
import { responseData } from "../utils/responses.js"

const context: classify.ErrorContext = {
  operation: "executions.create",
  attempts: 1,
  idempotencyKey: "key-1",
  isRepeatable: true,
  isKeyed: true,
  confidential: { privateTexts: privateTextsOf({ input: { prompt } }) }
}

const envelope = (error: Record<string, unknown>) => ({ error })

describe("time fields of an error", () => {
  const headers = { "retry-after": "5", "x-ratelimit-limit": "60", "x-ratelimit-remaining": "0" }
  const receive = (status: number, code: string, opensIn?: number) =>
    classify.fromResponse({ ...responseData(status, envelope({ code }), headers), opensIn }, context)

  it("contain the delay and the rate limit of a 429", () => {
    for (const code of ["RATE_LIMITED", "NEW"]) {
      for (const [opensIn, wait] of [
        [undefined, 5000],
        [7500, 7500]
      ] as const) {
        const error = receive(429, code, opensIn)
        if (error._tag !== "RateLimited" && error._tag !== "UnrecognizedError") return assert.fail(error._tag)
        assert.deepStrictEqual(error.retryAfter, Duration.millis(wait))
        assert.deepStrictEqual(error.resetAt, DateTime.unsafeMake(start + wait))
        assert.deepStrictEqual([error.limit, error.remaining], [60, 0])
        assert.strictEqual(error.message.includes("resets in"), code === "RATE_LIMITED")
      }
    }
  })

  it("contain only the delay of a retryable error with another status", () => {
    const retryable = receive(503, "NEW")
    assert.deepInclude(retryable, { _tag: "UnrecognizedError", retryAfter: Duration.seconds(5) })
    for (const field of ["resetAt", "limit", "remaining"]) assert.notProperty(retryable, field)
    assert.notProperty(receive(400, "NEW"), "retryAfter")
    const page = classify.fromResponse(responseData(502, "<html>", headers), context)
    assert.deepInclude(page, { _tag: "UnexpectedResponse", retryAfter: Duration.seconds(5) })
    assert.notProperty(classify.fromResponse(responseData(400, "<html>", headers), context), "retryAfter")
  })

  it("are absent if the response has no rate limit headers", () => {
    const error = classify.fromResponse(responseData(429, envelope({ code: "RATE_LIMITED" })), context)
    for (const field of ["retryAfter", "resetAt", "limit", "remaining"]) assert.notProperty(error, field)
    assert.notInclude(error.message, "resets in")
  })

  it("contain the latest valid date if the reset is after this date", () => {
    const error = classify.fromResponse({ ...responseData(429, ""), opensIn: 8.64e15 }, context)
    assert.deepStrictEqual(error._tag === "RateLimited" && error.resetAt, DateTime.unsafeMake(8.64e15))
  })

  it("contain the delay and the rate limit of the gate", () => {
    const error = classify.rateLimitedByGate(
      { opensIn: 4000, wait: 6000, limit: 60, remaining: undefined },
      start,
      context
    )
    assert.deepInclude(error, {
      operation: "executions.create",
      attempts: 1,
      idempotencyKey: "key-1",
      code: "RATE_LIMITED",
      status: 429,
      retryable: true,
      retryAfter: Duration.seconds(6),
      resetAt: DateTime.unsafeMake(start + 4000),
      limit: 60
    })
    assert.notProperty(error, "remaining")
    assert.include(error.message, "would have waited 6 s")
  })
})

describe("request id of an error", () => {
  const idOf = (body: unknown, headers: Record<string, string> = {}) => {
    const error = classify.fromResponse(responseData(500, body, headers), context)
    return "requestId" in error ? error.requestId : undefined
  }
  const withId = (id: unknown) => envelope({ code: "INTERNAL_ERROR", request_id: id })

  it("is the first valid id", () => {
    const longest = "x".repeat(128)
    for (const id of ["req_1", "a.b:c+d/e=f-g", longest]) assert.strictEqual(idOf(withId(id)), id)
    for (const invalid of [5, null, "", "two words", "req_1\n", `${longest}x`, "request id: req_1"]) {
      assert.isUndefined(idOf(withId(invalid)))
      assert.strictEqual(idOf(withId(invalid), { "x-request-id": "req_2" }), "req_2")
    }
    const headers = { "x-amz-request-id": "req_4", "request-id": "req_3" }
    assert.strictEqual(idOf("<html>", headers), "req_3")
    assert.strictEqual(idOf("<html>", { ...headers, "x-request-id": "two words" }), "req_3")
  })

  it("is omitted if it contains a secret", () => {
    const secret = { ...context, confidential: { secrets: ["canarysecret"] } }
    const error = classify.fromResponse(responseData(500, "", { "x-request-id": "req_canarysecret" }), secret)
    assert.notProperty(error, "requestId")
  })
})

describe("error envelope", () => {
  it("is decoded with the charset of the response", () => {
    const text = JSON.stringify(envelope({ code: "FILE_NOT_FOUND", message: "b\u00e4h" }))
    const error = classify.fromResponse(
      {
        status: 400,
        headers: { "content-type": "application/json; charset=utf-16le" },
        body: Uint8Array.from(Array.from(text, (c) => [c.charCodeAt(0), 0]).flat()),
        receivedAt: start
      },
      context
    )
    assert.deepInclude(error, { _tag: "FileNotFound", apiMessage: "b\u00e4h" })
  })

  it("is retryable with status 429 and an unknown code even if the request is not repeatable", () => {
    const response = responseData(429, envelope({ code: "NEW" }))
    assert.isTrue(classify.fromResponse(response, { ...context, isRepeatable: false, isKeyed: false }).retryable)
  })
})

describe("details of an error", () => {
  it("contain empty texts for invalid fields, and omit values that are not objects", () => {
    const detailsOf = (details: unknown) => {
      const error = classify.fromResponse(
        responseData(400, envelope({ code: "INPUT_VALIDATION_ERROR", details })),
        context
      )
      return error._tag === "InputValidationError" ? error.details : assert.fail(error._tag)
    }
    assert.deepStrictEqual(
      detailsOf([{ field: "input.a", code: "A", message: "a" }, 5, null, ["x"], { field: 5, code: null }, {}]),
      [
        { field: "input.a", code: "A", message: "a" },
        { field: "", code: "", message: "" },
        { field: "", code: "", message: "" }
      ]
    )
    for (const details of [undefined, null, "text", { field: "a" }]) assert.deepStrictEqual(detailsOf(details), [])
  })
})

describe("error of a response without an envelope", () => {
  const messageOf = (status: number, body = "", extra: Partial<classify.ErrorContext> = {}) =>
    classify.fromResponse(responseData(status, body), { ...context, ...extra }).message

  it("has a message with the problem", () => {
    for (const status of [0, 300, 302, 399]) assert.include(messageOf(status), "the response is a redirect")
    for (const status of [299, 400, 500]) assert.include(messageOf(status), "the response is empty")
    assert.include(messageOf(500, "<html>"), "contains no ModelRoute error envelope")
    assert.include(messageOf(403, "<Error>", { isStorage: true }), "storage rejected the request")
    assert.include(messageOf(302, "<Error>", { isStorage: true }), "the response is a redirect")
    const problem = classify.unexpectedResponse(responseData(200, "{}"), context, "the response lacks an id")
    assert.include(problem.message, "the response lacks an id (HTTP 200,")
  })

  it("is UnexpectedResponse if storage sends an envelope, a 401 or a 429", () => {
    const storage = { ...context, isStorage: true }
    for (const status of [401, 429]) {
      const error = classify.fromResponse(responseData(status, envelope({ code: "RATE_LIMITED" })), storage)
      assert.deepInclude(error, { _tag: "UnexpectedResponse", status })
    }
  })

  it("describes a redirect that the HTTP client has rejected", () => {
    const error = classify.redirectError(context)
    assert.deepInclude(error, { _tag: "UnexpectedResponse", status: 0, retryable: false, body: "" })
    assert.include(error.message, "the response is a redirect")
    for (const field of ["contentType", "requestId", "retryAfter"]) assert.notProperty(error, field)
    assert.isTrue(classify.isHiddenRedirect(0))
    assert.isFalse(classify.isHiddenRedirect(302))
  })

  it("contains the content type of the response", () => {
    const contentTypeOf = (contentType: string) => {
      const quoting = { ...context, confidential: { privateTexts: privateTextsOf(["image/png", "a private text"]) } }
      return classify.unexpectedResponse(responseData(500, "", { "content-type": contentType }), quoting).contentType
    }
    for (const contentType of [
      "image/png",
      "text/html; charset=utf-8",
      "application/problem+json;charset=UTF-8",
      "application/vnd.api.v1-x+json",
      "text/html; x=y"
    ]) {
      assert.strictEqual(contentTypeOf(contentType), contentType)
    }
    assert.strictEqual(contentTypeOf("text/html; x=a private text"), "text/html; x=[redacted]")
    assert.strictEqual(contentTypeOf("image/png; charset=a private text"), "[redacted]; charset=[redacted]")
    assert.strictEqual(contentTypeOf("see image/png"), "see [redacted]")
    assert.isUndefined(contentTypeOf(""))
  })
})

describe("error of a FAILED execution", () => {
  const failureOfExecution = (failure?: Execution.Failure) =>
    classify.fromExecution(
      new Execution.Execution({
        id: Execution.ExecutionId.make("exec_1"),
        status: "FAILED",
        ...(failure === undefined ? {} : { error: failure })
      }),
      context
    )

  it("has the fields of the failure, and the status and the default of its code", () => {
    const details = [{ field: "input.a", code: "A", message: "a" }]
    const error = failureOfExecution(
      new Execution.Failure({ code: "input_validation_error", message: "no", requestId: "req_1", details })
    )
    assert.deepInclude(error, {
      _tag: "InputValidationError",
      operation: "executions.create",
      attempts: 1,
      idempotencyKey: "key-1",
      executionId: Execution.ExecutionId.make("exec_1"),
      executionStatus: "FAILED",
      code: "input_validation_error",
      apiMessage: "no",
      requestId: "req_1",
      status: 400,
      retryable: false,
      details
    })
    assert.include(error.message, "Execution exec_1 failed: a parameter is wrong")
    assert.isTrue(failureOfExecution(new Execution.Failure({ code: "MODEL_OVERLOADED" })).retryable)
    assert.isFalse(failureOfExecution(new Execution.Failure({ code: "MODEL_OVERLOADED", retryable: false })).retryable)
    assert.isTrue(failureOfExecution(new Execution.Failure({ code: "INTERNAL_ERROR", retryable: true })).retryable)
    const quoting = failureOfExecution(new Execution.Failure({ code: "NEW", message: `no: ${prompt}` }))
    assert.strictEqual(quoting.apiMessage, "no: [redacted]")
  })

  it("has the code FAILED and status 200 if the execution has no error", () => {
    const error = failureOfExecution()
    assert.deepInclude(error, { _tag: "UnrecognizedError", code: "FAILED", status: 200, retryable: false })
    for (const field of ["apiMessage", "requestId"]) assert.notProperty(error, field)
  })
})

describe("TransportError", () => {
  it("contains the reason, the problem and the redacted message of the HTTP client", () => {
    const quoting = { ...context, confidential: { secrets: ["canarysecret"] } }
    for (const [reason, problem] of [
      ["connect", "could not connect"],
      ["reset", "the connection was reset"],
      ["timeout", "no complete response arrived in time"],
      ["truncated", "the response ended early"],
      ["unknown", "the HTTP client failed"]
    ] as const) {
      const error = classify.transportError(reason, quoting, "sent canarysecret")
      assert.deepInclude(error, { operation: "executions.create", reason, retryable: true, detail: "sent [redacted]" })
      assert.include(error.message, problem)
      for (const text of ["", undefined]) assert.notProperty(classify.transportError(reason, quoting, text), "detail")
    }
  })

  it("describes an incomplete upload", () => {
    for (const isRepeatable of [true, false]) {
      const error = classify.incompleteUpload({ ...context, isRepeatable }, "3 of 10 bytes")
      assert.deepInclude(error, { reason: "truncated", retryable: isRepeatable, detail: "3 of 10 bytes" })
      assert.include(error.message, "storage responded before it received the whole file (3 of 10 bytes)")
    }
  })

  it("contains the execution id and the file id of the call", () => {
    const ids = { executionId: Execution.ExecutionId.make("exec_1"), fileId: File.FileId.make("file_1") }
    assert.deepInclude(classify.transportError("reset", { ...context, ...ids }), { ...ids, idempotencyKey: "key-1" })
  })
})
