/** Tests the faults of the simulator. Checks the responses and the created executions. */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Record from "effect/Record"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { ModelRouteError } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { start } from "../utils/harness.js"
import { call, createExecution, errorOf, fluxRequest, idOf, test, toUrl, withApiKey } from "../utils/rawApi.js"
import { numRuns } from "../utils/suite.js"

const { Fault } = Simulator

/** Returns the tag, reason and cause of a failed request. */
const toFailure = (exit: Exit.Exit<unknown, HttpClientError.HttpClientError>) => {
  assert(Exit.isFailure(exit) && Cause.isFailType(exit.cause))
  const { error } = exit.cause
  return { tag: error._tag, reason: error.reason, cause: error.cause }
}

describe("Simulator.Fault", () => {
  test(
    "resets the connection before or after the server creates the execution",
    { faults: [Fault.dropBefore, Fault.dropAfter] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const before = toFailure(yield* Effect.exit(createExecution(fluxRequest, "key")))
      assert.deepInclude(before, { tag: "RequestError", reason: "Transport" })
      assert.deepInclude(before.cause, { code: "ECONNRESET" })
      assert.lengthOf((yield* simulator.ledger).executions, 0)
      assert.strictEqual(toFailure(yield* Effect.exit(createExecution(fluxRequest, "key"))).tag, "RequestError")
      assert.lengthOf((yield* simulator.ledger).executions, 1)
      const replay = yield* createExecution(fluxRequest, "key")
      assert.strictEqual(idOf(replay), (yield* simulator.ledger).executions[0]?.executionId)
      assert.lengthOf((yield* simulator.ledger).executions, 1)
      assert.deepStrictEqual(
        (yield* simulator.requests).map(({ outcome, fault }) => [outcome, fault]),
        [
          ["dropped", "DropBefore"],
          ["dropped", "DropAfter"],
          [202, undefined]
        ]
      )
    })
  )

  test(
    "closes the connection before the end of a response body",
    { faults: [Fault.cutBody({ keep: 10 }), Fault.times(2, Fault.cutBody())] },
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const response = yield* client.execute(HttpClientRequest.get(toUrl("/executions")).pipe(withApiKey))
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers["content-length"], "17")
      const received: Array<number> = []
      const failure = yield* response.stream.pipe(
        Stream.runForEach((chunk) => Effect.sync(() => received.push(...chunk))),
        Effect.flip
      )
      assert.strictEqual(new TextDecoder().decode(new Uint8Array(received)), '{"executio')
      assert.deepInclude(failure.cause, { code: "ECONNRESET" })
      const halved = yield* client.execute(HttpClientRequest.get(toUrl("/executions")).pipe(withApiKey))
      const lengths = yield* halved.stream.pipe(
        Stream.map((chunk) => chunk.length),
        Stream.catchAll(() => Stream.empty),
        Stream.runCollect
      )
      assert.deepStrictEqual([...lengths], [8])
      assert.strictEqual(toFailure(yield* Effect.exit(createExecution())).tag, "ResponseError")
      assert.lengthOf((yield* (yield* Simulator.Simulator).ledger).executions, 1)
    })
  )

  test(
    "omits the Content-Length of a truncated response body",
    { faults: [Fault.truncateCleanly(), Fault.truncateCleanly({ keep: 10 })] },
    Effect.gen(function* () {
      assert.strictEqual((yield* call("GET", "/executions")).text, '{"execut')
      const response = yield* call("GET", "/executions")
      assert.strictEqual(response.text, '{"executio')
      assert.notProperty(response.headers, "content-length")
    })
  )

  test(
    "delays a request or a response",
    { faults: [Fault.delay("5 seconds", "before"), Fault.delay("5 seconds")] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const dates: Array<string | undefined> = []
      for (const index of [0, 1]) {
        const fiber = yield* Effect.fork(createExecution())
        yield* TestClock.adjust("4999 millis")
        assert.lengthOf((yield* simulator.ledger).executions, dates.length + index)
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust("1 millis")
        dates.push((yield* Fiber.join(fiber)).headers["date"])
      }
      assert.deepStrictEqual(dates, ["Fri, 20 Mar 2026 10:30:05 GMT", "Fri, 20 Mar 2026 10:30:05 GMT"])
    })
  )

  test(
    "hangs until the client is interrupted",
    { faults: [Fault.hang(), Fault.hang("before")] },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      for (const _ of [1, 2]) {
        const fiber = yield* Effect.fork(createExecution())
        yield* TestClock.adjust("1 hour")
        assert.isNull(fiber.unsafePoll())
        assert(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      }
      assert.lengthOf((yield* simulator.ledger).executions, 1)
      assert.deepStrictEqual(
        (yield* simulator.requests).map((request) => request.outcome),
        ["pending", "pending"]
      )
    })
  )

  test(
    "returns an error envelope with the headers of the API",
    {
      faults: [
        Fault.apiError("MODEL_OVERLOADED"),
        Fault.apiError("TEAPOT", {
          status: 418,
          message: "m",
          retryable: null,
          requestId: null,
          headers: { "X-A": "1" }
        }),
        Fault.apiError("SERVICE_UNAVAILABLE", { phase: "after" })
      ]
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const overloaded = yield* createExecution()
      assert.strictEqual(overloaded.status, 503)
      assert.deepInclude(errorOf(overloaded), { code: "MODEL_OVERLOADED", retryable: true })
      assert.property(errorOf(overloaded), "request_id")
      assert.property(overloaded.headers, "x-ratelimit-reset")
      const teapot = yield* createExecution()
      assert.strictEqual(teapot.status, 418)
      assert.deepStrictEqual(errorOf(teapot), { code: "TEAPOT", message: "m" })
      assert.strictEqual(teapot.headers["x-a"], "1")
      assert.lengthOf((yield* simulator.ledger).executions, 0)
      assert.strictEqual((yield* createExecution()).status, 503)
      const { executions } = yield* simulator.ledger
      assert.lengthOf(executions, 1)
      assert.strictEqual((yield* simulator.requests)[2]?.executionId, executions[0]?.executionId)
    })
  )

  it.effect("returns an API error with the documented status and retryable flag of each code", () =>
    Effect.forEach(Record.toEntries(ModelRouteError.codes), ([code, { retryable, status }]) =>
      Effect.gen(function* () {
        const response = yield* createExecution()
        assert.strictEqual(response.status, status, code)
        assert.deepInclude(errorOf(response), { code, retryable, message: `Simulated ${code}` })
        assert.strictEqual((yield* createExecution()).status, 202)
      }).pipe(Effect.provide(Simulator.layer({ faults: [Fault.apiError(code)] })))
    )
  )

  const details = [{ field: "input.width", code: "OUT_OF_RANGE", message: "width must be at most 2048" }]
  test(
    "returns an API error with details and a Retry-After header",
    {
      faults: [
        Fault.apiError("INPUT_VALIDATION_ERROR", { details }),
        Fault.apiError("MODEL_OVERLOADED", { retryAfter: "1500 millis" })
      ]
    },
    Effect.gen(function* () {
      const invalid = yield* createExecution()
      assert.deepStrictEqual([invalid.status, errorOf(invalid)["details"]], [400, details])
      assert.notProperty(invalid.headers, "retry-after")
      const overloaded = yield* createExecution()
      assert.deepStrictEqual([overloaded.status, overloaded.headers["retry-after"]], [503, "2"])
    })
  )

  test(
    "returns a gateway error, an empty body or invalid gzip",
    {
      faults: [
        Fault.badGateway,
        Fault.emptyOk,
        Fault.raw({ status: 200, headers: { "Content-Encoding": "gzip" }, body: "not gzip" }),
        Fault.raw({ status: 204, body: "" })
      ]
    },
    Effect.gen(function* () {
      const gateway = yield* createExecution()
      assert.strictEqual(gateway.status, 502)
      assert.strictEqual(gateway.headers["content-type"], "text/html")
      assert.notProperty(gateway.headers, "x-ratelimit-reset")
      const empty = yield* createExecution()
      assert.deepStrictEqual([empty.status, empty.text], [200, ""])
      assert.lengthOf((yield* (yield* Simulator.Simulator).ledger).executions, 1)
      assert.strictEqual(toFailure(yield* Effect.exit(createExecution())).tag, "ResponseError")
      assert.strictEqual((yield* createExecution()).status, 204)
    })
  )

  test(
    "sends a 429 with a reset time according to the server's clock",
    {
      clockSkew: 60_000,
      faults: [Fault.apiError("RATE_LIMITED", { resetIn: "2500 millis", retryAfter: "2500 millis" })]
    },
    Effect.gen(function* () {
      const response = yield* createExecution()
      assert.strictEqual(response.status, 429)
      assert.deepInclude(response.headers, {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": String(start / 1000 + 63),
        "retry-after": "3"
      })
    })
  )

  test(
    "changes or omits response headers",
    {
      faults: [
        Fault.skewDate(-3_600_000),
        Fault.withoutHeaders(),
        Fault.withoutHeaders("X-RateLimit-Reset"),
        Fault.resetUnit("millis"),
        Fault.resetUnit("delta"),
        Fault.resetUnit("garbage"),
        Fault.resetUnit("past"),
        Fault.resetUnit("absurd")
      ]
    },
    Effect.gen(function* () {
      const responses = yield* Effect.forEach(Array.from({ length: 8 }), () => call("GET", "/executions"))
      assert.strictEqual(responses[0]?.headers["date"], "Fri, 20 Mar 2026 09:30:00 GMT")
      assert.deepStrictEqual(Object.keys(responses[1]?.headers ?? {}).sort(), ["content-length", "content-type"])
      assert.property(responses[2]?.headers, "x-ratelimit-limit")
      assert.notProperty(responses[2]?.headers, "x-ratelimit-reset")
      assert.deepStrictEqual(
        responses.slice(3).map(({ headers }) => headers["x-ratelimit-reset"]),
        [`${start / 1000 + 60}000`, "60", "soon", "1710924600", "253402300799"]
      )
    })
  )

  test(
    "applies a scripted fault to the first matching request",
    {
      faults: [
        Fault.on("executions.get", Fault.badGateway),
        Fault.on(({ idempotencyKey }) => idempotencyKey === "b", Fault.dropBefore),
        Fault.times(2, Fault.apiError("INTERNAL_ERROR"))
      ]
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      assert.strictEqual((yield* createExecution(fluxRequest, "a")).status, 500)
      assert.strictEqual(toFailure(yield* Effect.exit(createExecution(fluxRequest, "b"))).tag, "RequestError")
      assert.strictEqual((yield* call("GET", "/executions/exec_1")).status, 502)
      assert.strictEqual((yield* createExecution(fluxRequest, "b")).status, 500)
      assert.strictEqual((yield* createExecution(fluxRequest, "b")).status, 202)
      assert.strictEqual(yield* simulator.pendingFaults, 0)
      yield* simulator.inject(Fault.badGateway, Fault.badGateway)
      assert.strictEqual(yield* simulator.pendingFaults, 2)
      assert.strictEqual((yield* createExecution()).status, 502)
    })
  )

  test(
    "applies a fault to the given number of matching requests",
    {
      faults: [
        Fault.on("executions.create", Fault.times(2, Fault.times(2, Fault.apiError("MODEL_OVERLOADED")))),
        Fault.times(2, Fault.on("executions.list", Fault.badGateway)),
        Fault.times(0, Fault.dropBefore)
      ]
    },
    Effect.gen(function* () {
      const { inject, pendingFaults } = yield* Simulator.Simulator
      assert.strictEqual(yield* pendingFaults, 6)
      const list = Effect.map(call("GET", "/executions"), ({ status }) => status)
      const create = Effect.map(createExecution(), ({ status }) => status)
      const statuses = yield* Effect.all([create, list, create, create, list, list, create, create])
      assert.deepStrictEqual(statuses, [503, 502, 503, 503, 502, 200, 503, 202])
      assert.strictEqual(yield* pendingFaults, 0)
      yield* inject(Fault.times(Infinity, Fault.badGateway))
      assert.deepStrictEqual(yield* Effect.all(Array.from({ length: 5 }, () => list)), [502, 502, 502, 502, 502])
      assert.strictEqual(yield* pendingFaults, Infinity)
    })
  )

  it.effect("applies random faults with the given seed and probability", () => {
    const count = numRuns(300, 1000)
    const tags = (seed: number) =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        yield* Effect.forEach(Array.from({ length: count }), () => Effect.exit(call("GET", "/executions")))
        return (yield* simulator.requests).map((request) => request.fault)
      }).pipe(
        Effect.provide(
          Simulator.layer({
            rateLimit: false,
            randomFaults: { seed, probability: 0.2, faults: [Fault.badGateway, Fault.dropAfter, Fault.cutBody()] }
          })
        )
      )
    return Effect.gen(function* () {
      const first = yield* tags(1)
      assert.deepStrictEqual(yield* tags(1), first)
      assert.notDeepEqual(yield* tags(2), first)
      const applied = first.filter((tag) => tag !== undefined)
      assert.isAbove(applied.length / count, 0.15)
      assert.isBelow(applied.length / count, 0.25)
      assert.deepStrictEqual([...new Set(applied)].sort(), ["CutBody", "DropAfter", "Raw"])
    })
  })
})
