/** Tests the methods that send single requests, and the streams and waits that combine these methods. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Logger, LogLevel, Option, Schedule, Stream, TestClock } from "effect"
import { Execution, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { type FakeResponse, makeFakeClient } from "../utils/fake.js"
import { errorResponse, id } from "../utils/executions.js"
import { arrivalTimes, image, layer, prompt, runToEnd, start, withClient } from "../utils/harness.js"

const ok = (json: unknown): FakeResponse => ({ status: 200, json })

describe("executions.get", () => {
  it.effect("encodes the id as one path segment", () => {
    const { client, urls } = makeFakeClient(() => ({ status: 200, json: { id: "x", status: "PENDING" } }))
    return Effect.gen(function* () {
      const { executions } = yield* client
      yield* executions.get(Execution.ExecutionId.make("../files?a=b#c"))
      assert.deepStrictEqual(urls, ["https://api.modelroute.ai/v1/executions/..%2Ffiles%3Fa%3Db%23c"])
      const error = failureOf(yield* Effect.exit(executions.get(Execution.ExecutionId.make(".."))))
      assert.strictEqual(error._tag, "InvalidRequest")
    })
  })

  it.effect("omits fields of the response that have an invalid value", () => {
    const { client } = makeFakeClient(() => ({
      status: 200,
      json: {
        execution_id: "exec_1",
        status: "completed",
        cost: 0.0000004,
        latency_ms: "soon",
        created_at: 17,
        completed_at: "2026-03-20T10:32:15Z",
        result: null,
        output: { text: "hello" },
        metadata: { order: 7 },
        region: "EU"
      }
    }))
    return Effect.gen(function* () {
      const execution = yield* (yield* client).executions.get(id)
      assert.strictEqual(execution.id, id)
      assert.strictEqual(execution.status, "COMPLETED")
      assert.strictEqual(execution.cost, "0.0000004")
      assert.isUndefined(execution.latency)
      assert.isUndefined(execution.createdAt)
      assert.isUndefined(execution.result)
      assert.deepStrictEqual(execution.output, { text: "hello" })
      assert.deepStrictEqual(execution.metadata, { order: 7 })
      assert.deepStrictEqual(execution.extra, { region: "EU" })
    })
  })
})

describe("executions.result", () => {
  it.effect("fails with ExecutionNotReady if the execution has not ended", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const early = failureOf(yield* Effect.exit(client.executions.result(id)))
        assert.strictEqual(early._tag === "ExecutionNotReady" && early.execution.status, "PENDING")
        yield* TestClock.adjust("9 seconds")
        const completed = yield* client.executions.result(id)
        assert.lengthOf(completed.fileIds, 1)
        assert.deepStrictEqual(yield* arrivalTimes("executions.result"), [0, 9000])
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [0])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("fails with the tagged error of a FAILED execution", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual(failureOf(yield* Effect.exit(client.executions.result(id)))._tag, "GenerationFailed")
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.executionOutcome({ status: "FAILED" })] } })))
  )

  it.effect("fails with a 404 if the execution does not exist", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const error = failureOf(yield* Effect.exit(client.executions.result(id)))
        assert.strictEqual(error._tag === "UnrecognizedError" && error.status, 404)
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("fails with ExecutionNotReady if the status in the response is PROCESSING", () => {
    const { client } = makeFakeClient(() => ({ status: 200, json: { execution_id: "exec_1", status: "PROCESSING" } }))
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).executions.result(id)))
      assert.strictEqual(error._tag, "ExecutionNotReady")
      assert.include(error.message, "still PROCESSING")
    })
  })

  const completed = { id, status: "COMPLETED" }
  const processing = { id, status: "PROCESSING" }
  const failed = { id, status: "FAILED", error: { code: "GENERATION_FAILED", message: "no" } }
  const found = { text: "hello" }
  const combinations: ReadonlyArray<
    readonly [name: string, result: FakeResponse, get: FakeResponse, expected: unknown, requests: number]
  > = [
    ["a null output", ok({ ...completed, output: null }), ok({}), undefined, 1],
    ["a null result", ok({ ...completed, result: null }), ok({}), undefined, 1],
    ["a null output and a result", ok({ ...completed, output: null, result: found }), ok({}), found, 1],
    ["an execution that has the missing output", ok(completed), ok({ ...completed, result: found }), found, 2],
    ["an execution without output", ok(completed), ok(completed), "COMPLETED, but its output is not available yet", 2],
    ["no status and a running execution", ok({ id }), ok(processing), "still PROCESSING", 2],
    ["no status and an execution with output", ok({ id }), ok({ ...completed, output: found }), found, 2],
    ["no status and a null output", ok({ id, output: null }), ok({ ...completed, output: found }), found, 2],
    ["an output without a status and a COMPLETED execution", ok({ id, output: found }), ok(completed), found, 2],
    [
      "an output without a status and a running execution",
      ok({ id, output: found }),
      ok(processing),
      "still PROCESSING",
      2
    ],
    ["no id", ok({ output: found }), ok({}), "UnexpectedResponse", 1],
    ["PROCESSING and a null output", ok({ ...processing, output: null }), ok({}), "still PROCESSING", 1],
    ["FAILED", ok(failed), ok({}), "GenerationFailed", 1],
    ["EXPIRED", ok({ id, status: "EXPIRED" }), ok({}), "ExecutionExpired", 1],
    ["CANCELLED", ok({ id, status: "CANCELLED" }), ok({}), "ExecutionCancelled", 1],
    ["a 409 and a running execution", errorResponse(409), ok(processing), "still PROCESSING", 2],
    ["a 409 and a FAILED execution", errorResponse(409), ok(failed), "GenerationFailed", 2],
    ["a 409 and a COMPLETED execution without output", errorResponse(409), ok(completed), "UnrecognizedError", 2],
    ["a 409 and a failed request", errorResponse(409), errorResponse(500, "INTERNAL_ERROR"), "InternalError", 2]
  ]
  for (const [name, result, get, expected, requests] of combinations) {
    it.effect(`returns the output or fails after /result responds with ${name}`, () => {
      const { client, urls } = makeFakeClient((url) => (url.endsWith("/result") ? result : get), {
        retry: RetryPolicy.none
      })
      return Effect.gen(function* () {
        const exit = yield* Effect.exit((yield* client).executions.result(id))
        if (typeof expected === "string") {
          const error = failureOf(exit)
          const { executionId, operation } = error
          assert.deepStrictEqual({ executionId, operation }, { executionId: id, operation: "executions.result" })
          if (error._tag === "ExecutionNotReady") {
            assert.include(error.message, `Execution exec_1 is ${expected}`)
            assert.strictEqual(error.attempts, requests)
          } else assert.strictEqual(error._tag, expected)
        } else {
          const { fileIds, output } = valueOf(exit)
          assert.deepStrictEqual({ fileIds, output }, { fileIds: [], output: expected })
        }
        assert.lengthOf(urls, requests)
      })
    })
  }

  it.effect("reads the output from the execution if /result responds with a 404", () => {
    const { client } = makeFakeClient((url) =>
      url.endsWith("/result")
        ? { status: 404, text: "<html>not found</html>" }
        : { status: 200, json: { id: "exec_1", status: "COMPLETED", result: { file_id: "file_a" } } }
    )
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* (yield* client).executions.result(id)).output, { file_id: "file_a" })
    })
  })
})

describe("a method with an undefined option model", () => {
  it.effect("does not decode the output", () =>
    Effect.gen(function* () {
      const { client } = makeFakeClient(() => ({ status: 200, json: { id, status: "COMPLETED", output: "text" } }))
      const { executions } = yield* client
      const options = { timeout: "9 seconds", model: undefined } as const
      assert.strictEqual(valueOf(yield* runToEnd(executions.await(id, options))).output, "text")
      const watched = valueOf(yield* runToEnd(Stream.runCollect(executions.watch(id, options))))
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(watched).map(({ output }) => output),
        ["text"]
      )
    })
  )
})

describe("executions.cancel", () => {
  it.effect("returns the cancelled execution", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        assert.strictEqual((yield* client.executions.cancel(id)).status, "CANCELLED")
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [])
        const { balance } = yield* Simulator
        assert.strictEqual((yield* balance).held, "0.000")
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("succeeds if the execution has already ended", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual((yield* client.executions.cancel(id)).status, "COMPLETED")
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("fetches the execution if the cancel response is empty", () => {
    const { client, urls } = makeFakeClient((url) =>
      url.endsWith("/cancel") ? { status: 204, text: "" } : { status: 200, json: { id: "exec_1", status: "CANCELLED" } }
    )
    return Effect.gen(function* () {
      assert.strictEqual((yield* (yield* client).executions.cancel(id)).status, "CANCELLED")
      assert.lengthOf(urls, 2)
    })
  })

  it.effect("fails with the error of the cancel request if the execution is still running", () => {
    const { client } = makeFakeClient((url) =>
      url.endsWith("/cancel")
        ? { status: 409, json: { error: { code: "NOT_CANCELLABLE", message: "too late" } } }
        : { status: 200, json: { id: "exec_1", status: "AWAITING_WEBHOOK" } }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).executions.cancel(id)))
      assert.strictEqual(error._tag === "UnrecognizedError" && error.code, "NOT_CANCELLABLE")
    })
  })

  it.effect("fetches the execution if the cancel response has no status", () => {
    const { client } = makeFakeClient((url) => ({
      status: 200,
      json: url.endsWith("/cancel") ? { id } : { id, status: "CANCELLED" }
    }))
    return Effect.gen(function* () {
      assert.strictEqual((yield* (yield* client).executions.cancel(id)).status, "CANCELLED")
    })
  })

  it.effect("fails with the error of the cancel request if the execution cannot be fetched", () => {
    const { client } = makeFakeClient((url) =>
      url.endsWith("/cancel") ? errorResponse(409, "NOT_CANCELLABLE") : errorResponse(500, "INTERNAL_ERROR")
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit((yield* client).executions.cancel(id)))
      assert.strictEqual(error._tag === "UnrecognizedError" && error.code, "NOT_CANCELLABLE")
    })
  })
})

describe("executions.watch", () => {
  it.effect("emits the execution after each status change until a terminal status", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create({ model: "seedance-video", input: { prompt } })
        const seen = valueOf(yield* runToEnd(Stream.runCollect(client.executions.watch(id))))
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(seen).map(({ status }) => status),
          ["PENDING", "PROCESSING", "AWAITING_WEBHOOK", "COMPLETED"]
        )
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("completes without an error after a FAILED execution", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const last = valueOf(yield* runToEnd(Stream.runLast(client.executions.watch(id))))
        assert.strictEqual(Option.getOrThrow(last).error?.code, "GENERATION_FAILED")
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.executionOutcome({ status: "FAILED" })] } })))
  )

  it.effect("polls according to pollSchedule", () => {
    const { at, client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "PROCESSING" } }))
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* client
      const seen: Array<string> = []
      const watched = Stream.runForEach(
        executions.watch(id, { timeout: "25 seconds", pollSchedule: Schedule.spaced("10 seconds") }),
        ({ status }) => Effect.sync(() => seen.push(status))
      )
      const error = failureOf(yield* runToEnd(watched))
      assert.strictEqual(error._tag, "AwaitTimeout")
      assert.strictEqual(error.attempts, 3)
      assert.deepStrictEqual(seen, ["PROCESSING"])
      assert.deepStrictEqual(
        at.map((instant) => instant - start),
        [10_000, 20_000, 25_000]
      )
    })
  })
})

describe("executions.notify", () => {
  it.effect("logs at level Debug if no fiber waits for the execution", () => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      lines.push(`${logLevel.label} ${String(message)}`)
    })
    const { client } = makeFakeClient(() => ({ status: 200, json: { id, status: "PROCESSING" } }))
    return Effect.gen(function* () {
      const { executions } = yield* client
      const notify = executions.notify(new Execution.Execution({ id, status: "PROCESSING" }))
      yield* notify
      const fibers = yield* Effect.forEach(
        [Stream.runDrain(executions.watch(id)), executions.await(id)] as const,
        (wait) => Effect.fork(Effect.provide(wait, Logger.remove(logger)))
      )
      yield* TestClock.adjust("1 second")
      yield* notify
      for (const fiber of fibers) yield* Fiber.interrupt(fiber)
      yield* notify
      const line = "DEBUG Execution exec_1 is PROCESSING, and this client has no wait for the execution"
      assert.deepStrictEqual(lines, [line, line])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All))
  })
})

describe("executions.run", () => {
  it.effect("returns the result of the submitted execution", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const completed = valueOf(yield* runToEnd(client.executions.run(image)))
        assert.strictEqual(completed.status, "COMPLETED")
        assert.deepStrictEqual(yield* arrivalTimes("executions.create"), [0])
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [2000, 5000, 9500])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("does not poll if the create response contains an ended execution", () => {
    const { client, urls } = makeFakeClient(() => ({
      status: 200,
      json: { id: "exec_1", status: "COMPLETED", output: "done" }
    }))
    return Effect.gen(function* () {
      assert.strictEqual((yield* (yield* client).executions.run(image)).output, "done")
      assert.lengthOf(urls, 1)
    })
  })
})
