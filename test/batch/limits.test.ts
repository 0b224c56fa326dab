/** Tests the limits of a batch: balance, API key, `stop`, `beforeSubmit`, `maxCost`, retry budget and rate limit. */
import { assert, describe, it } from "@effect/vitest"
import { Array, Clock, Effect, Fiber, Metric, Option, Ref, Schedule, Stream } from "effect"
import { Batch, Metrics } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import {
  collect,
  committedMills,
  readLedger,
  range,
  batchOptions,
  runBatchTest,
  requestOf,
  countTags,
  countBy
} from "../utils/batches.js"
import { start } from "../utils/harness.js"
import { isFull } from "../utils/suite.js"

const { Fault } = Simulator

const readCreates = Effect.flatMap(Simulator.Simulator, (simulator) =>
  Effect.map(simulator.requests, (requests) => requests.filter(({ operation }) => operation === "executions.create"))
)

const countReasons = (outcomes: ReadonlyArray<Batch.Outcome<unknown>>) =>
  countBy(outcomes.flatMap((outcome) => (outcome._tag === "NotAttempted" ? [outcome.reason] : [])))

describe.runIf(isFull)("Batch.run with a balance for 300 of 1,000 items", { concurrent: true }, () => {
  it.effect("runs the remaining 700 items in the next run after a top-up", () =>
    Effect.gen(function* () {
      // Sixteen items run concurrently. Each item holds 0.048 and then costs 0.040. Eighteen rounds cost 11.52. The
      // remaining balance covers the holds of 12 more items.
      const balance = "12.10"
      const result = yield* runBatchTest(
        Effect.gen(function* () {
          const simulator = yield* Simulator.Simulator
          const batch = Batch.run(range(1000), { ...batchOptions, concurrency: 16 })
          const first = yield* collect(batch)
          const { executions } = yield* simulator.ledger
          const rejected = (yield* simulator.requests).filter(({ outcome }) => outcome === 402).length
          yield* simulator.topUp("40.00")
          const second = yield* collect(batch)
          return { first, second, executions, rejected, ledger: yield* simulator.ledger }
        }),
        { simulator: { balance, recordRequests: 100_000 } }
      )
      const { executions, first, ledger, rejected, second } = result
      assert.strictEqual(executions.length, 300)
      for (const { status } of executions) assert.strictEqual(status, "COMPLETED")
      assert.isAtLeast(rejected, 1)
      assert.isAtMost(rejected, 16)
      assert.deepStrictEqual(countTags(first), { Succeeded: 300, NotAttempted: 700 })
      assert.deepStrictEqual(countReasons(first), { InsufficientBalance: 700 })
      assert.deepStrictEqual(countTags(second), { Succeeded: 1000 })
      assert.strictEqual(ledger.executions.length, 1000)
      assert.strictEqual(new Set(ledger.executions.map(({ body }) => body)).size, 1000)
      assert.strictEqual(ledger.charged, "40.000")
    })
  )
})

describe("Batch.run", () => {
  it.effect("waits for the running executions after a 402", () =>
    Effect.gen(function* () {
      const { at, outcomes, progress, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(40), { ...batchOptions, concurrency: 4, order: "input" })
          const outcomes = yield* collect(batch.outcomes)
          const sent = (yield* readCreates).length
          return { outcomes, sent, at: yield* Clock.currentTimeMillis, progress: yield* batch.progress.get }
        }),
        {
          simulator: {
            faults: [
              ...Array.replicate(delayed, 3),
              Fault.on("executions.create", Fault.apiError("INSUFFICIENT_BALANCE"))
            ]
          }
        }
      )
      assert.strictEqual(sent, 4)
      assert.isAbove(at, start + 9000)
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 3, NotAttempted: 37 })
      for (const outcome of outcomes) {
        if (outcome._tag === "NotAttempted") {
          assert.strictEqual(outcome.error?._tag, "InsufficientBalance")
          assert.isFalse(outcome.delivered)
        }
      }
      assert.strictEqual(progress.stopped, "InsufficientBalance")
      assert.isUndefined(progress.estimatedEnd)
      assert.strictEqual(progress.notAttempted, 37)
    })
  )

  it.effect("sends at most `concurrency` requests if the API key is invalid", () =>
    Effect.gen(function* () {
      const { outcomes, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run(range(100), { ...batchOptions, concurrency: 6 }))
          return { outcomes, sent: (yield* readCreates).length }
        }),
        { simulator: { apiKeys: ["sk_another"] } }
      )
      assert.deepStrictEqual(countReasons(outcomes), { Unauthorized: 100 })
      assert.isAtMost(sent, 6)
    })
  )

  it.effect("resumes the executions in a later run after a poll fails with a 401", () =>
    Effect.gen(function* () {
      const rejectedPoll = Fault.on("executions.get", Fault.apiError("UNAUTHORIZED", { status: 401 }))
      const { executions, first, second } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* collect(Batch.run(range(10), { ...batchOptions, concurrency: 2, order: "input" }))
          const second = yield* collect(Batch.run(range(10), batchOptions))
          return { first, second, executions: (yield* readLedger).executions.length }
        }),
        { simulator: { faults: [rejectedPoll] } }
      )
      assert.deepStrictEqual(countTags(first), { Failed: 1, Succeeded: 1, NotAttempted: 8 })
      assert.deepStrictEqual(countTags(second), { Succeeded: 10 })
      assert.strictEqual(executions, 10)
    })
  )

  it.effect("increments the metric of balance stops if the balance is too low", () =>
    Effect.gen(function* () {
      const before = yield* Metric.value(Metrics.balanceStops)
      yield* runBatchTest(Stream.runDrain(Batch.run([1, 2], batchOptions)), { simulator: { balance: "0.00" } })
      const after = yield* Metric.value(Metrics.balanceStops)
      assert.strictEqual(after.count - before.count, 1)
    })
  )

  it.effect("uses a new idempotency key in the next run if the first attempt fails with a 402", () =>
    Effect.gen(function* () {
      const keys = yield* runBatchTest(
        Effect.gen(function* () {
          const simulator = yield* Simulator.Simulator
          yield* Stream.runDrain(Batch.run([1], batchOptions))
          yield* simulator.topUp("1.00")
          yield* Stream.runDrain(Batch.run([1], batchOptions))
          return (yield* readCreates).map(({ headers }) => headers["idempotency-key"])
        }),
        { simulator: { balance: "0.00" } }
      )
      assert.strictEqual(keys.length, 2)
      assert.strictEqual(new Set(keys).size, 2)
    })
  )

  it.effect("keeps the idempotency key if a 402 follows a lost response to the create request", () =>
    Effect.gen(function* () {
      const { executions, first, keys, second } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* collect(Batch.run([1], batchOptions))
          const second = yield* collect(Batch.run([1], batchOptions))
          const keys = (yield* readCreates).map(({ headers }) => headers["idempotency-key"])
          return { first, second, keys, executions: (yield* readLedger).executions.length }
        }),
        {
          simulator: {
            faults: [
              Fault.on("executions.create", Fault.dropAfter),
              Fault.on("executions.create", Fault.apiError("INSUFFICIENT_BALANCE"))
            ]
          }
        }
      )
      assert.deepStrictEqual(countTags(first), { Failed: 1 })
      assert.deepStrictEqual(countTags(second), { Succeeded: 1 })
      assert.strictEqual(new Set(keys).size, 1)
      assert.strictEqual(executions, 1)
    })
  )

  it.effect("keeps the idempotency key after a 402 if an earlier run may have submitted the item", () =>
    Effect.gen(function* () {
      const { executions, keys, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const runs = yield* Effect.replicateEffect(collect(Batch.run([1], batchOptions)), 3)
          const keys = (yield* readCreates).map(({ headers }) => headers["idempotency-key"])
          return { runs, keys, executions: (yield* readLedger).executions.length }
        }),
        {
          simulator: {
            faults: [
              Fault.times(4, Fault.on("executions.create", Fault.dropAfter)),
              Fault.on("executions.create", Fault.apiError("INSUFFICIENT_BALANCE"))
            ]
          }
        }
      )
      assert.deepStrictEqual(runs.map(countTags), [{ Failed: 1 }, { Failed: 1 }, { Succeeded: 1 }])
      assert.strictEqual(keys.length, 6)
      assert.strictEqual(new Set(keys).size, 1)
      assert.strictEqual(executions, 1)
    })
  )

  it.effect("reuses the idempotency key of a rate-limited item after the key has expired", () =>
    Effect.gen(function* () {
      // The client does not wait 3 hours for the reset. One request is rejected, and the next request is not sent.
      const { first, keys, second, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* collect(Batch.run([1, 2], { ...batchOptions, concurrency: 1 }))
          const sent = (yield* readCreates).length
          yield* Effect.sleep("25 hours")
          const second = yield* collect(Batch.run([1, 2], batchOptions))
          return { first, second, sent, keys: (yield* readCreates).map(({ headers }) => headers["idempotency-key"]) }
        }),
        {
          simulator: { faults: [Fault.on("executions.create", Fault.apiError("RATE_LIMITED", { resetIn: "3 hours" }))] }
        }
      )
      assert.deepStrictEqual(
        first.map((outcome) =>
          outcome._tag === "Failed" ? [outcome.error._tag, outcome.error.attempts] : outcome._tag
        ),
        [
          ["RateLimited", 1],
          ["RateLimited", 0]
        ]
      )
      assert.strictEqual(sent, 1)
      assert.deepStrictEqual(countTags(second), { Succeeded: 2 })
      assert.deepStrictEqual([keys.length, new Set(keys).size], [3, 2])
    })
  )

  it.effect("uses a new idempotency key in the next run if a 402 follows a 429", () =>
    Effect.gen(function* () {
      const { executions, first, keys, second } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* collect(Batch.run([1], batchOptions))
          yield* Effect.sleep("25 hours")
          const second = yield* collect(Batch.run([1], batchOptions))
          const keys = (yield* readCreates).map(({ headers }) => headers["idempotency-key"])
          return { first, second, keys, executions: (yield* readLedger).executions }
        }),
        {
          simulator: {
            faults: [
              Fault.on("executions.create", Fault.apiError("RATE_LIMITED", { resetIn: "5 seconds" })),
              Fault.on("executions.create", Fault.apiError("INSUFFICIENT_BALANCE"))
            ]
          }
        }
      )
      assert.deepStrictEqual(countReasons(first), { InsufficientBalance: 1 })
      assert.deepStrictEqual(countTags(second), { Succeeded: 1 })
      assert.strictEqual(keys.length, 3)
      assert.strictEqual(keys[0], keys[1])
      assert.notStrictEqual(keys[1], keys[2])
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("does not resend a rate-limited create request after `stop`", () =>
    Effect.gen(function* () {
      const { outcomes, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(5), { ...batchOptions, concurrency: 5 })
          const running = yield* Effect.fork(collect(batch.outcomes))
          yield* Effect.sleep("1 second")
          yield* batch.stop
          const outcomes = yield* Fiber.join(running)
          return { outcomes, sent: (yield* readCreates).length }
        }),
        {
          simulator: {
            faults: [Fault.on("executions.create", Fault.apiError("RATE_LIMITED", { resetIn: "30 seconds" }))]
          }
        }
      )
      // The gate sends a single request first. The 429 for this request delays the other requests.
      assert.strictEqual(sent, 1)
      assert.deepStrictEqual(countReasons(outcomes), { Stopped: 5 })
    })
  )

  it.effect("ends after `stop` even if the retry policy retries every failure", () =>
    Effect.gen(function* () {
      const { at, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(3), { ...batchOptions, concurrency: 3 })
          const running = yield* Effect.fork(collect(batch.outcomes))
          yield* Effect.sleep("1 second")
          yield* batch.stop
          const outcomes = yield* Fiber.join(running)
          return { outcomes, at: (yield* Clock.currentTimeMillis) - start }
        }),
        {
          client: { retry: Schedule.spaced("10 seconds") },
          simulator: {
            faults: [Fault.on("executions.create", Fault.apiError("RATE_LIMITED", { resetIn: "30 seconds" }))]
          }
        }
      )
      assert.deepStrictEqual(countReasons(outcomes), { Stopped: 3 })
      assert.isAtMost(at, 41_000)
    })
  )

  it.effect("does not resend the create request of an earlier run after `stop`", () =>
    Effect.gen(function* () {
      const lostCreates = Array.replicate(Fault.on("executions.create", Fault.dropBefore), 4)
      const { keys, outcomes, stopped } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = [yield* collect(Batch.run([1], batchOptions))]
          const simulator = yield* Simulator.Simulator
          yield* simulator.inject(
            Fault.on("executions.create", Fault.apiError("RATE_LIMITED", { resetIn: "30 seconds" }))
          )
          const batch = yield* Batch.make([1], batchOptions)
          const running = yield* Effect.fork(collect(batch.outcomes))
          yield* Effect.sleep("1 second")
          yield* batch.stop
          outcomes.push(yield* Fiber.join(running))
          const stopped = (yield* readLedger).executions.length
          outcomes.push(yield* collect(Batch.run([1], batchOptions)))
          return { outcomes, stopped, keys: (yield* readCreates).map(({ headers }) => headers["idempotency-key"]) }
        }),
        { simulator: { faults: lostCreates } }
      )
      assert.deepStrictEqual(outcomes.map(countTags), [{ Failed: 1 }, { NotAttempted: 1 }, { Succeeded: 1 }])
      assert.strictEqual(stopped, 0)
      assert.strictEqual(new Set(keys).size, 1)
    })
  )

  it.effect("resends a create request after `stop` if the API may have accepted the request", () =>
    Effect.gen(function* () {
      const { executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make([1], batchOptions)
          const running = yield* Effect.fork(collect(batch.outcomes))
          yield* Effect.sleep("10 seconds")
          yield* batch.stop
          const outcomes = yield* Fiber.join(running)
          return { outcomes, executions: (yield* readLedger).executions.length }
        }),
        {
          simulator: {
            faults: [
              Fault.on("executions.create", Fault.dropAfter),
              Fault.on("executions.create", Fault.apiError("RATE_LIMITED", { resetIn: "30 seconds" }))
            ]
          }
        }
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1 })
      assert.strictEqual(executions, 1)
    })
  )

  it.effect("does not submit waiting items after `stop`", () =>
    Effect.gen(function* () {
      const { after, outcomes, second, stopped } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(31), {
            ...batchOptions,
            concurrency: 31,
            request: (n) => (n === 30 ? Effect.as(Effect.sleep("1 minute"), requestOf(n)) : requestOf(n))
          })
          const running = yield* Effect.fork(collect(batch.outcomes))
          yield* Effect.sleep("1 second")
          const stopped = (yield* readLedger).executions.length
          yield* batch.stop
          const outcomes = yield* Fiber.join(running)
          const after = (yield* readLedger).executions.length
          // The request effect of the last item ended after the stop, so the item has no journal entry.
          const [last] = yield* (yield* Batch.Journal).read("catalogue", ["30"])
          assert.isTrue(last !== undefined && Option.isNone(last))
          yield* Effect.sleep("25 hours")
          return { outcomes, stopped, after, second: yield* collect(Batch.run(range(31), batchOptions)) }
        }),
        { simulator: { rateLimit: { limit: 10, window: "1 minute" } } }
      )
      assert.deepStrictEqual([stopped, after], [10, 10])
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 10, NotAttempted: 21 })
      assert.deepStrictEqual(countTags(second), { Succeeded: 31 })
    })
  )

  it.effect("submits further items after an execution has FAILED with UNAUTHORIZED or INSUFFICIENT_BALANCE", () =>
    Effect.gen(function* () {
      const outcomes = yield* runBatchTest(collect(Batch.run(range(20), { ...batchOptions, concurrency: 2 })), {
        simulator: {
          faults: [
            Fault.executionOutcome({ status: "FAILED", code: "UNAUTHORIZED" }),
            Fault.executionOutcome({ status: "FAILED", code: "INSUFFICIENT_BALANCE" })
          ]
        }
      })
      assert.deepStrictEqual(countTags(outcomes), { "Failed permanently": 2, Succeeded: 18 })
    })
  )

  it.effect("does not run the request effect again in the next run after a 402", () =>
    Effect.gen(function* () {
      let made = 0
      const outcomes = yield* runBatchTest(
        Effect.gen(function* () {
          const uploading = {
            ...batchOptions,
            concurrency: 1,
            request: (n: number) => Effect.sync(() => (made++, requestOf(n)))
          }
          yield* Stream.runDrain(Batch.run([1, 2, 3], uploading))
          const simulator = yield* Simulator.Simulator
          yield* simulator.topUp("1.00")
          return yield* collect(Batch.run([1, 2, 3], uploading))
        }),
        { simulator: { balance: "0.00" } }
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 3 })
      assert.strictEqual(made, 3)
    })
  )

  it.effect("waits for the running executions after `stop`", () =>
    Effect.gen(function* () {
      const { outcomes, executions, progress } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(100), { ...batchOptions, concurrency: 10 })
          const running = yield* Effect.fork(collect(batch.outcomes))
          yield* Effect.sleep("12 seconds")
          assert.isDefined((yield* batch.progress.get).estimatedEnd)
          yield* batch.stop
          assert.isUndefined((yield* batch.progress.get).estimatedEnd)
          const outcomes = yield* Fiber.join(running)
          return { outcomes, executions: (yield* readLedger).executions, progress: yield* batch.progress.get }
        })
      )
      assert.deepStrictEqual(countTags(outcomes), {
        Succeeded: executions.length,
        NotAttempted: 100 - executions.length
      })
      assert.strictEqual(executions.length, 20)
      for (const { status } of executions) assert.strictEqual(status, "COMPLETED")
      assert.deepStrictEqual(countReasons(outcomes), { Stopped: 80 })
      assert.strictEqual(progress.stopped, "Stopped")
    })
  )
})

const delayed = Fault.on("executions.create", Fault.delay("1 second"))

describe("Batch.run with beforeSubmit", { concurrent: true }, () => {
  it.effect("passes the number of new submissions to beforeSubmit", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Batch.run(range(30), batchOptions))
          const beforeSubmit = (count: number) => Effect.sync(() => asked.push(count) > 0)
          yield* Stream.runDrain(Batch.run(range(30), { ...batchOptions, beforeSubmit }))
          assert.deepStrictEqual(asked, [])
          yield* Stream.runDrain(Batch.run(range(150), { ...batchOptions, beforeSubmit }))
        })
      )
      assert.strictEqual(
        Array.reduce(asked, 0, (sum, count) => sum + count),
        120
      )
      for (const count of asked) assert.isAtMost(count, 20)
    })
  )

  it.effect("stops the submissions after beforeSubmit returns `false`", () =>
    Effect.gen(function* () {
      const { outcomes, sentAt } = yield* runBatchTest(
        Effect.gen(function* () {
          const left = yield* Ref.make(70)
          const asked: Array<number> = []
          const outcomes = yield* collect(
            Batch.run(range(200), {
              ...batchOptions,
              beforeSubmit: (count) => {
                asked.push(count)
                return Effect.delay(
                  Ref.modify(left, (n) => [n >= count, n - count]),
                  "1 minute"
                )
              }
            })
          )
          // `beforeSubmit` does not run again after it returns `false`.
          assert.deepStrictEqual(asked, [20, 20, 20, 4, 20])
          return { outcomes, sentAt: (yield* readCreates).map(({ at }) => at - start) }
        })
      )
      // An array is read in chunks of 64. Each chunk has three groups of 20 items and one group of 4 items.
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 64, NotAttempted: 136 })
      assert.deepStrictEqual(countReasons(outcomes), { BeforeSubmit: 136 })
      assert.strictEqual(sentAt[0], 60_000)
    })
  )

  it.effect("interrupts beforeSubmit after `stop`", () =>
    Effect.gen(function* () {
      const { at, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(5), {
            ...batchOptions,
            beforeSubmit: () => Effect.as(Effect.sleep("10 hours"), true)
          })
          const running = yield* Effect.fork(collect(batch.outcomes))
          yield* Effect.sleep("1 second")
          yield* batch.stop
          return { outcomes: yield* Fiber.join(running), at: (yield* Clock.currentTimeMillis) - start }
        })
      )
      assert.strictEqual(at, 1000)
      assert.deepStrictEqual(countReasons(outcomes), { Stopped: 5 })
    })
  )

  it.effect("passes a number of at most `concurrency` to beforeSubmit", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      yield* runBatchTest(
        Stream.runDrain(
          Batch.run(range(10), {
            ...batchOptions,
            concurrency: 3,
            beforeSubmit: (count) => Effect.sync(() => asked.push(count) > 0)
          })
        )
      )
      assert.deepStrictEqual(asked, [3, 3, 3, 1])
    })
  )

  it.effect("fails with the error of beforeSubmit", () =>
    Effect.gen(function* () {
      const error = yield* runBatchTest(
        Effect.flip(
          Stream.runDrain(Batch.run([1], { ...batchOptions, beforeSubmit: () => Effect.fail("no bank" as const) }))
        )
      )
      assert.strictEqual(error, "no bank")
    })
  )
})

describe("Batch.run with maxCost", { concurrent: true }, () => {
  const runWithLimit = (extra: Partial<Batch.Options<number>>, setup: Simulator.Options = {}) => {
    let most = 0
    let readCommitted: Effect.Effect<number> = Effect.succeed(0)
    return runBatchTest(
      Effect.gen(function* () {
        readCommitted = Effect.map((yield* Simulator.Simulator).ledger, committedMills)
        const outcomes = yield* collect(Batch.run(range(60), { ...batchOptions, concurrency: 10, ...extra }))
        const { charged, executions } = yield* readLedger
        return { outcomes, charged, executions: executions.length, most }
      }),
      {
        simulator: {
          ...setup,
          onRequest: ({ operation }) =>
            operation === "executions.create"
              ? Effect.map(
                  Effect.suspend(() => readCommitted),
                  (now) => void (most = Math.max(most, now))
                )
              : Effect.void
        }
      }
    )
  }

  it.effect("keeps the sum of costs and holds within the limit", () =>
    Effect.gen(function* () {
      const { charged, executions, most, outcomes } = yield* runWithLimit({ maxCost: "1.00" })
      // The cost of 24 items is 0.96. Another hold of 0.048 would exceed the limit.
      assert.strictEqual(executions, 24)
      assert.strictEqual(charged, "0.960")
      assert.isAtMost(most, 1000)
      assert.isAtLeast(most, 960)
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 24, NotAttempted: 36 })
      assert.deepStrictEqual(countReasons(outcomes), { MaxCost: 36 })
    })
  )

  it.effect("does not count failed items toward the limit", () =>
    Effect.gen(function* () {
      // The API rejects these items after the first hold is reported. Each item therefore has a reservation.
      const late: Simulator.Fault.Matcher = ({ body, operation }) =>
        operation === "executions.create" && /picture 2[0-4]"/.test(new TextDecoder().decode(body))
      const faults = [
        Fault.times(10, Fault.executionOutcome({ status: "FAILED" })),
        Fault.times(5, Fault.on(late, Fault.apiError("CONTENT_MODERATION_REJECTED")))
      ]
      const { charged, executions, most, outcomes } = yield* runWithLimit({ maxCost: "1.00" }, { faults })
      assert.strictEqual(executions, 34)
      assert.strictEqual(charged, "0.960")
      assert.isAtMost(most, 1000)
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 24, "Failed permanently": 15, NotAttempted: 21 })
    })
  )

  it.effect("submits a single item of each model until the API reports the hold of the model", () =>
    Effect.gen(function* () {
      const sentAt = yield* runBatchTest(
        Effect.gen(function* () {
          // This run provides the rate limit to the gate. Otherwise the gate would send a single request first.
          yield* Stream.runDrain(Batch.run([0], { ...batchOptions, id: "before" }))
          const simulator = yield* Simulator.Simulator
          yield* simulator.inject(delayed, delayed)
          const from = yield* Clock.currentTimeMillis
          yield* Stream.runDrain(
            Batch.run(range(6), {
              ...batchOptions,
              maxCost: "50",
              request: (n) => ({ ...requestOf(n), model: n % 2 === 0 ? "flux-1.1-pro" : "seedance-video" })
            })
          )
          return (yield* readCreates).slice(1).map(({ at, body }) => {
            const { model } = JSON.parse(new TextDecoder().decode(body))
            return `${at - from} ${model}`
          })
        })
      )
      assert.deepStrictEqual(countBy(sentAt), {
        "0 flux-1.1-pro": 1,
        "0 seedance-video": 1,
        "1000 flux-1.1-pro": 2,
        "1000 seedance-video": 2
      })
    })
  )

  it.effect("delays the first item of a model while the holds of other items exhaust the limit", () =>
    Effect.gen(function* () {
      const { sentAt, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const request = (n: number) => ({ ...requestOf(n), model: n < 2 ? "flux-1.1-pro" : "seedance-video" })
          yield* Stream.runDrain(Batch.run([0], { ...batchOptions, request }))
          const from = yield* Clock.currentTimeMillis
          const outcomes = yield* collect(Batch.run([1, 2], { ...batchOptions, request, maxCost: "0.088" }))
          return { outcomes, sentAt: (yield* readCreates).slice(1).map(({ at }) => at - from) }
        })
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 2 })
      // The hold of 0.048 uses the rest of the limit. After the first item ends, the limit allows the second item.
      assert.strictEqual(sentAt[0], 0)
      assert.isAbove(sentAt[1] ?? 0, 8000)
    })
  )

  it.effect("uses the option `hold` as the expected hold of an item", () =>
    Effect.gen(function* () {
      const none = yield* runWithLimit({ maxCost: "0.04", hold: () => "0.048" })
      assert.strictEqual(none.executions, 0)
      const one = yield* runWithLimit({ maxCost: "0.048", hold: () => "0.048" })
      assert.strictEqual(one.executions, 1)
      const all = yield* runWithLimit({ maxCost: "0.48", hold: () => "0.048", concurrency: 60 })
      assert.isAtMost(all.most, 480)
      assert.strictEqual(all.executions, 11)
      const wrong = yield* runWithLimit({ maxCost: "1", hold: () => "much" })
      assert.deepStrictEqual(countTags(wrong.outcomes), { Failed: 60 })
      assert.strictEqual(wrong.executions, 0)
    })
  )

  it.effect("reserves the hold of an item that the API may have accepted", () =>
    Effect.gen(function* () {
      const lost = Array.replicate(Fault.on("executions.create", Fault.dropAfter), 4)
      const { charged, executions, outcomes } = yield* runWithLimit(
        { maxCost: "0.10", hold: () => "0.048", concurrency: 1 },
        { faults: lost }
      )
      assert.deepStrictEqual(countTags(outcomes), { Failed: 1, Succeeded: 1, NotAttempted: 58 })
      assert.strictEqual(executions, 2)
      assert.strictEqual(charged, "0.080")
    })
  )

  it.effect("submits no other item of a model after an ambiguous submission with an unknown hold", () =>
    Effect.gen(function* () {
      const { executions, outcomes } = yield* runWithLimit(
        { maxCost: "0.10", concurrency: 3 },
        { faults: Array.replicate(Fault.on("executions.create", Fault.dropAfter), 100) }
      )
      assert.strictEqual(executions, 1)
      assert.deepStrictEqual(countTags(outcomes), { Failed: 1, NotAttempted: 59 })
    })
  )

  it.effect("counts the submissions of an earlier run that had no maxCost", () =>
    Effect.gen(function* () {
      const lost = Fault.on("executions.create", Fault.dropAfter)
      const charged = yield* runBatchTest(
        Effect.gen(function* () {
          const simulator = yield* Simulator.Simulator
          yield* Stream.runDrain(Batch.run([0], batchOptions))
          yield* simulator.inject(...Array.replicate(lost, 12))
          yield* Stream.runDrain(Batch.run([1, 2, 3], { ...batchOptions, concurrency: 1 }))
          yield* Effect.sleep("1 hour")
          // Four items cost 0.160. The limit of 0.25 allows two of the other three items.
          yield* Stream.runDrain(Batch.run([9, 8, 7, 3, 2, 1, 0], { ...batchOptions, maxCost: "0.25" }))
          return (yield* readLedger).charged
        })
      )
      assert.strictEqual(charged, "0.240")
    })
  )

  it.effect("stops the submissions of all remaining items when a hold would exceed the limit", () =>
    Effect.gen(function* () {
      const { outcomes, stopped } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(3), {
            ...batchOptions,
            concurrency: 1,
            maxCost: "0.06",
            hold: (n) => (n === 2 ? "0.01" : "0.048")
          })
          const outcomes = yield* collect(batch.outcomes)
          return { outcomes, stopped: (yield* batch.progress.get).stopped }
        })
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1, NotAttempted: 2 })
      assert.deepStrictEqual([countReasons(outcomes), stopped], [{ MaxCost: 2 }, "MaxCost"])
    })
  )

  it.effect("submits a waiting item after the executions of an earlier run have ended", () =>
    Effect.gen(function* () {
      const { charged, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Effect.timeoutOption(Stream.runDrain(Batch.run([0, 1], batchOptions)), "1 second")
          // Two holds of 0.048 leave too little for a third hold. Two costs of 0.040 leave enough.
          const outcomes = yield* collect(Batch.run([0, 1, 2, 3], { ...batchOptions, maxCost: "0.13" }))
          return { outcomes, charged: (yield* readLedger).charged }
        })
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 3, NotAttempted: 1 })
      assert.strictEqual(charged, "0.120")
    })
  )

  it.effect("does not submit the items that wait for the limit if `stop` is called", () =>
    Effect.gen(function* () {
      const { at, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* Effect.fork(Stream.runDrain(Batch.run([0, 1], batchOptions)))
          yield* Effect.sleep("1 second")
          yield* Fiber.interrupt(first)
          const batch = yield* Batch.make([0, 1, 2, 3], { ...batchOptions, order: "input", maxCost: "0.10" })
          const running = yield* Effect.fork(collect(batch.outcomes))
          yield* Effect.sleep("2 seconds")
          yield* batch.stop
          const outcomes = yield* Fiber.join(running)
          return { outcomes, at: (yield* Clock.currentTimeMillis) - start }
        })
      )
      assert.deepStrictEqual(countReasons(outcomes), { Stopped: 2 })
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 2, NotAttempted: 2 })
      assert.isAbove(at, 8000)
    })
  )

  it.effect("does not run the request effect of an item that would exceed the limit", () =>
    Effect.gen(function* () {
      let made = 0
      const outcomes = yield* runBatchTest(
        collect(
          Batch.run(range(10), {
            ...batchOptions,
            maxCost: "0",
            request: (n) => Effect.sync(() => (made++, requestOf(n)))
          })
        )
      )
      assert.deepStrictEqual(countReasons(outcomes), { MaxCost: 10 })
      assert.strictEqual(made, 0)
    })
  )

  it.effect("applies the limit to the sum of the costs of all runs", () =>
    Effect.gen(function* () {
      const result = yield* runBatchTest(
        Effect.gen(function* () {
          const limited = (count: number) => ({
            ...batchOptions,
            concurrency: 3,
            maxCost: count === 1 ? "0.50" : "0.70"
          })
          const first = yield* collect(Batch.run(range(30), limited(1)))
          const afterFirst = (yield* readLedger).charged
          const backwards = yield* collect(Batch.run(range(30).toReversed(), limited(1)))
          const afterSecond = (yield* readLedger).charged
          const third = yield* collect(Batch.run(range(30), limited(2)))
          return { first, backwards, third, afterFirst, afterSecond, charged: (yield* readLedger).charged }
        })
      )
      assert.deepStrictEqual(countTags(result.first), { Succeeded: 12, NotAttempted: 18 })
      assert.strictEqual(result.afterFirst, "0.480")
      assert.deepStrictEqual(countTags(result.backwards), { Succeeded: 12, NotAttempted: 18 })
      assert.strictEqual(result.afterSecond, "0.480")
      assert.deepStrictEqual(countTags(result.third), { Succeeded: 17, NotAttempted: 13 })
      assert.strictEqual(result.charged, "0.680")
    })
  )
})

describe.runIf(isFull)("Batch.run during an outage of five minutes", { concurrent: true }, () => {
  const isOut = (at: number) => at >= 0 && at < 300_000

  /** Runs a batch during an outage. Every request fails with a 503 for five minutes. */
  const runThroughOutage = (retryBudget: Batch.RetryBudgetOptions | false | undefined) => {
    let clock: Clock.Clock | undefined
    const out = () => clock !== undefined && isOut(clock.unsafeCurrentTimeMillis() - start)
    return runBatchTest(
      Effect.gen(function* () {
        clock = yield* Effect.clock
        const simulator = yield* Simulator.Simulator
        const batch = yield* Batch.make(range(500), { ...batchOptions, concurrency: 25, retryBudget })
        const running = yield* Effect.fork(collect(batch.outcomes))
        yield* Effect.sleep("3 minutes")
        const middle = yield* batch.progress.get
        const outcomes = yield* Fiber.join(running)
        const after = yield* batch.progress.get
        const sent = (yield* simulator.requests).filter(({ at }) => isOut(at - start)).length
        yield* Effect.sleep("5 minutes")
        const second = yield* collect(Batch.run(range(500), batchOptions))
        return { middle, after, sent, outcomes, second, executions: (yield* simulator.ledger).executions.length }
      }),
      {
        simulator: {
          recordRequests: 1_000_000,
          randomFaults: { seed: 1, probability: 1, faults: [{ ...Fault.apiError("SERVICE_UNAVAILABLE"), on: out }] }
        }
      }
    )
  }

  it.effect("sends at most 167 requests with the default retry budget", () =>
    Effect.gen(function* () {
      const { after, executions, middle, outcomes, second, sent } = yield* runThroughOutage(undefined)
      // The bound consists of 25 running items, 50 tokens of the full bucket and 10 tokens per minute. Every fourth
      // failure ends a poll or an item. The next request takes no token.
      assert.isAtMost(sent, Math.ceil(((25 + 50 + 5 * 10) * 4) / 3))
      assert.strictEqual(middle.retriesLeft, 0)
      assert.isAbove(middle.pausedUntil?.epochMillis ?? 0, start + 180_000)
      assert.isAtMost(middle.pausedUntil?.epochMillis ?? 0, start + 186_000)
      // Each failed item has used three retries.
      assert.isAtMost(outcomes.filter(({ _tag }) => _tag === "Failed").length, (50 + 5 * 10) / 3)
      assert.isAbove(after.retriesLeft, 0)
      assert.isUndefined(after.pausedUntil)
      assert.deepStrictEqual(countTags(second), { Succeeded: 500 })
      assert.strictEqual(executions, 500)
    })
  )

  it.effect("sends four requests per item without a retry budget", () =>
    Effect.gen(function* () {
      const { executions, middle, outcomes, second, sent } = yield* runThroughOutage(false)
      assert.strictEqual(sent, 4 * 500)
      assert.strictEqual(middle.retriesLeft, Number.POSITIVE_INFINITY)
      assert.deepStrictEqual(countTags(outcomes), { Failed: 500 })
      assert.deepStrictEqual(countTags(second), { Succeeded: 500 })
      assert.strictEqual(executions, 500)
    })
  )

  it.effect("sends fewer requests with a smaller retry budget", () =>
    Effect.gen(function* () {
      const strict = yield* runThroughOutage({ maxTokens: 1, minPerMinute: 2, tokenRatio: 0 })
      assert.isAtMost(strict.sent, Math.ceil(((25 + 1 + 5 * 2) * 4) / 3))
      const generous = yield* runThroughOutage({ maxTokens: 500, minPerMinute: 60 })
      assert.isAbove(generous.sent, 500)
    })
  )
})

describe("Batch.run with occasional faults", { concurrent: true }, () => {
  /** Runs the items sequentially. The first create request of each item fails with a 503. */
  const runWithBudget = (retryBudget: Batch.RetryBudgetOptions | false) =>
    runBatchTest(
      Effect.gen(function* () {
        const batch = yield* Batch.make(range(10), { ...batchOptions, concurrency: 1, retryBudget })
        yield* Stream.runDrain(batch.outcomes)
        return { millis: (yield* Clock.currentTimeMillis) - start, ...(yield* batch.progress.get) }
      }),
      {
        simulator: {
          faults: Array.replicate(
            [
              Fault.on("executions.create", Fault.apiError("SERVICE_UNAVAILABLE")),
              Fault.on("executions.create", Fault.delay("1 millis"))
            ],
            10
          ).flat()
        }
      }
    )

  it.effect("does not delay retries while successful requests refill the retry budget", () =>
    Effect.gen(function* () {
      const free = yield* runWithBudget(false)
      // For each retry, an item has a successful create request and at least one successful poll.
      const rich = yield* runWithBudget({ maxTokens: 1, tokenRatio: 0.5, minPerMinute: 0.01 })
      assert.strictEqual(rich.millis, free.millis)
      assert.deepStrictEqual([rich.succeeded, rich.requests, rich.retriesLeft], [10, free.requests, 1])
      // The first retry takes the token in the bucket. The other nine retries wait for the minimum rate.
      const poor = yield* runWithBudget({ maxTokens: 1, tokenRatio: 0, minPerMinute: 0.01 })
      assert.isAtLeast(poor.millis, 9 * 100 * 60_000)
      assert.strictEqual(poor.succeeded, 10)
    })
  )
})

describe("Batch.run after a rate limit rejection", { concurrent: true }, () => {
  for (const [code, status] of [
    ["RATE_LIMITED", 429],
    ["A_LIMIT_OF_TOMORROW", 429]
  ] as const) {
    it.effect(`takes no token from the retry budget if the error code is ${code}`, () =>
      Effect.gen(function* () {
        const limited = Fault.apiError(code, { status, retryable: null, headers: { "retry-after": "1" } })
        const { retriesLeft, succeeded } = yield* runBatchTest(
          Effect.gen(function* () {
            const batch = yield* Batch.make(range(3), {
              ...batchOptions,
              concurrency: 1,
              retryBudget: { maxTokens: 5, tokenRatio: 0, minPerMinute: 0.000001 }
            })
            const outcomes = yield* collect(batch.outcomes)
            const { retriesLeft } = yield* batch.progress.get
            return { retriesLeft, succeeded: outcomes.filter(({ _tag }) => _tag === "Succeeded").length }
          }),
          { simulator: { faults: [Fault.times(3, Fault.on("executions.create", limited))] } }
        )
        assert.deepStrictEqual([succeeded, retriesLeft], [3, 5])
      })
    )
  }
})

describe.runIf(isFull)("Batch.run with a rate limit of 600 requests per minute", { concurrent: true }, () => {
  it.effect("uses at least 98 % of the rate limit without a 429", () =>
    Effect.gen(function* () {
      const items = 2400
      const { end, rejected, requests } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run(range(items), { ...batchOptions, concurrency: 400 }))
          assert.deepStrictEqual(countTags(outcomes), { Succeeded: items })
          const end = (yield* Clock.currentTimeMillis) - start
          const simulator = yield* Simulator.Simulator
          const requests = yield* simulator.requests
          assert.strictEqual((yield* simulator.ledger).executions.length, items)
          return {
            end,
            requests: requests.length,
            rejected: requests.filter(({ outcome }) => outcome === 429).length
          }
        }),
        { simulator: { rateLimit: { limit: 600, window: "1 minute" }, balance: "1000.00", recordRequests: 1_000_000 } }
      )
      assert.strictEqual(rejected, 0)
      // This is the shortest possible time, because the last requests wait until their window opens.
      const best = (Math.ceil(requests / 600) - 1) * 60_000
      assert.isAtMost(end / best, 1.02)
      // Each item needs one create request and one poll. Some items need more polls until the latency estimate is
      // available.
      assert.isAtMost(requests / items, 2.1)
    })
  )
})
