/** Spans and log lines of calls. */
import { Effect, Fiber, HashMap, LogLevel, Logger, Schedule, Stream, TestClock } from "effect"
import { ModelRouteClient } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { assert, describe, it } from "@effect/vitest"
import { image, layer, runToEnd, start, withClient } from "./utils/harness.js"
import { spansOf } from "./utils/tracing.js"

describe("telemetry", () => {
  it.effect("records the execution id in every span, and the outcome of an interrupted operation", () =>
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

  it.effect("logs the wait for a poll at Debug with its execution, and a retry with the reason of the failure", () => {
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
})
