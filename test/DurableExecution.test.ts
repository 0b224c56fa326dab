import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Layer, Schema, TestClock } from "effect"
import { File, Model } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import { ledger, memoryEngine, runToEnd, secondsOf, simulate, wrapEngine } from "./utils/durable.js"
import { failureOf, valueOf } from "./utils/exit.js"
import * as harness from "./utils/harness.js"
import { image } from "./utils/harness.js"
import { sentSizes, Upscaler } from "./utils/typedModels.js"

const Flux = Model.make({
  id: image.model,
  input: Schema.Struct({ prompt: Schema.NonEmptyString }),
  output: Model.imageOutput
})

const input = { prompt: "a red fox" }

describe("DurableExecution with a typed model", () => {
  it.effect("returns the decoded output", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", { model: Flux, input })
      yield* DurableExecution.start("order-8", Model.request(Flux, input))
      yield* TestClock.adjust("30 seconds")
      const { output, raw } = yield* DurableExecution.await("order-7", { model: Flux })
      assert.deepStrictEqual(
        output.images.map(({ fileId }) => fileId),
        [...raw.fileIds]
      )
      const other = yield* DurableExecution.await("order-8", { model: Flux })
      assert.notStrictEqual(other.id, raw.id)
      assert.strictEqual((yield* ledger).keys, 2)
    }).pipe(simulate)
  )

  it.effect("fails with InvalidRequest and starts no workflow if the input does not match the schema", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(DurableExecution.start("order-7", { model: Flux, input: { prompt: "" } }))
      assert.deepStrictEqual([failure._tag, failure.field], ["InvalidRequest", "input.prompt"])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* secondsOf("create"), [])
    }).pipe(simulate)
  )

  it.effect("fails with an OutputDecodeError that contains the result if the output does not match the schema", () =>
    Effect.gen(function* () {
      const Other = Model.make({ id: image.model, input: Flux.input, output: Schema.Struct({ text: Schema.String }) })
      yield* DurableExecution.start("order-7", { model: Other, input })
      yield* TestClock.adjust("30 seconds")
      const failure = yield* Effect.flip(DurableExecution.await("order-7", { model: Other }))
      assert.strictEqual(failure._tag, "OutputDecodeError")
      const completed = yield* DurableExecution.await("order-7")
      assert.deepStrictEqual("completed" in failure && failure.completed, completed)
    }).pipe(simulate)
  )

  it.effect("uploads the files of the input before the workflow starts", () =>
    Effect.gen(function* () {
      const source_image = File.fromBytes(new Uint8Array(10).fill(0x89), { name: "fox.png" })
      const start = DurableExecution.start("order-7", { model: Upscaler, input: { source_image } })
      yield* harness.runToEnd(start)
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual(yield* sentSizes, [[10]])
    }).pipe((test) => simulate(test, { simulator: { models: { upscaler } } }))
  )
})

const upscaler = { duration: "1 second", cost: "0.010", output: "image" } as const

describe("DurableExecution.await", () => {
  it.effect("waits for an execution that starts after the call", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(DurableExecution.await("order-7"))
      yield* TestClock.adjust("10 seconds")
      yield* DurableExecution.start("order-7", image)
      yield* TestClock.adjust("29 seconds")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).status, "COMPLETED")
    }).pipe(simulate)
  )

  it.effect("does not end the execution when the wait is interrupted", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      const fiber = yield* Effect.fork(DurableExecution.await("order-7"))
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      valueOf(yield* runToEnd("order-7"))
      assert.deepStrictEqual((yield* ledger).statuses, ["COMPLETED"])
    }).pipe(simulate)
  )
})

describe("DurableExecution on an engine with defects", () => {
  /** Provides an engine whose operations fail twice with a defect. */
  const unstable = wrapEngine((engine) => {
    const failures = new Map<string, number>()
    const failTwice = <A, E, R>(operation: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => {
        const count = (failures.get(operation) ?? 0) + 1
        failures.set(operation, count)
        return count <= 2 ? Effect.dieMessage("connection lost") : effect
      })
    return {
      execute: (workflow, options) => failTwice("execute", engine.execute(workflow, options)),
      poll: (workflow, id) => failTwice("poll", engine.poll(workflow, id)),
      interrupt: (workflow, id) => failTwice("interrupt", engine.interrupt(workflow, id))
    }
  })

  it.effect("retries start, await and cancel after a defect", () =>
    Effect.gen(function* () {
      valueOf(yield* harness.runToEnd(DurableExecution.start("order-7", image)))
      valueOf(yield* harness.runToEnd(DurableExecution.cancel("order-7")))
      assert.strictEqual(failureOf(yield* runToEnd("order-7"))._tag, "DurableExecutionCancelled")
    }).pipe((test) => simulate(test, { engine: unstable }))
  )

  /** Provides an engine whose polls fail with a defect until a time, in milliseconds after `harness.start`. */
  const unreadableUntil = (millis: number) =>
    wrapEngine((engine) => ({
      poll: (workflow, id) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          now < harness.start + millis ? Effect.dieMessage("connection lost") : engine.poll(workflow, id)
        )
    }))

  it.effect("continues await after 110 seconds of defects", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      assert.strictEqual(valueOf(yield* runToEnd("order-7")).status, "COMPLETED")
    }).pipe((test) => simulate(test, { engine: unreadableUntil(110_000) }))
  )

  it.effect("dies in await after 2 minutes of defects", () =>
    Effect.gen(function* () {
      yield* DurableExecution.start("order-7", image)
      const exit = yield* runToEnd("order-7")
      assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
      const millis = (yield* Clock.currentTimeMillis) - harness.start
      assert.isTrue(millis >= 120_000 && millis <= 130_000, String(millis))
    }).pipe((test) => simulate(test, { engine: unreadableUntil(1_000_000) }))
  )

  it.effect("dies in start after six defects", () =>
    Effect.gen(function* () {
      const exit = yield* harness.runToEnd(DurableExecution.start("order-7", image))
      assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
    }).pipe((test) =>
      simulate(test, { engine: wrapEngine(() => ({ execute: () => Effect.dieMessage("connection lost") })) })
    )
  )
})

describe("DurableExecution.layer", () => {
  it.effect("fails with InvalidRequest if an option is invalid", () =>
    Effect.gen(function* () {
      const fieldOf = (options: DurableExecution.Options) =>
        Layer.build(DurableExecution.layer(options)).pipe(
          Effect.scoped,
          Effect.flip,
          Effect.map(({ field }) => field)
        )
      assert.strictEqual(yield* fieldOf({ keyTtl: 0 }), "keyTtl")
      assert.strictEqual(yield* fieldOf({ baseDelay: -1 }), "baseDelay")
      assert.strictEqual(yield* fieldOf({ maxDelay: NaN }), "maxDelay")
    }).pipe(Effect.provide([harness.layer(), memoryEngine]))
  )
})
