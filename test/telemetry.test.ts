/** Tests the spans, log lines and metrics of client methods. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, HashMap, Logger, LogLevel, Metric, Schedule, Stream, TestClock } from "effect"
import { Execution, File, Metrics, ModelRouteClient } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { ModelTags } from "../src/internal/metrics.js"
import { makeFakeClient } from "./utils/fake.js"
import { image, layer, runToEnd, start, withClient } from "./utils/harness.js"
import { spansOf } from "./utils/tracing.js"

/** Returns the state of a metric with the given tags. */
const valueOf = <Type, In, Out>(metric: Metric.Metric<Type, In, Out>, tags: { readonly [name: string]: string }) =>
  Metric.value(Object.entries(tags).reduce((tagged, [name, value]) => Metric.tagged(tagged, name, value), metric))

describe("ModelTags", () => {
  it("returns the tag `other` for each new model after the maximum number of models", () => {
    const tags = new ModelTags(2)
    assert.deepStrictEqual(
      ["a", "b", "c", "a", "d"].map((model) => tags.toTag(model)),
      ["a", "b", "other", "a", "other"]
    )
  })
})

describe("telemetry", () => {
  it.effect("records one span with the execution id for each executions method", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { executions } = client
        const { id } = yield* executions.create(image)
        const calls = {
          "executions.create": executions.create(image, { idempotencyKey: "key-1" }),
          "executions.get": executions.get(id),
          "executions.result": executions.result(id),
          "executions.watch": Stream.runDrain(Stream.take(executions.watch(id), 1)),
          "executions.cancel": executions.cancel(id),
          "executions.await": executions.await(id)
        }
        for (const [operation, call] of Object.entries(calls)) {
          const spans = yield* spansOf(runToEnd<unknown, unknown, never>(call))
          assert.deepStrictEqual(
            spans.map(({ kind, name }) => [name, kind]),
            [[`modelroute.${operation}`, "client"]]
          )
          if (operation === "executions.watch") continue
          assert.strictEqual(spans[0]?.attributes.get("modelroute.execution_id"), id, operation)
        }
        const [span] = yield* spansOf(
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(executions.run(image))
            yield* TestClock.adjust("1 second")
            yield* Fiber.interrupt(fiber)
          })
        )
        assert.strictEqual(span?.attributes.get("error.type"), "interrupted")
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("logs the delay before each poll and each retry at level Debug", () => {
    const lines: Array<readonly [string, unknown, Record<string, unknown>]> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      lines.push([
        logLevel.label,
        Array.isArray(message) ? message[0] : message,
        Object.fromEntries(HashMap.toEntries(annotations))
      ])
    })
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* ModelRouteClient.ModelRouteClient
      const { id } = yield* executions.create(image)
      const { inject } = yield* Simulator
      yield* inject(Fault.dropBefore)
      yield* runToEnd(executions.await(id, { pollSchedule: Schedule.spaced("9 seconds") }))
      assert.deepStrictEqual(lines, [
        [
          "DEBUG",
          `Next poll of ${id} in 9 s`,
          {
            "modelroute.operation": "executions.await",
            "modelroute.wait.reason": "poll",
            "modelroute.wait.duration_ms": 9000,
            "modelroute.execution_id": id
          }
        ],
        [
          "DEBUG",
          "Retrying executions.await in 1 s (TransportError: reset)",
          {
            "modelroute.operation": "executions.await",
            "modelroute.wait.reason": "TransportError",
            "modelroute.wait.detail": "reset",
            "modelroute.wait.duration_ms": 1000,
            "modelroute.attempt": 1,
            "modelroute.execution_id": id
          }
        ]
      ])
    }).pipe(
      Effect.provide([layer(), Logger.replace(Logger.defaultLogger, logger)]),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
  })

  it.effect("records the attempts, the cost and the waits of executions.run in one span", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const spans = yield* spansOf(runToEnd(client.executions.run(image)))
        assert.deepStrictEqual(
          spans.map(({ kind, name }) => [name, kind]),
          [["modelroute.executions.run", "client"]]
        )
        const [span] = spans
        const { ledger } = yield* Simulator
        assert.deepStrictEqual(Object.fromEntries(span?.attributes ?? []), {
          "gen_ai.provider.name": "modelroute",
          "gen_ai.request.model": "flux-1.1-pro",
          "modelroute.operation": "executions.run",
          "modelroute.attempts": 5,
          "modelroute.cost_dollars": 0.04,
          "modelroute.execution_id": (yield* ledger).executions[0]?.executionId
        })
        const events = span !== undefined && "events" in span && Array.isArray(span.events) ? span.events : []
        assert.deepStrictEqual(
          events.map(([name, at, attributes]) => [
            name,
            Number(at / 1_000_000n) - start,
            attributes["modelroute.wait.reason"],
            attributes["modelroute.wait.duration_ms"]
          ]),
          [
            ["modelroute.wait", 0, "ModelOverloaded", 1000],
            ["modelroute.wait", 1000, "poll", 2000],
            ["modelroute.wait", 3000, "poll", 3000],
            ["modelroute.wait", 6000, "poll", 4500]
          ]
        )
        const [failed] = yield* spansOf(runToEnd(client.executions.get(Execution.ExecutionId.make("exec_0"))))
        assert.strictEqual(failed?.attributes.get("error.type"), "UnrecognizedError")
        assert.strictEqual(failed?.attributes.get("http.response.status_code"), 404)

        const streamed = yield* spansOf(
          runToEnd(
            Effect.gen(function* () {
              const { fileIds, id } = yield* client.executions.run(image)
              yield* Stream.runDrain(client.executions.watch(id))
              yield* Stream.runDrain(client.files.download(fileIds[0] ?? File.FileId.make("file_0")))
              yield* Effect.ignore(Stream.runDrain(client.files.download(File.FileId.make("file_0"))))
            })
          )
        )
        assert.deepStrictEqual(
          streamed
            .slice(1)
            .map(({ attributes, name }) => [
              name.replace("modelroute.", ""),
              attributes.get("modelroute.attempts"),
              attributes.get("error.type") ?? "ok",
              attributes.has("modelroute.execution_id"),
              attributes.has("modelroute.file_id")
            ]),
          [
            ["executions.watch", 1, "ok", true, false],
            ["files.download", 1, "ok", false, true],
            ["files.download", 1, "FileNotFound", false, true]
          ]
        )
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.apiError("MODEL_OVERLOADED")] } })))
  )

  it.effect("logs retry delays of at least 5 s at level Info", () => {
    const lines: Array<readonly [LogLevel.LogLevel["label"], unknown, unknown]> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      lines.push([
        logLevel.label,
        Array.isArray(message) ? message[0] : message,
        Object.fromEntries(HashMap.toEntries(annotations))
      ])
    })
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const { executions } = yield* ModelRouteClient.ModelRouteClient
      yield* runToEnd(executions.create(image))
      const retry = {
        "gen_ai.request.model": "flux-1.1-pro",
        "modelroute.operation": "executions.create",
        "modelroute.idempotency_key": "key-1",
        "modelroute.request_id": "req_7"
      }
      assert.deepStrictEqual(lines, [
        [
          "DEBUG",
          "Retrying executions.create in 1 s (ModelOverloaded: HTTP 503)",
          {
            ...retry,
            "modelroute.attempt": 1,
            "modelroute.wait.reason": "ModelOverloaded",
            "modelroute.wait.detail": "HTTP 503",
            "modelroute.wait.duration_ms": 1000
          }
        ],
        [
          "INFO",
          "Retrying executions.create in 5 s (RateLimited: HTTP 429)",
          {
            ...retry,
            "modelroute.attempt": 2,
            "modelroute.wait.reason": "RateLimited",
            "modelroute.wait.detail": "HTTP 429",
            "modelroute.wait.duration_ms": 5000
          }
        ]
      ])
    }).pipe(
      Effect.provide([
        layer({
          simulator: {
            faults: [
              Fault.apiError("MODEL_OVERLOADED", { requestId: "req_7" }),
              Fault.apiError("RATE_LIMITED", { requestId: "req_7", headers: { "retry-after": "5" } })
            ]
          }
        }),
        Logger.replace(Logger.defaultLogger, logger)
      ]),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
  })

  it.effect("counts requests, retries and waits by model", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const operation = "executions.create"
        const { model } = image
        const counts = Effect.all({
          ok: valueOf(Metrics.requests, { operation, outcome: "ok", model }),
          lost: valueOf(Metrics.requests, { operation, outcome: "TransportError", model }),
          retries: valueOf(Metrics.retries, { operation, reason: "TransportError", model }),
          waits: valueOf(Metrics.waits, { operation, reason: "TransportError", model })
        })
        const before = yield* counts
        yield* runToEnd(client.executions.create(image))
        const after = yield* counts
        assert.deepStrictEqual(
          [
            after.ok.count - before.ok.count,
            after.lost.count - before.lost.count,
            after.retries.count - before.retries.count
          ],
          [1, 2, 2]
        )
        assert.strictEqual(after.waits.count - before.waits.count, 2)
        assert.strictEqual(after.waits.sum - before.waits.sum, 3)
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.times(2, Fault.dropBefore)] } })))
  )

  it.effect("records the cost and the latency of an execution once even if two fibers wait for it", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const model = "model-of-the-cost-test"
        const { id } = yield* executions.create({ ...image, model })
        yield* runToEnd(Effect.all([executions.await(id), executions.await(id)], { concurrency: 2 }))
        const { count } = yield* valueOf(Metrics.cost, { model })
        assert.strictEqual(count, 0.04)
        const latency = yield* valueOf(Metrics.executionLatency, { model, outcome: "ok" })
        assert.deepStrictEqual([latency.count, latency.sum], [1, 8])
      })
    ).pipe(
      Effect.provide(
        layer({
          simulator: { models: { "model-of-the-cost-test": { duration: "8 seconds", cost: "0.04", output: "image" } } }
        })
      )
    )
  )

  it.effect("records the latency of a FAILED execution with the tag of its error", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const model = "model-of-the-failure-test"
        yield* runToEnd(Effect.flip(executions.run({ ...image, model })))
        const latency = yield* valueOf(Metrics.executionLatency, { model, outcome: "GenerationFailed" })
        assert.strictEqual(latency.count, 1)
        assert.strictEqual((yield* valueOf(Metrics.cost, { model })).count, 0)
      })
    ).pipe(
      Effect.provide(
        layer({ simulator: { faults: [Fault.executionOutcome({ status: "FAILED", code: "GENERATION_FAILED" })] } })
      )
    )
  )

  it.effect("sends trace headers only if propagateTraceContext is true", () =>
    Effect.gen(function* () {
      const sent = (options: Partial<ModelRouteClient.Options>) => {
        const { client, headers } = makeFakeClient(() => ({ status: 200, json: {} }), options)
        return Effect.flatMap(client, ({ request }) => request("GET", "/executions")).pipe(
          Effect.withSpan("caller"),
          Effect.map(() => Object.keys(headers[0] ?? {}).toSorted())
        )
      }
      assert.deepStrictEqual(yield* sent({}), ["authorization"])
      assert.deepStrictEqual(yield* sent({ propagateTraceContext: true }), ["authorization", "b3", "traceparent"])
    })
  )
})
