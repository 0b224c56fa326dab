/** Tests the facts and the advice in error messages. */
import { assert, describe, it } from "@effect/vitest"
import * as messages from "../../src/internal/errors/messages.js"

const call = { operation: "executions.create", attempts: 1, idempotencyKey: "key-1", executionId: "exec_1" }
const keyed = { ...call, isKeyed: true }
const resume = "To continue later without paying twice, use the idempotency key key-1."

const assertParts = (message: string, parts: ReadonlyArray<string>, absent: ReadonlyArray<string> = []) => {
  for (const part of parts) assert.include(message, part)
  for (const part of absent) assert.notInclude(message, part)
  assert.notInclude(message, "undefined")
  assert.isTrue(message.endsWith("."), message)
}

describe("message of an error with a code", () => {
  const error = { name: "INTERNAL_ERROR", code: "INTERNAL_ERROR", status: 500, retryable: false }

  it("contains the operation, the attempts, the message of the API and the facts", () => {
    const message = messages.apiError(
      { ...call, attempts: 2 },
      {
        name: "RATE_LIMITED",
        code: "rate_limited",
        status: 429,
        retryable: true,
        apiMessage: "slow down",
        requestId: "req_1",
        resetsInMillis: 3000
      }
    )
    assertParts(message, [
      "executions.create failed after 2 attempts: the rate limit is exhausted. ",
      ` ModelRoute's message: "slow down" (rate_limited, HTTP 429, request req_1).`,
      "). The limit resets in 3 s. Send fewer requests"
    ])
  })

  it("omits the facts that are unknown", () => {
    assertParts(
      messages.apiError(call, { ...error, code: "" }),
      ["executions.create failed: ", " ModelRoute sent no message (HTTP 500). Contact"],
      ["attempts", "request req", "resets in", "details for", "idempotency key"]
    )
  })

  it("contains three details and the number of other details", () => {
    const details = ["a", "b", "c", "d"].map((field) => ({ field, code: "REQUIRED", message: `${field} is missing` }))
    const shown = " a: a is missing (REQUIRED). b: b is missing (REQUIRED). c: c is missing (REQUIRED)."
    assertParts(messages.apiError(call, { ...error, details: details.slice(0, 3) }), [`).${shown} Contact`])
    assertParts(messages.apiError(call, { ...error, details }), [`).${shown} See details for 1 more. Contact`])
  })

  it("contains the idempotency key if the same request can succeed later", () => {
    const retryable = { ...error, retryable: true }
    assertParts(messages.apiError(keyed, retryable), [`. ${resume}`])
    for (const message of [
      messages.apiError(keyed, error),
      messages.apiError(call, retryable),
      messages.apiError(keyed, { ...retryable, status: 409 })
    ]) {
      assertParts(message, [], [resume])
    }
  })

  it("contains the id of a FAILED execution, and advises a new key only if the failure is retryable", () => {
    const failure = { ...error, requestId: "req_1", isExecutionFailure: true }
    const advice = "Use a new idempotency key."
    assertParts(
      messages.apiError(keyed, failure),
      ["Execution exec_1 failed: ", "(INTERNAL_ERROR, request req_1)"],
      ["HTTP", "executions.create", advice]
    )
    assertParts(messages.apiError(keyed, { ...failure, retryable: true }), [`. ${advice}`], [resume])
  })

  const newCode = { name: "NEW", code: "NEW", retryable: false }
  for (const [status, operation, isKeyed, problem] of [
    [403, "executions.get", false, "does not have permission"],
    [404, "executions.get", false, "the resource does not exist"],
    [404, "executions.create", true, "the endpoint does not exist at this base URL"],
    [404, "files.upload", false, "the endpoint does not exist at this base URL"],
    [404, "webhookEndpoints.create", false, "the endpoint does not exist at this base URL"],
    [404, "webhookEndpoints.list", false, "the endpoint does not exist at this base URL"],
    [403, "files.upload", false, "does not have permission"],
    [409, "executions.create", true, "another request already uses this idempotency key"],
    [409, "executions.cancel", false, "a code that this version of the library does not support"],
    [400, "executions.create", true, "a code that this version of the library does not support"]
  ] as const) {
    it(`explains status ${status} of ${operation} ${isKeyed ? "with" : "without"} an idempotency key`, () => {
      assertParts(messages.apiError({ ...call, operation, isKeyed }, { ...newCode, status }), [problem])
    })
  }

  it("explains the code before the status", () => {
    const codes = { FILE_NOT_FOUND: "a file is unknown", UNAUTHORIZED: "the API key is missing" }
    for (const [code, problem] of Object.entries(codes)) {
      for (const status of [403, 404, 409]) {
        assertParts(messages.apiError(keyed, { name: code, code, status, retryable: false }), [problem])
      }
    }
  })
})

describe("defaultMessage", () => {
  it("consists of sentences", () => {
    assert.strictEqual(
      messages.defaultMessage("MODEL_OVERLOADED"),
      "The model is at capacity. Try again later, or use another model."
    )
    assert.match(messages.defaultMessage("UNAUTHORIZED"), /^The API key is missing, .+\. Check .+\.$/)
    assert.match(messages.defaultMessage("NEW"), /^ModelRoute rejected .+\. Look up .+\.$/)
  })
})

describe("message of an unexpected response", () => {
  const response = { status: 502, problem: "the response is empty", retryable: false }

  it("contains the operation, the attempts, the problem and the facts", () => {
    assertParts(messages.unexpectedResponse(call, response), [
      "executions.create failed: the response is empty (HTTP 502, no content type). Check the base URL"
    ])
    const facts = { contentType: "text/html", requestId: "req_1" }
    assertParts(messages.unexpectedResponse({ ...call, attempts: 4 }, { ...response, ...facts }), [
      "executions.create failed after 4 attempts: the response is empty (HTTP 502, text/html, request req_1). "
    ])
  })

  it("contains advice for the caller", () => {
    const retryable = { ...response, retryable: true }
    const storage = "message from storage"
    const later = "Try again later."
    assertParts(messages.unexpectedResponse(keyed, retryable), [`${later} ${resume}`], [storage, "Check the base URL"])
    assertParts(messages.unexpectedResponse(keyed, response), ["Check the base URL"], [storage, later, resume])
    assertParts(messages.unexpectedResponse({ ...call, isStorage: true }, response), [storage], ["Check the base URL"])
    assertParts(messages.unexpectedResponse({ ...call, isStorage: true }, retryable), [later], [storage])
  })
})

describe("message of a request that was not sent because of the rate limit", () => {
  it("contains the wait, and the idempotency key if an earlier attempt was sent", () => {
    const wait = "would have waited 3 s,"
    assertParts(
      messages.rateLimitedByGate({ ...keyed, attempts: 0 }, 3000),
      ["executions.create was not sent: ", wait],
      [resume, "again:"]
    )
    assertParts(messages.rateLimitedByGate(keyed, 3000), ["executions.create was not sent again: ", wait, resume])
  })
})

describe("message of a call without a complete response", () => {
  const failure = { problem: "the connection was reset", retryable: true }

  it("contains the operation, the attempts, the problem and advice", () => {
    assertParts(
      messages.transportError(keyed, failure),
      [`executions.create failed: the connection was reset. Try again later. ${resume}`],
      ["may have been executed"]
    )
    const unsafe = { problem: "the connection was reset", retryable: false, detail: "ECONNRESET" }
    assertParts(
      messages.transportError({ ...keyed, attempts: 3 }, unsafe),
      ["executions.create failed after 3 attempts: the connection was reset (ECONNRESET). The request may have been"],
      ["Try again later", resume]
    )
  })
})
