/**
 * Tests the service in memory under `TestClock`, with a slow store and with a failing store.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Redacted, TestClock } from "effect"
import { Execution, IdempotencyKey, ModelRouteClient, Webhook } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { makeOutOfService, type OutOfService } from "./Errors.js"
import type { Image, ImageId } from "./Image.js"
import * as Images from "./Images.js"
import * as Records from "./Records.js"
import { prompt, quiet } from "./support/testing.js"

/** Returns records in memory. Runs `writing` before each write of a completed image. */
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

/** Submits an image and waits until its execution ends. Returns the image id and the webhook event. */
const completeImage = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { submit } = yield* Images.Images
  const { ledger } = yield* Simulator.Simulator
  const { id } = yield* submit(prompt)
  yield* TestClock.adjust("10 seconds")
  const [{ executionId = "" } = {}] = (yield* ledger).executions
  const execution = yield* executions.get(Execution.ExecutionId.make(executionId))
  return { id, event: new Webhook.Event({ id: Webhook.EventId.make("evt_1"), type: "execution.completed", execution }) }
})

describe("Images.handleEvent", () => {
  it.effect("succeeds only after the final state of the image is stored", () => {
    const latch = Effect.unsafeMakeLatch()
    return Effect.gen(function* () {
      const { get, handleEvent } = yield* Images.Images
      const { event, id } = yield* completeImage
      const handling = yield* Effect.fork(handleEvent(event))
      yield* TestClock.adjust("19 seconds")
      assert.isNull(handling.unsafePoll())
      assert.strictEqual((yield* get(id))._tag, "Running")
      yield* latch.open
      yield* Fiber.join(handling)
      assert.strictEqual((yield* get(id))._tag, "Completed")
      // A duplicate event must succeed.
      yield* handleEvent(event)
    }).pipe(Effect.provide([service(latch.await), quiet]))
  })

  it.effect("fails with Unsaved after 20 seconds if the image store always fails", () =>
    Effect.gen(function* () {
      const { handleEvent } = yield* Images.Images
      const { event } = yield* completeImage
      const handling = yield* Effect.fork(Effect.flip(handleEvent(event)))
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* Fiber.join(handling))._tag, "Unsaved")
    }).pipe(Effect.provide([service(Effect.suspend(makeOutOfService)), quiet]))
  )
})
