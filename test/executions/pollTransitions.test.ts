/** Tests how a wait continues or ends after each poll response. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Exit, Fiber, Schedule, TestClock } from "effect"
import { Execution, type ModelRouteError } from "effect-modelroute"
import { id } from "../utils/executions.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { image, isoDate, runToEnd, silent, start } from "../utils/harness.js"

const output = { images: [{ file_id: "file_a" }] }

const json = (body: unknown, status = 200): FakeResponse => ({ status, json: body })
const page = (status: number): FakeResponse => ({
  status,
  text: "<html>a page</html>",
  headers: { "content-type": "text/html" }
})
const envelope = (status: number, code: string, flags: { readonly retryable?: boolean } = {}): FakeResponse =>
  json({ error: { code, message: "no", ...flags } }, status)

const created = json({ id: "exec_1", status: "PENDING" }, 202)
const completed = json({ id: "exec_1", status: "COMPLETED", output })

/** Returns the operation of a request URL. */
const operationOf = (url: string): "create" | "get" | "result" =>
  url.endsWith("/result") ? "result" : url.endsWith("exec_1") ? "get" : "create"

/**
 * Returns a client that polls every 10 s without retries. Each operation receives its responses in order. The last
 * response repeats.
 */
const makeScript = (scripts: {
  readonly get: ReadonlyArray<FakeResponse>
  readonly result?: ReadonlyArray<FakeResponse>
}) => {
  const next = { create: [created], get: [...scripts.get], result: [...(scripts.result ?? [])] }
  const fake = makeFakeClient(
    (url) => {
      const replies = next[operationOf(url)]
      const [reply = json({}, 599)] = replies
      if (replies.length > 1) replies.shift()
      return reply
    },
    { retry: Schedule.recurs(0), pollSchedule: Schedule.spaced("10 seconds") }
  )
  const requests = () => fake.urls.map((url, i) => `${((fake.at[i] ?? 0) - start) / 1000} ${operationOf(url)}`)
  return { client: fake.client, requests }
}

type Outcome = Exit.Exit<Execution.Completed, ModelRouteError.ModelRouteError>

const runAwait = (script: ReturnType<typeof makeScript>): Effect.Effect<Outcome, ModelRouteError.InvalidRequest> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const { executions } = yield* script.client
    return yield* runToEnd(silent(executions.await(id)))
  })

const runCreateAndAwait = (
  script: ReturnType<typeof makeScript>
): Effect.Effect<Outcome, ModelRouteError.InvalidRequest> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const { executions } = yield* script.client
    return yield* runToEnd(silent(executions.run(image)))
  })

describe("executions.await after a failed poll", { concurrent: true }, () => {
  const transient: ReadonlyArray<readonly [string, FakeResponse]> = [
    ["a 500 without a body", { status: 500 }],
    ["a 502 without an envelope", page(502)],
    ["a 520 without an envelope", page(520)],
    ["a 525 without an envelope", page(525)],
    ["a 530 without an envelope", page(530)],
    ["a 501 without an envelope", page(501)],
    ["a page with status 403", page(403)],
    ["a page with status 200", page(200)],
    ["an empty body with status 200", { status: 200 }],
    ["JSON of another service", json({ hello: "world" })],
    ["a redirect to a login page", { status: 302, headers: { location: "https://login.example" } }],
    ["a retryable envelope", envelope(500, "INTERNAL_ERROR", { retryable: true })],
    ["an envelope with a retryable code", envelope(503, "MODEL_OVERLOADED")]
  ]
  for (const [name, reply] of transient) {
    it.effect(`continues to poll after ${name}`, () => {
      const script = makeScript({ get: [reply, reply, completed] })
      return Effect.gen(function* () {
        assert.deepStrictEqual(valueOf(yield* runAwait(script)).output, output)
        assert.deepStrictEqual(script.requests(), ["10 get", "20 get", "30 get"])
      })
    })
  }

  const final: ReadonlyArray<readonly [string, FakeResponse, string, number]> = [
    ["a 401 without an envelope", page(401), "Unauthorized", 401],
    ["a 400 without an envelope", page(400), "UnexpectedResponse", 400],
    ["a 404 with an envelope", envelope(404, "NOT_FOUND"), "UnrecognizedError", 404],
    ["a 404 without an envelope", page(404), "UnexpectedResponse", 404],
    ["an envelope with status 403", envelope(403, "FORBIDDEN", { retryable: false }), "UnrecognizedError", 403],
    [
      "an envelope with status 500 that is not retryable",
      envelope(500, "INTERNAL_ERROR", { retryable: false }),
      "InternalError",
      500
    ]
  ]
  for (const [name, reply, tag, status] of final) {
    it.effect(`fails with the error of the poll after ${name}`, () => {
      const script = makeScript({ get: [reply, completed] })
      return Effect.gen(function* () {
        const error = failureOf(yield* runAwait(script))
        assert.deepStrictEqual([error._tag, "status" in error && error.status], [tag, status])
        assert.deepStrictEqual(script.requests(), ["10 get"])
      })
    })
  }

  for (const [name, reply] of [
    ["an envelope", envelope(404, "NOT_FOUND")],
    ["a page", page(404)]
  ] as const) {
    it.effect(`continues to poll for 60 s after the create request if polls receive a 404 with ${name}`, () => {
      const script = makeScript({ get: [reply, reply, reply, reply, reply, completed] })
      return Effect.gen(function* () {
        assert.deepStrictEqual(valueOf(yield* runCreateAndAwait(script)).output, output)
        assert.deepStrictEqual(script.requests(), [
          "0 create",
          "10 get",
          "20 get",
          "30 get",
          "40 get",
          "50 get",
          "60 get"
        ])
      })
    })

    it.effect(`fails 60 s after the create request if polls still receive a 404 with ${name}`, () => {
      const script = makeScript({ get: [reply] })
      return Effect.gen(function* () {
        const error = failureOf(yield* runCreateAndAwait(script))
        assert.strictEqual("status" in error && error.status, 404)
        assert.strictEqual(script.requests().at(-1), "60 get")
        assert.strictEqual(error.executionId, id)
      })
    })
  }
})

describe("executions.await of a COMPLETED execution without output", { concurrent: true }, () => {
  const ended = json({ id: "exec_1", status: "COMPLETED", cost: "0.040", metadata: { order: 7 } })
  const result = json({ execution_id: "exec_1", status: "COMPLETED", output })

  const outdated: ReadonlyArray<readonly [string, FakeResponse]> = [
    ["PROCESSING", json({ execution_id: "exec_1", status: "PROCESSING" })],
    ["FAILED", json({ execution_id: "exec_1", status: "FAILED", error: { code: "GENERATION_FAILED", message: "no" } })],
    ["no status", json({ execution_id: "exec_1" })],
    ["COMPLETED without output", json({ execution_id: "exec_1", status: "COMPLETED" })],
    ["404", envelope(404, "NOT_FOUND")],
    ["409", envelope(409, "NOT_READY")],
    ["425", page(425)],
    ["500", page(500)]
  ]
  for (const [name, reply] of outdated) {
    it.effect(`polls /result again if /result responds with ${name}`, () => {
      const script = makeScript({ get: [ended], result: [reply, reply, result] })
      return Effect.gen(function* () {
        const completed = valueOf(yield* runAwait(script))
        assert.deepStrictEqual(completed.output, output)
        assert.deepStrictEqual(
          [completed.status, completed.cost, completed.metadata],
          ["COMPLETED", "0.040", { order: 7 }]
        )
        assert.deepStrictEqual(script.requests(), ["10 get", "10 result", "20 result", "30 result"])
      })
    })
  }

  for (const [name, reply] of outdated.slice(0, 4)) {
    it.effect(`fails with AwaitTimeout if /result always responds with ${name}`, () => {
      const script = makeScript({ get: [ended], result: [reply] })
      return Effect.gen(function* () {
        const error = failureOf(yield* runAwait(script))
        assert.strictEqual(error._tag, "AwaitTimeout")
        assert.include(error.message, "is COMPLETED, but the API has not returned its output")
        assert.strictEqual(error._tag === "AwaitTimeout" && error.execution?.cost, "0.040")
        assert.strictEqual(script.requests().at(-1), "600 result")
      })
    })
  }

  const none: ReadonlyArray<readonly [string, FakeResponse, ReadonlyArray<string>]> = [
    ["a null output", json({ execution_id: "exec_1", status: "COMPLETED", output: null }), ["10 get", "10 result"]],
    ["a 410", envelope(410, "GONE"), ["10 get", "10 result"]],
    [
      "a 404 for 60 s",
      envelope(404, "NOT_FOUND"),
      ["10 get", "10 result", ...[20, 30, 40, 50, 60, 70].map((second) => `${second} result`)]
    ]
  ]
  for (const [name, reply, requests] of none) {
    it.effect(`returns no output if /result responds with ${name}`, () => {
      const script = makeScript({ get: [ended], result: [reply] })
      return Effect.gen(function* () {
        const completed = valueOf(yield* runAwait(script))
        assert.isUndefined(completed.output)
        assert.strictEqual(completed.cost, "0.040")
        assert.deepStrictEqual(script.requests(), requests)
      })
    })
  }

  it.effect("returns the output after /result has responded with PROCESSING and without a status", () => {
    const replies = [outdated[0]?.[1], outdated[2]?.[1], result].filter((reply) => reply !== undefined)
    const script = makeScript({ get: [ended], result: replies })
    return Effect.gen(function* () {
      assert.deepStrictEqual(valueOf(yield* runCreateAndAwait(script)).output, output)
      assert.deepStrictEqual(script.requests(), ["0 create", "10 get", "10 result", "20 result", "30 result"])
    })
  })

  it.effect("polls /result again after /result has responded with PROCESSING once", () => {
    const running = json({ id: "exec_1", status: "PROCESSING" })
    const script = makeScript({ get: [ended, running], result: [running, result] })
    return Effect.gen(function* () {
      assert.deepStrictEqual(valueOf(yield* runAwait(script)).output, output)
      assert.deepStrictEqual(script.requests(), ["10 get", "10 result", "20 result"])
    })
  })
})

describe("executions.await after a FAILED notification without an error", { concurrent: true }, () => {
  it.effect("polls for the error even if the execution has expired", () => {
    const expires_at = isoDate(start + 15_000)
    const running = json({ id: "exec_1", status: "PROCESSING", expires_at })
    const script = makeScript({ get: [running, running, running, running, running, failed] })
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* script.client
      const wait = yield* Effect.fork(Effect.exit(silent(executions.await(id))))
      yield* TestClock.adjust("15 seconds")
      yield* executions.notify(new Execution.Execution({ id, status: "FAILED" }))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(failureOf(yield* Fiber.join(wait))._tag, "GenerationFailed")
      // Without the notification, the wait would end at 45 s, 30 s after the expiry.
      assert.deepStrictEqual(script.requests(), ["10 get", "15 get", "25 get", "35 get", "45 get", "55 get"])
    })
  })

  const failed = json({ id: "exec_1", status: "FAILED", error: { code: "GENERATION_FAILED", retryable: true } })
  const failedWithoutError = json({ id: "exec_1", status: "FAILED" })

  const awaitNotified = (script: ReturnType<typeof makeScript>) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* script.client
      yield* executions.notify(new Execution.Execution({ id, status: "FAILED" }))
      return failureOf(yield* runToEnd(silent(executions.await(id))))
    })

  const outdated: ReadonlyArray<readonly [string, FakeResponse]> = [
    ["an outdated status", json({ id: "exec_1", status: "PROCESSING" })],
    ["a 404 from a stale replica", envelope(404, "NOT_FOUND")],
    ["a page with status 403", page(403)],
    ["a 502 without an envelope", page(502)],
    ["a dropped connection", { status: 599 }]
  ]
  for (const [name, reply] of outdated) {
    it.effect(`fails with the error of a later poll after ${name}`, () => {
      const script = makeScript({ get: [reply, reply, failed] })
      return Effect.gen(function* () {
        const error = yield* awaitNotified(script)
        assert.strictEqual(error._tag, "GenerationFailed")
        assert.deepStrictEqual(script.requests(), ["0 get", "10 get", "20 get"])
      })
    })

    it.effect(`fails with UnrecognizedError if each poll for one minute receives ${name}`, () => {
      const script = makeScript({ get: [reply] })
      return Effect.gen(function* () {
        const error = yield* awaitNotified(script)
        assert.strictEqual(error._tag, "UnrecognizedError")
        assert.deepStrictEqual(script.requests().slice(-1), ["60 get"])
      })
    })
  }

  it.effect("fails with UnrecognizedError if the poll returns FAILED without an error", () => {
    const script = makeScript({ get: [failedWithoutError] })
    return Effect.gen(function* () {
      assert.strictEqual((yield* awaitNotified(script))._tag, "UnrecognizedError")
      assert.deepStrictEqual(script.requests(), ["0 get"])
    })
  })

  it.effect("fails with UnrecognizedError if the poll receives a 401", () => {
    const script = makeScript({ get: [envelope(401, "UNAUTHORIZED")] })
    return Effect.gen(function* () {
      assert.strictEqual((yield* awaitNotified(script))._tag, "UnrecognizedError")
      assert.deepStrictEqual(script.requests(), ["0 get"])
    })
  })
})

describe("deadline of executions.await and executions.run", () => {
  const past = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", isoDate(start - 1), isoDate(start)]
  for (const expires_at of past) {
    it.effect(`ignores an expires_at in the past in a poll response: ${expires_at}`, () => {
      const running = json({ id: "exec_1", status: "PROCESSING", expires_at })
      const script = makeScript({ get: [running, running, completed] })
      return Effect.gen(function* () {
        assert.deepStrictEqual(valueOf(yield* runAwait(script)).output, output)
        assert.deepStrictEqual(script.requests(), ["10 get", "20 get", "30 get"])
      })
    })

    it.effect(`ignores an expires_at in the past in a create response: ${expires_at}`, () => {
      const fake = makeFakeClient((url) =>
        operationOf(url) === "create" ? json({ id: "exec_1", status: "PENDING", expires_at }, 202) : completed
      )
      return Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const exit = yield* runToEnd(silent((yield* fake.client).executions.run(image)))
        assert.deepStrictEqual(valueOf(exit).output, output)
        assert.lengthOf(fake.urls, 2)
      })
    })
  }

  it.effect("allows one poll if the timeout is 0", () => {
    const script = makeScript({ get: [completed] })
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* script.client
      const exit = yield* runToEnd(silent(executions.await(id, { timeout: 0 })))
      assert.deepStrictEqual(valueOf(exit).output, output)
      assert.deepStrictEqual(script.requests(), ["0 get"])
    })
  })
})
