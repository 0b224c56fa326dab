import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Stream, TestClock } from "effect"
import { Execution } from "effect-modelroute"
import {
  atStart,
  clientWithResponses,
  clientWithStatus,
  id,
  notification,
  output,
  statusResponse
} from "../utils/executions.js"
import { valueOf } from "../utils/exit.js"
import { image, runToEnd } from "../utils/harness.js"

describe("executions.notify before executions.await", () => {
  it.effect("ends only the first wait that starts after the notification", () =>
    atStart(
      Effect.gen(function* () {
        const { client, urls } = clientWithStatus()
        const { executions } = yield* client
        yield* executions.notify(notification())
        // A late notification does not replace a terminal notification.
        yield* executions.notify(notification({ status: "PROCESSING", result: undefined }))
        const exit = yield* runToEnd(executions.run(image))
        assert.deepStrictEqual(valueOf(exit).output, output)
        assert.lengthOf(urls, 1)
        // The first wait has removed the notification, so the next wait polls.
        const fiber = yield* Effect.fork(executions.await(id))
        yield* TestClock.adjust("2 seconds")
        assert.lengthOf(urls, 2)
        yield* Fiber.interrupt(fiber)
      })
    )
  )

  it.effect("ends a wait with pollImmediately without a poll", () =>
    atStart(
      Effect.gen(function* () {
        const { client, urls } = clientWithStatus()
        const { executions } = yield* client
        yield* executions.notify(notification())
        assert.deepStrictEqual((yield* executions.await(id, { pollImmediately: true })).output, output)
        assert.deepStrictEqual(urls, [])
      })
    )
  )

  it.effect("stores the notifications of at most 1000 executions", () =>
    atStart(
      Effect.gen(function* () {
        const { client, urls } = clientWithStatus()
        const { executions } = yield* client
        const nth = (n: number) => Execution.ExecutionId.make(`exec_${n}`)
        for (let n = 0; n <= 1000; n++) yield* executions.notify(notification({ id: nth(n) }))
        yield* executions.await(nth(1))
        yield* executions.await(nth(1000))
        assert.lengthOf(urls, 0)
        const forgotten = yield* Effect.fork(executions.await(nth(0)))
        yield* TestClock.adjust("2 seconds")
        assert.lengthOf(urls, 1)
        yield* Fiber.interrupt(forgotten)
        const large = "x".repeat(20_000)
        yield* executions.notify(notification({ result: large, cost: "0.070" }))
        const completed = yield* executions.await(id)
        assert.deepStrictEqual(completed.output, output)
        assert.strictEqual(completed.cost, "0.070")
        assert.match(urls[1] ?? "", /\/exec_1\/result$/)
        assert.lengthOf(urls, 2)
      })
    )
  )

  it.effect("stores only the latest notification of each execution", () =>
    atStart(
      Effect.gen(function* () {
        const { client, urls } = clientWithResponses(statusResponse("PROCESSING"))
        const { executions } = yield* client
        const nth = (n: number) => Execution.ExecutionId.make(`exec_${n}`)
        const begun = { status: "PROCESSING", result: undefined }
        for (let n = 0; n < 1000; n++) yield* executions.notify(notification({ id: nth(n), ...begun }))
        yield* executions.notify(notification({ id: nth(0) }))
        yield* executions.notify(notification({ id: nth(1000) }))
        yield* executions.await(nth(0))
        yield* executions.await(nth(1000))
        assert.lengthOf(urls, 0)
        const second = Option.getOrThrow(yield* Stream.runHead(executions.watch(nth(2))))
        assert.strictEqual(second.status, "PROCESSING")
        assert.lengthOf(urls, 0)
        yield* runToEnd(Stream.runHead(executions.watch(nth(1))))
        assert.lengthOf(urls, 1)
      })
    )
  )

  for (const [field, fields] of [
    ["output", { output: "x".repeat(20_000), result: undefined }],
    ["metadata", { metadata: { note: "x".repeat(20_000) } }],
    ["extra", { extra: { note: "x".repeat(20_000) } }]
  ] as const) {
    it.effect(`does not store the field ${field} if it contains 20,000 characters`, () =>
      atStart(
        Effect.gen(function* () {
          const { client, urls } = clientWithResponses(statusResponse("COMPLETED", { output: "fetched" }))
          const { executions } = yield* client
          yield* executions.notify(notification({ cost: "0.070", ...fields }))
          const completed = yield* executions.await(id)
          assert.deepStrictEqual([completed.output, completed.cost], ["fetched", "0.070"])
          assert.lengthOf(urls, 1)
        })
      )
    )
  }
})
