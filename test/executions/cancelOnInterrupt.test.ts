import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, HashMap, Logger, Schedule, Stream, TestClock } from "effect"
import { ModelRouteClient } from "effect-modelroute"
import { Fault, type Options as SimulatorOptions, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { errorResponse, id } from "../utils/executions.js"
import { makeFakeClient } from "../utils/fake.js"
import { arrivalTimes, image, layer, prompt, runToEnd, start, withClient } from "../utils/harness.js"
import { spansOf } from "../utils/tracing.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

describe("cancelOnInterrupt", () => {
  const interruptWait = (cancelOnInterrupt: boolean, faults: ReadonlyArray<Fault.Fault> = []) =>
    withClient((client) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(client.executions.run(image, { cancelOnInterrupt }))
        yield* TestClock.adjust("3 seconds")
        const { inject, ledger, requests } = yield* Simulator
        yield* inject(...faults)
        const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
        const exit = valueOf(yield* runToEnd(Fiber.join(interruption)))
        assert.isTrue(Exit.isInterrupted(exit))
        const cancels = (yield* requests).filter(({ operation }) => operation === "executions.cancel")
        return { status: (yield* ledger).executions[0]?.status, cancels: cancels.map(({ at }) => at - start) }
      })
    ).pipe(Effect.provide(layer()))

  it.effect("sends a cancel request when executions.run is interrupted during its wait", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* interruptWait(true), { status: "CANCELLED", cancels: [3000] })
      assert.deepStrictEqual(yield* interruptWait(false), { status: "PROCESSING", cancels: [] })
    })
  )

  /**
   * Interrupts `run` after `afterMillis`. Returns the end time of the interruption, the request times and the logged
   * warnings. `statuses` contains the statuses of the executions one hour later.
   */
  const interruptCreate = (
    simulator: SimulatorOptions,
    afterMillis: number,
    createsBefore = 0,
    client: Omit<ModelRouteClient.Options, "apiKey"> = {}
  ) =>
    Effect.gen(function* () {
      const warnings: Array<string> = []
      const annotated: Array<Record<string, unknown>> = []
      const logger = Logger.make(({ annotations, logLevel, message }) => {
        if (logLevel._tag !== "Warning") return
        warnings.push(String(message))
        annotated.push(Object.fromEntries(HashMap.toEntries(annotations)))
      })
      const program = Effect.gen(function* () {
        const { executions } = yield* ModelRouteClient.ModelRouteClient
        yield* Effect.replicateEffect(executions.create(image), createsBefore)
        const video = { model: "seedance-video", input: { prompt } }
        const fiber = yield* Effect.fork(executions.run(video, { cancelOnInterrupt: true }))
        yield* Effect.sleep(afterMillis)
        const exit = yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isInterrupted(exit))
        const returnedAt = (yield* Clock.currentTimeMillis) - start
        yield* Effect.sleep("1 hour")
        const { ledger } = yield* Simulator
        const { executions: executed } = yield* ledger
        return {
          returnedAt,
          creates: yield* arrivalTimes("executions.create"),
          cancels: yield* arrivalTimes("executions.cancel"),
          gets: yield* arrivalTimes("executions.get"),
          statuses: executed.slice(createsBefore).map(({ status }) => status),
          ids: executed.slice(createsBefore).map(({ executionId }) => executionId),
          keys: new Set(executed.map(({ idempotencyKey }) => idempotencyKey)).size
        }
      })
      const result = yield* runInVirtualTime(
        program.pipe(Effect.provide([layer({ client, simulator }), Logger.replace(Logger.defaultLogger, logger)])),
        start
      )
      return { ...valueOf(result), warnings, annotated }
    })

  it.effect("cancels the execution when the response to an interrupted create request arrives", () =>
    Effect.gen(function* () {
      const { cancels, creates, returnedAt, statuses, warnings } = yield* interruptCreate(
        { faults: [Fault.delay("4 seconds")] },
        1000
      )
      assert.deepStrictEqual([returnedAt, creates, cancels, statuses, warnings], [4000, [0], [4000], ["CANCELLED"], []])
    })
  )

  it.effect("removes an interrupted create request from the rate limit queue", () =>
    Effect.gen(function* () {
      const { cancels, creates, returnedAt, statuses, warnings } = yield* interruptCreate(
        { rateLimit: { limit: 1, window: "1 minute" } },
        5000,
        1
      )
      assert.deepStrictEqual([returnedAt, creates, cancels, statuses, warnings], [5000, [0], [], [], []])
    })
  )

  for (const [name, fault] of [
    ["a 429", Fault.apiError("RATE_LIMITED", { resetIn: "20 seconds" })],
    [
      "a 402",
      Fault.raw({ status: 402, body: '{"error":{"code":"INSUFFICIENT_BALANCE","message":"no","retryable":true}}' })
    ]
  ] as const) {
    it.effect(`does not retry an interrupted create request after ${name}`, () =>
      Effect.gen(function* () {
        const { creates, returnedAt, statuses } = yield* interruptCreate({ faults: [fault] }, 500)
        assert.deepStrictEqual([returnedAt, creates, statuses], [500, [0], []])
      })
    )
  }

  it.effect(
    "cancels the execution in the background if the create response arrives more than 10 s after the interruption",
    () =>
      Effect.gen(function* () {
        const { cancels, creates, returnedAt, statuses, warnings } = yield* interruptCreate(
          { faults: [Fault.delay("15 seconds")] },
          1000
        )
        assert.deepStrictEqual(
          [returnedAt, creates, cancels, statuses, warnings],
          [11_000, [0], [15_000], ["CANCELLED"], []]
        )
      })
  )

  it.effect("retries an interrupted create request with its idempotency key if the response is lost", () =>
    Effect.gen(function* () {
      const { cancels, creates, keys, returnedAt, statuses, warnings } = yield* interruptCreate(
        { faults: [Fault.hang()] },
        1000
      )
      assert.deepStrictEqual(
        [returnedAt, creates, cancels, statuses, keys, warnings],
        [11_000, [0, 31_000], [31_000], ["CANCELLED"], 1, []]
      )
    })
  )

  it.effect("logs the idempotency key if no response to an interrupted create request arrives", () =>
    Effect.gen(function* () {
      const { annotated, returnedAt, statuses, warnings } = yield* interruptCreate(
        { faults: [Fault.times(9, Fault.on("executions.create", Fault.dropAfter))] },
        500
      )
      assert.deepStrictEqual([returnedAt, statuses], [7000, ["COMPLETED"]])
      assert.deepStrictEqual(annotated, [{ idempotencyKey: "key-1" }])
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0] ?? "", /^An interrupted create request could not be cancelled .* idempotency key key-1$/)
    })
  )

  it.effect("logs the idempotency key and the execution id if the cancel request of executions.run fails", () =>
    Effect.gen(function* () {
      const { annotated, ids, statuses, warnings } = yield* interruptCreate(
        { faults: [Fault.times(9, Fault.on("executions.cancel", Fault.apiError("INTERNAL_ERROR")))] },
        3000
      )
      assert.deepStrictEqual(statuses, ["COMPLETED"])
      assert.deepStrictEqual(annotated, [{ executionId: ids[0], idempotencyKey: "key-1" }])
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0] ?? "", /^Execution exec_\S+ \(idempotency key key-1\) could not be cancelled/)
    })
  )

  it.effect("stops an interrupted create request if the API rejects the attempt that was in flight", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ message }) => void lines.push(message))
    const rejection = new TextEncoder().encode('{"error":{"code":"RATE_LIMITED","message":"no"}}')
    const { client, urls } = makeFakeClient((_, n) =>
      n === 1
        ? {
            status: 429,
            headers: { "content-type": "application/json", "retry-after": "3" },
            body: Stream.fromEffect(Effect.delay(Effect.succeed(rejection), "2 seconds"))
          }
        : { status: 202, json: { id: "exec_1", status: "PENDING" } }
    )
    return Effect.gen(function* () {
      const { executions } = yield* client
      const fiber = yield* Effect.fork(executions.run(image, { cancelOnInterrupt: true }))
      yield* TestClock.adjust("1 second")
      const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(interruption)
      assert.lengthOf(urls, 1)
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.effect("continues an interrupted create request if the transport sent a rejected attempt twice", () =>
    Effect.gen(function* () {
      const { cancels, creates, returnedAt, statuses, warnings } = yield* interruptCreate(
        {
          faults: [
            Fault.on("executions.create", Fault.dropAfter),
            Fault.on("executions.create", Fault.apiError("RATE_LIMITED", { resetIn: "20 seconds" }))
          ]
        },
        500,
        0,
        { transformClient: HttpClient.retry({ times: 1, while: ({ _tag }) => _tag === "RequestError" }) }
      )
      assert.deepStrictEqual(
        [returnedAt, creates, cancels, statuses, warnings],
        [10_500, [0, 0, 20_001], [20_001], ["CANCELLED"], []]
      )
    })
  )

  it.effect("waits for the rate limit in the background if the limit resets within 5 minutes", () =>
    Effect.gen(function* () {
      const limited = Fault.on("executions.get", Fault.apiError("RATE_LIMITED", { resetIn: "3 minutes" }))
      const cancel = yield* interruptCreate({ faults: [limited] }, 3000)
      assert.deepStrictEqual([cancel.gets, cancel.cancels, cancel.warnings], [[2000], [182_001], []])
      // The execution has ended, so the client fetches its state after the cancel request.
      const headers = {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": String(start / 1000 + 419)
      }
      const rejected = Fault.on("executions.cancel", Fault.raw({ status: 409, body: "", headers }))
      const get = yield* interruptCreate({ faults: [rejected] }, 239_000)
      assert.deepStrictEqual([get.cancels, get.gets.slice(-1), get.warnings], [[239_000], [419_001], []])
    })
  )

  const retryForever = { retry: Schedule.spaced("70 seconds") }

  it.effect("retries the cancel request in the background for at most 5 minutes", () =>
    Effect.gen(function* () {
      const faults = [Fault.times(99, Fault.on("executions.cancel", Fault.dropBefore))]
      const { cancels, returnedAt, warnings } = yield* interruptCreate({ faults }, 3000, 0, retryForever)
      assert.strictEqual(returnedAt, 13_000)
      assert.deepStrictEqual(cancels, [3000, 73_000, 143_000, 213_000, 283_000])
      assert.lengthOf(warnings, 1)
      assert.include(warnings[0], "could not be cancelled (no response arrived before the deadline)")
    })
  )

  it.effect("retries an interrupted create request in the background for at most 5 minutes", () =>
    Effect.gen(function* () {
      const faults = [Fault.times(99, Fault.on("executions.create", Fault.dropAfter))]
      const { creates, keys, returnedAt, warnings } = yield* interruptCreate({ faults }, 3000, 0, retryForever)
      assert.strictEqual(returnedAt, 13_000)
      assert.deepStrictEqual(creates, [0, 70_000, 140_000, 210_000, 280_000])
      assert.strictEqual(keys, 1)
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0] ?? "", /\(no response arrived before the deadline\).* idempotency key key-1$/)
    })
  )

  it.effect("retries the cancel request for at most 10 s", () =>
    Effect.gen(function* () {
      const lost = Fault.times(2, Fault.dropBefore)
      assert.deepStrictEqual(yield* interruptWait(true, [lost]), { status: "CANCELLED", cancels: [3000, 4000, 6000] })
      const { cancels } = yield* interruptWait(true, [Fault.hang("before")])
      assert.deepStrictEqual(cancels, [3000])
    })
  )

  it.effect("does not cancel the execution if executions.run fails with AwaitTimeout", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const options = { cancelOnInterrupt: true, timeout: "3 seconds" } as const
        const error = failureOf(yield* runToEnd(client.executions.run(image, options)))
        assert.strictEqual(error._tag, "AwaitTimeout")
        assert.strictEqual(error.idempotencyKey, "key-1")
        assert.deepStrictEqual(yield* arrivalTimes("executions.cancel"), [])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("cancels the execution when executions.await is interrupted", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const spans = yield* spansOf(
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(client.executions.await(id, { cancelOnInterrupt: true }))
            yield* TestClock.adjust("1 second")
            yield* Fiber.interrupt(fiber)
          })
        )
        assert.deepStrictEqual(yield* arrivalTimes("executions.cancel"), [1000])
        assert.deepStrictEqual(
          spans.map(({ attributes, name }) => [name, attributes.get("modelroute.execution_id")]),
          [
            ["modelroute.executions.await", id],
            ["modelroute.executions.cancel", id]
          ]
        )
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("logs a warning if the cancel request of executions.await fails", () => {
    const lines: Array<unknown> = []
    const annotated: Array<Record<string, unknown>> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      lines.push([logLevel.label, message])
      annotated.push(Object.fromEntries(HashMap.toEntries(annotations)))
    })
    const { client } = makeFakeClient((url) =>
      url.endsWith("/cancel") ? errorResponse(400) : { status: 200, json: { id: "exec_1", status: "PROCESSING" } }
    )
    return Effect.gen(function* () {
      const { executions } = yield* client
      const fiber = yield* Effect.fork(executions.await(id, { cancelOnInterrupt: true }))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.lengthOf(lines, 1)
      assert.include(
        JSON.stringify(lines[0]),
        `["WARN",["Execution ${id} could not be cancelled (executions.cancel failed: `
      )
      assert.deepStrictEqual(annotated, [{ executionId: id }])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})
