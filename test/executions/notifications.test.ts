/** Tests waits that end after a notification, for example a webhook event, instead of a poll. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Fiber, Option, Schema, Stream, TestClock } from "effect"
import { Execution, type ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import {
  atStart,
  clientWithResponses,
  clientWithStatus,
  id,
  notification,
  output,
  statusResponse,
  toSeconds
} from "../utils/executions.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { arrivalTimes, image, isoDate, layer, runToEnd, silent, start, withClient } from "../utils/harness.js"
import { spansOf } from "../utils/tracing.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

describe("executions.notify", { concurrent: true }, () => {
  it.effect("ends a wait immediately after a COMPLETED notification, without a further poll", () =>
    atStart(
      Effect.gen(function* () {
        const { at, client, urls } = clientWithStatus()
        const { executions } = yield* client
        const fiber = yield* Effect.fork(executions.await(id))
        yield* TestClock.adjust("3100 millis")
        assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
        yield* executions.notify(notification({ metadata: { order: 7 } }))
        yield* TestClock.adjust(0)
        const completed = valueOf(Option.getOrThrow(yield* Fiber.poll(fiber)))
        assert.deepStrictEqual(completed.output, output)
        assert.strictEqual(completed.cost, "0.040")
        assert.deepStrictEqual(completed.metadata, { order: 7 })
        assert.deepStrictEqual(toSeconds(at), [2])
        assert.lengthOf(urls, 1)
      })
    )
  )

  it.effect("accepts an execution that was decoded from JSON", () =>
    atStart(
      Effect.gen(function* () {
        const { executions } = yield* clientWithStatus().client
        const expiresAt = DateTime.unsafeMake(start + 60_000)
        const sent = JSON.stringify(yield* Schema.encode(Execution.Execution)(notification({ expiresAt })))
        yield* executions.notify(yield* Schema.decode(Schema.parseJson(Execution.Execution))(sent))
        const completed = yield* executions.await(id)
        assert.deepStrictEqual([completed.output, completed.cost], [output, "0.040"])
      })
    )
  )

  it.effect("stops the timer of the wait that it ends", () =>
    Effect.gen(function* () {
      const { client } = clientWithStatus()
      const { executions } = yield* client
      const notifying = Effect.delay(
        Effect.suspend(() => executions.notify(notification())),
        "3 seconds"
      )
      // `runInVirtualTime` fails if a fiber still sleeps.
      const exit = yield* runInVirtualTime(
        silent(Effect.all([executions.await(id), notifying], { concurrency: 2 })),
        start
      )
      assert.deepStrictEqual(valueOf(exit)[0].output, output)
    })
  )

  it.effect("ends all waits for its execution, but no wait for another execution", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { executions } = client
        const { inject } = yield* Simulator
        const one = yield* executions.create(image)
        const other = yield* executions.create(image)
        yield* inject(Fault.on("executions.get", Fault.hang()))
        const fibers = yield* Effect.forEach([one.id, one.id, other.id], (each) => Effect.fork(executions.await(each)))
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [2000, 2000])
        yield* executions.notify(notification({ id: one.id }))
        yield* TestClock.adjust(0)
        const ended = yield* Effect.forEach(fibers, Fiber.poll)
        assert.deepStrictEqual(ended.map(Option.isSome), [true, true, false])
        yield* Fiber.interruptAll(fibers)
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("ignores a status that is equal to or earlier than the known status", () =>
    atStart(
      Effect.gen(function* () {
        const { at, client } = clientWithStatus("AWAITING_WEBHOOK")
        const { executions } = yield* client
        const seen: Array<readonly [string, number]> = []
        const fiber = yield* Effect.fork(
          Stream.runForEach(executions.watch(id), ({ status }) =>
            Effect.map(Effect.clock, (clock) => {
              seen.push([status, clock.unsafeCurrentTimeMillis() - start])
            })
          )
        )
        const notifyAfter = (status: string, millis: number) =>
          Effect.zipRight(TestClock.adjust(millis), executions.notify(new Execution.Execution({ id, status })))
        yield* notifyAfter("PENDING", 500)
        yield* notifyAfter("PROCESSING", 500)
        yield* notifyAfter("PROCESSING", 500)
        yield* notifyAfter("SOMETHING_NEW", 0)
        // Notifications do not reschedule the poll at 2 s.
        yield* TestClock.adjust(500)
        assert.deepStrictEqual(toSeconds(at), [2])
        yield* notifyAfter("PROCESSING", 500)
        yield* notifyAfter("COMPLETED", 500)
        yield* notifyAfter("PROCESSING", 0)
        yield* notifyAfter("COMPLETED", 0)
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(seen, [
          ["PENDING", 500],
          ["PROCESSING", 1000],
          ["AWAITING_WEBHOOK", 2000],
          ["COMPLETED", 3000]
        ])
        assert.deepStrictEqual(toSeconds(at), [2])
      })
    )
  )

  const failByNotification = (error: Record<string, unknown> | undefined, client: ModelRouteClient.Service) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(client.executions.await(id))
      yield* TestClock.adjust("1 second")
      yield* client.executions.notify(
        notification({ status: "FAILED", result: undefined, ...(error && { error: new Execution.Failure(error) }) })
      )
      return failureOf(yield* runToEnd(Fiber.join(fiber)))
    })

  it.effect("makes a wait fail with the error of a FAILED notification", () =>
    atStart(
      Effect.gen(function* () {
        const withError = clientWithStatus()
        const overloaded = yield* failByNotification(
          { code: "MODEL_OVERLOADED", message: "busy" },
          yield* withError.client
        )
        assert.strictEqual(overloaded._tag, "ModelOverloaded")
        assert.lengthOf(withError.urls, 0)

        const withoutError = clientWithStatus("FAILED", {
          error: { code: "CONTENT_MODERATION_REJECTED", message: "no" }
        })
        const rejected = yield* failByNotification(undefined, yield* withoutError.client)
        assert.strictEqual(rejected._tag, "ContentModerationRejected")
        assert.deepStrictEqual(toSeconds(withoutError.at), [2])

        // Either the replica stays stale, or every poll fails.
        for (const outdated of [clientWithStatus("PROCESSING"), makeFakeClient(() => ({ status: 500, text: "" }))]) {
          const unknown = yield* failByNotification(undefined, yield* outdated.client)
          assert.strictEqual(unknown._tag, "UnrecognizedError")
          assert.isAbove(outdated.urls.length, 7)
        }
      })
    )
  )

  it.effect("makes a wait fail with ExecutionCancelled after a CANCELLED notification", () =>
    atStart(
      Effect.gen(function* () {
        const { executions } = yield* clientWithStatus().client
        yield* executions.notify(notification({ status: "CANCELLED" }))
        assert.strictEqual(failureOf(yield* Effect.exit(executions.await(id)))._tag, "ExecutionCancelled")
      })
    )
  )

  it.effect("fetches the output after a COMPLETED notification without output", () =>
    atStart(
      Effect.gen(function* () {
        const { client, urls } = clientWithStatus()
        const { executions } = yield* client
        yield* executions.notify(new Execution.Execution({ id, status: "COMPLETED" }))
        assert.deepStrictEqual((yield* executions.await(id)).output, output)
        assert.match(urls.join(), /^[^,]*\/exec_1\/result$/)
      })
    )
  )

  it.effect("keeps the known fields of the execution that the notification does not contain", () =>
    atStart(
      Effect.gen(function* () {
        const expiry = { model: "m", metadata: { order: 7 }, expires_at: isoDate(start + 60_000) }
        const { client, urls } = clientWithStatus("PROCESSING", expiry)
        const { executions } = yield* client
        const fiber = yield* Effect.fork(Effect.either(executions.run(image)))
        yield* TestClock.adjust("1 second")
        yield* executions.notify(new Execution.Execution({ id, status: "PROCESSING" }))
        const either = valueOf(yield* runToEnd(Fiber.join(fiber)))
        const error = Option.getOrThrow(Option.fromNullable(either._tag === "Left" ? either.left : undefined))
        assert.strictEqual(error._tag, "AwaitTimeout")
        if (error._tag !== "AwaitTimeout") return
        assert.strictEqual(error.execution?.model, "m")
        assert.deepStrictEqual(error.execution?.metadata, { order: 7 })
        // The deadline is 30 s after the expiry.
        const now = (yield* Effect.clock).unsafeCurrentTimeMillis()
        assert.strictEqual(now - start, 90_000)
        assert.isAbove(urls.length, 5)
      })
    )
  )

  it.effect("adds the model and the cost of the notification to the span of the wait", () =>
    atStart(
      Effect.gen(function* () {
        const { executions } = yield* clientWithStatus().client
        yield* executions.notify(notification({ model: "m" }))
        const [span] = yield* spansOf(executions.await(id))
        assert.strictEqual(span?.attributes.get("gen_ai.request.model"), "m")
        assert.strictEqual(span?.attributes.get("modelroute.cost_dollars"), 0.04)
        assert.strictEqual(span?.attributes.get("modelroute.execution_id"), id)
      })
    )
  )

  it.effect("merges the fields of the notification with the fields of an earlier poll", () =>
    atStart(
      Effect.gen(function* () {
        const { client } = clientWithResponses(
          statusResponse("PROCESSING", { region: "EU", page: 1, model: "m", cost: "0.010" })
        )
        const { executions } = yield* client
        const fiber = yield* Effect.fork(executions.await(id))
        yield* TestClock.adjust("3 seconds")
        yield* executions.notify(notification({ extra: { page: 2 }, cost: "0.040" }))
        const completed = yield* Fiber.join(fiber)
        assert.deepStrictEqual(completed.extra, { region: "EU", page: 2 })
        assert.deepStrictEqual([completed.model, completed.cost], ["m", "0.040"])
      })
    )
  )

  it.effect("polls immediately for the missing error of a FAILED notification", () =>
    atStart(
      Effect.gen(function* () {
        const error = { code: "CONTENT_MODERATION_REJECTED", message: "no" }
        const { at, client } = clientWithResponses(statusResponse("PROCESSING"), statusResponse("FAILED", { error }))
        const { executions } = yield* client
        const fiber = yield* Effect.fork(Effect.exit(executions.await(id)))
        yield* TestClock.adjust("3 seconds")
        yield* executions.notify(notification({ status: "FAILED", result: undefined }))
        assert.strictEqual(failureOf(yield* Fiber.join(fiber))._tag, "ContentModerationRejected")
        assert.deepStrictEqual(toSeconds(at), [2, 3])
      })
    )
  )

  it.effect("stops a poll for the missing error of a FAILED notification 30 s after the timeout", () =>
    atStart(
      Effect.gen(function* () {
        const { client } = makeFakeClient(() => ({ status: 200, body: Stream.never }))
        const { executions } = yield* client
        const fiber = yield* Effect.fork(Effect.exit(executions.await(id, { timeout: "5 seconds" })))
        yield* TestClock.adjust("1 second")
        yield* executions.notify(notification({ status: "FAILED", result: undefined }))
        const error = failureOf(valueOf(yield* runToEnd(Fiber.join(fiber))))
        assert.strictEqual(error._tag, "UnrecognizedError")
        assert.deepStrictEqual(toSeconds([(yield* Effect.clock).unsafeCurrentTimeMillis()]), [35])
      })
    )
  )

  it.effect("ends a wait at most 30 s after its timeout despite notifications during the last poll", () =>
    atStart(
      Effect.gen(function* () {
        const { at, client } = makeFakeClient(() => ({ status: 200, body: Stream.never }))
        const { executions } = yield* client
        const fiber = yield* Effect.fork(Effect.exit(executions.await(id, { timeout: "5 seconds" })))
        for (const status of ["PENDING", "PROCESSING"]) {
          yield* TestClock.adjust("10 seconds")
          yield* executions.notify(notification({ status, result: undefined }))
        }
        const error = failureOf(valueOf(yield* runToEnd(Fiber.join(fiber))))
        assert.strictEqual(error._tag, "AwaitTimeout")
        assert.deepStrictEqual(toSeconds(at), [2, 10, 20])
        assert.deepStrictEqual(toSeconds([(yield* Effect.clock).unsafeCurrentTimeMillis()]), [35])
      })
    )
  )

  it.effect("delivers COMPLETED to a slow consumer of executions.watch despite later notifications", () =>
    atStart(
      Effect.gen(function* () {
        const { at, client } = clientWithResponses(statusResponse("PROCESSING"))
        const { executions } = yield* client
        const seen: Array<string> = []
        const fiber = yield* Effect.fork(
          Stream.runForEach(executions.watch(id), ({ status }) =>
            Effect.delay(
              Effect.sync(() => void seen.push(status)),
              "10 seconds"
            )
          )
        )
        yield* executions.notify(notification({ status: "PENDING", result: undefined }))
        yield* TestClock.adjust("1 second")
        yield* executions.notify(notification())
        yield* executions.notify(notification({ status: "PROCESSING", result: undefined }))
        yield* executions.notify(notification({ status: "FAILED", result: undefined }))
        yield* runToEnd(Fiber.join(fiber))
        assert.deepStrictEqual(seen, ["PENDING", "COMPLETED"])
        assert.deepStrictEqual(toSeconds(at), [])
      })
    )
  )

  it.effect("does not change the deadline of the wait if the notification has no expires_at", () =>
    atStart(
      Effect.gen(function* () {
        const { at, client } = makeFakeClient(
          (_, n) =>
            n === 1
              ? statusResponse("PENDING", { expires_at: isoDate(start + 60_000) })
              : { status: 503, text: "unavailable" },
          { retry: RetryPolicy.none }
        )
        const { executions } = yield* client
        const fiber = yield* Effect.fork(Effect.exit(executions.run(image)))
        yield* TestClock.adjust("1 second")
        yield* executions.notify(notification({ status: "PROCESSING", result: undefined }))
        assert.strictEqual(failureOf(valueOf(yield* runToEnd(Fiber.join(fiber))))._tag, "AwaitTimeout")
        // The deadline is 30 s after the expiry.
        assert.strictEqual(toSeconds(at).at(-1), 90)
      })
    )
  )

  it.effect("removes an earlier poll failure from the message of a later AwaitTimeout", () =>
    atStart(
      Effect.gen(function* () {
        for (const isNotified of [false, true]) {
          yield* TestClock.setTime(start)
          // The first poll fails. The last poll never receives the response body.
          const { at, client } = makeFakeClient(
            (_, n) => (n === 1 ? { status: 503 } : { status: 200, body: Stream.never }),
            { retry: RetryPolicy.none, attemptTimeout: "2 minutes" }
          )
          const { executions } = yield* client
          const fiber = yield* Effect.fork(Effect.exit(executions.await(id, { timeout: "4 seconds" })))
          yield* TestClock.adjust("3 seconds")
          if (isNotified) yield* executions.notify(notification({ status: "PROCESSING", result: undefined }))
          const error = failureOf(valueOf(yield* runToEnd(Fiber.join(fiber))))
          assert.strictEqual(error._tag, "AwaitTimeout")
          assert.strictEqual(error.message.includes("The last poll failed"), !isNotified)
          assert.deepStrictEqual(toSeconds(at), [2, 4])
        }
      })
    )
  )
})
