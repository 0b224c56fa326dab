import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, TestClock } from "effect"
import { Execution, RateLimitGate, RetryPolicy } from "effect-modelroute"
import { LatencyEstimator } from "../../src/internal/executions/latencyEstimate.js"
import { makePoller } from "../../src/internal/executions/poller.js"
import { SharedPolls } from "../../src/internal/executions/sharedPolls.js"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import {
  atStart,
  clientWithResponses,
  errorResponse,
  id,
  observationOf,
  output,
  statusResponse,
  toSeconds
} from "../utils/executions.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { arrivalTimes, image, layer, runToEnd, start, withClient } from "../utils/harness.js"

describe("pollSchedule of executions.run", () => {
  it.effect("defaults to the pollSchedule of the client", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        yield* runToEnd(executions.run(image))
        yield* runToEnd(executions.run(image, { pollSchedule: Schedule.spaced("9 seconds") }))
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [20_000, 29_000])
      })
    ).pipe(Effect.provide(layer({ client: { pollSchedule: Schedule.spaced("20 seconds") } })))
  )
})

describe("pollImmediately of executions.await", () => {
  it.effect("adds a poll at 0 s before the polls of pollSchedule", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(image)
        yield* runToEnd(executions.await(id, { pollImmediately: true }))
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [0, 2000, 5000, 9500])
        // One poll is sufficient if the execution has already ended.
        yield* executions.await(id, { pollImmediately: true })
        assert.deepStrictEqual(yield* arrivalTimes("executions.get"), [0, 2000, 5000, 9500, 9500])
      })
    ).pipe(Effect.provide(layer()))
  )
})

const rateLimitResponse = (seconds: number): FakeResponse => ({
  status: 429,
  headers: { "retry-after": String(seconds) },
  json: { error: { code: "RATE_LIMITED", message: "slow down" } }
})

describe("executions.await after a 429", () => {
  for (const [name, resetIn, ends] of [
    ["fails with RateLimited if the rate limit resets after the timeout", 9, "RateLimited"],
    ["polls again at the timeout if the rate limit resets at the timeout", 8, "AwaitTimeout"]
  ] as const) {
    it.effect(name, () =>
      atStart(
        Effect.gen(function* () {
          const { at, client } = clientWithResponses(rateLimitResponse(resetIn), statusResponse("PROCESSING"))
          const { executions } = yield* client
          const error = failureOf(yield* runToEnd(executions.await(id, { timeout: "10 seconds" })))
          assert.strictEqual(error._tag, ends)
          assert.deepStrictEqual(toSeconds(at), ends === "RateLimited" ? [2] : [2, 10])
        })
      )
    )
  }
})

describe("executions.await after a 503", () => {
  for (const [name, headers, next] of [
    ["no Retry-After", {}, 4],
    ["Retry-After: 1", { "retry-after": "1" }, 4],
    ["Retry-After: 20", { "retry-after": "20" }, 22],
    ["Retry-After: 100", { "retry-after": "100" }, 32]
  ] as const) {
    it.effect(`delays the next poll by at most 30 s if the response has ${name}`, () =>
      atStart(
        Effect.gen(function* () {
          const { at, client } = clientWithResponses(
            { ...errorResponse(503, "SERVICE_UNAVAILABLE"), headers },
            statusResponse("COMPLETED", { output })
          )
          const { executions } = yield* client
          valueOf(yield* runToEnd(executions.await(id, { pollSchedule: Schedule.spaced("2 seconds") })))
          assert.deepStrictEqual(toSeconds(at), [2, next])
        })
      )
    )
  }
})

describe("AwaitTimeout of executions.await", () => {
  const running = statusResponse("PROCESSING")
  const ended = statusResponse("COMPLETED")
  for (const [name, replies, facts] of [
    [
      "an execution without a known state",
      [errorResponse(503, "SERVICE_UNAVAILABLE")],
      "has no known state yet. The last poll failed: executions.await failed"
    ],
    ["a running execution", [running], "is PROCESSING. The execution continues."],
    [
      "a running execution after a failed poll",
      [running, errorResponse(503, "SERVICE_UNAVAILABLE")],
      "is PROCESSING. The last poll failed: executions.await failed"
    ],
    ["a COMPLETED execution without output", [ended], "is COMPLETED, but the API has not returned its output. Wait "]
  ] as const) {
    it.effect(`describes ${name}`, () =>
      atStart(
        Effect.gen(function* () {
          const { client } = clientWithResponses(...replies)
          const { executions } = yield* client
          const error = failureOf(yield* runToEnd(executions.await(id, { timeout: "10 seconds" })))
          assert.strictEqual(error._tag, "AwaitTimeout")
          assert.match(error.message, /^executions\.await ended after \d+ s: execution exec_1 /)
          assert.include(error.message, `execution exec_1 ${facts}`)
        })
      )
    )
  }
})

describe("executions.await after a 429 of an earlier request", () => {
  for (const [name, response, polls] of [
    ["20 s", rateLimitResponse(20), [2, 22, 26.5]],
    ["60 s", rateLimitResponse(60), [2, 62, 66.5]],
    ["an unknown time", errorResponse(429, "RATE_LIMITED"), [2, 5, 9.5]]
  ] as const) {
    it.effect(`delays the next poll until the reset in ${name} even with RateLimitGate.layerUnlimited`, () =>
      atStart(
        Effect.gen(function* () {
          const { at, client } = makeFakeClient(
            (_, n) => (n === 1 ? response : statusResponse(n === 2 ? "PROCESSING" : "COMPLETED", { output })),
            { retry: RetryPolicy.none }
          )
          const { executions } = yield* Effect.provide(client, RateLimitGate.layerUnlimited)
          valueOf(yield* runToEnd(executions.await(id)))
          assert.deepStrictEqual(toSeconds(at), [...polls])
        })
      )
    )
  }

  for (const [resetIn, polls] of [
    [590, [0, 590]],
    [600, [0, 600]],
    [610, [0]]
  ] as const) {
    it.effect(
      `${polls.length === 1 ? "fails with RateLimited" : "delays the poll to the reset"} if the rate limit resets in ${resetIn} s and the timeout is 600 s`,
      () =>
        atStart(
          Effect.gen(function* () {
            const { at, client } = makeFakeClient(
              (_, n) => (n === 1 ? rateLimitResponse(resetIn) : statusResponse("COMPLETED", { output })),
              {
                retry: RetryPolicy.none
              }
            )
            const { executions } = yield* client
            yield* Effect.exit(executions.get(Execution.ExecutionId.make("exec_0")))
            const exit = yield* runToEnd(executions.await(id))
            assert.deepStrictEqual(toSeconds(at), [...polls])
            if (polls.length === 1) assert.strictEqual(failureOf(exit)._tag, "RateLimited")
            else assert.strictEqual(valueOf(exit).status, "COMPLETED")
          })
        )
    )
  }
})

describe("makePoller", () => {
  const info = {
    operation: "executions.await",
    id,
    stats: { attempts: 0 },
    createdAt: undefined,
    isOutputRequired: true
  }
  const options = { timeoutMillis: undefined, pollSchedule: undefined, pollImmediately: false }
  it.effect("removes its listener after a poll, a notification or an interruption", () =>
    atStart(
      Effect.gen(function* () {
        const polls = new SharedPolls()
        const context = {
          polls,
          pollSchedule: Schedule.spaced("2 seconds"),
          latency: new LatencyEstimator(),
          timer: new SharedTimer(),
          isScarce: Effect.succeed(false)
        }
        const poll = () =>
          Effect.flatMap(Effect.clock, (clock) =>
            Effect.delay(Effect.succeed(observationOf("PENDING", clock.unsafeCurrentTimeMillis())), "1 second")
          )
        const { next } = yield* makePoller(context, info, { execution: poll, result: poll }, options)
        const counts: Array<number> = []
        const step = (notifyAfter: number | undefined, status: string) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(next)
            if (notifyAfter !== undefined) {
              yield* TestClock.adjust(notifyAfter)
              counts.push(polls.listenerCount)
              polls.notify(observationOf(status, start))
            }
            assert.strictEqual((yield* runToEnd(Fiber.join(fiber)))._tag, "Success")
            assert.strictEqual(polls.listenerCount, 0)
          })
        yield* step(undefined, "")
        yield* step(1000, "PROCESSING")
        // The notification arrives while the poll at 4 s is running.
        yield* step(1500, "AWAITING_WEBHOOK")
        const interrupted = yield* Effect.fork(next)
        yield* TestClock.adjust(1500)
        counts.push(polls.listenerCount)
        yield* Fiber.interrupt(interrupted)
        assert.strictEqual(polls.listenerCount, 0)
        assert.deepStrictEqual(counts, [1, 1, 1])
      })
    )
  )
})
