/** Tests the spans, log lines and metrics of client methods. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, HashMap, Logger, LogLevel, Metric, Schedule, Stream, TestClock } from "effect"
import { Execution, File, Metrics, ModelRouteClient } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { makeFakeClient } from "./utils/fake.js"
import { image, layer, runToEnd, start, withClient } from "./utils/harness.js"
import { spansOf } from "./utils/tracing.js"

describe("telemetry", () => {
  it.effect("records the execution id in spans", () =>
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
        assert.strictEqual(span?.attributes.get("modelroute.outcome"), "interrupted")
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
          { operation: "executions.await", reason: "poll", executionId: id, waitMillis: 9000 }
        ],
        [
          "DEBUG",
          "Retrying executions.await in 1 s (TransportError: reset)",
          {
            operation: "executions.await",
            reason: "TransportError",
            detail: "reset",
            attempt: 1,
            executionId: id,
            waitMillis: 1000
          }
        ]
      ])
    }).pipe(
      Effect.provide([layer(), Logger.replace(Logger.defaultLogger, logger)]),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
  })

  it.effect("records one span per operation", () =>
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
          "modelroute.operation": "executions.run",
          "modelroute.attempts": 5,
          "modelroute.outcome": "ok",
          "modelroute.execution_id": (yield* ledger).executions[0]?.executionId
        })
        const events = span !== undefined && "events" in span && Array.isArray(span.events) ? span.events : []
        assert.deepStrictEqual(
          events.map(([name, at, attributes]) => [
            name,
            Number(at / 1_000_000n) - start,
            attributes.reason,
            attributes.waitMillis
          ]),
          [
            ["modelroute.wait", 0, "ModelOverloaded", 1000],
            ["modelroute.wait", 1000, "poll", 2000],
            ["modelroute.wait", 3000, "poll", 3000],
            ["modelroute.wait", 6000, "poll", 4500]
          ]
        )
        const [failed] = yield* spansOf(runToEnd(client.executions.get(Execution.ExecutionId.make("exec_0"))))
        assert.strictEqual(failed?.attributes.get("modelroute.outcome"), "UnrecognizedError")

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
              attributes.get("modelroute.outcome"),
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
      const retry = { operation: "executions.create", idempotencyKey: "key-1", requestId: "req_7" }
      assert.deepStrictEqual(lines, [
        [
          "DEBUG",
          "Retrying executions.create in 1 s (ModelOverloaded: HTTP 503)",
          { ...retry, attempt: 1, reason: "ModelOverloaded", detail: "HTTP 503", waitMillis: 1000 }
        ],
        [
          "INFO",
          "Retrying executions.create in 5 s (RateLimited: HTTP 429)",
          { ...retry, attempt: 2, reason: "RateLimited", detail: "HTTP 429", waitMillis: 5000 }
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

  it.effect("counts requests, retries and waits", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const count = (metric: Metric.Metric.Counter<number>, labels: Record<string, string>) =>
          Effect.map(
            Metric.value(
              Object.entries(labels).reduce((tagged, [key, value]) => Metric.tagged(tagged, key, value), metric)
            ),
            ({ count }) => count
          )
        const counts = Effect.all({
          ok: count(Metrics.requests, { operation: "executions.create", outcome: "ok" }),
          lost: count(Metrics.requests, { operation: "executions.create", outcome: "TransportError" }),
          retries: count(Metrics.retries, { operation: "executions.create", reason: "TransportError" })
        })
        const waits = Metric.value(
          Metrics.waits.pipe((metric) =>
            Metric.tagged(Metric.tagged(metric, "operation", "executions.create"), "reason", "TransportError")
          )
        )
        const [before, waited] = [yield* counts, yield* waits]
        yield* runToEnd(client.executions.create(image))
        const [after, waitedAfter] = [yield* counts, yield* waits]
        assert.deepStrictEqual(
          [after.ok - before.ok, after.lost - before.lost, after.retries - before.retries],
          [1, 2, 2]
        )
        assert.strictEqual(waitedAfter.count - waited.count, 2)
        assert.strictEqual(waitedAfter.sum - waited.sum, 3)
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.times(2, Fault.dropBefore)] } })))
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
