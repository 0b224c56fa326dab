/** Tests the context and the errors of one attempt. `attempt.test.ts` tests the responses of a client. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Exit, Fiber, TestClock } from "effect"
import type { ModelRouteError } from "effect-modelroute"
import * as attempt from "../../src/internal/http/attempt.js"
import { makeAttemptTimeout } from "../../src/internal/http/attemptTimeout.js"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { start } from "../utils/harness.js"
import { SettableClock } from "../utils/settableClock.js"

const request = HttpClientRequest.get("https://api.example/v1/executions")

type Respond = (
  request: HttpClientRequest.HttpClientRequest
) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

const respondWith =
  (body: BodyInit | null, init: ResponseInit = {}): Respond =>
  (request) =>
    Effect.sync(() => HttpClientResponse.fromWeb(request, new Response(body, init)))

/** Sends the second attempt of a call. Returns its exit and the reports to the gate. */
const run = <A = unknown>(
  respond: Respond,
  call: Partial<attempt.Call<A>> & Pick<attempt.Call<A>, "decode">,
  opensIn?: number
) =>
  Effect.gen(function* () {
    const reports: Array<unknown> = []
    const options: attempt.AttemptOptions = {
      client: HttpClient.make(respond),
      attemptLimits: { duration: Duration.seconds(30), withTimeout: makeAttemptTimeout(new SharedTimer(), 30_000) },
      secrets: ["canarysecret"]
    }
    const permit = {
      reportResponse: (status: number, headers: { readonly [name: string]: string | undefined }) =>
        Effect.sync(() => {
          reports.push([status, headers["x-a"]])
          return opensIn
        }),
      reportUnsent: Effect.void,
      reportRateLimited: () => Effect.void
    }
    const fields = { operation: "executions.get", request, isRepeatable: true }
    const exit = yield* Effect.exit(attempt.runOnce(options, { ...fields, ...call }, 2, permit))
    return { exit, reports }
  })

const json = attempt.decodeJson("an id", (value) =>
  typeof value === "object" && value !== null && "id" in value ? value.id : undefined
)

describe("runOnce", () => {
  it.effect("decodes the response and reports the status and the headers to the gate", () =>
    Effect.gen(function* () {
      const { exit, reports } = yield* run(respondWith('{"id":"exec_1"}', { status: 201, headers: { "x-a": "b" } }), {
        decode: json
      })
      assert.strictEqual(valueOf(exit), "exec_1")
      assert.deepStrictEqual(reports, [[201, "b"]])
    })
  )

  it.effect("passes the attempt, the arrival time and the delay of the gate to decode", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const clock = new SettableClock(yield* Effect.clock)
      clock.offset = 7000
      const { exit } = yield* Effect.withClock(
        run(
          respondWith(null),
          { decode: Effect.succeed, idempotencyKey: "key-1", confidential: { secrets: ["a"] } },
          4000
        ),
        clock
      )
      const { context, opensIn, receivedAt } = valueOf(exit)
      assert.deepStrictEqual(context, {
        operation: "executions.get",
        attempts: 2,
        isRepeatable: true,
        idempotencyKey: "key-1",
        confidential: { secrets: ["a", "canarysecret"] }
      })
      assert.strictEqual(opensIn, 4000)
      assert.deepStrictEqual(receivedAt, { wall: start + 7000, monotonic: start })
    })
  )

  it.effect("uses the arrival time and the delay of the gate in the error of a 429", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { exit } = yield* run(respondWith("", { status: 429 }), { decode: json }, 4000)
      const error = failureOf(exit)
      if (error._tag !== "RateLimited") return assert.fail(error._tag)
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(4))
      assert.deepStrictEqual(error.resetAt, DateTime.unsafeMake(start + 4000))
    })
  )

  it.effect("fails with TransportError if the response does not arrive within the time limit", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(run(() => Effect.never, { decode: json }))
      yield* TestClock.adjust(29_999)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      const error = failureOf((yield* Fiber.join(fiber)).exit)
      assert.deepInclude(error, {
        _tag: "TransportError",
        reason: "timeout",
        attempts: 2,
        detail: "the timeout of one attempt is 30 s"
      })
    })
  )

  const failing = (error: (request: HttpClientRequest.HttpClientRequest) => HttpClientError.HttpClientError) =>
    Effect.map(
      run((request) => Effect.fail(error(request)), { decode: json }),
      ({ exit, reports }) => {
        assert.deepStrictEqual(reports, [])
        return failureOf(exit)
      }
    )

  for (const reason of ["Encode", "InvalidUrl"] as const) {
    it.effect(`fails with InvalidRequest if the HTTP client cannot create the request: ${reason}`, () =>
      Effect.gen(function* () {
        const error = yield* failing((request) => new HttpClientError.RequestError({ request, reason }))
        assert.deepInclude(error, {
          _tag: "InvalidRequest",
          operation: "executions.get",
          attempts: 2,
          field: "request"
        })
        assert.include(
          error.message,
          `executions.get was not sent: the HTTP client could not create the request (${reason})`
        )
      })
    )
  }

  it.effect("fails with TransportError if the transport fails", () =>
    Effect.gen(function* () {
      const cause = Object.assign(new Error("no canarysecret"), { code: "ECONNREFUSED" })
      const error = yield* failing(
        (request) => new HttpClientError.RequestError({ request, reason: "Transport", cause })
      )
      assert.deepInclude(error, { _tag: "TransportError", reason: "connect", detail: "no [redacted]" })
    })
  )

  it.effect("fails with UnexpectedResponse if the transport rejects a redirect", () =>
    Effect.gen(function* () {
      const cause = new Error("unexpected redirect")
      const error = yield* failing(
        (request) => new HttpClientError.RequestError({ request, reason: "Transport", cause })
      )
      assert.deepInclude(error, { _tag: "UnexpectedResponse", status: 0 })
    })
  )

  it.effect("decodes the response of an error that a transformed client creates from the status", () =>
    Effect.gen(function* () {
      const failWith =
        (reason: "StatusCode" | "Decode"): Respond =>
        (request) =>
          Effect.flatMap(respondWith('{"id":"exec_1"}')(request), (response) =>
            Effect.fail(new HttpClientError.ResponseError({ request, response, reason }))
          )
      assert.strictEqual(valueOf((yield* run(failWith("StatusCode"), { decode: json })).exit), "exec_1")
      const error = failureOf((yield* run(failWith("Decode"), { decode: json })).exit)
      assert.deepInclude(error, { _tag: "TransportError", reason: "unknown" })
    })
  )
})

const errorOf = (respond: Respond, decode: attempt.Call<unknown>["decode"] = json) =>
  Effect.map(run(respond, { decode }), ({ exit }) => failureOf<ModelRouteError.RequestFailure>(exit))

describe("decodeJson", () => {
  it.effect("passes the JSON, the response and the text to the function", () =>
    Effect.gen(function* () {
      for (const [body, parsed] of [
        ['{"id":"exec_1"}', { id: "exec_1" }],
        ["text", undefined]
      ] as const) {
        const decode = attempt.decodeJson("text", (value, { response }, text) => [value, response.status, text])
        assert.deepStrictEqual(valueOf((yield* run(respondWith(body), { decode })).exit), [parsed, 200, body])
      }
      const headers = { "content-type": "text/plain; charset=utf-16le" }
      const decode = attempt.decodeJson("text", (_, __, text) => text)
      const bytes = Uint8Array.of(0x62, 0, 0xe4, 0)
      assert.strictEqual(valueOf((yield* run(respondWith(bytes, { headers }), { decode })).exit), "b\u00e4")
    })
  )

  it.effect("accepts any 2xx status", () =>
    Effect.gen(function* () {
      for (const status of [200, 299]) {
        assert.isTrue(Exit.isSuccess((yield* run(respondWith('{"id":1}', { status }), { decode: json })).exit))
      }
      const error = yield* errorOf(respondWith('{"id":1}', { status: 300 }))
      assert.deepInclude(error, { _tag: "UnexpectedResponse", status: 300, body: '{"id":1}' })
      assert.deepStrictEqual([199, 200, 299, 300].map(attempt.isSuccess), [false, true, true, false])
    })
  )

  it.effect("fails with UnexpectedResponse if the response lacks the required content", () =>
    Effect.gen(function* () {
      for (const body of ["{}", "<html>"]) {
        const error = yield* errorOf(respondWith(body))
        assert.deepInclude(error, { _tag: "UnexpectedResponse", status: 200, body })
        assert.include(error.message, "the response lacks an id")
      }
    })
  )

  it.effect("fails with TransportError if the JSON is truncated", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* errorOf(respondWith('{"id":"ex')), { _tag: "TransportError", reason: "truncated" })
    })
  )

  it.effect("fails with the error of an envelope even if the status is 200", () =>
    Effect.gen(function* () {
      const error = yield* errorOf(respondWith('{"error":{"code":"INTERNAL_ERROR","message":"no"}}'))
      assert.deepInclude(error, { _tag: "InternalError", apiMessage: "no", status: 200 })
    })
  )
})

describe("decodeAny", () => {
  it.effect("returns JSON, text or undefined", () =>
    Effect.gen(function* () {
      for (const [body, value] of [
        ['{"a":1}', { a: 1 }],
        ["null", null],
        ["plain text", "plain text"],
        ["", undefined]
      ] as const) {
        const { exit } = yield* run(respondWith(body), { decode: attempt.decodeAny })
        assert.deepStrictEqual(valueOf(exit), { json: value })
      }
      const error = yield* errorOf(respondWith('{"a":'), attempt.decodeAny)
      assert.deepInclude(error, { _tag: "TransportError", reason: "truncated" })
    })
  )
})

describe("failWithProblem", () => {
  it.effect("fails with UnexpectedResponse without the body", () =>
    Effect.gen(function* () {
      const error = yield* errorOf(respondWith("a body", { headers: { "content-type": "text/plain" } }), (received) =>
        attempt.failWithProblem(received, "the response lacks a link")
      )
      assert.deepInclude(error, { _tag: "UnexpectedResponse", status: 200, body: "", contentType: "text/plain" })
      assert.include(error.message, "the response lacks a link")
    })
  )
})

describe("body of a response", () => {
  const truncated = { headers: { "content-length": "100" } }

  it.effect("causes TransportError if it is truncated and contains no envelope", () =>
    Effect.gen(function* () {
      const lost = { _tag: "TransportError", reason: "truncated" } as const
      assert.deepInclude(yield* errorOf(respondWith("<html>", { ...truncated, status: 500 })), lost)
      assert.deepInclude(yield* errorOf(respondWith('{"id":1}', truncated)), lost)
      const envelope = '{"error":{"code":"INTERNAL_ERROR","message":"no"}}'
      const error = yield* errorOf(respondWith(envelope, { ...truncated, status: 500 }))
      assert.deepInclude(error, { _tag: "InternalError", apiMessage: "no" })
    })
  )
})
