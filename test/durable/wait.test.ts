import { assert, describe, it } from "@effect/vitest"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { Effect, Schema, TestClock } from "effect"
import { Execution, type ModelRouteError, Webhook } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import {
  injectInto,
  ledger,
  receiveEvents,
  runToEnd,
  secondsOf,
  simulate,
  stateOf,
  withWebhook
} from "../utils/durable.js"
import { numRuns } from "../utils/suite.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { image } from "../utils/harness.js"
import { eventPayload, secret, signDelivery } from "../utils/webhooks.js"

const modelOf = (duration: string & Parameters<typeof Effect.sleep>[0]) => ({
  simulator: {
    expiresAfter: "30 days",
    models: { "flux-1.1-pro": { duration, cost: "0.010", output: "image" } }
  } as const
})

const terminalEvent = (metadata: Record<string, unknown>) =>
  new Webhook.Event({
    id: Webhook.EventId.make("evt_1"),
    type: "execution.completed",
    execution: new Execution.Execution({ id: Execution.ExecutionId.make("exec_1"), status: "COMPLETED", metadata })
  })

describe("wait of a durable execution", { concurrent: true }, () => {
  it.effect("polls after baseDelay and ends with the result", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("29999 millis")
      assert.deepStrictEqual([yield* stateOf("order-7"), yield* secondsOf("result")], ["Suspended", []])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([yield* stateOf("order-7"), yield* secondsOf("result")], ["Complete", [30]])
      assert.lengthOf(valueOf(yield* runToEnd("order-7")).fileIds, 1)
    }).pipe(simulate)
  )

  it.effect("increases the delay between polls up to maxDelay", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* secondsOf("result"), [10, 25, 47.5, 77.5, 107.5])
    }).pipe((test) => simulate(test, { ...modelOf("100 seconds"), durable: { baseDelay: 10_000, maxDelay: 30_000 } }))
  )

  it.effect("ends when the webhook event arrives while the workflow is suspended", () =>
    Effect.gen(function* () {
      yield* receiveEvents
      yield* DurableExecution.start("order-7", withWebhook)
      yield* TestClock.adjust("8419 millis")
      assert.deepStrictEqual([yield* stateOf("order-7"), yield* secondsOf("result")], ["Suspended", []])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([yield* stateOf("order-7"), yield* secondsOf("result")], ["Complete", [8.42]])
    }).pipe(simulate)
  )

  it.effect("ends when the create response arrives if the webhook event has already arrived", () =>
    Effect.gen(function* () {
      yield* receiveEvents
      yield* injectInto("executions.create", Fault.delay("15 seconds"))
      yield* DurableExecution.start("order-7", withWebhook)
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual([yield* stateOf("order-7"), yield* secondsOf("result")], ["Complete", [15]])
    }).pipe(simulate)
  )

  it.effect("ends after baseDelay at the latest if the webhook event arrives while the workflow suspends", () =>
    Effect.gen(function* () {
      yield* receiveEvents
      yield* injectInto("executions.create", Fault.delay("8420 millis"))
      yield* DurableExecution.start("order-7", withWebhook)
      yield* TestClock.adjust("38420 millis")
      assert.strictEqual(yield* stateOf("order-7"), "Complete")
    }).pipe(simulate)
  )

  it.effect("polls again if the webhook event arrives during a poll", () =>
    Effect.gen(function* () {
      yield* receiveEvents
      // The client asks for the execution after the API has rejected the request for the result.
      yield* injectInto("executions.get", Fault.delay("10 seconds"))
      yield* DurableExecution.start("order-7", withWebhook)
      yield* TestClock.adjust("14 seconds")
      assert.deepStrictEqual([yield* stateOf("order-7"), yield* secondsOf("result")], ["Complete", [4, 14]])
    }).pipe((test) => simulate(test, { durable: { baseDelay: "4 seconds" } }))
  )

  it.effect("continues to poll at the usual delays if the poll after the webhook event fails", () =>
    Effect.gen(function* () {
      yield* receiveEvents
      yield* injectInto("executions.result", Fault.badGateway, Fault.apiError("SERVICE_UNAVAILABLE"))
      yield* DurableExecution.start("order-7", withWebhook)
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* secondsOf("result"), [8.42, 30, 75])
    }).pipe(simulate)
  )

  it.effect("continues to poll after a dropped connection, a 401 or a 429", () =>
    Effect.gen(function* () {
      yield* injectInto(
        "executions.result",
        Fault.dropBefore,
        Fault.apiError("UNAUTHORIZED", { status: 401 }),
        Fault.apiError("RATE_LIMITED")
      )
      yield* DurableExecution.start("order-7", image)
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* secondsOf("result"), [30, 75, 142.5, 243.75])
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe(simulate)
  )

  it.effect("polls immediately after DurableExecution.resume", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("20 seconds")
      yield* DurableExecution.resume("order-7")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([yield* stateOf("order-7"), yield* secondsOf("result")], ["Complete", [20]])
    }).pipe(simulate)
  )

  const outcomes = [
    [{ status: "FAILED", code: "GENERATION_TIMEOUT" }, "GenerationTimeout"],
    [{ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" }, "ContentModerationRejected"],
    [{ status: "CANCELLED" }, "ExecutionCancelled"],
    [{ status: "EXPIRED" }, "ExecutionExpired"]
  ] as const

  for (const [outcome, tag] of outcomes) {
    it.effect(`fails with ${tag} if the execution ends with the outcome ${JSON.stringify(outcome)}`, () =>
      Effect.gen(function* () {
        yield* DurableExecution.start("order-7", image)
        assert.strictEqual(failureOf(yield* runToEnd("order-7"))._tag, tag)
        assert.lengthOf((yield* ledger).statuses, 1)
      }).pipe((test) => simulate(test, { simulator: { faults: [Fault.executionOutcome(outcome)] } }))
    )
  }

  it.effect("fails with the 404 of the API if every poll for 10 minutes receives a 404", () =>
    Effect.gen(function* () {
      const missing = Fault.raw({ status: 404, body: JSON.stringify({ error: { code: "NOT_FOUND", message: "" } }) })
      yield* injectInto(({ path }) => path.includes("exec_"), Fault.times(1000, missing))
      yield* DurableExecution.start("order-7", image)
      const failure = failureOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual([failure._tag, "status" in failure && failure.status], ["UnrecognizedError", 404])
      assert.strictEqual((yield* secondsOf("result")).at(-1), 623.438)
    }).pipe(simulate)
  )

  it.effect("fails with AwaitTimeout if the API returns no output for 24 hours after the end of the execution", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("30 hours")
      const failure = failureOf(yield* runToEnd("order-7"))
      assert.strictEqual(failure._tag, "AwaitTimeout")
      const last = (yield* secondsOf("result")).at(-1) ?? 0
      assert.isTrue(last > 86_400 && last < 86_400 + 3 * 3600)
    }).pipe((test) =>
      simulate(test, {
        durable: { maxDelay: "2 hours" },
        simulator: {
          models: { [image.model]: { duration: "8 seconds", cost: "0.010", output: "image", result: "separate" } },
          faults: [Fault.times(1000, Fault.on("executions.result", completedWithoutOutput))]
        }
      })
    )
  )

  const workflows = numRuns(10, 100)

  it.effect(`completes ${workflows} workflows when their webhook events arrive after 24 hours`, () =>
    Effect.gen(function* () {
      yield* receiveEvents
      const ids = Array.from({ length: workflows }, (_, n) => `order-${n}`)
      yield* Effect.forEach(ids, (id) => DurableExecution.start(id, withWebhook))
      const countComplete = Effect.map(
        Effect.forEach(ids, stateOf),
        (states) => states.filter((state) => state === "Complete").length
      )
      yield* TestClock.adjust("86399 seconds")
      assert.strictEqual(yield* countComplete, 0)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* countComplete, workflows)
      const { keys, statuses } = yield* ledger
      assert.deepStrictEqual([keys, statuses.length, new Set(statuses)], [workflows, workflows, new Set(["COMPLETED"])])
    }).pipe((test) =>
      simulate(test, { ...modelOf("24 hours"), durable: { baseDelay: "10 hours", maxDelay: "10 hours" } })
    )
  )
})

const completedWithoutOutput = Fault.raw({
  status: 200,
  body: JSON.stringify({ id: "exec_1", status: "COMPLETED", completed_at: "2026-03-20T10:30:08Z" })
})

describe("DurableExecution.onEvent", { concurrent: true }, () => {
  /** Delivers an event without metadata to a webhook handler. */
  const deliver = (url: string) =>
    Effect.gen(function* () {
      const { body, headers } = yield* signDelivery(eventPayload("abc123"))
      const app = Webhook.handler({ secrets: secret, onEvent: DurableExecution.onEvent })
      const request = new Request(url, { method: "POST", body, headers: { ...headers } })
      const response = yield* Effect.provideService(
        app,
        HttpServerRequest.HttpServerRequest,
        HttpServerRequest.fromWeb(request)
      )
      assert.strictEqual(response.status, 200)
    })

  /** Returns the times of the result requests after one event at 5 seconds. */
  const pollsAfter = (
    deliverTo: (workflowId: string) => Effect.Effect<void, ModelRouteError.InvalidRequest, WorkflowEngine>
  ) =>
    Effect.gen(function* () {
      const workflowId = yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      yield* deliverTo(workflowId)
      yield* TestClock.adjust("1 second")
      return yield* secondsOf("result")
    }).pipe(simulate)

  it.effect("resumes the workflow whose id is in the metadata of the execution", () =>
    Effect.gen(function* () {
      const polls = yield* pollsAfter((workflowId) =>
        DurableExecution.onEvent(terminalEvent({ durable_execution: workflowId }))
      )
      assert.deepStrictEqual(polls, [5])
    })
  )

  it.effect("resumes the workflow whose id is in the URL of the delivery", () =>
    Effect.gen(function* () {
      const polls = yield* pollsAfter((workflowId) =>
        deliver(`https://backend.test/hooks?a=1&durable_execution=${workflowId}`)
      )
      assert.deepStrictEqual(polls, [5])
    })
  )

  it.effect("ignores an event that has no workflow id or no terminal status", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* pollsAfter(() => deliver("https://backend.test/hooks")), [])
      const started = (workflowId: string) => {
        const execution = new Execution.Execution({
          id: Execution.ExecutionId.make("exec_1"),
          status: "PROCESSING",
          metadata: { durable_execution: workflowId }
        })
        return new Webhook.Event({ id: Webhook.EventId.make("evt_1"), type: "execution.started", execution })
      }
      assert.deepStrictEqual(yield* pollsAfter((id) => DurableExecution.onEvent(started(id))), [])
    })
  )
})

describe("DurableExecution.start", () => {
  it.effect("adds the workflow id to the webhook URL as a query parameter", () =>
    Effect.gen(function* () {
      yield* receiveEvents
      const webhookUrl = "https://backend.test/hooks?a=1"
      const id = yield* DurableExecution.start("order-7", { ...image, webhookUrl })
      yield* TestClock.adjust("10 seconds")
      const { deliveries } = yield* Effect.flatMap(Simulator, (simulator) =>
        Effect.all({ deliveries: simulator.deliveries })
      )
      assert.deepStrictEqual(
        new Set(deliveries.map(({ url }) => url)),
        new Set([`${webhookUrl}&durable_execution=${id}`])
      )
    }).pipe(simulate)
  )
})

describe("payload and result of a durable execution", () => {
  it.effect("are unchanged after they are encoded to JSON and decoded", () =>
    Effect.gen(function* () {
      const request = { ...withWebhook, input: { prompt: "a fox" }, metadata: { a: [1] }, extra: { seed: 1 } }
      const payload = { id: "order-7", request }
      const Json = Schema.parseJson(DurableExecution.Payload)
      assert.deepStrictEqual(yield* Schema.decodeUnknown(Json)(yield* Schema.encodeUnknown(Json)(payload)), payload)
      yield* DurableExecution.start("order-7", image)
      const completed = valueOf(yield* runToEnd("order-7"))
      const CompletedJson = Schema.parseJson(Execution.Completed)
      assert.deepStrictEqual(
        yield* Schema.decode(CompletedJson)(yield* Schema.encode(CompletedJson)(completed)),
        completed
      )
    }).pipe(simulate)
  )
})
