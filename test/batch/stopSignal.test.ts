/** Tests the signal that stops the submissions of a batch. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, HashMap, Logger, Metric } from "effect"
import { type Batch, Metrics } from "effect-modelroute"
import { StopSignal } from "../../src/internal/batch/stopSignal.js"
import { silent } from "../utils/harness.js"

interface Line {
  readonly level: string
  readonly text: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Triggers a signal with each reason in turn. Returns the log lines and the increase of the metric of balance stops. */
const trigger = (...reasons: ReadonlyArray<Batch.StopReason>) =>
  Effect.gen(function* () {
    const lines: Array<Line> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      lines.push({
        level: logLevel.label,
        text: String(message),
        annotations: Object.fromEntries(HashMap.toEntries(annotations))
      })
    })
    const before = yield* Metric.value(Metrics.balanceStops)
    const stop = new StopSignal("catalogue")
    yield* Effect.forEach(reasons, (reason) => stop.trigger({ reason })).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    const after = yield* Metric.value(Metrics.balanceStops)
    return { stop, lines, balanceStops: after.count - before.count }
  })

describe("StopSignal.trigger", () => {
  const levels: ReadonlyArray<readonly [reason: Batch.StopReason, level: string]> = [
    ["Stopped", "INFO"],
    ["BeforeSubmit", "WARN"],
    ["InsufficientBalance", "WARN"],
    ["MaxCost", "WARN"],
    ["Unauthorized", "WARN"]
  ]
  for (const [reason, level] of levels) {
    it.effect(`logs the reason ${reason} at level ${level}`, () =>
      Effect.gen(function* () {
        const { balanceStops, lines } = yield* trigger(reason)
        assert.deepStrictEqual(
          lines.map(({ annotations, level }) => ({ annotations, level })),
          [{ level, annotations: { batch: "catalogue", reason } }]
        )
        assert.include(lines[0]?.text, "catalogue")
        assert.strictEqual(balanceStops, reason === "InsufficientBalance" ? 1 : 0)
      })
    )
  }

  it.effect("ignores all causes after the first cause", () =>
    Effect.gen(function* () {
      const { balanceStops, lines, stop } = yield* trigger("Stopped", "InsufficientBalance")
      assert.deepStrictEqual([stop.cause, lines.length, balanceStops], [{ reason: "Stopped" }, 1, 0])
    })
  )
})

describe("StopSignal.runUnlessStopped", () => {
  it.effect("does not run the effect after the signal", () =>
    Effect.gen(function* () {
      const stop = new StopSignal("catalogue")
      assert.strictEqual(yield* stop.runUnlessStopped(Effect.succeed(1)), 1)
      yield* stop.trigger({ reason: "Stopped" })
      assert.isUndefined(yield* stop.runUnlessStopped(Effect.dieMessage("the effect ran")))
    }).pipe(silent)
  )

  for (const [reason, isCounted, isInterrupted] of [
    ["Stopped", false, true],
    ["Stopped", true, true],
    ["MaxCost", undefined, true],
    ["MaxCost", false, true],
    ["MaxCost", true, false]
  ] as const) {
    it.effect(
      `${isInterrupted ? "interrupts" : "continues"} an item after ${reason} if isCounted is ${isCounted}`,
      () =>
        Effect.gen(function* () {
          const stop = new StopSignal("catalogue")
          const done = yield* Deferred.make<number>()
          const running = yield* Effect.fork(stop.runUnlessStopped(Deferred.await(done), isCounted))
          yield* Effect.yieldNow()
          yield* stop.trigger({ reason })
          yield* Effect.yieldNow()
          yield* Deferred.succeed(done, 1)
          assert.strictEqual(yield* Fiber.join(running), isInterrupted ? undefined : 1)
          assert.deepStrictEqual(stop.blocks(isCounted === true), isInterrupted ? { reason } : undefined)
        }).pipe(silent)
    )
  }

  it.effect("returns undefined if the effect triggers the signal itself", () =>
    Effect.gen(function* () {
      const stop = new StopSignal("catalogue")
      const own = Effect.as(stop.trigger({ reason: "Stopped" }), 1)
      assert.isUndefined(yield* stop.runUnlessStopped(Effect.zipLeft(own, Effect.never)))
    }).pipe(silent)
  )
})
