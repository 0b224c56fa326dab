/** Waits at their edges: what is told late or in between, what is remembered of it, and what is left behind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schedule, Stream, TestClock } from "effect"
import { Execution, RateLimitGate, RetryPolicy } from "effect-modelroute"
import { SharedTimer } from "../../src/internal/http/sharedTimer.js"
import { LatencyEstimator } from "../../src/internal/executions/latencyEstimate.js"
import { SharedPolls } from "../../src/internal/executions/sharedPolls.js"
import * as waiting from "../../src/internal/executions/poller.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { image, isoDate, runToEnd, silent, start } from "../utils/harness.js"

const id = Execution.ExecutionId.make("exec_1")
const output = { images: [{ file_id: "file_1" }] }
const told = (fields: Partial<ConstructorParameters<typeof Execution.Execution>[0]> = {}) =>
  new Execution.Execution({ id, status: "COMPLETED", result: output, ...fields })

const shown = (status: string, fields: Record<string, unknown> = {}): FakeResponse => ({
  status: 200,
  json: { id, status, ...fields }
})

/** Answers each look in turn, the last answer again and again. */
const inTurn = (...replies: ReadonlyArray<FakeResponse>) =>
  makeFakeClient((_, n) => replies[n - 1] ?? replies.at(-1) ?? shown("PROCESSING"), { retry: RetryPolicy.none })

const seconds = (at: ReadonlyArray<number>) => at.map((instant) => (instant - start) / 1000)

const at = <A, E, R>(effect: Effect.Effect<A, E, R>) => silent(Effect.zipRight(TestClock.setTime(start), effect))

describe("what is told of an execution", () => {
  it.effect("is joined with what was seen of it, field by field", () =>
    at(
      Effect.gen(function* () {
        const { client } = inTurn(shown("PROCESSING", { region: "EU", page: 1, model: "m", cost: "0.010" }))
        const { executions } = yield* client
        const fiber = yield* Effect.fork(executions.await(id))
        yield* TestClock.adjust("3 seconds")
        yield* executions.notify(told({ extra: { page: 2 }, cost: "0.040" }))
        const completed = yield* Fiber.join(fiber)
        assert.deepStrictEqual(completed.extra, { region: "EU", page: 2 })
        assert.deepStrictEqual([completed.model, completed.cost], ["m", "0.040"])
      })
    )
  )

  it.effect("as FAILED without a reason is looked at anew, whatever a look before has shown", () =>
    at(
      Effect.gen(function* () {
        const error = { code: "CONTENT_MODERATION_REJECTED", message: "no" }
        const { at, client } = inTurn(shown("PROCESSING"), shown("FAILED", { error }))
        const { executions } = yield* client
        const fiber = yield* Effect.fork(Effect.exit(executions.await(id)))
        yield* TestClock.adjust("3 seconds")
        yield* executions.notify(told({ status: "FAILED", result: undefined }))
        assert.strictEqual(failureOf(yield* Fiber.join(fiber))._tag, "ContentModerationRejected")
        assert.deepStrictEqual(seconds(at), [2, 3])
      })
    )
  )

  it.effect("as FAILED without a reason is not asked for one beyond the wait's own limit", () =>
    at(
      Effect.gen(function* () {
        const { client } = makeFakeClient(() => ({ status: 200, body: Stream.never }))
        const { executions } = yield* client
        const fiber = yield* Effect.fork(Effect.exit(executions.await(id, { timeout: "5 seconds" })))
        yield* TestClock.adjust("1 second")
        yield* executions.notify(told({ status: "FAILED", result: undefined }))
        const error = failureOf(valueOf(yield* runToEnd(Fiber.join(fiber))))
        assert.strictEqual(error._tag, "UnrecognizedError")
        // Like a look, 30 s after it.
        assert.deepStrictEqual(seconds([(yield* Effect.clock).unsafeCurrentTimeMillis()]), [35])
      })
    )
  )

  it.effect("as ended stays so for one who takes its time, however late an event comes", () =>
    at(
      Effect.gen(function* () {
        const { at, client } = inTurn(shown("PROCESSING"))
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
        yield* executions.notify(told({ status: "PENDING", result: undefined }))
        yield* TestClock.adjust("1 second")
        yield* executions.notify(told())
        yield* executions.notify(told({ status: "PROCESSING", result: undefined }))
        yield* executions.notify(told({ status: "FAILED", result: undefined }))
        yield* runToEnd(Fiber.join(fiber))
        assert.deepStrictEqual(seen, ["PENDING", "COMPLETED"])
        assert.deepStrictEqual(seconds(at), [])
      })
    )
  )

  it.effect("without its expiry leaves the wait the bound that it had", () =>
    at(
      Effect.gen(function* () {
        const { at, client } = makeFakeClient(
          (_, n) =>
            n === 1 ? shown("PENDING", { expires_at: isoDate(start + 60_000) }) : { status: 503, text: "no answer" },
          { retry: RetryPolicy.none }
        )
        const { executions } = yield* client
        const fiber = yield* Effect.fork(Effect.exit(executions.run(image)))
        yield* TestClock.adjust("1 second")
        yield* executions.notify(told({ status: "PROCESSING", result: undefined }))
        assert.strictEqual(failureOf(valueOf(yield* runToEnd(Fiber.join(fiber))))._tag, "AwaitTimeout")
        // 30 s after it has expired.
        assert.strictEqual(seconds(at).at(-1), 90)
      })
    )
  )

  it.effect("ends what there was of trouble", () =>
    at(
      Effect.gen(function* () {
        for (const tell of [false, true]) {
          yield* TestClock.setTime(start)
          // The first look fails, the last one is not answered.
          const { at, client } = makeFakeClient(
            (_, n) => (n === 1 ? { status: 503 } : { status: 200, body: Stream.never }),
            { retry: RetryPolicy.none, attemptTimeout: "2 minutes" }
          )
          const { executions } = yield* client
          const fiber = yield* Effect.fork(Effect.exit(executions.await(id, { timeout: "4 seconds" })))
          yield* TestClock.adjust("3 seconds")
          if (tell) yield* executions.notify(told({ status: "PROCESSING", result: undefined }))
          const error = failureOf(valueOf(yield* runToEnd(Fiber.join(fiber))))
          assert.strictEqual(error._tag, "AwaitTimeout")
          assert.strictEqual(error.message.includes("The last poll failed"), !tell)
          assert.deepStrictEqual(seconds(at), [2, 4])
        }
      })
    )
  )

  it.effect("is kept by its newest event, which makes it the newest of the 1000", () =>
    at(
      Effect.gen(function* () {
        const { client, urls } = inTurn(shown("PROCESSING"))
        const { executions } = yield* client
        const nth = (n: number) => Execution.ExecutionId.make(`exec_${n}`)
        const begun = { status: "PROCESSING", result: undefined }
        for (let n = 0; n < 1000; n++) yield* executions.notify(told({ id: nth(n), ...begun }))
        yield* executions.notify(told({ id: nth(0) }))
        yield* executions.notify(told({ id: nth(1000) }))
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
    it.effect(`is kept without what is large, and that is fetched: ${field}`, () =>
      at(
        Effect.gen(function* () {
          const { client, urls } = inTurn(shown("COMPLETED", { output: "fetched" }))
          const { executions } = yield* client
          yield* executions.notify(told({ cost: "0.070", ...fields }))
          const completed = yield* executions.await(id)
          assert.deepStrictEqual([completed.output, completed.cost], ["fetched", "0.070"])
          assert.lengthOf(urls, 1)
        })
      )
    )
  }
})

describe("where requests are scarce", () => {
  const headers = {
    "x-ratelimit-limit": "100",
    "x-ratelimit-remaining": "20",
    "x-ratelimit-reset": String(start / 1000 + 3600)
  }

  it.effect("an execution is looked at when its end can be expected, but one of unknown age at half the pace", () =>
    at(
      Effect.gen(function* () {
        const { at, client } = makeFakeClient((url, n) => ({
          ...shown(url.endsWith("/executions") ? "PENDING" : n === 5 ? "PROCESSING" : "COMPLETED", {
            model: "m",
            latency_ms: 60_000,
            output
          }),
          headers
        }))
        const { executions } = yield* client
        valueOf(yield* runToEnd(executions.run(image)))
        // After 4 s in place of 2; from now on it is known to take a minute.
        valueOf(yield* runToEnd(executions.run(image)))
        valueOf(yield* runToEnd(executions.await(id)))
        assert.deepStrictEqual(seconds(at), [0, 4, 4, 70, 74, 80])
      })
    )
  )
})

const limited = (seconds: number): FakeResponse => ({
  status: 429,
  headers: { "retry-after": String(seconds) },
  json: { error: { code: "RATE_LIMITED", message: "slow down" } }
})

describe("a wait of which the rate limit takes the rest", () => {
  for (const [name, resetIn, ends] of [
    ["fails so when the limit resets after its end", 9, "RateLimited"],
    ["looks once more when it resets just then", 8, "AwaitTimeout"]
  ] as const) {
    it.effect(name, () =>
      at(
        Effect.gen(function* () {
          const { at, client } = inTurn(limited(resetIn), shown("PROCESSING"))
          const { executions } = yield* client
          const error = failureOf(yield* runToEnd(executions.await(id, { timeout: "10 seconds" })))
          assert.strictEqual(error._tag, ends)
          assert.deepStrictEqual(seconds(at), ends === "RateLimited" ? [2] : [2, 10])
        })
      )
    )
  }
})

describe("a look that the rate limit holds up", () => {
  it.effect("comes when the limit resets, also where no gate holds it back", () =>
    at(
      Effect.gen(function* () {
        const { at, client } = makeFakeClient(
          (_, n) => (n === 1 ? limited(20) : shown(n === 2 ? "PROCESSING" : "COMPLETED", { output })),
          { retry: RetryPolicy.none }
        )
        const { executions } = yield* Effect.provide(client, RateLimitGate.layerUnlimited)
        valueOf(yield* runToEnd(executions.await(id)))
        assert.deepStrictEqual(seconds(at), [2, 22, 26.5])
      })
    )
  )

  for (const [resetIn, looks] of [
    [590, [0, 590]],
    [600, [0, 600]],
    [610, [0]]
  ] as const) {
    it.effect(`waits no longer than the execution's own time, which is 600 s: closed for ${resetIn} s`, () =>
      at(
        Effect.gen(function* () {
          const { at, client } = makeFakeClient(
            (_, n) => (n === 1 ? limited(resetIn) : shown("COMPLETED", { output })),
            {
              retry: RetryPolicy.none
            }
          )
          const { executions } = yield* client
          yield* Effect.exit(executions.get(Execution.ExecutionId.make("exec_0")))
          const exit = yield* runToEnd(executions.await(id))
          assert.deepStrictEqual(seconds(at), [...looks])
          if (looks.length === 1) assert.strictEqual(failureOf(exit)._tag, "RateLimited")
          else assert.strictEqual(valueOf(exit).status, "COMPLETED")
        })
      )
    )
  }
})

describe("what a wait leaves behind", () => {
  const about = {
    operation: "executions.await",
    id,
    stats: { attempts: 0 },
    createdAt: undefined,
    isOutputRequired: true
  }
  const options = { timeoutMillis: undefined, pollSchedule: undefined, pollImmediately: false }
  const sighting = (status: string, seenAt: number) => ({
    execution: new Execution.Execution({ id, status }),
    observedAt: seenAt,
    deadline: undefined
  })

  it.scoped(
    "is nobody who listens: after a look, after news between two looks, during one, and when it is interrupted during one",
    () =>
      at(
        Effect.gen(function* () {
          const looks = new SharedPolls()
          const common = {
            polls: looks,
            pollSchedule: Schedule.spaced("2 seconds"),
            latency: new LatencyEstimator(),
            timer: new SharedTimer(),
            isScarce: Effect.succeed(false)
          }
          const look = () =>
            Effect.flatMap(Effect.clock, (clock) =>
              Effect.delay(Effect.succeed(sighting("PENDING", clock.unsafeCurrentTimeMillis())), "1 second")
            )
          const { next } = yield* waiting.makePoller(common, about, { execution: look, result: look }, options)
          const listening: Array<number> = []
          const step = (tellAfter: number | undefined, status: string) =>
            Effect.gen(function* () {
              const fiber = yield* Effect.fork(next)
              if (tellAfter !== undefined) {
                yield* TestClock.adjust(tellAfter)
                listening.push(looks.listenerCount)
                looks.notify(sighting(status, start))
              }
              assert.strictEqual((yield* runToEnd(Fiber.join(fiber)))._tag, "Success")
              assert.strictEqual(looks.listenerCount, 0)
            })
          yield* step(undefined, "")
          yield* step(1000, "PROCESSING")
          // The look that was due at 4 s is under way.
          yield* step(1500, "AWAITING_WEBHOOK")
          const interrupted = yield* Effect.fork(next)
          yield* TestClock.adjust(1500)
          listening.push(looks.listenerCount)
          yield* Fiber.interrupt(interrupted)
          assert.strictEqual(looks.listenerCount, 0)
          assert.deepStrictEqual(listening, [1, 1, 1])
        })
      )
  )

  it.scoped("is nothing that is told to one who has stopped listening", () =>
    Effect.gen(function* () {
      const looks = new SharedPolls()
      const shared = yield* looks.subscribe(id)
      const heard: Array<string> = []
      const stop = shared.listen(
        () => true,
        ({ execution }) => heard.push(execution.status)
      )
      looks.notify(sighting("PENDING", start))
      stop()
      looks.notify(sighting("PROCESSING", start))
      assert.deepStrictEqual(heard, ["PENDING"])
    })
  )
})

describe("one timer", () => {
  it.effect("is all that any number of waits have between them", () =>
    at(
      Effect.gen(function* () {
        const timer = new SharedTimer()
        const rung: Array<number> = []
        const wait = (n: number) =>
          timer.wait<void, never>(
            start + n * 1000,
            () => Effect.sync(() => void rung.push(n)),
            () => () => {}
          )
        const fibers = yield* Effect.forEach([5, 3, 9, 3, 7], (n) => Effect.fork(wait(n)))
        yield* TestClock.adjust(0)
        assert.deepStrictEqual([...(yield* TestClock.sleeps())], [start + 3000])
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual([...(yield* TestClock.sleeps())], [start + 5000])
        yield* Effect.forEach(fibers.slice(0, 1), Fiber.interrupt)
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual([...(yield* TestClock.sleeps())], [start + 9000])
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(rung, [3, 3, 7, 9])
        assert.deepStrictEqual([...(yield* TestClock.sleeps())], [])
        // What is past rings at once.
        yield* wait(1)
        assert.deepStrictEqual(rung.at(-1), 1)
      })
    )
  )
})
