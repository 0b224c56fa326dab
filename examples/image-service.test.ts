/**
 * Tests a service that uses the client. `TestClock` drives the client and a simulator in memory. A wait of five minutes
 * takes no real time.
 *
 *     npx vitest run --config test/vitest.config.ts examples/image-service.test.ts
 */
import { assert, describe, it } from "@effect/vitest"
import { Array, Effect, Exit, Fiber, Layer, Redacted, TestClock } from "effect"
import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { Images, layer as imagesLayer, OutOfCredit, TryLater } from "./image-service.js"

const { Fault } = Simulator

/** Provides the service and a simulator that the tests can inspect. */
const backend = (options: Simulator.Options = {}) =>
  imagesLayer.pipe(
    Layer.provide(ModelRouteClient.layer({ apiKey: Redacted.make("sk_test") })),
    Layer.provideMerge(Simulator.layer(options)),
    Layer.provide(IdempotencyKey.layerSequence("key"))
  )

const render = (prompt: string) => Effect.flatMap(Images, (images) => images.render(prompt))

/** Returns the requested operations and their times, in milliseconds after the start of the test. */
const requestTimes = Effect.flatMap(Simulator.Simulator, ({ requests }) =>
  Effect.map(
    requests,
    Array.map(({ at, operation }) => [operation, at] as const)
  )
)

const slow = { duration: "5 minutes", cost: "0.040", output: "image" } as const

describe("Images.render", () => {
  it.effect("returns an image after an execution of five minutes", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const fiber = yield* Effect.fork(render("a red fox in snow"))

      // The delays between polls are 2, 3, 4.5, 6.75 and 10.125 seconds, then 15 seconds.
      yield* TestClock.adjust("311374 millis")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 millis")
      const png = yield* Fiber.join(fiber)

      assert.deepStrictEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
      const header = new DataView(png.buffer, png.byteOffset + 16)
      assert.deepStrictEqual([header.getUint32(0), header.getUint32(4)], [1024, 768])

      const requests = yield* requestTimes
      assert.lengthOf(requests, 1 + 24 + 2)
      assert.deepStrictEqual(requests.slice(0, 4), [
        ["executions.create", 0],
        ["executions.get", 2000],
        ["executions.get", 5000],
        ["executions.get", 9500]
      ])
      assert.deepStrictEqual(requests.slice(-3), [
        ["executions.get", 311_375],
        ["files.download", 311_375],
        ["storage.get", 311_375]
      ])
      assert.strictEqual((yield* simulator.balance).charged, "0.040")
    }).pipe(Effect.provide(backend({ models: { "flux-1.1-pro": slow }, expiresAfter: "10 minutes" })))
  )

  it.effect("creates one execution if the response to the create request is lost", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const fiber = yield* Effect.fork(render("a red fox in snow"))

      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* requestTimes, [["executions.create", 0]])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* requestTimes, [
        ["executions.create", 0],
        ["executions.create", 1000]
      ])
      yield* TestClock.adjust("1 minute")
      assert.isAbove((yield* Fiber.join(fiber)).length, 0)

      const { charged, executions } = yield* simulator.ledger
      assert.strictEqual(charged, "0.040")
      assert.deepStrictEqual(
        executions.map(({ idempotencyKey, status }) => [idempotencyKey, status]),
        [["key-1", "COMPLETED"]]
      )
      const [lost, repeated] = yield* simulator.requests
      assert.strictEqual(repeated?.idempotencyKey, "key-1")
      assert.deepStrictEqual(repeated?.body, lost?.body)
    }).pipe(Effect.provide(backend({ faults: [Fault.dropAfter] })))
  )

  it.effect(
    "fails without a retry if the balance is too low",
    () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator.Simulator
        assert.instanceOf(yield* Effect.flip(render("a red fox in snow")), OutOfCredit)
        assert.deepStrictEqual(
          (yield* simulator.requests).map(({ outcome }) => outcome),
          [402]
        )
        assert.lengthOf((yield* simulator.ledger).executions, 0)
      }).pipe(Effect.provide(backend({ balance: "0.047" }))) // A hold of 0.048 is required.
  )

  it.effect("fails with the reason if the API rejects the prompt", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(render(""))
      assert.deepInclude(error, { _tag: "PromptRejected", reason: "prompt is required" })
      assert.deepStrictEqual(yield* requestTimes, [["executions.create", 0]])
    }).pipe(Effect.provide(backend()))
  )

  it.effect("fails after three retries if the model is overloaded", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.flip(render("a red fox in snow")))
      yield* TestClock.adjust("7 seconds")
      assert.instanceOf(yield* Fiber.join(fiber), TryLater)
      assert.deepStrictEqual(
        Array.map(yield* requestTimes, ([, at]) => at),
        [0, 1000, 3000, 7000]
      )
    }).pipe(Effect.provide(backend({ faults: [Fault.times(4, Fault.apiError("MODEL_OVERLOADED"))] })))
  )

  it.effect("dies if the API key is invalid", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(render("a red fox in snow"))
      assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
    }).pipe(Effect.provide(backend({ apiKeys: ["sk_other"] })))
  )

  it.effect("cancels the execution if the caller is interrupted", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const fiber = yield* Effect.fork(render("a red fox in snow"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)

      const { charged, executions } = yield* simulator.ledger
      assert.deepStrictEqual(
        executions.map(({ held, status }) => [status, held]),
        [["CANCELLED", "0.000"]]
      )
      assert.strictEqual(charged, "0.000")
      assert.strictEqual((yield* simulator.balance).available, "100.000")
    }).pipe(Effect.provide(backend()))
  )
})
