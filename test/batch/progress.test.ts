/** Tests how the progress of a batch is counted and estimated. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Fiber, Stream, TestClock } from "effect"
import { type Batch, Execution, ModelRouteError, type RateLimitGate } from "effect-modelroute"
import { ProgressCounter } from "../../src/internal/batch/progress.js"
import { RetryBudget } from "../../src/internal/batch/retryBudget.js"
import { StopSignal } from "../../src/internal/batch/stopSignal.js"
import * as money from "../../src/internal/data/money.js"
import * as monotonic from "../../src/internal/data/monotonic.js"
import { silent, start } from "../utils/harness.js"
import { SettableClock } from "../utils/settableClock.js"

const openGate: RateLimitGate.Snapshot = { waiting: 0, inFlight: 0, rateLimited: 0, hasOtherClients: false }

const makeCounter = (total: number | undefined, gate: Partial<RateLimitGate.Snapshot> = {}) => {
  const stop = new StopSignal("catalogue")
  const budget = new RetryBudget({ maxTokens: 1 })
  return { stop, budget, counter: new ProgressCounter(total, stop, budget, Effect.succeed({ ...openGate, ...gate })) }
}

const startCounter = (counter: ProgressCounter) =>
  Effect.zipRight(
    TestClock.setTime(start),
    Effect.map(monotonic.now, (now) => counter.start(now))
  )

const completed = new Execution.Completed({
  id: Execution.ExecutionId.make("exec_1"),
  status: "COMPLETED",
  createdAt: DateTime.unsafeMake(start),
  output: {},
  extra: {}
})

const makeOutcome = (tag: Batch.Outcome<number>["_tag"]): Batch.Outcome<number> => {
  const fields = { item: 1, index: 0, key: "1", delivered: false }
  switch (tag) {
    case "Succeeded":
      return { ...fields, _tag: tag, completed, output: {} }
    case "Failed":
      return {
        ...fields,
        _tag: tag,
        error: new ModelRouteError.ExecutionCancelled({
          message: "",
          operation: "executions.await",
          attempts: 1,
          executionId: completed.id
        }),
        final: true
      }
    case "NotAttempted":
      return { ...fields, _tag: tag, reason: "Stopped" }
  }
}

const addSucceeded = (counter: ProgressCounter, count: number, isFromJournal = false) => {
  for (let n = 0; n < count; n++) counter.addOutcome(makeOutcome("Succeeded"), money.zero, isFromJournal)
}

const millis = (moment: DateTime.Utc | undefined) => moment && moment.epochMillis - start

const utc = (after: number) => DateTime.unsafeMake(start + after)

describe("Progress.pausedUntil", () => {
  const gates: ReadonlyArray<readonly [name: string, Partial<RateLimitGate.Snapshot>, number | undefined]> = [
    ["the end of the block", { waiting: 1, blockedUntil: utc(5000), resetAt: utc(3000) }, 5000],
    ["the reset of the rate limit", { waiting: 1, blockedUntil: utc(3000), resetAt: utc(5000) }, 5000],
    ["the reset without a block", { waiting: 1, resetAt: utc(5000) }, 5000],
    ["the block without a reset", { waiting: 1, blockedUntil: utc(5000) }, 5000],
    ["absent if no request waits", { waiting: 0, blockedUntil: utc(5000) }, undefined],
    ["absent if the gate is open", { waiting: 1 }, undefined],
    ["absent at the reset", { waiting: 1, resetAt: utc(0) }, undefined]
  ]
  for (const [name, gate, expected] of gates) {
    it.effect(`is ${name}`, () =>
      Effect.gen(function* () {
        const { counter } = makeCounter(undefined, gate)
        yield* startCounter(counter)
        assert.strictEqual(millis((yield* counter.progress.get).pausedUntil), expected)
      })
    )
  }

  it.effect("is the time of the next queued retry", () =>
    Effect.gen(function* () {
      const clock = new SettableClock(yield* Effect.clock)
      const { budget, counter } = makeCounter(undefined)
      yield* startCounter(counter)
      yield* Effect.gen(function* () {
        yield* budget.waitForToken
        yield* Effect.fork(budget.waitForToken)
        yield* Effect.yieldNow()
        // The time is on the wall clock, which can be set during the run.
        clock.offset = 3_600_000
        assert.strictEqual(millis((yield* counter.progress.get).pausedUntil), 3_606_000)
      }).pipe(Effect.withClock(clock))
    }).pipe(silent)
  )

  for (const resetAfter of [4000, 8000]) {
    it.effect(`is the later time if a retry waits for 6 s and the rate limit resets after ${resetAfter} ms`, () =>
      Effect.gen(function* () {
        const { budget, counter } = makeCounter(undefined, { waiting: 1, resetAt: utc(resetAfter) })
        yield* startCounter(counter)
        yield* budget.waitForToken
        yield* Effect.fork(budget.waitForToken)
        yield* Effect.yieldNow()
        assert.strictEqual(millis((yield* counter.progress.get).pausedUntil), Math.max(6000, resetAfter))
      }).pipe(silent)
    )
  }
})

describe("Progress.estimatedEnd", () => {
  const estimate = (
    total: number | undefined,
    run: (counter: ProgressCounter, stop: StopSignal) => Effect.Effect<unknown>,
    gate: Partial<RateLimitGate.Snapshot> = {}
  ) =>
    Effect.gen(function* () {
      const { counter, stop } = makeCounter(total, gate)
      yield* startCounter(counter)
      yield* run(counter, stop)
      const { estimatedEnd, itemsPerMinute } = yield* counter.progress.get
      return [itemsPerMinute, millis(estimatedEnd)]
    }).pipe(silent)

  const addAfterMinute =
    (succeededItems: number, failedItems = 0) =>
    (counter: ProgressCounter) =>
      Effect.map(TestClock.adjust("1 minute"), () => {
        addSucceeded(counter, succeededItems)
        for (let n = 0; n < failedItems; n++) counter.addOutcome(makeOutcome("Failed"), money.zero, false)
      })

  it.effect("continues the average rate of the succeeded and the failed items", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* estimate(10, addAfterMinute(1, 1)), [2, 5 * 60_000])
      // Seven items remain, at 3 items per minute.
      assert.deepStrictEqual(yield* estimate(10, addAfterMinute(3)), [3, 60_000 + 140_000])
      // The end is rounded up to a millisecond.
      assert.deepStrictEqual(yield* estimate(20, addAfterMinute(7)), [7, 60_000 + 111_429])
    })
  )

  it.effect("subtracts the items that were not attempted", () =>
    Effect.gen(function* () {
      const ends = yield* estimate(10, (counter) =>
        Effect.map(TestClock.adjust("1 minute"), () => {
          addSucceeded(counter, 2)
          counter.addOutcome(makeOutcome("NotAttempted"), money.zero, false)
        })
      )
      assert.deepStrictEqual(ends, [2, 60_000 + 7 * 30_000])
    })
  )

  it.effect("is not before the end of the pause", () =>
    Effect.gen(function* () {
      for (const pause of [90_000, 900_000]) {
        const ends = yield* estimate(4, addAfterMinute(2), { waiting: 1, resetAt: utc(pause) })
        assert.deepStrictEqual(ends, [2, Math.max(120_000, pause)])
      }
    })
  )

  it.effect("is absent before the first item has ended in this run", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* estimate(4, addAfterMinute(0)), [0, undefined])
      const fromJournal = estimate(4, (counter) =>
        Effect.map(TestClock.adjust("1 minute"), () => addSucceeded(counter, 2, true))
      )
      assert.deepStrictEqual(yield* fromJournal, [0, undefined])
      const immediately = estimate(4, (counter) => Effect.sync(() => addSucceeded(counter, 2)))
      assert.deepStrictEqual(yield* immediately, [0, undefined])
    })
  )

  it.effect("is absent if the total is unknown or all items have ended", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* estimate(undefined, addAfterMinute(2)), [2, undefined])
      assert.deepStrictEqual(yield* estimate(2, addAfterMinute(2)), [2, undefined])
      // The option `total` can be too small.
      assert.deepStrictEqual(yield* estimate(1, addAfterMinute(2)), [2, undefined])
    })
  )

  it.effect("is absent after the batch has stopped", () =>
    Effect.gen(function* () {
      const ends = yield* estimate(4, (counter, stop) =>
        Effect.zipRight(addAfterMinute(2)(counter), stop.trigger({ reason: "Stopped" }))
      )
      assert.deepStrictEqual(ends, [2, undefined])
    })
  )

  it.effect("is the latest possible time if the batch would take longer", () =>
    Effect.map(estimate(Number.MAX_SAFE_INTEGER, addAfterMinute(2)), (ends) =>
      assert.deepStrictEqual(ends, [2, 8.64e15 - start])
    )
  )
})

describe("Progress", () => {
  it.effect("contains zero items per minute before the run starts", () =>
    Effect.gen(function* () {
      const { counter } = makeCounter(4)
      yield* TestClock.setTime(start)
      addSucceeded(counter, 1)
      const { estimatedEnd, itemsPerMinute } = yield* counter.progress.get
      assert.deepStrictEqual([itemsPerMinute, estimatedEnd], [0, undefined])
    })
  )

  it.effect("counts each item in one state", () =>
    Effect.gen(function* () {
      const { counter } = makeCounter(undefined)
      const amount = (text: string) => money.parse(text) ?? money.zero
      counter.addRead(9)
      counter.addExecution(amount("0.048"))
      counter.addExecution(amount("0.10"))
      counter.addExecution(amount("0.002"))
      counter.removeExecution(amount("0.10"))
      counter.addOutcome(makeOutcome("Succeeded"), amount("0.04"), true)
      counter.addOutcome(makeOutcome("Succeeded"), amount("0.05"), false)
      counter.addOutcome(makeOutcome("Failed"), money.zero, false)
      counter.addOutcome(makeOutcome("NotAttempted"), money.zero, false)
      const states = yield* counter.countDelivery(Effect.map(counter.progress.get, (during) => [during]))
      states.push(yield* counter.progress.get)
      counter.endInput()
      states.push(yield* counter.progress.get)
      assert.deepStrictEqual(
        states.map(({ delivering, total, waiting }) => [delivering, waiting, total]),
        [
          [1, 2, undefined],
          [0, 3, undefined],
          [0, 3, 9]
        ]
      )
      const { cost, failed, fromJournal, held, inFlight, notAttempted, succeeded } = yield* counter.progress.get
      assert.deepStrictEqual(
        { cost, failed, fromJournal, held, inFlight, notAttempted, succeeded },
        { cost: "0.09", failed: 1, fromJournal: 1, held: "0.05", inFlight: 2, notAttempted: 1, succeeded: 2 }
      )
    })
  )

  const changes: ReadonlyArray<readonly [name: string, (counter: ProgressCounter) => void, number]> = [
    ["the start of the run", (counter) => counter.start(0), 1],
    ["read items", (counter) => counter.addRead(3), 1],
    ["the end of the input", (counter) => counter.endInput(), 1],
    ["a new execution", (counter) => counter.addExecution(money.zero), 1],
    ["an ended execution", (counter) => counter.removeExecution(money.zero), 1],
    ["an outcome", (counter) => addSucceeded(counter, 1), 1],
    [
      "the start and the end of a delivery",
      (counter) => void Effect.runFork(counter.countDelivery(Effect.yieldNow())),
      2
    ]
  ]
  for (const [name, change, count] of changes) {
    it.effect(`is emitted after ${name}`, () =>
      Effect.gen(function* () {
        const { counter } = makeCounter(undefined)
        let states = 0
        const subscriber = yield* Effect.fork(
          Stream.runForEach(counter.progress.changes, () => Effect.sync(() => states++))
        )
        const settle = Effect.promise(() => new Promise<void>((resolve) => void setImmediate(resolve)))
        yield* settle
        assert.strictEqual(states, 1)
        change(counter)
        yield* settle
        assert.strictEqual(states, 1 + count)
        yield* Fiber.interrupt(subscriber)
      })
    )
  }
})
