/**
 * Tests items with an unknown outcome of their submission. These items must be charged once and must not block other
 * items.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import { Array, Effect, Fiber } from "effect"
import { Batch } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import {
  collect,
  makeMemoryJournal,
  readLedger,
  range,
  batchOptions,
  runBatchTest,
  requestOf,
  withJournal
} from "../utils/batches.js"

const { Fault } = Simulator

const onCreate = (fault: Simulator.Fault.Fault) => Fault.on("executions.create", fault)

/** Faults that drop all four attempts of an item. The API processes the requests only in `acceptedCreates`. */
const acceptedCreates = Array.replicate(onCreate(Fault.dropAfter), 4)
const lostCreates = Array.replicate(onCreate(Fault.dropBefore), 4)

const namesOf = (outcomes: ReadonlyArray<Batch.Outcome<number>>): ReadonlyArray<string> =>
  outcomes.map((outcome) => {
    const result =
      outcome._tag === "Failed"
        ? outcome.error._tag
        : outcome._tag === "NotAttempted"
          ? `NotAttempted ${outcome.reason}`
          : outcome._tag
    return `${outcome.key} ${result}`
  })

/** Runs the items sequentially in the order of the input. Returns the name of each outcome. */
const runItems = (items: ReadonlyArray<number>, extra: Partial<Batch.Options<number>> = {}) =>
  Effect.map(collect(Batch.run(items, { ...batchOptions, concurrency: 1, order: "input", ...extra })), namesOf)

describe("Batch.run after a lost response", () => {
  it.effect("keeps the idempotency key if the API rejects the retry permanently", () =>
    Effect.gen(function* () {
      const { executions, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* runItems([1])
          const changed = yield* runItems([1], { request: (n) => requestOf(n + 100) })
          const second = yield* runItems([1])
          return { runs: [first, changed, second], executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: [onCreate(Fault.dropAfter), onCreate(Fault.apiError("FILE_NOT_FOUND"))] } }
      )
      assert.deepStrictEqual(runs, [["1 FileNotFound"], ["1 InvalidRequest"], ["1 Succeeded"]])
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("counts the item toward maxCost if the API rejects the retry permanently", () =>
    Effect.gen(function* () {
      const { charged, names } = yield* runBatchTest(
        Effect.gen(function* () {
          const names = yield* runItems(range(4), { maxCost: "0.10", hold: () => "0.048" })
          return { names, charged: (yield* readLedger).charged }
        }),
        { simulator: { faults: [onCreate(Fault.dropAfter), onCreate(Fault.apiError("FILE_NOT_FOUND"))] } }
      )
      assert.deepStrictEqual(names, [
        "0 FileNotFound",
        "1 Succeeded",
        "2 NotAttempted MaxCost",
        "3 NotAttempted MaxCost"
      ])
      assert.strictEqual(charged, "0.080")
    })
  )

  for (const code of ["ECONNREFUSED", "EHOSTUNREACH"]) {
    it.effect(`keeps the idempotency key if a transport that retries requests fails with ${code}`, () =>
      Effect.gen(function* () {
        let left = 4
        const cause = Object.assign(new Error(code), { code })
        const { executions, runs } = yield* runBatchTest(
          Effect.gen(function* () {
            const runs = [yield* runItems([1]), yield* runItems([1])]
            return { runs, executions: (yield* readLedger).executions }
          }),
          {
            client: {
              transformClient: HttpClient.transform((effect, request) =>
                request.method === "POST" && left-- > 0
                  ? Effect.zipRight(effect, new HttpClientError.RequestError({ request, reason: "Transport", cause }))
                  : effect
              )
            }
          }
        )
        assert.deepStrictEqual(runs, [["1 TransportError"], ["1 Succeeded"]])
        assert.strictEqual(executions.length, 1)
      })
    )
  }
})

describe("Batch.run with a transport that retries requests", () => {
  const transformClient = (client: HttpClient.HttpClient) =>
    HttpClient.retry(client, { times: 2, while: ({ _tag }) => _tag === "RequestError" })
  for (const [name, refusal] of [
    ["402", onCreate(Fault.apiError("INSUFFICIENT_BALANCE"))],
    ["401", onCreate(Fault.apiError("UNAUTHORIZED", { status: 401 }))],
    ["429", onCreate(Fault.apiError("RATE_LIMITED", { resetIn: "3 hours" }))],
    ["FILE_NOT_FOUND", onCreate(Fault.apiError("FILE_NOT_FOUND"))]
  ] as const) {
    it.effect(`keeps the idempotency key if the API rejects the retry with ${name}`, () =>
      Effect.gen(function* () {
        const { executions, second } = yield* runBatchTest(
          Effect.gen(function* () {
            yield* runItems([1])
            yield* Effect.sleep("4 hours")
            return { second: yield* runItems([1]), executions: (yield* readLedger).executions }
          }),
          { client: { transformClient }, simulator: { faults: [onCreate(Fault.dropAfter), refusal] } }
        )
        assert.deepStrictEqual(second, ["1 Succeeded"])
        assert.strictEqual(executions.length, 1)
      })
    )
  }

  it.effect("does not extend the lifetime of the idempotency key after a 429", () =>
    Effect.gen(function* () {
      const { executions, second } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* runItems([1])
          yield* Effect.sleep("25 hours")
          return { second: yield* runItems([1]), executions: (yield* readLedger).executions }
        }),
        {
          client: { transformClient },
          simulator: {
            faults: [onCreate(Fault.dropAfter), onCreate(Fault.apiError("RATE_LIMITED", { resetIn: "3 hours" }))]
          }
        }
      )
      assert.deepStrictEqual(second, ["1 SubmissionOutcomeUnknown"])
      assert.strictEqual(executions.length, 1)
    })
  )
})

describe("Batch.run after a request that could not be sent", () => {
  it.effect("submits the item again after the idempotency key has expired", () =>
    Effect.gen(function* () {
      let isBroken = true
      const runs = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* runItems([1])
          isBroken = false
          yield* Effect.sleep("25 hours")
          return [first, yield* runItems([1])]
        }),
        {
          client: {
            transformClient: HttpClient.mapRequest((request) =>
              isBroken ? HttpClientRequest.setUrl(request, "http://[") : request
            )
          }
        }
      )
      assert.deepStrictEqual(runs, [["1 InvalidRequest"], ["1 Succeeded"]])
    })
  )
})

describe("Batch.run after a rate limit rejection", () => {
  it.effect("finds the existing execution if the journal is lost", () =>
    Effect.gen(function* () {
      const { executions, first, second } = yield* runBatchTest(
        Effect.gen(function* () {
          const kept = yield* makeMemoryJournal
          const first = yield* Effect.gen(function* () {
            const rejected = yield* runItems([1])
            yield* Effect.sleep("3 hours")
            return [rejected, yield* runItems([1])]
          }).pipe(Effect.provide(withJournal(kept)))
          const second = yield* runItems([1])
          return { first, second, executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: [onCreate(Fault.apiError("RATE_LIMITED", { resetIn: "3 hours" }))] } }
      )
      assert.deepStrictEqual(first, [["1 RateLimited"], ["1 Succeeded"]])
      assert.deepStrictEqual(second, ["1 Succeeded"])
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("creates only one execution if the API rejects a request of one of two concurrent runs", () =>
    Effect.gen(function* () {
      const executions = yield* runBatchTest(
        Effect.gen(function* () {
          const two = yield* Effect.all([Effect.fork(runItems([1, 1])), Effect.fork(runItems([1, 1]))])
          yield* Effect.forEach(two, Fiber.join)
          return (yield* readLedger).executions
        }),
        {
          simulator: {
            faults: [
              // The status is not 429, because a 429 would make the gate delay the other run.
              onCreate(Fault.apiError("RATE_LIMITED", { status: 400, retryable: false })),
              onCreate(Fault.delay("20 seconds"))
            ]
          }
        }
      )
      assert.strictEqual(executions.length, 1)
    })
  )
})

describe("Batch.run with maxCost and an unknown hold", () => {
  it.effect("blocks only items whose model has an unknown hold", () =>
    Effect.gen(function* () {
      const model = (n: number) => ({ ...requestOf(n), model: n < 5 ? "flux-1.1-pro" : "seedance-video" })
      const extra = { maxCost: "5.00", request: model }
      const { executions, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const runs = [
            yield* runItems([4, 3, 7], extra),
            yield* runItems([0, 4, 1], extra),
            yield* runItems([0, 1], extra)
          ]
          return { runs, executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: acceptedCreates } }
      )
      assert.deepStrictEqual(runs, [
        ["4 TransportError", "3 NotAttempted UnknownHold", "7 Succeeded"],
        ["0 NotAttempted UnknownHold", "4 Succeeded", "1 Succeeded"],
        ["0 Succeeded", "1 Succeeded"]
      ])
      assert.strictEqual(executions.length, 4)
    })
  )

  it.effect("submits all items after `resubmit` replaces the ambiguous submission", () =>
    Effect.gen(function* () {
      const { charged, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* runItems(range(3), { maxCost: "5.00" })
          yield* Effect.sleep("2 days")
          const second = yield* runItems(range(3), { maxCost: "5.00" })
          const third = yield* runItems(range(3), { maxCost: "0.13", resubmit: () => true })
          return { runs: [first, second, third], charged: (yield* readLedger).charged }
        }),
        { simulator: { faults: lostCreates } }
      )
      assert.deepStrictEqual(runs, [
        ["0 TransportError", "1 NotAttempted UnknownHold", "2 NotAttempted UnknownHold"],
        ["0 SubmissionOutcomeUnknown", "1 NotAttempted UnknownHold", "2 NotAttempted UnknownHold"],
        ["0 Succeeded", "1 Succeeded", "2 Succeeded"]
      ])
      assert.strictEqual(charged, "0.120")
    })
  )

  it.effect("reserves the same amount for an ambiguous submission as for another execution", () =>
    Effect.gen(function* () {
      const { charged, names } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* runItems([1, 2, 3])
          const names = yield* runItems([1, 10, 11, 12, 2, 3], { maxCost: "0.25" })
          return { names, charged: (yield* readLedger).charged }
        }),
        { simulator: { faults: [...acceptedCreates, ...acceptedCreates, ...acceptedCreates] } }
      )
      // The first item costs 0.040, and the last two items may hold 0.096 in total. The limit of 0.25 then allows two
      // more items, one after the other.
      assert.deepStrictEqual(names, [
        "1 Succeeded",
        "10 Succeeded",
        "11 Succeeded",
        "12 NotAttempted MaxCost",
        "2 Succeeded",
        "3 Succeeded"
      ])
      assert.strictEqual(charged, "0.200")
    })
  )
})

describe("Batch.run with maxCost and an ambiguous submission", () => {
  const tight = { maxCost: "0.09", hold: () => "0.048" }

  it.effect("resends the ambiguous submission even if maxCost is reached", () =>
    Effect.gen(function* () {
      const { charged, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const runs = [yield* runItems([9], tight), yield* runItems([0, 9], tight), yield* runItems([0, 9], tight)]
          return { runs, charged: (yield* readLedger).charged }
        }),
        { simulator: { faults: acceptedCreates } }
      )
      assert.deepStrictEqual(runs, [
        ["9 TransportError"],
        ["0 NotAttempted MaxCost", "9 Succeeded"],
        ["0 Succeeded", "9 Succeeded"]
      ])
      assert.strictEqual(charged, "0.080")
    })
  )

  for (const [name, items] of [
    ["the batch has no other item", [9]],
    ["another item would exceed the limit", [0, 9]]
  ] as const) {
    it.effect(`replaces the ambiguous submission without exceeding maxCost if ${name}`, () =>
      Effect.gen(function* () {
        const { executions, second } = yield* runBatchTest(
          Effect.gen(function* () {
            yield* runItems([9], { ...tight, maxCost: "0.05" })
            yield* Effect.sleep("2 days")
            const second = yield* runItems(items, { ...tight, maxCost: "0.05", resubmit: () => true })
            return { second, executions: (yield* readLedger).executions }
          }),
          { simulator: { faults: lostCreates } }
        )
        assert.strictEqual(second.at(-1), "9 Succeeded")
        assert.deepStrictEqual(
          second.slice(0, -1),
          name === "the batch has no other item" ? [] : ["0 NotAttempted MaxCost"]
        )
        assert.strictEqual(executions.length, 1)
      })
    )
  }

  it.effect("counts the ambiguous submission toward maxCost until its resubmission", () =>
    Effect.gen(function* () {
      const outcomes = yield* runBatchTest(
        Effect.gen(function* () {
          yield* runItems([9], tight)
          yield* Effect.sleep("2 days")
          return yield* collect(
            Batch.run([9, 1, 2], {
              ...batchOptions,
              ...tight,
              concurrency: 1,
              resubmit: () => true,
              request: (n) => (n === 9 ? Effect.fail("no file") : requestOf(n))
            })
          )
        }),
        { simulator: { faults: lostCreates } }
      )
      assert.deepStrictEqual(
        outcomes.map((outcome) => (outcome._tag === "NotAttempted" ? outcome.reason : outcome._tag)),
        ["Failed", "MaxCost", "MaxCost"]
      )
    })
  )
})
