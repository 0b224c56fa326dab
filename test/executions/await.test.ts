import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Schedule, TestClock } from "effect"
import { type Execution, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { errorResponse, id } from "../utils/executions.js"
import { makeFakeClient } from "../utils/fake.js"
import { arrivalTimes, httpDate, image, isoDate, layer, runToEnd, silent, start, withClient } from "../utils/harness.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

describe("executions.await", { concurrent: true }, () => {
  it.effect("polls 2, 5 and 9.5 s after the start of the wait by default", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const completed = valueOf(yield* runToEnd(client.executions.await(id)))
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [2000, 5000, 9500])
        assert.strictEqual(completed.status, "COMPLETED")
        assert.strictEqual(completed.cost, "0.040")
        assert.lengthOf(completed.fileIds, 1)
        assert.strictEqual(completed.latency && Duration.toMillis(completed.latency), 8420)
      })
    ).pipe(Effect.provide(layer()))
  )

  const embedded = { images: [{ file_id: "file_a" }] }
  const separate = { images: [{ file_id: "file_b" }] }
  for (const [where, shown, found] of [
    ["the result field of the execution", { result: { file_id: "file_a" } }, { file_id: "file_a" }],
    ["the output field of the execution", { output: embedded }, embedded],
    ["/result if the execution contains no output", {}, separate],
    ["/result if the output in the execution is null", { result: null, output: null }, separate]
  ] as const) {
    it.effect(`returns the output from ${where}`, () => {
      const { client, urls } = makeFakeClient((url) =>
        url.endsWith("/result")
          ? { status: 200, json: { execution_id: "exec_1", status: "COMPLETED", output: separate, cost: "0.040" } }
          : { status: 200, json: { id: "exec_1", status: "COMPLETED", metadata: { order: 7 }, ...shown } }
      )
      return Effect.gen(function* () {
        const { executions } = yield* client
        const completed = valueOf(yield* runToEnd(executions.await(id)))
        assert.deepStrictEqual(completed.output, found)
        assert.deepStrictEqual(completed.metadata, { order: 7 })
        assert.lengthOf(urls, found === separate ? 2 : 1)
      })
    })
  }

  for (const status of [404, 410]) {
    it.effect(`succeeds without output if /result responds with a ${status}`, () => {
      const { client } = makeFakeClient((url) =>
        url.endsWith("/result")
          ? { status, json: { error: { code: "NOT_FOUND", message: "no such page" } } }
          : { status: 200, json: { id: "exec_1", status: "COMPLETED", cost: "0.040" } }
      )
      return Effect.gen(function* () {
        const completed = valueOf(yield* runToEnd((yield* client).executions.await(id)))
        assert.strictEqual(completed.cost, "0.040")
        assert.isUndefined(completed.output)
        assert.deepStrictEqual(completed.fileIds, [])
      })
    })
  }

  const endings: ReadonlyArray<readonly [Fault.Outcome, string]> = [
    [{ status: "FAILED", code: "GENERATION_FAILED" }, "GenerationFailed"],
    [{ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" }, "ContentModerationRejected"],
    [{ status: "FAILED", code: "A_CODE_OF_TOMORROW" }, "UnrecognizedError"],
    [{ status: "CANCELLED" }, "ExecutionCancelled"],
    [{ status: "EXPIRED" }, "ExecutionExpired"]
  ]
  for (const [ending, tag] of endings) {
    it.effect(`fails with ${tag} if the execution ends with the outcome ${JSON.stringify(ending)}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const exit = yield* runToEnd(client.executions.run(image))
          const error = failureOf(exit)
          const { ledger } = yield* Simulator
          const { charged, executions } = yield* ledger
          assert.strictEqual(error._tag, tag)
          assert.strictEqual(error.executionId, executions[0]?.executionId)
          assert.strictEqual(error.idempotencyKey, "key-1")
          assert.lengthOf(executions, 1)
          assert.strictEqual(charged, "0.000")
          if (tag === "UnrecognizedError" && error._tag === "UnrecognizedError") {
            assert.strictEqual(error.code, "A_CODE_OF_TOMORROW")
          }
        })
      ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.executionOutcome(ending)] } })))
    )
  }

  const errors: ReadonlyArray<readonly [unknown, string, string]> = [
    ["The GPU ran out of memory.", "UnrecognizedError", "The GPU ran out of memory."],
    [
      ["The GPU ran out of memory.", "It was restarted."],
      "UnrecognizedError",
      "The GPU ran out of memory.; It was restarted."
    ],
    [[{ code: "MODEL_OVERLOADED", message: "No GPU is free." }], "ModelOverloaded", "No GPU is free."],
    [{ code: "GENERATION_FAILED", detail: "The picture is empty." }, "GenerationFailed", "The picture is empty."],
    [["", null, 5], "UnrecognizedError", ""]
  ]
  for (const [error, tag, apiMessage] of errors) {
    it.effect(`converts the error ${JSON.stringify(error)} of a FAILED execution to ${tag}`, () => {
      const { client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "FAILED", error } }))
      return Effect.gen(function* () {
        const failure = failureOf(yield* runToEnd((yield* client).executions.await(id)))
        assert.strictEqual(failure._tag, tag)
        assert.include(failure.message, apiMessage)
        assert.strictEqual("apiMessage" in failure ? (failure.apiMessage ?? "") : "", apiMessage)
      })
    })
  }

  it.effect("fails with the error of the execution if the create response contains a FAILED execution", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const resubmit = client.executions.run(image, { idempotencyKey: "job" })
        const first = failureOf(yield* runToEnd(resubmit))
        const second = failureOf(yield* runToEnd(resubmit))
        assert.strictEqual(first._tag, "GenerationTimeout")
        assert.strictEqual(second._tag, "GenerationTimeout")
        assert.include(second.message, "Submit the request again as a new execution. Use a new idempotency key.")
        assert.notInclude(second.message, "To continue later")
        const { ledger } = yield* Simulator
        assert.lengthOf((yield* ledger).executions, 1)
      })
    ).pipe(
      Effect.provide(
        layer({ simulator: { faults: [Fault.executionOutcome({ status: "FAILED", code: "GENERATION_TIMEOUT" })] } })
      )
    )
  )

  it.effect("continues to poll while the execution status is undocumented", () => {
    let polls = 0
    const { client } = makeFakeClient(() => ({
      status: 200,
      json: { id: "exec_1", status: ++polls < 3 ? "WARMING_UP" : "COMPLETED", output: {} }
    }))
    return Effect.gen(function* () {
      assert.strictEqual(valueOf(yield* runToEnd((yield* client).executions.await(id))).status, "COMPLETED")
      assert.strictEqual(polls, 3)
    })
  })

  it.effect("continues to poll after the retries of one poll are exhausted", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const { inject } = yield* Simulator
        yield* inject(Fault.times(6, Fault.on("executions.get", Fault.apiError("SERVICE_UNAVAILABLE"))))
        const completed = valueOf(yield* runToEnd(client.executions.await(id)))
        assert.strictEqual(completed.id, id)
        // The first poll sends four requests. The second poll sends three requests and succeeds.
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [2000, 3000, 5000, 9000, 12_000, 13_000, 15_000])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("fails with RateLimited if the rate limit resets later than the timeout of the wait", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { id } = yield* client.executions.create(image)
        const { inject } = yield* Simulator
        yield* inject(Fault.apiError("RATE_LIMITED", { resetIn: "1 hour" }))
        const error = failureOf(yield* runToEnd(client.executions.await(id)))
        assert.strictEqual(error._tag, "RateLimited")
        assert.strictEqual(error.executionId, id)
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [2000])
      })
    ).pipe(Effect.provide(layer()))
  )

  for (const skew of [0, 600_000, -600_000]) {
    it.effect(`times out 30 s after expires_at if the clock skew is ${skew / 1000} s`, () => {
      const fake = makeFakeClient(() => {
        const serverNow = (fake.at.at(-1) ?? 0) + skew
        return {
          status: 200,
          headers: { date: httpDate(serverNow) },
          json: { id: "exec_1", status: "PROCESSING", expires_at: isoDate(start + skew + 300_000) }
        }
      })
      return Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const error = failureOf(yield* runToEnd((yield* fake.client).executions.await(id)))
        assert.strictEqual(error._tag, "AwaitTimeout")
        // The `Date` header is rounded down to the second, so the wait can end up to a second later.
        const last = (fake.at.at(-1) ?? 0) - start
        assert.isAtLeast(last, 330_000)
        assert.isAtMost(last, 331_000)
        if (error._tag === "AwaitTimeout") assert.strictEqual(error.execution?.status, "PROCESSING")
        assert.strictEqual(error.attempts, fake.at.length)
      })
    })
  }

  for (const [problem, date, expiresAt] of [
    ["the Date header does not change", () => start, () => start + 300_000],
    ["each response has a later expiry", (now: number) => now, (now: number) => now + 300_000]
  ] as const) {
    it.effect(`times out even if ${problem}`, () => {
      const fake = makeFakeClient(() => {
        const now = fake.at.at(-1) ?? 0
        const expires = isoDate(expiresAt(now))
        return {
          status: 200,
          headers: { date: httpDate(date(now)) },
          json: { id: "exec_1", status: "PROCESSING", expires_at: expires }
        }
      })
      return Effect.gen(function* () {
        const pollSchedule = Schedule.spaced("100 seconds")
        const wait = (yield* fake.client).executions.await(id, { pollSchedule })
        const exit = yield* runInVirtualTime(silent(Effect.exit(wait)), start)
        assert.strictEqual(failureOf(valueOf(exit))._tag, "AwaitTimeout")
        // In the first case, the wait ends 360 s after the first poll at 100 s. In the second case, it ends after a
        // day.
        const last = (fake.at.at(-1) ?? 0) - start
        assert.strictEqual(last, problem === "the Date header does not change" ? 460_000 : 86_400_000)
      })
    })
  }

  it.effect("polls for the last time at the timeout", () => {
    const { at, client } = makeFakeClient(() => ({ status: 200, json: { id: "exec_1", status: "PROCESSING" } }))
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* client
      const error = failureOf(yield* runToEnd(executions.await(id)))
      assert.strictEqual(error._tag, "AwaitTimeout")
      assert.strictEqual((at.at(-1) ?? 0) - start, 600_000)
      assert.include(error.message, "exec_1 is PROCESSING")
      at.length = 0
      yield* TestClock.setTime(start)
      const limited = failureOf(yield* runToEnd(executions.await(id, { timeout: "7 seconds" })))
      assert.strictEqual(limited._tag, "AwaitTimeout")
      assert.deepStrictEqual(
        at.map((instant) => instant - start),
        [2000, 5000, 7000]
      )
    })
  })

  it.effect("ends at most 30 s after its timeout if the poll for the output follows a late poll", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const exit = yield* runToEnd(executions.run({ model: "separate", input: {} }, { timeout: "10 seconds" }))
        assert.strictEqual(failureOf(exit)._tag, "AwaitTimeout")
        const millis = (yield* Clock.currentTimeMillis) - start
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [2000, 5000, 9500])
        assert.deepStrictEqual(yield* arrivalTimes("executions.result"), [34_500])
        assert.strictEqual(millis, 40_000)
      })
    ).pipe(
      Effect.provide(
        layer({
          simulator: {
            models: { separate: { duration: "9 seconds", cost: "0.010", output: "text", result: "separate" } },
            faults: [
              Fault.on("executions.get", Fault.times(2, Fault.delay(0))),
              Fault.on("executions.get", Fault.delay("25 seconds")),
              Fault.on("executions.result", Fault.delay("25 seconds"))
            ]
          }
        })
      )
    )
  )

  const processing = { id, status: "PROCESSING" }

  it.effect("times out 30 s after the expires_at of the create response if every poll fails", () => {
    const { at, client } = makeFakeClient(
      (_, n) =>
        n === 1
          ? { status: 202, json: { ...processing, expires_at: isoDate(start + 60_000) } }
          : errorResponse(503, "SERVICE_UNAVAILABLE"),
      { retry: RetryPolicy.none }
    )
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const error = failureOf(yield* runToEnd((yield* client).executions.run(image)))
      assert.strictEqual(error._tag, "AwaitTimeout")
      assert.strictEqual((at.at(-1) ?? 0) - start, 90_000)
      assert.strictEqual(error._tag === "AwaitTimeout" && error.execution?.status, "PROCESSING")
      assert.strictEqual(error.idempotencyKey, "key-1")
      assert.strictEqual(error.attempts, at.length)
      assert.include(error.message, "The last poll failed: ")
    })
  })

  it.effect("continues to poll until an explicit timeout even if the execution has expired", () => {
    const { at, client } = makeFakeClient(() => ({
      status: 200,
      json: { ...processing, expires_at: isoDate(start + 60_000) }
    }))
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      yield* runToEnd((yield* client).executions.await(id, { timeout: "5 minutes" }))
      assert.strictEqual((at.at(-1) ?? 0) - start, 300_000)
    })
  })

  it.effect("omits an earlier poll failure from the AwaitTimeout message if the last poll succeeded", () => {
    const { client } = makeFakeClient(
      (_, n) => (n === 1 ? errorResponse(503, "SERVICE_UNAVAILABLE") : { status: 200, json: processing }),
      { retry: RetryPolicy.none }
    )
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const error = failureOf(yield* runToEnd((yield* client).executions.await(id, { timeout: "1 minute" })))
      assert.notInclude(error.message, "The last poll failed")
    })
  })

  it.effect("passes the latest execution as the input to pollSchedule", () => {
    const { client } = makeFakeClient((_, n) => ({
      status: 200,
      json: { id, status: n < 3 ? `S${n}` : "COMPLETED", output: 1 }
    }))
    const statuses: Array<string> = []
    const pollSchedule = Schedule.spaced("1 second").pipe(
      Schedule.tapInput(({ status }: Execution.Execution) => Effect.sync(() => statuses.push(status)))
    )
    return Effect.gen(function* () {
      yield* runToEnd((yield* client).executions.await(id, { pollSchedule }))
      assert.deepStrictEqual(statuses, ["UNKNOWN", "S1", "S2"])
    })
  })

  it.effect("fails immediately after a poll receives a 403", () => {
    const { client, urls } = makeFakeClient(() => errorResponse(403))
    return Effect.gen(function* () {
      assert.strictEqual(failureOf(yield* runToEnd((yield* client).executions.await(id)))._tag, "UnrecognizedError")
      assert.lengthOf(urls, 1)
    })
  })
})
