/** Tests the cost limit of a batch with unknown holds, unreadable amounts and expected holds. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, Effect, Either, Fiber, Logger, LogLevel, Option } from "effect"
import { Batch, Execution } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { CostBudget, type EarlierSubmission } from "../../src/internal/batch/costBudget.js"
import * as money from "../../src/internal/data/money.js"
import { valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { collect, readLedger, range, batchOptions, runBatchTest, countTags } from "../utils/batches.js"

const { Fault } = Simulator

/** Replaces each match of a pattern in the response bodies. */
const replaceInResponses = (pattern: RegExp, replacement: string) => (client: HttpClient.HttpClient) =>
  HttpClient.transform(client, (effect, request) =>
    Effect.flatMap(effect, (response) =>
      Effect.map(response.text, (text) => {
        const replaced = text.replaceAll(pattern, replacement)
        const { "content-length": _, ...headers } = response.headers
        return HttpClientResponse.fromWeb(request, new Response(replaced, { status: response.status, headers }))
      })
    )
  )

const makeWarningLogger = () => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel._tag === "Warning") warnings.push(String(message))
  })
  return { logger, warnings }
}

const withoutHold = replaceInResponses(/"hold_amount":"[^"]*",?/g, "")

describe("Batch.run with maxCost and unreadable amounts", () => {
  const holds = /"hold_amount":"[^"]*"/g
  const amounts = /"(hold_amount|cost)":"[^"]*"/g
  const runTwice = (transformClient: (client: HttpClient.HttpClient) => HttpClient.HttpClient, maxCost = "0.20") =>
    Effect.gen(function* () {
      const { logger, warnings } = makeWarningLogger()
      const result = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run(range(20), { ...batchOptions, concurrency: 20, maxCost }))
          const again = yield* collect(Batch.run(range(20), { ...batchOptions, concurrency: 20, maxCost }))
          const { executions } = yield* readLedger
          return {
            executions: executions.length,
            outcomes: countTags(outcomes),
            again: countTags(again),
            reasons: reasonsOf(again)
          }
        }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All)),
        { client: { transformClient } }
      )
      return { ...result, warnings }
    })
  const reasonsOf = (outcomes: ReadonlyArray<Batch.Outcome<unknown, unknown>>) =>
    Array.from(new Set(outcomes.flatMap((outcome) => (outcome._tag === "NotAttempted" ? [outcome.reason] : []))))

  for (const hold of ["$0.048", "0,048", "0.048 USD", "", "-1", "NaN"]) {
    it.effect(`runs one item at a time if the hold is "${hold}", until the API reports a cost`, () =>
      Effect.gen(function* () {
        const { executions, outcomes, warnings } = yield* runTwice(replaceInResponses(holds, `"hold_amount":"${hold}"`))
        // The reported cost of 0.040 replaces the unreadable hold. The limit of 0.20 then allows five items.
        assert.deepStrictEqual(outcomes, { Succeeded: 5, NotAttempted: 15 })
        assert.strictEqual(executions, 5)
        assert.lengthOf(
          warnings.filter((line) => line.includes(`reported the invalid hold ${JSON.stringify(hold)} for`)),
          1
        )
      })
    )
  }

  for (const [name, transform] of [
    ["neither hold nor cost", replaceInResponses(amounts, '"unit":"credits"')],
    ["hold and cost with a currency", replaceInResponses(amounts, '"$1":"0.048 USD"')]
  ] as const) {
    it.effect(`submits only one item if the API reports ${name}`, () =>
      Effect.gen(function* () {
        const { again, executions, outcomes, reasons } = yield* runTwice(transform)
        assert.deepStrictEqual(outcomes, { Succeeded: 1, NotAttempted: 19 })
        assert.deepStrictEqual(again, { Succeeded: 1, NotAttempted: 19 })
        assert.deepStrictEqual(reasons, ["UnknownHold"])
        assert.strictEqual(executions, 1)
      })
    )
  }

  it.effect("uses the option `hold` if the API reports no amounts", () =>
    Effect.gen(function* () {
      const outcomes = yield* runBatchTest(
        collect(Batch.run(range(20), { ...batchOptions, concurrency: 20, maxCost: "0.20", hold: () => "0.05" })),
        { client: { transformClient: replaceInResponses(amounts, '"unit":"credits"') } }
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 4, NotAttempted: 16 })
    })
  )

  it.effect("adds costs without a rounding error", () =>
    Effect.gen(function* () {
      const batch = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(3), batchOptions)
          const outcomes = yield* collect(batch.outcomes)
          const costs = outcomes.map((outcome) => (outcome._tag === "Succeeded" ? outcome.completed.cost : undefined))
          return { costs, cost: (yield* batch.progress.get).cost }
        }),
        { client: { transformClient: replaceInResponses(/"cost":"[^"]*"/g, '"cost":0.30000000000000004') } }
      )
      assert.deepStrictEqual(
        batch.costs,
        Array.from({ length: 3 }, () => "0.30000000000000004")
      )
      assert.strictEqual(batch.cost, "0.90000000000000012")
    })
  )
})

describe("executions.get", () => {
  const read = (cost: unknown) => {
    const { client } = makeFakeClient(() => ({
      status: 200,
      text: `{"id":"exec_1","status":"PENDING","cost":${String(cost)}}`
    }))
    return Effect.map(
      Effect.flatMap(client, ({ executions }) => executions.get(Execution.ExecutionId.make("exec_1"))),
      ({ cost, extra }) => cost ?? extra
    )
  }

  for (const [wire, expected] of [
    ['"0.040"', "0.040"],
    ['" 12 "', "12"],
    ["0.04", "0.04"],
    ["0", "0"],
    ["0.30000000000000004", "0.30000000000000004"],
    ["3e-7", "0.0000003"],
    ['"3e-1"', "0.3"],
    ["1.5e3", "1500"],
    ["1e400", { cost: Number.POSITIVE_INFINITY }],
    ["-0.5", { cost: -0.5 }],
    ['"1e-999999999"', { cost: "1e-999999999" }],
    ['"$0.048"', { cost: "$0.048" }],
    ['"0,048"', { cost: "0,048" }],
    ['""', { cost: "" }],
    ["true", { cost: true }],
    ["null", {}]
  ] as const) {
    it.effect(`${typeof expected === "string" ? "decodes the cost" : "does not decode the invalid cost"} ${wire}`, () =>
      Effect.map(read(wire), (found) => assert.deepStrictEqual(found, expected))
    )
  }
})

describe("Batch.run with maxCost and no reported holds", () => {
  it.effect("uses the cost of the first item as the hold of the other items", () =>
    Effect.gen(function* () {
      const { logger, warnings } = makeWarningLogger()
      const { charged, most, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run(range(20), { ...batchOptions, concurrency: 20, maxCost: "0.21" }))
          const { charged, executions } = yield* readLedger
          return { outcomes, charged, most: executions.length }
        }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All)),
        { client: { transformClient: withoutHold } }
      )
      assert.lengthOf(
        warnings.filter((line) => line.includes("reported no hold for an execution of flux-1.1-pro.")),
        1
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 5, NotAttempted: 15 })
      assert.deepStrictEqual([most, charged], [5, "0.200"])
    })
  )

  it.effect("counts a running execution of an earlier run toward maxCost", () =>
    Effect.gen(function* () {
      const { charged, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Effect.timeoutOption(collect(Batch.run([1], batchOptions)), "1 second")
          const outcomes = yield* collect(
            Batch.run([5, 6, 7, 1], { ...batchOptions, concurrency: 4, order: "input", maxCost: "0.05" })
          )
          return { outcomes, charged: (yield* readLedger).charged }
        }),
        { client: { transformClient: withoutHold } }
      )
      // No other item of the model is submitted while the earlier execution is running.
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1, NotAttempted: 3 })
      assert.strictEqual(charged, "0.040")
    })
  )
})

describe("Batch.run with maxCost and reported holds", () => {
  it.effect("logs no warning", () =>
    Effect.gen(function* () {
      const { logger, warnings } = makeWarningLogger()
      yield* runBatchTest(
        Effect.provide(
          collect(Batch.run(range(3), { ...batchOptions, maxCost: "1.00" })),
          Logger.replace(Logger.defaultLogger, logger)
        ).pipe(Logger.withMinimumLogLevel(LogLevel.All))
      )
      assert.deepStrictEqual(warnings, [])
    })
  )
})

describe("Batch.run with maxCost and the option `hold`", () => {
  for (const hold of ["5.00", "0.001"]) {
    it.effect(`does not apply a hold option of ${hold} to the items of a later run`, () =>
      Effect.gen(function* () {
        const { charged, outcomes } = yield* runBatchTest(
          Effect.gen(function* () {
            yield* collect(Batch.run([0], { ...batchOptions, maxCost: "10.00", hold: () => hold }))
            const items = range(9).slice(1)
            const outcomes = yield* collect(Batch.run(items, { ...batchOptions, concurrency: 8, maxCost: "0.25" }))
            return { outcomes, charged: (yield* readLedger).charged }
          }),
          { simulator: { faults: [Fault.on("executions.create", Fault.apiError("CONTENT_MODERATION_REJECTED"))] } }
        )
        // Five items cost 0.200. The remaining 0.050 covers the hold of 0.048 for the sixth item.
        assert.deepStrictEqual(countTags(outcomes), { Succeeded: 6, NotAttempted: 2 })
        assert.strictEqual(charged, "0.240")
      })
    )
  }
})

describe("CostBudget", () => {
  const dollars = BigDecimal.unsafeFromString

  const makeBudget = (limit: string) => {
    const budget = new CostBudget(dollars(limit))
    const poll = (model: string, hold: string | undefined, replaced?: EarlierSubmission) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(
          budget.reserve(model, hold === undefined ? undefined : dollars(hold), replaced)
        )
        yield* Effect.yieldNow()
        return { fiber, result: Option.map(yield* Fiber.poll(fiber), (exit) => valueOf(exit)) }
      })
    const describeResult = ({ result }: Effect.Effect.Success<ReturnType<typeof poll>>) =>
      Option.match(result, {
        onNone: () => "waits",
        onSome: Either.match({
          onLeft: (shortage) => shortage,
          onRight: ({ amount, isHoldUnknown }) => (isHoldUnknown ? "unknown hold" : money.format(amount))
        })
      })
    return {
      budget,
      poll,
      /** Returns the reserved amount, the shortage, or `waits`. */
      tryReserve: (model: string, hold?: string, replaced?: EarlierSubmission) =>
        Effect.map(poll(model, hold, replaced), describeResult),
      /** Returns a reservation that the limit allows. */
      reserve: (model: string, hold?: string) =>
        Effect.map(
          budget.reserve(model, hold === undefined ? undefined : dollars(hold), undefined),
          Either.getOrThrowWith((shortage) => new Error(shortage))
        )
    }
  }

  const unknownEarlier = (model: string): EarlierSubmission => ({
    model,
    amount: money.zero,
    hold: undefined,
    isHoldUnknown: true
  })
  const knownEarlier = (hold: string): EarlierSubmission => ({
    model: "a",
    amount: dollars(hold),
    hold: dollars(hold),
    isHoldUnknown: false
  })

  it.effect("replaces the hold of an earlier submission with its cost", () =>
    Effect.gen(function* () {
      const { budget, tryReserve } = makeBudget("1")
      const earlier = knownEarlier("0.5")
      budget.addEarlier(earlier)
      budget.assumeUnknownHolds()
      const reservation = budget.reserveAgain(earlier)
      assert.isFalse(reservation.isHoldUnknown)
      budget.endReservation(reservation, dollars("0.4"))
      assert.strictEqual(yield* tryReserve("a", "0.6"), "0.6")
    })
  )

  it.effect("removes an interrupted reservation from the queue", () =>
    Effect.gen(function* () {
      const { budget, poll, reserve, tryReserve } = makeBudget("1")
      const first = yield* reserve("a", "1")
      const { fiber } = yield* poll("a", "1")
      yield* Fiber.interrupt(fiber)
      budget.endReservation(first, money.zero)
      assert.strictEqual(yield* tryReserve("a", "1"), "1")
    })
  )

  it.effect("is not exhausted while a running execution can cost less than its hold", () =>
    Effect.gen(function* () {
      const { budget, reserve } = makeBudget("1")
      const first = yield* reserve("a", "1")
      assert.isFalse(budget.isExhausted)
      budget.endReservation(first, dollars("0.4"))
      assert.isFalse(budget.isExhausted)
      budget.endReservation(yield* reserve("a", "0.6"), dollars("0.6"))
      assert.isTrue(budget.isExhausted)
    })
  )

  it.effect("does not use the cost of an execution as a hold if the API reported its hold", () =>
    Effect.gen(function* () {
      const { budget, reserve, tryReserve } = makeBudget("10")
      budget.endReservation(budget.accept(yield* reserve("a"), dollars("0.5")), dollars("0.6"))
      assert.strictEqual(yield* tryReserve("a"), "0.5")
    })
  )

  it.effect("does not use a cost of zero as the hold of a model", () =>
    Effect.gen(function* () {
      const { budget, reserve, tryReserve } = makeBudget("10")
      budget.endReservation(yield* reserve("a"), money.zero)
      assert.strictEqual(yield* tryReserve("a"), "unknown hold")
      assert.strictEqual(yield* tryReserve("a"), "waits")
    })
  )

  it.effect("reserves the highest hold that the API has reported for the model", () =>
    Effect.gen(function* () {
      const { budget, reserve, tryReserve } = makeBudget("10")
      for (const hold of ["0.5", "0.7", "0.2"]) {
        budget.endReservation(budget.accept(yield* reserve("a"), dollars(hold)), dollars(hold))
      }
      assert.strictEqual(yield* tryReserve("a"), "0.7")
    })
  )

  it.effect("counts an earlier submission with an unknown hold after the API reports the hold of its model", () =>
    Effect.gen(function* () {
      const { budget, reserve, tryReserve } = makeBudget("1.2")
      budget.addEarlier(unknownEarlier("a"))
      budget.assumeUnknownHolds()
      const accepted = budget.accept(yield* reserve("a", "0.5"), dollars("0.5"))
      budget.endReservation(accepted, dollars("0.5"))
      assert.strictEqual(yield* tryReserve("a", "0.5"), "MaxCost")
      assert.strictEqual(yield* tryReserve("a", "0.2"), "0.2")
    })
  )

  it.effect("submits one execution of a model with an unknown hold, unless it replaces a submission of the model", () =>
    Effect.gen(function* () {
      for (const [replaced, expected] of [
        ["a", "unknown hold"],
        ["b", "UnknownHold"]
      ] as const) {
        const { budget, tryReserve } = makeBudget("1")
        budget.addEarlier(unknownEarlier("a"))
        budget.addEarlier(unknownEarlier("b"))
        budget.assumeUnknownHolds()
        assert.strictEqual(yield* tryReserve("a", undefined, unknownEarlier(replaced)), expected)
      }
    })
  )
})

describe("CostBudget.reserve", () => {
  it.live("resumes a waiting fiber after another reservation has ended", () =>
    Effect.gen(function* () {
      const limit = BigDecimal.unsafeFromString("1")
      const steps = (count: number): Effect.Effect<void> =>
        count === 0 ? Effect.void : Effect.flatMap(Effect.void, () => steps(count - 1))
      const stuck: Array<number> = []
      // A fiber yields after at most 2048 operations. The range of counts includes this yield.
      for (let count = 900; count < 1100; count++) {
        const budget = new CostBudget(limit)
        const first = yield* budget.reserve("m", limit, undefined)
        if (Either.isLeft(first)) return assert.fail()
        const waiting = yield* Effect.fork(Effect.zipRight(steps(count), budget.reserve("m", limit, undefined)))
        yield* Effect.yieldNow()
        budget.endReservation(budget.accept(first.right, limit), money.zero)
        yield* Effect.repeatN(Effect.yieldNow(), 10)
        if (Option.isNone(yield* Fiber.poll(waiting))) stuck.push(count)
        yield* Fiber.interrupt(waiting)
      }
      assert.deepStrictEqual(stuck, [])
    })
  )
})
