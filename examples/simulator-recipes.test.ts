/**
 * Recipes for tests of a backend with the simulator. Each test injects one failure and checks the reaction. `TestClock`
 * drives the client and the simulator, so that no test waits in real time.
 *
 *     npx vitest run --config test/vitest.config.ts examples/simulator-recipes.test.ts
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schedule, TestClock } from "effect"
import { IdempotencyKey, ModelRouteClient, Webhook } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const { Fault } = Simulator

/** Provides a client and the simulator that handles its requests. */
const backend = (options: Simulator.Options) =>
  ModelRouteClient.layer({ apiKey: Redacted.make("sk_test"), pollSchedule: Webhook.pollSchedule }).pipe(
    Layer.provideMerge(Layer.merge(Simulator.layer(options), IdempotencyKey.layerSequence("key")))
  )

const request = { model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } }

/** Replace this effect with the code of your backend. */
const render = Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ executions }) => executions.run(request)).pipe(
  Simulator.adjustUntilDone
)

const ledger = Effect.flatMap(Simulator.Simulator, (simulator) => simulator.ledger)

describe("simulator recipes", () => {
  it.effect("Fault.apiError rejects the create request with a moderation error", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(render))._tag, "ContentModerationRejected")
      assert.lengthOf((yield* ledger).executions, 0)
    }).pipe(Effect.provide(backend({ faults: [Fault.apiError("CONTENT_MODERATION_REJECTED")] })))
  )

  it.effect("Fault.executionOutcome ends the execution with a moderation error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(render)
      assert.strictEqual(error._tag, "ContentModerationRejected")
      const { charged, executions } = yield* ledger
      assert.strictEqual(error.executionId, executions[0]?.executionId)
      assert.strictEqual(charged, "0.000")
    }).pipe(
      Effect.provide(
        backend({ faults: [Fault.executionOutcome({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" })] })
      )
    )
  )

  it.effect("a create request fails with InsufficientBalance until a top-up", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      assert.strictEqual((yield* Effect.flip(render))._tag, "InsufficientBalance")
      yield* simulator.topUp("5.00")
      assert.strictEqual((yield* render).status, "COMPLETED")
    }).pipe(Effect.provide(backend({ balance: "0.01" })))
  )

  it.effect("a 429 delays the retry of the create request until the reset", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* render
      const [rejected, accepted] = yield* simulator.requests
      assert.deepStrictEqual([rejected?.outcome, accepted?.outcome], [429, 202])
      assert.isAtLeast(accepted?.at ?? 0, 20_000)
    }).pipe(Effect.provide(backend({ faults: [Fault.apiError("RATE_LIMITED", { resetIn: "20 seconds" })] })))
  )

  it.effect("three lost responses to a create request do not cause a second charge", () =>
    Effect.gen(function* () {
      yield* render
      const { charged, executions } = yield* ledger
      assert.deepStrictEqual([charged, executions.length], ["0.040", 1])
    }).pipe(Effect.provide(backend({ faults: [Fault.on("executions.create", Fault.times(3, Fault.dropAfter))] })))
  )

  it.effect("Fault.executionOutcome sets the output of an execution", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* render).output, { text: "A fox." })
    }).pipe(
      Effect.provide(backend({ faults: [Fault.executionOutcome({ status: "COMPLETED", output: { text: "A fox." } })] }))
    )
  )

  it.effect("a webhook that arrives twice is handled once", () =>
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { executions } = yield* ModelRouteClient.ModelRouteClient
      const handled: Array<string> = []
      const onEvent = (event: Webhook.Event) =>
        Effect.zipRight(
          Effect.sync(() => handled.push(event.type)),
          Webhook.notifyClient(event)
        )
      yield* simulator.deliverTo(Webhook.handler({ secrets: simulator.webhookSecret, onEvent }))
      const fiber = yield* Effect.fork(executions.run({ ...request, webhookUrl: "https://backend.test/" }))
      // The verification of a signature takes real time. The clock must not advance to the first poll during this time.
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.lengthOf(yield* simulator.requests, 1)
      yield* simulator.deliveries.pipe(
        Effect.repeat({
          until: (all) => all.filter(({ outcome }) => outcome === 200).length >= 4,
          schedule: Schedule.spaced("1 second")
        }),
        Simulator.adjustUntilDone
      )
      assert.deepStrictEqual(handled, ["execution.started", "execution.completed"])
    }).pipe(Effect.provide(backend({ webhooks: { deliveryFault: () => "twice" } })))
  )
})
