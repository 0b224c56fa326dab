/** Tests the reports and the waits of the retry loop with a gate that records its calls. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, HashMap, Logger, LogLevel, Metric, Schedule, TestClock } from "effect"
import { Execution, File, Metrics, ModelRouteError as E } from "effect-modelroute"
import { type AttemptInfo, noInterceptor, withInterceptor } from "../../src/internal/http/attemptInterceptor.js"
import { makeAttemptTimeout } from "../../src/internal/http/attemptTimeout.js"
import type { Call } from "../../src/internal/http/attempt.js"
import type { RequestSender } from "../../src/internal/http/requestSender.js"
import { runOperation } from "../../src/internal/http/retryLoop.js"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import type { Admission } from "../../src/internal/rateLimit/admission.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { spansOf } from "../utils/tracing.js"

const message = "failed"
const transport = (reason: E.TransportReason) => new E.TransportError({ message, reason })
const unavailable = new E.ServiceUnavailable({ requestId: "req_1", idempotencyKey: "key-1" })

/** Runs a call whose attempts end with the given results. Returns its exit and the calls of the gate. */
const run = (
  results: ReadonlyArray<E.RequestFailure | "ok">,
  options: Partial<Call<string>> = {},
  sender: Partial<RequestSender> = {}
) =>
  Effect.gen(function* () {
    const events: Array<string> = []
    const timer = new SharedTimer()
    let sent = 0
    const record = (event: string) => Effect.sync(() => void events.push(event))
    const withPermit: Admission["withPermit"] = (request, use) =>
      Effect.zipRight(
        record(`permit ${request.operation}${request.isRetry ? " retry" : ""}`),
        use({
          reportResponse: (status) => Effect.as(record(`response ${status}`), undefined),
          reportUnsent: record("unsent"),
          reportRateLimited: (opensIn) => record(`rate limited ${opensIn}`)
        })
      )
    const call: Call<string> = {
      operation: "executions.get",
      request: HttpClientRequest.get("https://api.example"),
      decode: ({ context }) => {
        const result = results[(sent += 1) - 1] ?? "ok"
        return result === "ok" ? Effect.succeed(`attempt ${context.attempts}`) : Effect.fail(result)
      },
      isRepeatable: true,
      ...options
    }
    const fiber = yield* Effect.fork(
      runOperation(
        {
          client: HttpClient.make((request) =>
            Effect.sync(() => HttpClientResponse.fromWeb(request, new Response(null, { status: 200 })))
          ),
          baseUrl: "https://api.example",
          admissionOf: () => ({ withPermit, isScarce: Effect.succeed(false) }),
          policy: Schedule.spaced("2 seconds").pipe(Schedule.upTo("5 seconds")),
          retryWhile: () => true,
          secrets: [],
          attemptLimits: { duration: Duration.seconds(30), withTimeout: makeAttemptTimeout(timer, 30_000) },
          timer,
          ...sender
        },
        call
      )
    )
    for (let seconds = 0; seconds < 8; seconds++) yield* TestClock.adjust("1 second")
    return { exit: yield* Fiber.await(fiber), events }
  })

describe("retryLoop", () => {
  it.effect("retries until an attempt succeeds, and reports each response to the gate", () =>
    Effect.gen(function* () {
      const { events, exit } = yield* run([unavailable, transport("reset"), "ok"])
      assert.strictEqual(valueOf(exit), "attempt 3")
      assert.deepStrictEqual(events, [
        "permit executions.get",
        "response 200",
        "permit executions.get retry",
        "response 200",
        "permit executions.get retry",
        "response 200"
      ])
    })
  )

  it.effect("fails with the last error after the end of the policy", () =>
    Effect.gen(function* () {
      const { events, exit } = yield* run([unavailable, unavailable, unavailable, transport("truncated"), "ok"])
      assert.propertyVal(failureOf(exit), "reason", "truncated")
      assert.lengthOf(events, 8)
    })
  )

  it.effect("does not retry an error that must not be repeated or that retryWhile rejects", () =>
    Effect.gen(function* () {
      for (const { exit } of [
        yield* run([unavailable, "ok"], { isRepeatable: false }),
        yield* run([unavailable, "ok"], {}, { retryWhile: ({ _tag }) => _tag !== "ServiceUnavailable" })
      ]) {
        assert.strictEqual(failureOf(exit)._tag, "ServiceUnavailable")
      }
      const { exit } = yield* run([transport("connect"), "ok"], { isRepeatable: false })
      assert.strictEqual(valueOf(exit), "attempt 2")
    })
  )

  const hidden = (retryAfter?: Duration.Duration) =>
    new E.RateLimited({ status: 503, ...(retryAfter === undefined ? {} : { retryAfter }) })
  for (const [what, error, report] of [
    ["a request that was not sent", transport("connect"), ["unsent"]],
    ["a rate limit with another status", hidden(Duration.seconds(3)), ["rate limited 3000"]],
    ["a rate limit with another status and without a delay", hidden(), ["rate limited undefined"]],
    ["a 429", new E.RateLimited({}), []],
    ["a broken connection", transport("reset"), []]
  ] as const) {
    it.effect(`reports ${what} to the gate: ${report.join()}`, () =>
      Effect.gen(function* () {
        const { events } = yield* run([error], {}, { retryWhile: () => false })
        assert.deepStrictEqual(events, ["permit executions.get", "response 200", ...report])
      })
    )
  }

  it.effect("logs each wait with the ids and the detail of its error", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ annotations, message }) => {
      lines.push([Array.isArray(message) ? message[0] : message, Object.fromEntries(HashMap.toEntries(annotations))])
    })
    const waited = { "modelroute.operation": "executions.get", "modelroute.wait.duration_ms": 2000 }
    return Effect.gen(function* () {
      yield* run([
        unavailable,
        transport("reset"),
        new E.UnexpectedResponse({ message, status: 502, attempts: 3 }),
        "ok"
      ])
      assert.deepStrictEqual(lines, [
        [
          "Retrying executions.get in 2 s (ServiceUnavailable: HTTP 503)",
          {
            ...waited,
            "modelroute.attempt": 1,
            "modelroute.wait.reason": "ServiceUnavailable",
            "modelroute.wait.detail": "HTTP 503",
            "modelroute.idempotency_key": "key-1",
            "modelroute.request_id": "req_1"
          }
        ],
        [
          "Retrying executions.get in 2 s (TransportError: reset)",
          {
            ...waited,
            "modelroute.attempt": 1,
            "modelroute.wait.reason": "TransportError",
            "modelroute.wait.detail": "reset"
          }
        ],
        [
          "Retrying executions.get in 2 s (UnexpectedResponse: HTTP 502)",
          {
            ...waited,
            "modelroute.attempt": 3,
            "modelroute.wait.reason": "UnexpectedResponse",
            "modelroute.wait.detail": "HTTP 502"
          }
        ]
      ])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All))
  })

  it.effect("records the attempts, the execution id and the file id in one span", () =>
    Effect.gen(function* () {
      const ids = { executionId: Execution.ExecutionId.make("exec_1"), fileId: File.FileId.make("file_1") }
      const spans = yield* spansOf(run([unavailable, "ok"], ids))
      assert.deepStrictEqual(
        spans.map(({ name }) => name).filter((name) => name.startsWith("modelroute")),
        ["modelroute.executions.get"]
      )
      const attributes = spans.find(({ name }) => name.startsWith("modelroute"))?.attributes
      assert.deepInclude(Object.fromEntries(attributes ?? []), {
        "modelroute.attempts": 2,
        "modelroute.execution_id": "exec_1",
        "modelroute.file_id": "file_1"
      })
    })
  )

  it.effect("reports to the gate that a request was not sent if the hook beforeSend fails", () =>
    Effect.gen(function* () {
      const blocked = new E.InvalidRequest({ field: "request", message: "blocked" })
      const { events, exit } = yield* withInterceptor(run([]), {
        ...noInterceptor,
        beforeSend: () => Effect.fail(blocked)
      })
      assert.strictEqual(failureOf(exit).message, "blocked")
      assert.deepStrictEqual(events, ["permit executions.get", "unsent"])
    })
  )

  it.effect("passes the operation, the key and the number of earlier attempts to the hooks", () =>
    Effect.gen(function* () {
      for (const [isKeyed, expected] of [
        [true, true],
        [false, false],
        [undefined, false]
      ] as const) {
        const infos: Array<unknown> = []
        const record = (hook: string) => (info: AttemptInfo) => Effect.sync(() => void infos.push([hook, info]))
        yield* withInterceptor(run([unavailable, "ok"], isKeyed === undefined ? {} : { isKeyed }), {
          ...noInterceptor,
          beforeSend: record("beforeSend"),
          onSuccess: record("onSuccess"),
          onFailure: record("onFailure")
        })
        const info = { operation: "executions.get", isKeyed: expected }
        assert.deepStrictEqual(infos, [
          ["beforeSend", { ...info, previousAttempts: 0 }],
          ["onFailure", { ...info, previousAttempts: 0 }],
          ["beforeSend", { ...info, previousAttempts: 1 }],
          ["onSuccess", { ...info, previousAttempts: 1 }]
        ])
      }
    })
  )

  it.effect("counts requests and retries by operation, outcome and reason", () =>
    Effect.gen(function* () {
      const operation = "counted"
      const read = (metric: Metric.Metric.Counter<number>, tags: { readonly [name: string]: string }) =>
        Effect.map(
          Metric.value(
            Object.entries(tags).reduce((tagged, [name, value]) => Metric.tagged(tagged, name, value), metric)
          ),
          ({ count }) => count
        )
      const counts = Effect.all([
        read(Metrics.requests, { operation, outcome: "ok" }),
        read(Metrics.requests, { operation, outcome: "ServiceUnavailable" }),
        read(Metrics.retries, { operation, reason: "ServiceUnavailable" })
      ])
      const before = yield* counts
      yield* run([unavailable, "ok"], { operation })
      assert.deepStrictEqual(
        yield* counts,
        before.map((count) => count + 1)
      )
    })
  )
})
