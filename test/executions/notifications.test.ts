/** What ends a wait besides a look: an execution that something else has seen, such as a webhook. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Fiber, Option, Schedule, Schema, Stream, TestClock } from "effect"
import { Execution, type ModelRouteClient, ModelRouteError } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { arrivalTimes, image, isoDate, layer, runToEnd, silent, start, withClient } from "../utils/harness.js"
import { run } from "../utils/virtualTime.js"

const id = Execution.ExecutionId.make("exec_1")
const output = { images: [{ file_id: "file_1" }] }
const told = (fields: Partial<ConstructorParameters<typeof Execution.Execution>[0]> = {}) =>
  new Execution.Execution({ id, status: "COMPLETED", result: output, cost: "0.040", ...fields })

/** A fake that answers each look, and each create, with this status. */
const running = (status = "PROCESSING", fields: Record<string, unknown> = {}) =>
  makeFakeClient((url) => {
    if (url.endsWith("/result")) return { status: 200, json: { execution_id: id, status: "COMPLETED", output } }
    return { status: 200, json: { id, status: url.endsWith("/executions") ? "PENDING" : status, ...fields } }
  })

const seconds = (at: ReadonlyArray<number>) => at.map((instant) => (instant - start) / 1000)

const at = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.zipRight(TestClock.setTime(start), effect)

describe("an execution that is told of", () => {
  it.effect("ends a wait at once, with what was told and nothing asked", () =>
    at(
      Effect.gen(function* () {
        const { at, client, urls } = running()
        const { executions } = yield* client
        const fiber = yield* Effect.fork(executions.await(id))
        yield* TestClock.adjust("3100 millis")
        assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
        yield* executions.notify(told({ metadata: { order: 7 } }))
        yield* TestClock.adjust(0)
        const completed = valueOf(Option.getOrThrow(yield* Fiber.poll(fiber)))
        assert.deepStrictEqual(completed.output, output)
        assert.strictEqual(completed.cost, "0.040")
        assert.deepStrictEqual(completed.metadata, { order: 7 })
        assert.deepStrictEqual(seconds(at), [2])
        assert.lengthOf(urls, 1)
      })
    )
  )

  it.effect("can be told by another process", () =>
    at(
      Effect.gen(function* () {
        const { executions } = yield* running().client
        const expiresAt = DateTime.unsafeMake(start + 60_000)
        const sent = JSON.stringify(yield* Schema.encode(Execution.Execution)(told({ expiresAt })))
        yield* executions.notify(yield* Schema.decode(Schema.parseJson(Execution.Execution))(sent))
        const completed = yield* executions.await(id)
        assert.deepStrictEqual([completed.output, completed.cost], [output, "0.040"])
      })
    )
  )

  it.effect("leaves no timer behind", () =>
    Effect.gen(function* () {
      const { client } = running()
      const { executions } = yield* client
      const telling = Effect.delay(
        Effect.suspend(() => executions.notify(told())),
        "3 seconds"
      )
      // The virtual clock fails where a sleeper is left.
      const exit = yield* run(silent(Effect.all([executions.await(id), telling], { concurrency: 2 })), start)
      assert.deepStrictEqual(valueOf(exit)[0].output, output)
    })
  )

  it.effect("ends every wait for it, also one whose look is under way, and none for another", () =>
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
        yield* executions.notify(told({ id: one.id }))
        yield* TestClock.adjust(0)
        const ended = yield* Effect.forEach(fibers, Fiber.poll)
        assert.deepStrictEqual(ended.map(Option.isSome), [true, true, false])
        yield* Fiber.interruptAll(fibers)
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("may come before the create's answer", () =>
    at(
      Effect.gen(function* () {
        const { client, urls } = running()
        const { executions } = yield* client
        yield* executions.notify(told())
        // Late, and no news.
        yield* executions.notify(told({ status: "PROCESSING", result: undefined }))
        const exit = yield* runToEnd(executions.run(image))
        assert.deepStrictEqual(valueOf(exit).output, output)
        assert.lengthOf(urls, 1)
        // Taken once: the next one who waits looks for itself.
        const fiber = yield* Effect.fork(executions.await(id))
        yield* TestClock.adjust("2 seconds")
        assert.lengthOf(urls, 2)
        yield* Fiber.interrupt(fiber)
      })
    )
  )

  it.effect("is kept for those who wait later: the newest 1000, and no large output", () =>
    at(
      Effect.gen(function* () {
        const { client, urls } = running()
        const { executions } = yield* client
        const nth = (n: number) => Execution.ExecutionId.make(`exec_${n}`)
        for (let n = 0; n <= 1000; n++) yield* executions.notify(told({ id: nth(n) }))
        yield* executions.await(nth(1))
        yield* executions.await(nth(1000))
        assert.lengthOf(urls, 0)
        const forgotten = yield* Effect.fork(executions.await(nth(0)))
        yield* TestClock.adjust("2 seconds")
        assert.lengthOf(urls, 1)
        yield* Fiber.interrupt(forgotten)
        const large = "x".repeat(20_000)
        yield* executions.notify(told({ result: large, cost: "0.070" }))
        const completed = yield* executions.await(id)
        assert.deepStrictEqual(completed.output, output)
        assert.strictEqual(completed.cost, "0.070")
        assert.match(urls[1] ?? "", /\/exec_1\/result$/)
        assert.lengthOf(urls, 2)
      })
    )
  )

  it.effect("leads on, or is no news: watch shows each status once, in order", () =>
    at(
      Effect.gen(function* () {
        const { at, client } = running("AWAITING_WEBHOOK")
        const { executions } = yield* client
        const seen: Array<readonly [string, number]> = []
        const fiber = yield* Effect.fork(
          Stream.runForEach(executions.watch(id), ({ status }) =>
            Effect.map(Effect.clock, (clock) => {
              seen.push([status, clock.unsafeCurrentTimeMillis() - start])
            })
          )
        )
        const tell = (status: string, millis: number) =>
          Effect.zipRight(TestClock.adjust(millis), executions.notify(new Execution.Execution({ id, status })))
        yield* tell("PENDING", 500)
        yield* tell("PROCESSING", 500)
        yield* tell("PROCESSING", 500)
        yield* tell("SOMETHING_NEW", 0)
        // The look that was due at 2 s comes then, as if nothing had been told.
        yield* TestClock.adjust(500)
        assert.deepStrictEqual(seconds(at), [2])
        yield* tell("PROCESSING", 500)
        yield* tell("COMPLETED", 500)
        yield* tell("PROCESSING", 0)
        yield* tell("COMPLETED", 0)
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(seen, [
          ["PENDING", 500],
          ["PROCESSING", 1000],
          ["AWAITING_WEBHOOK", 2000],
          ["COMPLETED", 3000]
        ])
        assert.deepStrictEqual(seconds(at), [2])
      })
    )
  )

  const failing = (error: Record<string, unknown> | undefined, client: ModelRouteClient.Service) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(client.executions.await(id))
      yield* TestClock.adjust("1 second")
      yield* client.executions.notify(
        told({ status: "FAILED", result: undefined, ...(error && { error: new Execution.Failure(error) }) })
      )
      return failureOf(yield* runToEnd(Fiber.join(fiber)))
    })

  it.effect("that has FAILED tells why, or is asked for the reason", () =>
    at(
      Effect.gen(function* () {
        const why = running()
        const overloaded = yield* failing({ code: "MODEL_OVERLOADED", message: "busy" }, yield* why.client)
        assert.strictEqual(overloaded._tag, "ModelOverloaded")
        assert.lengthOf(why.urls, 0)

        const asked = running("FAILED", { error: { code: "CONTENT_MODERATION_REJECTED", message: "no" } })
        const rejected = yield* failing(undefined, yield* asked.client)
        assert.strictEqual(rejected._tag, "ContentModerationRejected")
        assert.deepStrictEqual(seconds(asked.at), [2])

        // The replica stays behind, or every poll fails.
        for (const behind of [running("PROCESSING"), makeFakeClient(() => ({ status: 500, text: "" }))]) {
          const unknown = yield* failing(undefined, yield* behind.client)
          assert.strictEqual(unknown._tag, "UnrecognizedError")
          assert.isAbove(behind.urls.length, 7)
        }
      })
    )
  )

  it.effect("that was cancelled fails the wait so", () =>
    at(
      Effect.gen(function* () {
        const { executions } = yield* running().client
        yield* executions.notify(told({ status: "CANCELLED" }))
        assert.strictEqual(failureOf(yield* Effect.exit(executions.await(id)))._tag, "ExecutionCancelled")
      })
    )
  )

  it.effect("without its output, is COMPLETED all the same", () =>
    at(
      Effect.gen(function* () {
        const { client, urls } = running()
        const { executions } = yield* client
        yield* executions.notify(new Execution.Execution({ id, status: "COMPLETED" }))
        assert.deepStrictEqual((yield* executions.await(id)).output, output)
        assert.match(urls.join(), /^[^,]*\/exec_1\/result$/)
      })
    )
  )

  it.effect("keeps what had been seen of it before, the bound of the wait among it", () =>
    at(
      Effect.gen(function* () {
        const expiry = { model: "m", metadata: { order: 7 }, expires_at: isoDate(start + 60_000) }
        const { client, urls } = running("PROCESSING", expiry)
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
        // 30 s after it has expired, and the create before.
        const now = (yield* Effect.clock).unsafeCurrentTimeMillis()
        assert.strictEqual(now - start, 90_000)
        assert.isAbove(urls.length, 5)
      })
    )
  )
})

describe("the client's pollSchedule", () => {
  it.effect("holds for all waits that have none of their own", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        yield* runToEnd(executions.run(image))
        yield* runToEnd(executions.run(image, { pollSchedule: Schedule.spaced("9 seconds") }))
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [20_000, 29_000])
      })
    ).pipe(Effect.provide(layer({ client: { pollSchedule: Schedule.spaced("20 seconds") } })))
  )
})

describe("pollImmediately", () => {
  it.effect("looks at once, then as the schedule says", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(image)
        yield* runToEnd(executions.await(id, { pollImmediately: true }))
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [0, 2000, 5000, 9500])
        // It has ended: no wait at all.
        yield* executions.await(id, { pollImmediately: true })
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [0, 2000, 5000, 9500, 9500])
      })
    ).pipe(Effect.provide(layer()))
  )
})

describe("isExecutionEnded", () => {
  it.effect("tells the end of an execution from a request that was refused", () =>
    at(
      Effect.gen(function* () {
        const code = { code: "INTERNAL_ERROR", message: "oh" }
        const ends = [running("FAILED", { error: code }), running("FAILED"), running("CANCELLED"), running("EXPIRED")]
        for (const { client } of ends) {
          const error = failureOf(yield* runToEnd((yield* client).executions.await(id)))
          assert.isTrue(ModelRouteError.isExecutionEnded(error), error._tag)
        }
        const refused = [
          makeFakeClient(() => ({ status: 500, json: { error: code } })),
          makeFakeClient(() => ({ status: 404, text: "" })),
          running()
        ]
        for (const { client } of refused) {
          const error = failureOf(yield* runToEnd((yield* client).executions.await(id, { timeout: "9 seconds" })))
          assert.isFalse(ModelRouteError.isExecutionEnded(error), error._tag)
          assert.strictEqual(error.executionId, id)
        }
        assert.isFalse(ModelRouteError.isExecutionEnded(new Error("FAILED")))
      })
    )
  )
})
