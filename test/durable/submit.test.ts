import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import {
  injectInto,
  ledger,
  runToEnd,
  secondsOf,
  simulate,
  stateOf,
  withLostSubmission,
  wrapEngine
} from "../utils/durable.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { image } from "../utils/harness.js"

const create = "executions.create"

/** Starts an execution, and adjusts the clock by one millisecond so that the submission ends. */
const startNow = (id: string) => Effect.zipRight(DurableExecution.start(id, image), TestClock.adjust(1))

describe("DurableExecution.start", () => {
  it.effect("creates one execution for several starts with the same id", () =>
    Effect.gen(function* () {
      const first = yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      const second = yield* DurableExecution.start("order-7", { ...image, model: "seedance-video" })
      assert.strictEqual(second, first)
      valueOf(yield* runToEnd("order-7"))
      yield* DurableExecution.start("order-7", image)
      yield* DurableExecution.start("order-8", image)
      valueOf(yield* runToEnd("order-8"))
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED", "COMPLETED"], keys: 2 })
    }).pipe(simulate)
  )

  it.effect("returns the id that the workflow computes from its payload", () =>
    Effect.gen(function* () {
      const id = yield* DurableExecution.start("order-7", image)
      assert.strictEqual(id, yield* DurableExecution.workflow.executionId({ id: "order-7", request: image }))
    }).pipe(simulate)
  )

  it.effect("submits the original request if the caller changes the request object after the start", () =>
    Effect.gen(function* () {
      const input = { prompt: "a fox", at: new Date(0) }
      yield* DurableExecution.start("order-7", { ...image, input, metadata: { order: 7 }, extra: { seed: 1 } })
      input.prompt = "a whale"
      valueOf(yield* runToEnd("order-7"))
      const simulator = yield* Simulator
      const body: unknown = JSON.parse((yield* simulator.ledger).executions[0]?.body ?? "")
      assert.deepStrictEqual(body, {
        seed: 1,
        model: image.model,
        input: { prompt: "a fox", at: "1970-01-01T00:00:00.000Z" },
        metadata: { order: 7, durable_execution: yield* DurableExecution.start("order-7", image) }
      })
    }).pipe(simulate)
  )

  it.effect("fails with InvalidRequest and starts no workflow if the id or the request is invalid", () =>
    Effect.gen(function* () {
      const fieldOf = (id: string, input: object) =>
        Effect.map(Effect.flip(DurableExecution.start(id, { ...image, input })), ({ field }) => field)
      assert.strictEqual(yield* fieldOf("", image.input), "id")
      assert.strictEqual(yield* fieldOf("order-\ud800", image.input), "id")
      assert.strictEqual(yield* fieldOf("order-7", { seed: NaN }), "input.seed")
      assert.isUndefined(yield* stateOf("order-7"))
    }).pipe(simulate)
  )
})

describe("submission of a durable execution", { concurrent: true }, () => {
  it.effect("is repeated with the same idempotency key after an outage", () =>
    Effect.gen(function* () {
      yield* injectInto(create, Fault.dropAfter, Fault.badGateway, Fault.dropBefore, Fault.apiError("MODEL_OVERLOADED"))
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("29999 millis")
      assert.deepStrictEqual(yield* secondsOf("create"), [0])
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 30, 75, 142.5, 243.75])
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe(simulate)
  )

  it.effect("suspends the workflow after InsufficientBalance until DurableExecution.resume is called", () =>
    Effect.gen(function* () {
      yield* startNow("order-7")
      assert.strictEqual(yield* stateOf("order-7"), "Suspended")
      yield* TestClock.adjust("20 seconds")
      yield* Effect.flatMap(Simulator, ({ topUp }) => topUp("1.00"))
      yield* DurableExecution.resume("order-7")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 20.001])
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("is repeated after the retry delay if the balance is too low or the API key is rejected", () =>
    Effect.gen(function* () {
      yield* injectInto(create, Fault.apiError("UNAUTHORIZED", { status: 401 }))
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("40 seconds")
      yield* Effect.flatMap(Simulator, ({ topUp }) => topUp("1.00"))
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 30, 75])
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("is repeated after each call of DurableExecution.resume", () =>
    Effect.gen(function* () {
      yield* startNow("order-7")
      yield* DurableExecution.resume("order-7")
      yield* TestClock.adjust(1)
      yield* DurableExecution.resume("order-7")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 0.001, 0.002])
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("ends the workflow if the API rejects the request permanently", () =>
    Effect.gen(function* () {
      const codes = ["INPUT_VALIDATION_ERROR", "CONTENT_MODERATION_REJECTED", "FILE_NOT_FOUND"] as const
      const tags = yield* Effect.forEach(codes, (code) =>
        Effect.gen(function* () {
          yield* injectInto(create, Fault.apiError(code))
          yield* startNow(code)
          return failureOf(yield* runToEnd(code))._tag
        })
      )
      assert.deepStrictEqual(tags, ["InputValidationError", "ContentModerationRejected", "FileNotFound"])
      assert.strictEqual((yield* secondsOf("create")).length, codes.length)
    }).pipe(simulate)
  )

  it.effect("ends the workflow with InvalidRequest if a composed workflow passes an invalid webhook URL", () =>
    Effect.gen(function* () {
      const request = { ...image, webhookUrl: "/hooks" }
      yield* DurableExecution.workflow.execute({ id: "order-7", request }, { discard: true })
      const failure = failureOf(yield* runToEnd("order-7"))
      assert.strictEqual(failure._tag === "InvalidRequest" && failure.field, "webhookUrl")
      assert.deepStrictEqual(yield* secondsOf("create"), [])
    }).pipe(simulate)
  )

  it.effect("is repeated after InsufficientBalance even if keyTtl has elapsed", () =>
    Effect.gen(function* () {
      yield* startNow("order-7")
      yield* TestClock.adjust("3 days")
      yield* Effect.flatMap(Simulator, ({ topUp }) => topUp("1.00"))
      yield* DurableExecution.resume("order-7")
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" }, durable: { maxDelay: "2 hours" } }))
  )

  it.effect("is repeated even if connections were refused for longer than keyTtl", () => {
    let isDown = true
    const transformClient = (client: HttpClient.HttpClient) =>
      HttpClient.transform(client, (response, request) =>
        isDown
          ? Effect.fail(
              new HttpClientError.RequestError({ request, reason: "Transport", cause: { code: "ECONNREFUSED" } })
            )
          : response
      )
    return Effect.gen(function* () {
      yield* startNow("order-7")
      yield* TestClock.adjust("3 days")
      isDown = false
      yield* DurableExecution.resume("order-7")
      valueOf(yield* runToEnd("order-7"))
      assert.strictEqual((yield* secondsOf("create")).length, 1)
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe((test) => simulate(test, { client: { transformClient }, durable: { maxDelay: "2 hours" } }))
  })

  it.effect("fails with SubmissionOutcomeUnknown if an ambiguous submission is older than keyTtl", () =>
    Effect.gen(function* () {
      yield* injectInto(create, Fault.dropAfter, Fault.times(1000, Fault.dropBefore))
      yield* startNow("order-7")
      yield* TestClock.adjust("1 days")
      const before = yield* secondsOf("create")
      yield* Effect.flatMap(Simulator, ({ inject }) => inject(Fault.emptyOk))
      yield* DurableExecution.resume("order-7")
      const failure = failureOf(yield* runToEnd("order-7"))
      assert.strictEqual(failure._tag, "SubmissionOutcomeUnknown")
      assert.deepStrictEqual(yield* secondsOf("create"), before)
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe((test) => simulate(test, { durable: { maxDelay: "2 hours" } }))
  )

  it.effect("fails with SubmissionOutcomeUnknown if the engine has lost the result of the latest submission", () => {
    let hasStored = false
    const engine = wrapEngine(({ activityExecute }) => ({
      activityExecute: (activity, attempt) => {
        if (activity.name !== "submit/1") return activityExecute(activity, attempt)
        // The engine runs an activity again if the number of the attempt has changed.
        const isLost = hasStored
        hasStored = true
        return activityExecute(activity, isLost ? attempt + 1 : attempt)
      }
    }))
    return Effect.gen(function* () {
      yield* injectInto(create, Fault.dropAfter, Fault.dropBefore)
      yield* DurableExecution.start("order-7", image)
      const failure = failureOf(yield* runToEnd("order-7"))
      assert.strictEqual(failure._tag, "SubmissionOutcomeUnknown")
      // The key expires one minute after the first submission, and before the submission that follows after 75 seconds.
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 30])
      assert.strictEqual((yield* ledger).keys, 1)
    }).pipe((test) => simulate(test, { engine, durable: { keyTtl: "1 minute" } }))
  })

  it.effect(
    "fails with SubmissionOutcomeUnknown if the worker ended during the create request and keyTtl has elapsed",
    () =>
      Effect.gen(function* () {
        yield* DurableExecution.start("order-7", image)
        yield* TestClock.adjust("25 hours")
        const failure = failureOf(yield* runToEnd("order-7"))
        assert.strictEqual(failure._tag, "SubmissionOutcomeUnknown")
        assert.deepStrictEqual(yield* secondsOf("create"), [0])
        assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
      }).pipe((test) => simulate(test, { engine: withLostSubmission("25 hours") }))
  )

  it.effect("is repeated with the same idempotency key if the worker ended during the create request", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("61 minutes")
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 3600])
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe((test) => simulate(test, { engine: withLostSubmission("1 hour") }))
  )
})
