/** What may have been accepted, and nobody knows: it is not paid for twice, not forgotten, and not in the way of the rest. */
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

/** All that one item does about it in one run is lost: after the API has accepted it, or before. */
const accepted = Array.replicate(onCreate(Fault.dropAfter), 4)
const unseen = Array.replicate(onCreate(Fault.dropBefore), 4)

const namesOf = (outcomes: ReadonlyArray<Batch.Outcome<number>>): ReadonlyArray<string> =>
  outcomes.map((outcome) => {
    const what =
      outcome._tag === "Failed"
        ? outcome.error._tag
        : outcome._tag === "NotAttempted"
          ? `NotAttempted ${outcome.reason}`
          : outcome._tag
    return `${outcome.key} ${what}`
  })

/** One after the other, in the order of the input. */
const once = (items: ReadonlyArray<number>, extra: Partial<Batch.Options<number>> = {}) =>
  Effect.map(collect(Batch.run(items, { ...batchOptions, concurrency: 1, order: "input", ...extra })), namesOf)

describe("an item whose answer was lost", () => {
  it.effect(
    "may be accepted, though its second create is refused for good: it is asked for again, and not changed",
    () =>
      Effect.gen(function* () {
        const { executions, runs } = yield* runBatchTest(
          Effect.gen(function* () {
            const first = yield* once([1])
            const changed = yield* once([1], { request: (n) => requestOf(n + 100) })
            const second = yield* once([1])
            return { runs: [first, changed, second], executions: (yield* readLedger).executions }
          }),
          { simulator: { faults: [onCreate(Fault.dropAfter), onCreate(Fault.envelope("FILE_NOT_FOUND"))] } }
        )
        assert.deepStrictEqual(runs, [["1 FileNotFound"], ["1 InvalidRequest"], ["1 Succeeded"]])
        assert.strictEqual(executions.length, 1)
      })
  )

  it.effect("is counted by maxCost after such a refusal", () =>
    Effect.gen(function* () {
      const { charged, names } = yield* runBatchTest(
        Effect.gen(function* () {
          const names = yield* once(range(4), { maxCost: "0.10", hold: () => "0.048" })
          return { names, charged: (yield* readLedger).charged }
        }),
        { simulator: { faults: [onCreate(Fault.dropAfter), onCreate(Fault.envelope("FILE_NOT_FOUND"))] } }
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
    it.effect(
      `keeps its key though there was no connection at last: ${code} of a transport that repeats by itself`,
      () =>
        Effect.gen(function* () {
          let left = 4
          const cause = Object.assign(new Error(code), { code })
          const { executions, runs } = yield* runBatchTest(
            Effect.gen(function* () {
              const runs = [yield* once([1]), yield* once([1])]
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

describe("a refusal that a transport gets when it repeats by itself", () => {
  const transformClient = (client: HttpClient.HttpClient) =>
    HttpClient.retry(client, { times: 2, while: ({ _tag }) => _tag === "RequestError" })
  for (const [name, refusal] of [
    ["402", onCreate(Fault.envelope("INSUFFICIENT_BALANCE"))],
    ["401", onCreate(Fault.envelope("UNAUTHORIZED", { status: 401 }))],
    ["429", onCreate(Fault.rateLimited({ resetIn: "3 hours" }))],
    ["FILE_NOT_FOUND", onCreate(Fault.envelope("FILE_NOT_FOUND"))]
  ] as const) {
    it.effect(`says nothing of what it has sent before: ${name}`, () =>
      Effect.gen(function* () {
        const { executions, second } = yield* runBatchTest(
          Effect.gen(function* () {
            yield* once([1])
            yield* Effect.sleep("4 hours")
            return { second: yield* once([1]), executions: (yield* readLedger).executions }
          }),
          { client: { transformClient }, simulator: { faults: [onCreate(Fault.dropAfter), refusal] } }
        )
        assert.deepStrictEqual(second, ["1 Succeeded"])
        assert.strictEqual(executions.length, 1)
      })
    )
  }

  it.effect("is not the end of its key's life", () =>
    Effect.gen(function* () {
      const { executions, second } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* once([1])
          yield* Effect.sleep("25 hours")
          return { second: yield* once([1]), executions: (yield* readLedger).executions }
        }),
        {
          client: { transformClient },
          simulator: { faults: [onCreate(Fault.dropAfter), onCreate(Fault.rateLimited({ resetIn: "3 hours" }))] }
        }
      )
      assert.deepStrictEqual(second, ["1 SubmissionOutcomeUnknown"])
      assert.strictEqual(executions.length, 1)
    })
  )
})

describe("an item whose request could not be sent as it is", () => {
  it.effect("is in no doubt, and is submitted however much later", () =>
    Effect.gen(function* () {
      let isBroken = true
      const runs = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* once([1])
          isBroken = false
          yield* Effect.sleep("25 hours")
          return [first, yield* once([1])]
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

describe("an item that was refused for the rate limit", () => {
  it.effect("keeps its key, so that a journal that was lost costs nothing", () =>
    Effect.gen(function* () {
      const { executions, first, second } = yield* runBatchTest(
        Effect.gen(function* () {
          const kept = yield* makeMemoryJournal
          const first = yield* Effect.gen(function* () {
            const refused = yield* once([1])
            yield* Effect.sleep("3 hours")
            return [refused, yield* once([1])]
          }).pipe(Effect.provide(withJournal(kept)))
          const second = yield* once([1])
          return { first, second, executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: [onCreate(Fault.rateLimited({ resetIn: "3 hours" }))] } }
      )
      assert.deepStrictEqual(first, [["1 RateLimited"], ["1 Succeeded"]])
      assert.deepStrictEqual(second, ["1 Succeeded"])
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("is paid for once by two runs at the same time, one of which is refused", () =>
    Effect.gen(function* () {
      const executions = yield* runBatchTest(
        Effect.gen(function* () {
          const two = yield* Effect.all([Effect.fork(once([1, 1])), Effect.fork(once([1, 1]))])
          yield* Effect.forEach(two, Fiber.join)
          return (yield* readLedger).executions
        }),
        {
          simulator: {
            faults: [
              // Not by its status, so that only the one run hears of it, and the other is not held back by their gate.
              onCreate(Fault.envelope("RATE_LIMITED", { status: 400, retryable: false })),
              onCreate(Fault.delay("20 seconds"))
            ]
          }
        }
      )
      assert.strictEqual(executions.length, 1)
    })
  )
})

describe("with maxCost, an item of which nobody knows what it holds", () => {
  it.effect("keeps back only its model's items, until it has told in the next run, whatever their order", () =>
    Effect.gen(function* () {
      const model = (n: number) => ({ ...requestOf(n), model: n < 5 ? "flux-1.1-pro" : "seedance-video" })
      const extra = { maxCost: "5.00", request: model }
      const { executions, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const runs = [yield* once([4, 3, 7], extra), yield* once([0, 4, 1], extra), yield* once([0, 1], extra)]
          return { runs, executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: accepted } }
      )
      assert.deepStrictEqual(runs, [
        ["4 TransportError", "3 NotAttempted UnknownHold", "7 Succeeded"],
        ["0 NotAttempted UnknownHold", "4 Succeeded", "1 Succeeded"],
        ["0 Succeeded", "1 Succeeded"]
      ])
      assert.strictEqual(executions.length, 4)
    })
  )

  it.effect("keeps back nothing any more when the caller has given it up", () =>
    Effect.gen(function* () {
      const { charged, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* once(range(3), { maxCost: "5.00" })
          yield* Effect.sleep("2 days")
          const second = yield* once(range(3), { maxCost: "5.00" })
          const third = yield* once(range(3), { maxCost: "0.13", resubmit: () => true })
          return { runs: [first, second, third], charged: (yield* readLedger).charged }
        }),
        { simulator: { faults: unseen } }
      )
      assert.deepStrictEqual(runs, [
        ["0 TransportError", "1 NotAttempted UnknownHold", "2 NotAttempted UnknownHold"],
        ["0 SubmissionOutcomeUnknown", "1 NotAttempted UnknownHold", "2 NotAttempted UnknownHold"],
        ["0 Succeeded", "1 Succeeded", "2 Succeeded"]
      ])
      assert.strictEqual(charged, "0.120")
    })
  )

  it.effect("counts as much as another of its model has told, for each of several", () =>
    Effect.gen(function* () {
      const { charged, names } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* once([1, 2, 3])
          const names = yield* once([1, 10, 11, 12, 2, 3], { maxCost: "0.25" })
          return { names, charged: (yield* readLedger).charged }
        }),
        { simulator: { faults: [...accepted, ...accepted, ...accepted] } }
      )
      // 0.040 for the first and 0.096 for two that may run leave room for two more, one after the other.
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

describe("with maxCost, an item that may have been accepted", () => {
  const tight = { maxCost: "0.09", hold: () => "0.048" }

  it.effect("is asked for again though there is no room for others: it has been counted", () =>
    Effect.gen(function* () {
      const { charged, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const runs = [yield* once([9], tight), yield* once([0, 9], tight), yield* once([0, 9], tight)]
          return { runs, charged: (yield* readLedger).charged }
        }),
        { simulator: { faults: accepted } }
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
    ["alone", [9]],
    ["behind one that finds no room", [0, 9]]
  ] as const) {
    it.effect(`makes room for what takes its place when the caller has given it up: ${name}`, () =>
      Effect.gen(function* () {
        const { executions, second } = yield* runBatchTest(
          Effect.gen(function* () {
            yield* once([9], { ...tight, maxCost: "0.05" })
            yield* Effect.sleep("2 days")
            const second = yield* once(items, { ...tight, maxCost: "0.05", resubmit: () => true })
            return { second, executions: (yield* readLedger).executions }
          }),
          { simulator: { faults: unseen } }
        )
        assert.strictEqual(second.at(-1), "9 Succeeded")
        assert.deepStrictEqual(second.slice(0, -1), name === "alone" ? [] : ["0 NotAttempted MaxCost"])
        assert.strictEqual(executions.length, 1)
      })
    )
  }

  it.effect("counts as long as nothing has taken its place", () =>
    Effect.gen(function* () {
      const outcomes = yield* runBatchTest(
        Effect.gen(function* () {
          yield* once([9], tight)
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
        { simulator: { faults: unseen } }
      )
      assert.deepStrictEqual(
        outcomes.map((outcome) => (outcome._tag === "NotAttempted" ? outcome.reason : outcome._tag)),
        ["Failed", "MaxCost", "MaxCost"]
      )
    })
  )
})
