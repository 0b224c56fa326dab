/**
 * The service on its own, in memory and in virtual time, with a store that takes its time or fails.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Redacted, TestClock } from "effect"
import { Execution, IdempotencyKey, ModelRouteClient, Webhook } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { outOfService, type OutOfService } from "./Errors.js"
import type { Image, ImageId } from "./Image.js"
import * as Images from "./Images.js"
import * as Records from "./Records.js"
import { prompt, quiet } from "./support/testing.js"

/** Records in memory. What is finished is kept only as `writing` allows. */
const records = (writing: Effect.Effect<void, OutOfService>) =>
  Layer.sync(Records.Records, () => {
    const images = new Map<ImageId, Image>()
    return {
      get: (id) => Effect.sync(() => Option.fromNullable(images.get(id))),
      set: (image) =>
        Effect.zipRight(
          image._tag === "Completed" ? writing : Effect.void,
          Effect.sync(() => void images.set(image.id, image))
        ),
      remove: (id) => Effect.sync(() => void images.delete(id)),
      unfinished: Effect.succeed([])
    }
  })

const service = (writing: Effect.Effect<void, OutOfService>) =>
  Images.layer.pipe(
    Layer.provide(records(writing)),
    Layer.provideMerge(ModelRouteClient.layer({ apiKey: Redacted.make("sk_test") })),
    Layer.provideMerge(Simulator.layer()),
    Layer.provide(IdempotencyKey.layer)
  )

/** An image whose execution has ended, and the event that tells so. */
const ended = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { submit } = yield* Images.Images
  const { ledger } = yield* Simulator.Simulator
  const { id } = yield* submit(prompt)
  yield* TestClock.adjust("10 seconds")
  const [{ executionId = "" } = {}] = (yield* ledger).executions
  const execution = yield* executions.get(Execution.ExecutionId.make(executionId))
  return { id, event: new Webhook.Event({ id: Webhook.EventId.make("evt_1"), type: "execution.completed", execution }) }
})

describe("Images.hear", () => {
  it.effect("has heard when the end is in the store, not before", () => {
    const latch = Effect.unsafeMakeLatch()
    return Effect.gen(function* () {
      const { get, hear } = yield* Images.Images
      const { event, id } = yield* ended
      const hearing = yield* Effect.fork(hear(event))
      yield* TestClock.adjust("19 seconds")
      assert.isNull(hearing.unsafePoll())
      assert.strictEqual((yield* get(id))._tag, "Running")
      yield* latch.open
      yield* Fiber.join(hearing)
      assert.strictEqual((yield* get(id))._tag, "Completed")
      // The same event once more.
      yield* hear(event)
    }).pipe(Effect.provide([service(latch.await), quiet]))
  })

  it.effect("fails in time when the store does, so that the event is delivered again", () =>
    Effect.gen(function* () {
      const { hear } = yield* Images.Images
      const { event } = yield* ended
      const hearing = yield* Effect.fork(Effect.flip(hear(event)))
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(hearing))._tag, "Unsaved")
    }).pipe(Effect.provide([service(Effect.suspend(outOfService)), quiet]))
  )
})
