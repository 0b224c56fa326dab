/** Tests that every error response becomes a declared error instead of a defect, in bounded memory. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { Execution, ModelRouteError } from "effect-modelroute"
import * as classify from "../../src/internal/errors/classify.js"
import { privateTextsOf } from "../../src/internal/errors/confidential.js"
import { failureOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { image, prompt, silent, start } from "../utils/harness.js"
import { runInVirtualTime } from "../utils/virtualTime.js"
import { responseData } from "../utils/responses.js"
import { numRuns } from "../utils/suite.js"

const seed = 20_260_320

const context: classify.ErrorContext = {
  operation: "executions.create",
  attempts: 1,
  idempotencyKey: "key-1",
  isRepeatable: true,
  isKeyed: true,
  confidential: { privateTexts: privateTextsOf({ input: { prompt } }) }
}

const bytes = (text: string) => new TextEncoder().encode(text)

const envelope = (error: Record<string, unknown>) => ({ error })

describe("error envelope with a documented code", () => {
  for (const [code, { retryable, status, tag }] of Object.entries(ModelRouteError.codes)) {
    it(`becomes ${tag} if the code is ${code}, regardless of the HTTP status`, () => {
      const reported = { code, message: "no", request_id: "req_1" }
      for (const wire of [status, 400, 418, 500, 503]) {
        const error = classify.fromResponse(responseData(wire, envelope(reported)), context)
        assert.strictEqual(error._tag, tag)
        assert.strictEqual(error.retryable, retryable)
        assert.isTrue(ModelRouteError.isModelRouteError(error))
        assert.strictEqual(ModelRouteError.isRetryable(error), retryable)
        if (!("code" in error)) return assert.fail("has no code")
        assert.strictEqual(error.code, code)
        assert.strictEqual(error.status, wire)
        assert.strictEqual(error.requestId, "req_1")
        assert.strictEqual(error.apiMessage, "no")
        assert.strictEqual(error.operation, "executions.create")
        assert.strictEqual(error.idempotencyKey, "key-1")
        for (const part of ["executions.create failed", `"no"`, code, `HTTP ${wire}`, "req_1"]) {
          assert.include(error.message, part)
        }
      }
      for (const flag of [true, false]) {
        const error = classify.fromResponse(responseData(status, envelope({ ...reported, retryable: flag })), context)
        assert.strictEqual(error.retryable, flag)
      }
    })
  }

  it("is recognized if the code is in lowercase", () => {
    const error = classify.fromResponse(
      responseData(503, envelope({ code: "model_overloaded", message: "busy" })),
      context
    )
    assert.strictEqual(error._tag === "ModelOverloaded" && error.code, "model_overloaded")
  })

  it("becomes an error whose message contains three of five details", () => {
    const details = Array.from({ length: 5 }, (_, i) => ({
      field: `input.f${i}`,
      code: "REQUIRED",
      message: `f${i} is required`
    }))
    const error = classify.fromResponse(
      responseData(400, envelope({ code: "INPUT_VALIDATION_ERROR", message: "Invalid", details })),
      context
    )
    assert.deepStrictEqual(error._tag === "InputValidationError" && error.details, details)
    assert.include(error.message, "input.f0: f0 is required (REQUIRED). input.f1: f1 is required (REQUIRED).")
    assert.include(error.message, "See details for 2 more.")
  })
})

describe("error response with a missing or undocumented code", () => {
  const cases: ReadonlyArray<readonly [string, classify.ResponseData, string, boolean]> = [
    ["an unknown code", responseData(400, envelope({ code: "NEW", message: "?" })), "UnrecognizedError", false],
    [
      "an unknown code with retryable",
      responseData(400, envelope({ code: "NEW", retryable: true })),
      "UnrecognizedError",
      true
    ],
    [
      "an unknown code with a retryable status",
      responseData(503, envelope({ code: "NEW" })),
      "UnrecognizedError",
      true
    ],
    [
      "an envelope whose fields are at the top level",
      responseData(400, { code: "FILE_NOT_FOUND", message: "gone" }),
      "FileNotFound",
      false
    ],
    ["401 without a code", responseData(401, "<html>"), "Unauthorized", false],
    ["429 without a code", responseData(429, "", { "retry-after": "7" }), "RateLimited", true],
    [
      "a proxy's page",
      responseData(502, "<html>Bad gateway</html>", { "content-type": "text/html" }),
      "UnexpectedResponse",
      true
    ],
    ["an empty 500", responseData(500, ""), "UnexpectedResponse", true],
    ["Cloudflare's 525", responseData(525, ""), "UnexpectedResponse", true],
    ["an empty 501", responseData(501, ""), "UnexpectedResponse", false],
    [
      "a problem document",
      responseData(404, { type: "about:blank", title: "Not Found", status: 404 }),
      "UnexpectedResponse",
      false
    ],
    ["a code that is a number", responseData(503, { error: { code: 503, message: "x" } }), "UnexpectedResponse", true],
    ["408", responseData(408, ""), "UnexpectedResponse", true],
    ["a redirect", responseData(302, ""), "UnexpectedResponse", false],
    ["a 409 of a request with its own idempotency key", responseData(409, ""), "UnexpectedResponse", true]
  ]
  for (const [name, given, tag, retryable] of cases) {
    it(`becomes a ${retryable ? "retryable" : "non-retryable"} ${tag} in this case: ${name}`, () => {
      const error = classify.fromResponse(given, context)
      assert.strictEqual(error._tag, tag)
      assert.strictEqual(error.retryable, retryable)
    })
  }

  for (const [status, code, words] of [
    [404, "NOT_FOUND", "the endpoint does not exist at this base URL"],
    [403, "FORBIDDEN", "the API key does not have permission for this call"],
    [409, "IDEMPOTENCY_CONFLICT", "another request already uses this idempotency key"],
    [400, "NEW", "with a code that this version of the library does not support"]
  ] as const) {
    it(`becomes an error whose message explains status ${status} with code ${code}`, () => {
      const { message } = classify.fromResponse(responseData(status, envelope({ code, message: "no" })), context)
      assert.include(message, words)
      assert.notInclude(message, "To continue later")
    })
  }

  it("satisfies isNotFound only if its status is 404", () => {
    const { isIdempotencyConflict, isNotFound } = ModelRouteError
    const withCode = (status: number, code: string) =>
      classify.fromResponse(responseData(status, envelope({ code })), context)
    const guarded = (error: unknown) => [isNotFound(error), isIdempotencyConflict(error)]
    assert.deepStrictEqual(guarded(withCode(404, "NOT_FOUND")), [true, false])
    assert.deepStrictEqual(guarded(withCode(404, "FILE_NOT_FOUND")), [true, false])
    assert.deepStrictEqual(guarded(classify.fromResponse(responseData(404, "<html>"), context)), [true, false])
    assert.deepStrictEqual(guarded(withCode(409, "IDEMPOTENCY_CONFLICT")), [false, true])
    assert.deepStrictEqual(guarded(classify.fromResponse(responseData(409, ""), context)), [false, true])
    assert.deepStrictEqual(guarded(withCode(400, "NEW")), [false, false])
    // A poll has no idempotency key, so a 409 of a poll is not an idempotency conflict.
    const poll = { ...context, executionId: Execution.ExecutionId.make("exec_1"), isKeyed: false }
    assert.deepStrictEqual(guarded(classify.fromResponse(responseData(409, ""), poll)), [false, false])
    assert.deepStrictEqual(guarded(new Error("404")), [false, false])
    assert.deepStrictEqual(guarded(undefined), [false, false])
  })

  it("becomes a non-retryable error if the API may execute a repeated request twice", () => {
    const unrepeatable = { ...context, isRepeatable: false, isKeyed: false }
    assert.isFalse(classify.fromResponse(responseData(502, "<html>"), unrepeatable).retryable)
    assert.isFalse(classify.fromResponse(responseData(500, ""), unrepeatable).retryable)
    assert.isFalse(classify.fromResponse(responseData(409, ""), unrepeatable).retryable)
    assert.isFalse(classify.transportError("reset", unrepeatable).retryable)
    assert.isTrue(classify.transportError("connect", unrepeatable).retryable)
    assert.isTrue(classify.fromResponse(responseData(429, ""), unrepeatable).retryable)
  })

  it("becomes an error that contains at most 2 KiB of the response body", () => {
    const error = classify.fromResponse(
      responseData(500, "x".repeat(100_000), { "content-type": "text/plain" }),
      context
    )
    assert.strictEqual(error._tag === "UnexpectedResponse" && error.body.length, 2048)
    const utf16 = new Uint8Array(Array.from("b\u00e4h", (c) => [c.charCodeAt(0), 0]).flat())
    const headers = { "content-type": 'text/plain; charset="utf-16le"' }
    const wide = classify.fromResponse({ status: 500, headers, body: utf16, receivedAt: 0 }, context)
    assert.strictEqual(wide._tag === "UnexpectedResponse" && wide.body, "b\u00e4h")
    const odd = responseData(500, "oops", { "content-type": "text/plain; charset=klingon" })
    const error2 = classify.fromResponse(odd, context)
    assert.strictEqual(error2._tag === "UnexpectedResponse" && error2.body, "oops")
  })
})

describe("classification of random responses", () => {
  const text = fc.oneof(fc.string(), fc.fullUnicodeString(), fc.constantFrom("sk_abc", "__proto__", "RATE_LIMITED"))
  const member = fc.oneof(
    text,
    fc.boolean(),
    fc.integer(),
    fc.constant(null),
    fc.array(fc.anything(), { maxLength: 3 })
  )
  const loose = fc.record(
    {
      code: fc.oneof(fc.constantFrom(...Object.keys(ModelRouteError.codes)), member),
      message: member,
      retryable: member,
      request_id: member,
      details: fc.oneof(
        member,
        fc.array(fc.record({ field: member, code: member, message: member }, { requiredKeys: [] }))
      )
    },
    { requiredKeys: [] }
  )
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map(bytes),
    loose.map((error) => bytes(JSON.stringify({ error }))),
    loose.map((error) => bytes(JSON.stringify(error))),
    loose.map((error) => bytes(JSON.stringify({ error }).slice(0, -7)))
  )
  const number = fc.oneof(fc.integer().map(String), fc.double().map(String), fc.bigInt().map(String), fc.string())
  const headers = fc.record(
    {
      date: fc.oneof(
        fc.string(),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString())
      ),
      "retry-after": number,
      "x-ratelimit-reset": number,
      "x-ratelimit-limit": number,
      "x-ratelimit-remaining": number,
      "content-type": fc.oneof(fc.string(), fc.constantFrom("application/json", "text/html; charset=\u0000")),
      "x-request-id": fc.string()
    },
    { requiredKeys: [] }
  )
  const status = fc.oneof(fc.integer({ min: 100, max: 599 }), fc.constantFrom(0, 999, 429, 401, 409))

  it(`returns a ModelRouteError for every random response (seed ${seed})`, () => {
    fc.assert(
      fc.property(status, headers, body, fc.integer({ min: 0, max: 8.64e15 }), (status, headers, body, receivedAt) => {
        const error = classify.fromResponse({ status, headers, body, receivedAt }, context)
        assert.isTrue(ModelRouteError.isModelRouteError(error))
        assert.isString(error.message)
        assert.isBoolean(error.retryable)
        JSON.stringify(error)
      }),
      { seed, numRuns: numRuns(1000, 20_000) }
    )
  })

  it.effect("makes executions.create fail without a defect", () =>
    Effect.forEach(
      fc.sample(fc.tuple(fc.integer({ min: 200, max: 599 }), body), { numRuns: numRuns(30, 300), seed }),
      ([status, bytes]) =>
        Effect.gen(function* () {
          const empty = [204, 205, 304].includes(status)
          const { client } = makeFakeClient(() => (empty ? { status } : { status, bytes: Uint8Array.from(bytes) }))
          const call = Effect.flatMap(client, ({ executions }) => executions.create(image))
          const exit = yield* runInVirtualTime(silent(call), start)
          if (exit._tag === "Failure") assert.isTrue(ModelRouteError.isModelRouteError(failureOf(exit)))
        }),
      { discard: true }
    )
  )
})

describe("quoted prompt in an API message", () => {
  it("is redacted in full, partial and escaped form", () => {
    const long = `${prompt} with "quotes" & <tags>`
    const quotes = [
      `refused: ${long}`,
      `refused: ${long.slice(0, 20)}...`,
      `refused: ${JSON.stringify(long)}`,
      `refused: ${long.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")}`,
      `refused: ${encodeURIComponent(long)}`
    ]
    for (const message of quotes) {
      const error = classify.fromResponse(
        responseData(400, envelope({ code: "CONTENT_MODERATION_REJECTED", message })),
        {
          ...context,
          confidential: { privateTexts: privateTextsOf({ input: { prompt: long, size: "16:9" } }) }
        }
      )
      const shown = JSON.stringify(error)
      for (let at = 0; at + 12 <= prompt.length; at++) assert.notInclude(shown, prompt.slice(at, at + 12), message)
      assert.match(String("apiMessage" in error && error.apiMessage), /^refused: "?\[redacted\]/)
    }
  })
})

describe("ModelRouteError.toReport", () => {
  it("returns the tag, operation, attempts, ids and status of the error", () => {
    const body = envelope({ code: "INTERNAL_ERROR", message: "x", request_id: "req_7" })
    const error = classify.fromResponse(responseData(500, body), context)
    assert.deepStrictEqual(ModelRouteError.toReport(error), {
      tag: "InternalError",
      operation: "executions.create",
      message: error.message,
      attempts: 1,
      code: "INTERNAL_ERROR",
      status: 500,
      requestId: "req_7",
      idempotencyKey: "key-1"
    })
  })

  it("omits the fields that the error does not contain", () => {
    const error = new ModelRouteError.TransportError({
      message: "x",
      operation: "files.url",
      attempts: 2,
      reason: "reset",
      retryable: true
    })
    assert.deepStrictEqual(ModelRouteError.toReport(error), {
      tag: "TransportError",
      operation: "files.url",
      message: error.message,
      attempts: 2
    })
  })
})

describe("ModelRouteError", () => {
  const context: classify.ErrorContext = { operation: "executions.create", attempts: 1, isRepeatable: true }

  it("contains the smallest value of a rate limit header with several values", () => {
    const error = classify.fromResponse(
      {
        status: 429,
        headers: { "x-ratelimit-limit": "100, 60", "x-ratelimit-remaining": "7, 0" },
        body: new Uint8Array(),
        receivedAt: start
      },
      { operation: "executions.get", attempts: 1, isRepeatable: true }
    )
    assert.deepStrictEqual(error._tag === "RateLimited" && [error.limit, error.remaining], [60, 0])
  })

  it("is retryable for the statuses 408, 429, 500, 502 to 504 and 520 to 530", () => {
    for (const [status, retryable] of [
      [408, true],
      [429, true],
      [500, true],
      [501, false],
      [519, false],
      [520, true],
      [530, true],
      [531, false],
      [502, true],
      [503, true],
      [504, true],
      [400, false]
    ] as const) {
      assert.strictEqual(classify.fromResponse(responseData(status, ""), context).retryable, retryable, String(status))
    }
  })

  it("contains the request id from the response header if the body has no request id", () => {
    const envelope = { error: { code: "INTERNAL_ERROR", message: "x" } }
    for (const name of ["x-request-id", "request-id", "x-amz-request-id"]) {
      for (const body of [envelope, "<html>"]) {
        const error = classify.fromResponse(responseData(500, body, { [name]: "req_9" }), context)
        assert.strictEqual("requestId" in error && error.requestId, "req_9", name)
      }
    }
    const both = { error: { ...envelope.error, request_id: "req_1" } }
    const error = classify.fromResponse(responseData(500, both, { "x-request-id": "req_9" }), context)
    assert.strictEqual("requestId" in error && error.requestId, "req_1")
  })

  it("has the tag of its code even if the code has surrounding spaces", () => {
    assert.strictEqual(
      classify.fromResponse(responseData(400, { code: "FILE_NOT_FOUND" }), context)._tag,
      "UnexpectedResponse"
    )
    const error = classify.fromResponse(responseData(400, { error: { code: " file_not_found " } }), context)
    assert.strictEqual(error._tag, "FileNotFound")
    assert.include(error.message, "a file is unknown or has expired")
  })

  it("has a message that states whether a retry is safe", () => {
    const unkeyed = classify.transportError("reset", { ...context, isRepeatable: false })
    assert.include(unkeyed.message, "The request may have been executed")
    const keyed = classify.transportError("reset", { ...context, attempts: 2, idempotencyKey: "key-1", isKeyed: true })
    assert.include(keyed.message, "failed after 2 attempts:")
    assert.include(keyed.message, "use the idempotency key key-1")
    assert.notInclude(classify.transportError("reset", context).message, "idempotency key")
  })

  it("states the time until the rate limit reset in seconds, minutes or hours", () => {
    const message = (after: string) =>
      classify.fromResponse(
        responseData(429, { error: { code: "RATE_LIMITED", message: "x" } }, { "retry-after": after }),
        context
      ).message
    assert.include(message("7.34"), "resets in 7.3 s.")
    assert.include(message("125"), "resets in 2 min 5 s.")
    assert.include(message("9000"), "resets in 2.5 h.")
  })

  it("has default fields in the constructor of each API error", () => {
    for (const Class of ModelRouteError.ApiError.members) {
      const error = new Class({})
      const [code, { retryable, status }] =
        Object.entries(ModelRouteError.codes).find(([, { tag }]) => tag === error._tag) ?? assert.fail(error._tag)
      assert.deepStrictEqual([error.code, error.status, error.retryable], [code, status, retryable])
      assert.isTrue(ModelRouteError.isApiError(error))
      assert.isTrue(error.message.length > 10)
    }
    assert.isTrue(new ModelRouteError.TransportError({ reason: "reset", message: "x" }).retryable)
    assert.isFalse(ModelRouteError.isApiError(new ModelRouteError.Unauthorized({})))
    assert.isFalse(ModelRouteError.isApiError({ _tag: "RateLimited" }))
  })
})
