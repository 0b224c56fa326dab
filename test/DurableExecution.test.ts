import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { Webhook } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Simulator } from "effect-modelroute/Simulator"
import { ledger, runToEnd, secondsOf, simulate, stateOf, withWebhook } from "./utils/durable.js"
import { valueOf } from "./utils/exit.js"
import { image } from "./utils/harness.js"

/** Delivers the events of the simulator to `onEvent`. */
const receiveEvents = Effect.flatMap(Simulator, (simulator) =>
  simulator.deliverTo(Webhook.handler({ secrets: simulator.webhookSecret, onEvent: DurableExecution.onEvent }))
)

describe("DurableExecution", () => {
  it.effect("returns the result after a poll by the clock", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("29999 millis")
      assert.deepStrictEqual(yield* secondsOf("result"), [])
      assert.strictEqual(yield* stateOf("order-7"), "Suspended")
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* secondsOf("result"), [30])
      const { fileIds, status } = valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual([status, fileIds.length], ["COMPLETED", 1])
      assert.deepStrictEqual(yield* ledger, { statuses: ["COMPLETED"], keys: 1 })
    }).pipe(simulate)
  )

  it.effect("returns the result when the event arrives", () =>
    Effect.gen(function* () {
      yield* receiveEvents
      yield* DurableExecution.start("order-7", withWebhook)
      yield* TestClock.adjust("8420 millis")
      assert.deepStrictEqual(yield* secondsOf("result"), [8.42])
      valueOf(yield* runToEnd("order-7"))
    }).pipe(simulate)
  )
})
