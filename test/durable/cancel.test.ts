import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Scope, TestClock } from "effect"
import { RetryPolicy } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { injectInto, ledger, memoryEngine, runToEnd, secondsOf, simulate, stateOf } from "../utils/durable.js"
import { failureOf } from "../utils/exit.js"
import * as harness from "../utils/harness.js"
import { image } from "../utils/harness.js"

/** Cancels an execution and returns the tag of its failure, the statuses and the cancel requests. */
const cancelNow = Effect.gen(function* () {
  yield* DurableExecution.cancel("order-7")
  const { _tag: tag } = failureOf(yield* runToEnd("order-7"))
  return { tag, statuses: (yield* ledger).statuses, cancels: yield* secondsOf("cancel") }
})

const tag = "DurableExecutionCancelled"

describe("DurableExecution.cancel", { concurrent: true }, () => {
  it.effect("cancels the execution of a suspended workflow", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* cancelNow, { tag, statuses: ["CANCELLED"], cancels: [5] })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* secondsOf("result"), [])
    }).pipe(simulate)
  )

  it.effect("cancels the execution after the create request in flight has ended", () =>
    Effect.gen(function* () {
      yield* injectInto("executions.create", Fault.delay("6 seconds"))
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* cancelNow, { tag, statuses: ["CANCELLED"], cancels: [6] })
    }).pipe(simulate)
  )

  it.effect("sends no request if the create request is not sent yet", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      assert.deepStrictEqual(yield* cancelNow, { tag, statuses: [], cancels: [] })
      assert.deepStrictEqual(yield* secondsOf("create"), [])
    }).pipe(simulate)
  )

  it.effect("sends no cancel request if the API rejected the create request", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* cancelNow, { tag, statuses: [], cancels: [] })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* secondsOf("create"), [0])
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("cancels the execution of a workflow that was resumed after a rejected create request", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      yield* Effect.flatMap(Simulator, ({ topUp }) => topUp("1.00"))
      yield* DurableExecution.resume("order-7")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* cancelNow, { tag, statuses: ["CANCELLED"], cancels: [10] })
    }).pipe((test) => simulate(test, { simulator: { balance: "0.00" } }))
  )

  it.effect("repeats the ambiguous create request of a workflow that was resumed to cancel its execution", () =>
    Effect.gen(function* () {
      yield* injectInto("executions.create", Fault.apiError("UNAUTHORIZED", { status: 401 }), Fault.dropAfter)
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      yield* DurableExecution.resume("order-7")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* cancelNow, { tag, statuses: ["CANCELLED"], cancels: [10] })
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 5, 10])
    }).pipe(simulate)
  )

  it.effect("repeats an ambiguous create request to cancel its execution", () =>
    Effect.gen(function* () {
      yield* injectInto("executions.create", Fault.dropAfter)
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* cancelNow, { tag, statuses: ["CANCELLED"], cancels: [5] })
      assert.deepStrictEqual(yield* secondsOf("create"), [0, 5])
    }).pipe(simulate)
  )

  it.effect("does not repeat an ambiguous create request after keyTtl has elapsed", () =>
    Effect.gen(function* () {
      yield* injectInto("executions.create", Fault.dropAfter)
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* cancelNow, { tag, statuses: ["PROCESSING"], cancels: [] })
      assert.deepStrictEqual(yield* secondsOf("create"), [0])
    }).pipe((test) => simulate(test, { durable: { keyTtl: "4 seconds" } }))
  )

  it.effect("logs a warning if the cancel request has no response", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel._tag === "Warning") warnings.push(String(message))
    })
    const test = Effect.gen(function* () {
      yield* TestClock.setTime(harness.start)
      yield* injectInto("executions.cancel", Fault.hang())
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("5 seconds")
      const { cancels, tag: failure } = yield* cancelNow
      assert.deepStrictEqual([failure, cancels], [tag, [5]])
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0] ?? "", /^Execution exec_\S+ could not be cancelled: .*may be charged$/)
    })
    return Effect.provide(test, [workerLayer, Logger.replace(Logger.defaultLogger, logger)])
  })

  it.effect("has no effect on a workflow that has ended or does not exist", () =>
    Effect.gen(function* () {
      yield* DurableExecution.cancel("order-8")
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("30 seconds")
      yield* DurableExecution.cancel("order-7")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* stateOf("order-7"), yield* stateOf("order-8")], ["Complete", undefined])
      assert.deepStrictEqual((yield* ledger).statuses, ["COMPLETED"])
      assert.deepStrictEqual(yield* secondsOf("cancel"), [])
    }).pipe(simulate)
  )
})

const services = Layer.merge(harness.layer({ client: { retry: RetryPolicy.none } }), memoryEngine)

const workerLayer = Layer.provideMerge(DurableExecution.layer(), services)

describe("worker of durable executions during its shutdown", { concurrent: true }, () => {
  const stopAt = (operation: "executions.create" | "executions.get", seconds: number) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(harness.start)
      const worker = yield* Scope.make()
      yield* Layer.buildWithScope(DurableExecution.layer(), worker)
      yield* injectInto(operation, Fault.delay("10 seconds"))
      yield* DurableExecution.start("order-7", { ...image, model: "seedance-video" })
      yield* TestClock.adjust(`${seconds} seconds`)
      assert.isUndefined(yield* stateOf("order-7"))
      yield* Scope.close(worker, Exit.void)
      yield* TestClock.adjust("10 minutes")
      const { requests } = yield* Simulator
      return {
        last: (yield* requests).at(-1)?.operation,
        cancels: yield* secondsOf("cancel"),
        statuses: (yield* ledger).statuses
      }
    }).pipe(harness.silent, Effect.provide(services))

  it.effect("does not cancel an execution that it polls", () =>
    Effect.gen(function* () {
      const { cancels, last, statuses } = yield* stopAt("executions.get", 35)
      assert.deepStrictEqual(
        { cancels, last, statuses },
        { cancels: [], last: "executions.get", statuses: ["COMPLETED"] }
      )
    })
  )

  it.effect("does not cancel an execution that it submits", () =>
    Effect.gen(function* () {
      const { cancels, statuses } = yield* stopAt("executions.create", 5)
      assert.deepStrictEqual({ cancels, statuses }, { cancels: [], statuses: ["COMPLETED"] })
    })
  )
})
