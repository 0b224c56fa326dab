/** Tests the public API of `Batch`: outcomes, items, deliveries, progress, invalid options and interruption. */
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, it } from "@effect/vitest"
import { Array, Clock, DateTime, Deferred, Effect, Fiber, Layer, Option, Schedule, Stream } from "effect"
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
  countTags,
  countBy
} from "./utils/batches.js"
import { arrivalTimes, start } from "./utils/harness.js"

const { Fault } = Simulator

/** Options with the models `model-0` to `model-9`. Their executions take 10 to 19 seconds. */
const slower = {
  models: Object.fromEntries(
    range(10).map((n) => [
      `model-${n}`,
      { duration: `${10 + n} seconds`, queued: "1 second", cost: "0.040", output: "image" } as const
    ])
  )
}

const oneSecond = Schedule.spaced("1 second")

const ofModel = (n: number) => ({ model: `model-${n}`, input: {} })

describe("Batch.run", { concurrent: true }, () => {
  it.effect("emits one outcome per item", () =>
    Effect.gen(function* () {
      const { executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run(range(50), batchOptions))
          return { outcomes, executions: (yield* readLedger).executions }
        })
      )
      assert.strictEqual(executions.length, 50)
      assert.strictEqual(outcomes.length, 50)
      for (const n of range(50)) {
        const outcome = outcomes.find(({ index }) => index === n)
        if (outcome?._tag !== "Succeeded") return assert.fail(`item ${n} is ${outcome?._tag}`)
        assert.strictEqual(outcome.item, n)
        assert.strictEqual(outcome.key, String(n))
        assert.isFalse(outcome.delivered)
        const executed = executions.find(({ executionId }) => executionId === outcome.completed.id)
        assert.strictEqual(executed?.body, JSON.stringify(requestOf(n)))
        assert.strictEqual(outcome.completed.cost, "0.040")
      }
    })
  )

  it.effect("waits for the output while `/result` returns an outdated status", () =>
    Effect.gen(function* () {
      const behind = (status: string) =>
        Fault.on(
          "executions.result",
          Fault.raw({ status: 200, body: JSON.stringify({ execution_id: "exec_1", status }) })
        )
      const separate = { duration: "5 seconds", cost: "0.040", output: "image", result: "separate" } as const
      const { outcomes, recorded } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run([1, 2], { ...batchOptions, concurrency: 2 }))
          const entries = yield* collect((yield* Batch.Journal).entries("catalogue"))
          return {
            outcomes,
            recorded: entries.flatMap(({ completed }) => (completed === undefined ? [] : [completed]))
          }
        }),
        {
          simulator: {
            models: { "flux-1.1-pro": separate },
            faults: [behind("PROCESSING"), behind("FAILED"), behind("COMPLETED"), behind("PROCESSING")]
          }
        }
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 2 })
      assert.deepStrictEqual(
        recorded.map(({ fileIds }) => fileIds.length),
        [1, 1]
      )
    })
  )

  it.effect("emits outcomes in completion order by default", () =>
    Effect.gen(function* () {
      const wanted = [9, 0, 5, 3]
      const order = (order?: "completion" | "input") =>
        runBatchTest(
          Effect.map(
            collect(
              Batch.run(wanted, { ...batchOptions, request: ofModel, ...(order === undefined ? {} : { order }) })
            ),
            Array.map(({ item }) => item)
          ),
          { simulator: slower, client: { pollSchedule: oneSecond } }
        )
      assert.deepStrictEqual(yield* order(), [0, 3, 5, 9])
      assert.deepStrictEqual(yield* order("completion"), [0, 3, 5, 9])
      assert.deepStrictEqual(yield* order("input"), wanted)
    })
  )

  it.effect("continues with the other items after an item fails", () =>
    Effect.gen(function* () {
      const faults = [
        Fault.on("executions.create", Fault.apiError("CONTENT_MODERATION_REJECTED")),
        Fault.executionOutcome({ status: "FAILED", code: "GENERATION_FAILED" }),
        Fault.executionOutcome({ status: "CANCELLED" })
      ]
      const outcomes = yield* runBatchTest(collect(Batch.run(range(6), { ...batchOptions, concurrency: 1 })), {
        simulator: { faults }
      })
      assert.deepStrictEqual(
        outcomes.map((outcome) => (outcome._tag === "Failed" ? [outcome.error._tag, outcome.final] : outcome._tag)),
        [
          ["ContentModerationRejected", true],
          ["GenerationFailed", true],
          ["ExecutionCancelled", true],
          "Succeeded",
          "Succeeded",
          "Succeeded"
        ]
      )
    })
  )

  it.effect("marks a failure as not final if a later run can succeed", () =>
    Effect.gen(function* () {
      const faults = [
        Fault.times(4, Fault.on("executions.create", Fault.apiError("MODEL_OVERLOADED"))),
        Fault.on("executions.create", Fault.apiError("INTERNAL_ERROR")),
        Fault.times(4, Fault.on("executions.create", Fault.apiError("FILE_NOT_FOUND", { retryable: true })))
      ]
      const failures = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* collect(Batch.run(range(4), { ...batchOptions, concurrency: 1 }))
          const second = yield* collect(Batch.run(range(4), batchOptions))
          return { first, second, executions: (yield* readLedger).executions }
        }),
        { simulator: { faults } }
      )
      assert.deepStrictEqual(
        failures.first.map((outcome) =>
          outcome._tag === "Failed" ? [outcome.error._tag, outcome.final] : outcome._tag
        ),
        [["ModelOverloaded", false], ["InternalError", false], ["FileNotFound", false], "Succeeded"]
      )
      assert.deepStrictEqual(countTags(failures.second), { Succeeded: 4 })
      assert.strictEqual(failures.executions.length, 4)
    })
  )

  it.effect("emits no outcome for an empty input", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* runBatchTest(collect(Batch.run([], batchOptions))), [])
      assert.deepStrictEqual(yield* runBatchTest(collect(Batch.run(Stream.empty, batchOptions))), [])
    })
  )

  it.effect("resumes the executions of an earlier run whose input stream failed", () =>
    Effect.gen(function* () {
      const input = Stream.concat(Stream.fromIterable(range(3)), Stream.fail("no more" as const))
      const { executions, failure, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const failure = yield* Effect.flip(Stream.runDrain(Batch.run(input, batchOptions)))
          const outcomes = yield* collect(Batch.run(range(3), batchOptions))
          return { failure, outcomes, executions: (yield* readLedger).executions }
        })
      )
      assert.strictEqual(failure, "no more")
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 3 })
      assert.strictEqual(executions.length, 3)
    })
  )

  it.effect("runs at most `concurrency` items at the same time", () =>
    Effect.gen(function* () {
      let read = 0
      function* endless() {
        for (;;) yield read++
      }
      const most = yield* runBatchTest(
        Effect.gen(function* () {
          const simulator = yield* Simulator.Simulator
          let most = 0
          const outcomes = Batch.run(endless(), {
            ...batchOptions,
            concurrency: 7,
            deliver: () =>
              Effect.map(simulator.ledger, ({ executions }) => {
                most = Math.max(most, executions.filter(({ status }) => status !== "COMPLETED").length)
              })
          })
          yield* Stream.runDrain(Stream.take(outcomes, 20))
          return most
        })
      )
      assert.isAtMost(most, 7)
      assert.isAtMost(read, 20 + 7 + 64 + 64)
    })
  )

  it.effect("stops submitting items if the consumer stops pulling outcomes", () =>
    Effect.gen(function* () {
      const created = yield* runBatchTest(
        Effect.gen(function* () {
          const firstTaken = yield* Deferred.make<void>()
          const outcomes = Batch.run(range(1000), { ...batchOptions, concurrency: 5 })
          const consumer = yield* Effect.fork(
            Stream.runForEach(outcomes, () => Effect.zipRight(Deferred.succeed(firstTaken, undefined), Effect.never))
          )
          yield* Deferred.await(firstTaken)
          yield* Effect.sleep("1 hour")
          const { executions } = yield* readLedger
          yield* Fiber.interrupt(consumer)
          return executions.length
        })
      )
      // The consumer holds 1 outcome and the buffer holds 16. Up to 10 more items have been submitted.
      assert.isAtLeast(created, 6)
      assert.isAtMost(created, 1 + 16 + 2 * 5)
    })
  )

  it.effect("submits each item as soon as the input stream emits it", () =>
    Effect.gen(function* () {
      const trickle = Stream.fromIterable(range(3)).pipe(
        Stream.rechunk(1),
        Stream.tap((n) => Effect.sleep(n === 0 ? 0 : "1 minute"))
      )
      const at = yield* runBatchTest(
        Effect.zipRight(Stream.runDrain(Batch.run(trickle, batchOptions)), arrivalTimes("executions.create"))
      )
      assert.deepStrictEqual(at, [0, 60_000, 120_000])
    })
  )

  it.effect("runs items with the same key once", () =>
    Effect.gen(function* () {
      const { executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const keys = [1, 2, 1, 1, 3, 2]
          const outcomes = yield* collect(Batch.run(keys, batchOptions))
          return { outcomes, executions: (yield* readLedger).executions }
        })
      )
      assert.strictEqual(executions.length, 3)
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 6 })
      const ids = (n: number) =>
        new Set(outcomes.flatMap((o) => (o._tag === "Succeeded" && o.item === n ? [o.completed.id] : [])))
      for (const n of [1, 2, 3]) assert.strictEqual(ids(n).size, 1)
    })
  )

  for (const concurrency of [1, 4]) {
    it.effect(
      `resubmits duplicate items at most once per run after their execution has FAILED (concurrency ${concurrency})`,
      () =>
        Effect.gen(function* () {
          const { executions, first, second } = yield* runBatchTest(
            Effect.gen(function* () {
              const runOnce = collect(Batch.run([1, 2, 1, 1], { ...batchOptions, concurrency, resubmit: () => true }))
              return { first: yield* runOnce, second: yield* runOnce, executions: (yield* readLedger).executions }
            }),
            {
              simulator: {
                faults: [Fault.executionOutcome({ status: "FAILED" }), Fault.executionOutcome({ status: "FAILED" })]
              }
            }
          )
          assert.deepStrictEqual(countTags(first), { "Failed permanently": 4 })
          assert.deepStrictEqual(countTags(second), { Succeeded: 4 })
          assert.strictEqual(executions.length, 4)
        })
    )

    it.effect(
      `does not resubmit an item during the run that received a 404 for its execution (concurrency ${concurrency})`,
      () =>
        Effect.gen(function* () {
          let first: string | undefined
          // Eight 404 responses last longer than the maximum replica lag of 60 s.
          const unknown = Fault.times(
            8,
            Fault.on(
              ({ operation, path }) => operation === "executions.get" && path === (first ??= path),
              Fault.apiError("NOT_FOUND", { status: 404 })
            )
          )
          const { executions, outcomes } = yield* runBatchTest(
            Effect.gen(function* () {
              const outcomes = yield* collect(
                Batch.run([1, 2, 3, 1], { ...batchOptions, concurrency, resubmit: () => true })
              )
              return { outcomes, executions: (yield* readLedger).executions }
            }),
            { simulator: { faults: [unknown] } }
          )
          assert.deepStrictEqual(countTags(outcomes), { Failed: 1, Succeeded: 3 })
          assert.strictEqual(executions.length, 3)
        })
    )
  }

  it.effect("processes items with the same key one after the other even if an item arrives later", () =>
    Effect.gen(function* () {
      const delivered: Array<readonly [index: number, from: number, to: number]> = []
      const input = Stream.fromIterable(range(3)).pipe(
        Stream.rechunk(1),
        // The last item arrives after the first item has ended, and while the second item is delivered.
        Stream.tap((n) => Effect.sleep(n === 2 ? 100_000 : 0))
      )
      const elapsed = Effect.map(Clock.currentTimeMillis, (now) => now - start)
      yield* runBatchTest(
        Stream.runDrain(
          Batch.run(input, {
            ...batchOptions,
            key: () => "the same",
            request: () => requestOf(1),
            deliver: ({ index }) =>
              Effect.gen(function* () {
                const from = yield* elapsed
                yield* Effect.sleep("1 minute")
                delivered.push([index, from, yield* elapsed])
                // Otherwise, the batch would not deliver the outcome of the last item, which is the same outcome.
                return false
              })
          })
        )
      )
      assert.deepStrictEqual(
        delivered.map(([index]) => index),
        [0, 1, 2]
      )
      const [first, second, third] = delivered
      assert.isTrue(first !== undefined && first[2] < 100_000)
      assert.deepStrictEqual([second?.[1], third?.[1]], [first?.[2], second?.[2]])
    })
  )

  it.effect("does not compare an invalid request with the recorded request", () =>
    Effect.gen(function* () {
      const runs = yield* runBatchTest(
        Effect.gen(function* () {
          const runOnce = (version: () => string) =>
            Effect.map(collect(Batch.run([1], { ...batchOptions, version })), (outcomes) => outcomes.map(nameOf))
          const broken = () => {
            throw new Error("no version")
          }
          return [yield* runOnce(() => "a"), yield* runOnce(broken), yield* runOnce(() => "a")]
        })
      )
      assert.deepStrictEqual(runs.flat(), ["Succeeded", "InvalidRequest version", "Succeeded"])
    })
  )

  it.effect("rejects an item if an earlier item has the same key but a different request", () =>
    Effect.gen(function* () {
      const { executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(
            Batch.run([1, 2, 3], { ...batchOptions, key: () => "the same", order: "input", concurrency: 3 })
          )
          return { outcomes, executions: (yield* readLedger).executions }
        })
      )
      assert.strictEqual(executions.length, 1)
      assert.deepStrictEqual(outcomes.map(nameOf), ["Succeeded", "InvalidRequest request", "InvalidRequest request"])
    })
  )

  it.effect("runs items with the same key once even if journal reads are slow", () =>
    Effect.gen(function* () {
      const memory = yield* makeMemoryJournal
      const slow: Batch.JournalService = {
        ...memory,
        read: (batch, keys) => Effect.zipLeft(memory.read(batch, keys), Effect.sleep("1 minute"))
      }
      const { executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const items = ["a first", "b first", "a second", "b first"]
          const outcomes = yield* collect(
            Batch.run(items, {
              id: "b",
              key: (item) => item.slice(0, 1),
              request: (prompt) => ({ model: "flux-1.1-pro", input: { prompt } }),
              concurrency: 2,
              order: "input"
            }).pipe(Stream.provideService(Batch.Journal, slow))
          )
          return { outcomes, executions: (yield* readLedger).executions }
        })
      )
      assert.deepStrictEqual(outcomes.map(nameOf), ["Succeeded", "Succeeded", "InvalidRequest request", "Succeeded"])
      assert.strictEqual(executions.length, 2)
    })
  )

  it.effect("fails only the affected item if an option callback throws", () =>
    Effect.gen(function* () {
      const thrown = (name: string, at: number) => (n: number) => {
        if (n === at) throw new Error(`no ${name}`)
        return String(n)
      }
      const outcomes = yield* runBatchTest(
        collect(
          Batch.run(range(5), {
            id: "b",
            order: "input",
            concurrency: 2,
            key: thrown("key", 0),
            version: thrown("version", 1),
            hold: thrown("hold", 2),
            request: (n) => (thrown("request", 3)(n), requestOf(n))
          })
        )
      )
      assert.deepStrictEqual(outcomes.map(nameOf), [
        "InvalidRequest key",
        "InvalidRequest version",
        "InvalidRequest hold",
        "InvalidRequest request",
        "Succeeded"
      ])
      const [first] = outcomes
      const error = first?._tag === "Failed" ? first.error : assert.fail()
      assert.strictEqual(error.operation, "Batch.run")
      assert.include(error.message, "threw an exception (no key)")
    })
  )

  it.effect("fails only the affected item if an option callback does not return a string", () =>
    Effect.gen(function* () {
      // TypeScript rejects these values, but a JavaScript caller can return them.
      const invalid = (at: number) => (n: number) => (n === at ? JSON.parse("5") : String(n))
      const outcomes = yield* runBatchTest(
        collect(
          Batch.run(range(4), {
            ...batchOptions,
            order: "input",
            key: invalid(0),
            version: invalid(1),
            hold: invalid(2)
          })
        )
      )
      assert.deepStrictEqual(outcomes.map(nameOf), [
        "InvalidRequest key",
        "InvalidRequest version",
        "InvalidRequest hold",
        "Succeeded"
      ])
      assert.deepStrictEqual(
        outcomes.map(({ key }) => key),
        ["", "1", "2", "3"]
      )
    })
  )

  it.effect("fails with JournalError if the journal returns the wrong number of entries", () =>
    Effect.gen(function* () {
      const memory = yield* makeMemoryJournal
      const short: Batch.JournalService = { ...memory, read: () => Effect.succeed([]) }
      const error = yield* runBatchTest(
        Effect.flip(Stream.runDrain(Batch.run(range(3), batchOptions))).pipe(
          Effect.provideService(Batch.Journal, short)
        )
      )
      assert.deepStrictEqual(
        [error._tag, error.operation, error.attempts, error.message],
        ["JournalError", "Batch.run", 0, "Batch.run: the journal returned 0 entries for 3 items."]
      )
    })
  )

  it.effect("reads the journal once for items with the same key, and not for an item without a key", () =>
    Effect.gen(function* () {
      const memory = yield* makeMemoryJournal
      const reads: Array<ReadonlyArray<string>> = []
      const recording: Batch.JournalService = {
        ...memory,
        read: (batch, keys) => {
          reads.push(keys)
          return memory.read(batch, keys)
        }
      }
      const keysRead = (keys: ReadonlyArray<string>) =>
        Effect.map(
          runBatchTest(
            Effect.provideService(
              collect(Batch.run(keys, { id: "b", key: (key) => key, request: () => requestOf(1), concurrency: 4 })),
              Batch.Journal,
              recording
            )
          ),
          () => reads.splice(0)[0]
        )
      assert.deepStrictEqual(yield* keysRead(["a", "", "b", "a"]), ["a", "b"])
      assert.isUndefined(yield* keysRead([""]))
    })
  )

  it.effect("keeps the journal entry of an item if `resubmit` throws", () =>
    Effect.gen(function* () {
      const { executions, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const runOnce = (extra: Partial<Batch.Options<number>> = {}) =>
            Effect.map(
              collect(Batch.run(range(2), { ...batchOptions, order: "input", concurrency: 1, ...extra })),
              (outcomes) => outcomes.map(nameOf)
            )
          const first = yield* runOnce()
          const second = yield* runOnce({
            resubmit: () => {
              throw new Error("no decision")
            }
          })
          return { runs: [first, second, yield* runOnce()], executions: (yield* readLedger).executions.length }
        }),
        { simulator: { faults: [Fault.executionOutcome({ status: "FAILED", code: "GENERATION_FAILED" })] } }
      )
      assert.deepStrictEqual(runs, [
        ["GenerationFailed", "Succeeded"],
        ["InvalidRequest resubmit", "Succeeded"],
        ["GenerationFailed", "Succeeded"]
      ])
      assert.strictEqual(executions, 2)
    })
  )

  it.effect("fails only the affected item if its request cannot be encoded as JSON", () =>
    Effect.gen(function* () {
      const outcomes = yield* runBatchTest(
        collect(
          Batch.run(range(3), {
            ...batchOptions,
            order: "input",
            request: (n) => Effect.succeed({ model: "flux-1.1-pro", input: n === 1 ? { n: 1n } : requestOf(n).input })
          })
        ).pipe(Effect.provide(Layer.provide(Batch.layerJournal(), KeyValueStore.layerMemory)))
      )
      assert.deepStrictEqual(outcomes.map(nameOf), ["Succeeded", "InvalidRequest input.n", "Succeeded"])
    })
  )

  it.effect("reports the invalid field in the error of an item", () =>
    Effect.gen(function* () {
      const cycle: Record<string, unknown> = {}
      cycle["itself"] = cycle
      const requests = [
        { model: "", input: {} },
        { model: "flux-1.1-pro", input: cycle },
        { model: "flux-1.1-pro", input: {}, webhookUrl: "nowhere" },
        requestOf(4)
      ]
      const outcomes = yield* runBatchTest(
        collect(
          Batch.run(requests, {
            id: "b",
            key: (_, index) => (index === 3 ? "" : String(index)),
            request: (request) => request,
            order: "input"
          })
        )
      )
      assert.deepStrictEqual(outcomes.map(nameOf), [
        "InvalidRequest model",
        "InvalidRequest input.itself",
        "InvalidRequest webhookUrl",
        "InvalidRequest key"
      ])
    })
  )
})

const nameOf = (outcome: Batch.Outcome<unknown>): string => {
  if (outcome._tag !== "Failed") return outcome._tag
  return outcome.error._tag === "InvalidRequest" ? `InvalidRequest ${outcome.error.field}` : outcome.error._tag
}

describe("Batch.run with an effect as request", { concurrent: true }, () => {
  it.effect("runs the request effect of each item only once in two runs", () =>
    Effect.gen(function* () {
      const made: Array<number> = []
      const prepared = { ...batchOptions, request: (n: number) => Effect.sync(() => (made.push(n), requestOf(n))) }
      const executions = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Batch.run(range(5), prepared))
          yield* Stream.runDrain(Batch.run(range(7), prepared))
          return (yield* readLedger).executions
        })
      )
      assert.deepStrictEqual(made.toSorted(), range(7))
      assert.strictEqual(executions.length, 7)
    })
  )

  it.effect("fails the item with the error of the request effect", () =>
    Effect.gen(function* () {
      const outcomes = yield* runBatchTest(
        collect(
          Batch.run(range(4), {
            ...batchOptions,
            order: "input",
            request: (n) => (n === 2 ? Effect.fail({ _tag: "NoPicture" as const, n }) : Effect.succeed(requestOf(n)))
          })
        )
      )
      const error: Option.Option<Batch.Failed<number, NoPicture>["error"]> = Array.findFirst(outcomes, (o) =>
        o._tag === "Failed" ? Option.some(o.error) : Option.none()
      )
      assert.deepStrictEqual(Option.getOrUndefined(error), { _tag: "NoPicture", n: 2 })
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 3, Failed: 1 })
    })
  )
})

interface NoPicture {
  readonly _tag: "NoPicture"
  readonly n: number
}

describe("Batch.run with deliver", { concurrent: true }, () => {
  it.effect("emits an outcome only after its delivery", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      let running = 0
      let most = 0
      yield* runBatchTest(
        Stream.runForEach(
          Batch.run(range(12), {
            ...batchOptions,
            concurrency: 4,
            deliver: ({ key }) =>
              Effect.gen(function* () {
                most = Math.max(most, ++running)
                yield* Effect.sleep("10 seconds")
                running -= 1
                seen.push(`saved ${key}`)
              })
          }),
          ({ key }) => Effect.sync(() => seen.push(`out ${key}`))
        )
      )
      assert.strictEqual(most, 4)
      assert.strictEqual(seen.length, 24)
      for (const n of range(12)) assert.isBelow(seen.indexOf(`saved ${n}`), seen.indexOf(`out ${n}`))
    })
  )

  it.effect("delivers an outcome again in the next run if deliver returns false", () =>
    Effect.gen(function* () {
      const delivered = yield* runBatchTest(
        Effect.gen(function* () {
          const runOnce = (key: string) =>
            Effect.map(
              collect(
                Batch.run(range(4), {
                  ...batchOptions,
                  order: "input",
                  deliver: (outcome) => Effect.sync(() => outcome.key !== key)
                })
              ),
              Array.map(({ delivered }) => delivered)
            )
          return [yield* runOnce("2"), yield* runOnce("none"), yield* runOnce("2")]
        })
      )
      assert.deepStrictEqual(delivered, [
        [false, false, false, false],
        [true, true, false, true],
        [true, true, true, true]
      ])
    })
  )

  it.effect("repeats the delivery in the next run after deliver fails", () =>
    Effect.gen(function* () {
      const saved: Array<string> = []
      let full = true
      const saving = {
        ...batchOptions,
        concurrency: 1,
        deliver: ({ key }: Batch.Outcome<number>) =>
          Effect.suspend(() => (full && key === "2" ? Effect.fail("disk full") : Effect.sync(() => saved.push(key))))
      }
      const executions = yield* runBatchTest(
        Effect.gen(function* () {
          const failure = yield* Effect.flip(Stream.runDrain(Batch.run(range(4), saving)))
          assert.strictEqual(failure, "disk full")
          full = false
          const outcomes = yield* collect(Batch.run(range(4), saving))
          assert.deepStrictEqual(
            outcomes.map(({ delivered }) => delivered),
            [true, true, false, false]
          )
          return (yield* readLedger).executions
        })
      )
      assert.deepStrictEqual(saved, ["0", "1", "2", "3"])
      assert.strictEqual(executions.length, 4)
    })
  )
})

describe("Batch.run with an invalid callback", { concurrent: true }, () => {
  const callbacks = {
    "throws an exception": () => {
      throw new Error("broken")
    },
    // TypeScript rejects this callback, but a JavaScript caller can pass it.
    "does not return an Effect": () => JSON.parse("true")
  }
  for (const field of ["beforeSubmit", "deliver"] as const) {
    for (const [name, callback] of Object.entries(callbacks)) {
      it.effect(`fails with InvalidRequest if ${field} ${name}`, () =>
        Effect.gen(function* () {
          const error = yield* runBatchTest(
            Effect.flip(Stream.runDrain(Batch.run([1], { ...batchOptions, [field]: callback })))
          )
          assert.deepStrictEqual(
            [error._tag, Object(error).operation, Object(error).field],
            ["InvalidRequest", "Batch.run", field]
          )
        })
      )
    }
  }
})

describe("Batch.Progress", { concurrent: true }, () => {
  it.effect("never counts an item in two states", () =>
    Effect.gen(function* () {
      const states = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(30), { ...batchOptions, concurrency: 10 })
          const states: Array<Batch.Progress> = []
          const watcher = yield* Effect.fork(
            Stream.runForEach(batch.progress.changes, (state) => Effect.sync(() => states.push(state)))
          )
          yield* Stream.runDrain(batch.outcomes)
          yield* Effect.sleep("1 second")
          yield* Fiber.interrupt(watcher)
          states.push(yield* batch.progress.get)
          return states
        }),
        {
          simulator: {
            faults: [
              Fault.executionOutcome({ status: "FAILED" }),
              Fault.on("executions.create", Fault.apiError("FILE_NOT_FOUND"))
            ]
          }
        }
      )
      for (const state of states) {
        assert.strictEqual(state.total, 30)
        assert.isAtLeast(state.waiting, 0)
        assert.isAtLeast(state.inFlight, 0)
        assert.isAtMost(state.inFlight, 10)
        const { succeeded, failed, inFlight, notAttempted, waiting } = state
        assert.isAtMost(succeeded + failed + notAttempted + inFlight + waiting, 30)
        if (inFlight === 10) assert.strictEqual(state.held, "0.48")
      }
      assert.isTrue(states.some(({ inFlight }) => inFlight === 10))
      const { estimatedEnd: _, itemsPerMinute, ...last } = states.at(-1) ?? assert.fail()
      assert.deepStrictEqual(last, {
        total: 30,
        succeeded: 28,
        failed: 2,
        notAttempted: 0,
        waiting: 0,
        inFlight: 0,
        delivering: 0,
        fromJournal: 0,
        requests: last.requests,
        retriesLeft: 50,
        cost: "1.12",
        held: "0.00"
      })
      assert.isAbove(itemsPerMinute, 0)
    })
  )

  it.effect("is emitted to a fast subscriber without waiting for a slow subscriber", () =>
    Effect.gen(function* () {
      const { fast, slow } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(30), batchOptions)
          const fast: Array<number> = []
          const slow: Array<number> = []
          const follow = (seen: Array<number>, millis: number) =>
            Effect.fork(
              Stream.runForEach(batch.progress.changes, ({ succeeded }) =>
                Effect.zipRight(
                  Effect.sync(() => seen.push(succeeded)),
                  Effect.sleep(millis)
                )
              )
            )
          const followers = [yield* follow(fast, 1), yield* follow(slow, 3_600_000)]
          yield* Effect.yieldNow()
          yield* Stream.runDrain(batch.outcomes)
          yield* Effect.sleep("1 second")
          yield* Fiber.interruptAll(followers)
          return { fast, slow }
        })
      )
      assert.strictEqual(fast.at(-1), 30)
      assert.deepStrictEqual(slow, [0])
    })
  )

  it.effect("counts running deliveries separately from succeeded items", () =>
    Effect.gen(function* () {
      const { again, during } = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(5), { ...batchOptions, deliver: () => Effect.sleep("1 minute") })
          const running = yield* Effect.fork(Stream.runDrain(batch.outcomes))
          yield* Effect.sleep("20 seconds")
          const during = yield* batch.progress.get
          yield* Fiber.join(running)
          const other = { ...batchOptions, id: "other", wait: { timeout: "1 second" } } as const
          yield* Stream.runDrain(Batch.run([1], other))
          const later = yield* Batch.make([1], other)
          yield* Stream.runDrain(later.outcomes)
          return { during, again: yield* later.progress.get }
        }),
        { simulator: { models: { "flux-1.1-pro": { duration: "12 seconds", cost: "0.040", output: "image" } } } }
      )
      const { delivering, succeeded, inFlight, waiting } = during
      assert.deepStrictEqual(
        { delivering, inFlight, succeeded, waiting },
        { delivering: 5, succeeded: 0, inFlight: 0, waiting: 0 }
      )
      assert.strictEqual(again.fromJournal, 0)
    })
  )

  it.effect("calculates estimatedEnd from itemsPerMinute", () =>
    Effect.gen(function* () {
      yield* runBatchTest(
        Effect.gen(function* () {
          const stream = Stream.fromIterable(range(40))
          const batch = yield* Batch.make(stream, {
            ...batchOptions,
            total: 40,
            concurrency: 10,
            request: () => ofModel(0)
          })
          const before = yield* batch.progress.get
          assert.strictEqual(before.itemsPerMinute, 0)
          assert.isUndefined(before.estimatedEnd)
          const running = yield* Effect.fork(Stream.runDrain(batch.outcomes))
          yield* Effect.sleep("25 seconds")
          const middle = yield* batch.progress.get
          const now = yield* Clock.currentTimeMillis
          // Twenty items have ended in 25 seconds. The other twenty items need another 25 seconds.
          assert.strictEqual(middle.succeeded, 20)
          assert.strictEqual(middle.itemsPerMinute, 48)
          assert.strictEqual(middle.estimatedEnd?.epochMillis, now + 25_000)
          yield* Fiber.join(running)
          const after = yield* batch.progress.get
          assert.strictEqual(after.succeeded, 40)
          assert.isUndefined(after.estimatedEnd)
          // Outcomes from the journal must not increase `itemsPerMinute`.
          const more = yield* Batch.make(range(80), { ...batchOptions, concurrency: 10, request: () => ofModel(0) })
          const secondRun = yield* Effect.fork(Stream.runDrain(more.outcomes))
          yield* Effect.sleep("25 seconds")
          const again = yield* more.progress.get
          assert.deepStrictEqual([again.succeeded, again.fromJournal, again.itemsPerMinute], [60, 40, 48])
          yield* Fiber.join(secondRun)
        }),
        { simulator: slower, client: { pollSchedule: oneSecond } }
      )
    })
  )

  it.effect("contains the total from the start if the input is a collection", () =>
    Effect.gen(function* () {
      const totalOf = (items: Iterable<number> | Stream.Stream<number>) =>
        runBatchTest(
          Effect.gen(function* () {
            const batch = yield* Batch.make(items, batchOptions)
            const before = (yield* batch.progress.get).total
            yield* Stream.runDrain(batch.outcomes)
            return [before, (yield* batch.progress.get).total]
          })
        )
      assert.deepStrictEqual(yield* totalOf(range(3)), [3, 3])
      assert.deepStrictEqual(yield* totalOf(new Set([1, 2])), [2, 2])
      assert.deepStrictEqual(yield* totalOf(Stream.make(1, 2, 3, 4)), [undefined, 4])
      assert.deepStrictEqual(yield* totalOf(new Set([1, 2]).values()), [undefined, 2])
    })
  )

  it.effect("contains pausedUntil while the rate limit blocks requests", () =>
    Effect.gen(function* () {
      const paused = yield* runBatchTest(
        Effect.gen(function* () {
          const batch = yield* Batch.make(range(30), { ...batchOptions, concurrency: 30 })
          const running = yield* Effect.fork(Stream.runDrain(batch.outcomes))
          yield* Effect.sleep("1 second")
          const { pausedUntil, requests } = yield* batch.progress.get
          yield* Fiber.interrupt(running)
          return { requests, at: pausedUntil && DateTime.toEpochMillis(pausedUntil) - start }
        }),
        { simulator: { rateLimit: { limit: 10, window: "1 minute" } } }
      )
      assert.strictEqual(paused.requests, 10)
      assert.isAtLeast(paused.at ?? 0, 60_000)
      assert.isAtMost(paused.at ?? 0, 61_000)
    })
  )
})

describe("Batch", { concurrent: true }, () => {
  const cases: ReadonlyArray<readonly [field: string, Partial<Batch.Options<number>>, text?: string]> = [
    ["id", { id: " " }],
    ["concurrency", { concurrency: 0 }],
    ["concurrency", { concurrency: 1.5 }],
    ["keyTtl", { keyTtl: 0 }],
    ["maxCost", { maxCost: "$5" }],
    ["maxCost", { maxCost: "-5" }],
    ["maxCost", { maxCost: "1e5" }],
    ["retryBudget.maxTokens", { retryBudget: { maxTokens: 0.5 } }, "at least 1"],
    ["retryBudget.minPerMinute", { retryBudget: { minPerMinute: 0 } }, "above 0"],
    ["retryBudget.minPerMinute", { retryBudget: { minPerMinute: Infinity } }, "above 0"],
    ["retryBudget.tokenRatio", { retryBudget: { tokenRatio: -0.5 } }, "at least 0"],
    ["retryBudget.tokenRatio", { retryBudget: { tokenRatio: Infinity } }, "at least 0"],
    ["keyTtl", { keyTtl: -5 }],
    ["total", { total: -1 }],
    ["wait.timeout", { wait: { timeout: -5 } }],
    // TypeScript rejects the following values, but a JavaScript caller can pass them.
    ["maxCost", JSON.parse('{"maxCost":5}')],
    ["keyTtl", JSON.parse('{"keyTtl":"10h"}')],
    ["retryBudget", JSON.parse('{"retryBudget":5}')],
    ["retryBudget.maxTokens", JSON.parse('{"retryBudget":{"maxTokens":"5"}}')],
    ["order", JSON.parse('{"order":"random"}')],
    ["id", JSON.parse('{"id":5}')],
    ["key", JSON.parse('{"key":null}')],
    ["key", JSON.parse('{"key":"id"}')],
    ["request", JSON.parse('{"request":null}')],
    ["request", JSON.parse('{"request":{}}')],
    ["version", JSON.parse('{"version":"1"}')],
    ["hold", JSON.parse('{"hold":"0.05"}')],
    ["beforeSubmit", JSON.parse('{"beforeSubmit":true}')],
    ["deliver", JSON.parse('{"deliver":true}')],
    ["resubmit", JSON.parse('{"resubmit":true}')],
    ["wait.timeout", JSON.parse('{"wait":{"timeout":"10s"}}')],
    ["wait.pollSchedule", JSON.parse('{"wait":{"pollSchedule":"2 seconds"}}')]
  ]
  for (const [field, wrong, text = field] of cases) {
    it.effect(`rejects the invalid option ${JSON.stringify(wrong)} before the first request`, () =>
      Effect.gen(function* () {
        const { error, sent } = yield* runBatchTest(
          Effect.gen(function* () {
            const error = yield* Effect.flip(Stream.runDrain(Batch.run(range(3), { ...batchOptions, ...wrong })))
            return { error, sent: yield* arrivalTimes() }
          })
        )
        assert.strictEqual(error._tag, "InvalidRequest")
        if (error._tag === "InvalidRequest") assert.strictEqual(error.field, field)
        assert.include(error.message, text)
        assert.match(error.message, new RegExp(`^Batch.run: ${field} .+\\. .+\\.$`))
        assert.deepStrictEqual(sent, [])
      })
    )
  }

  it.effect("rejects a second run of the outcomes stream of Batch.make", () =>
    Effect.gen(function* () {
      const error = yield* runBatchTest(
        Effect.gen(function* () {
          const { outcomes } = yield* Batch.make(range(3), batchOptions)
          yield* Stream.runDrain(outcomes)
          return yield* Effect.flip(Stream.runDrain(outcomes))
        })
      )
      assert.deepStrictEqual(
        [error._tag, Object(error).field, Object(error).operation],
        ["InvalidRequest", "outcomes", "Batch.run"]
      )
    })
  )

  it.effect("rejects an input that is neither an iterable nor a stream", () =>
    Effect.gen(function* () {
      const error = yield* runBatchTest(Effect.flip(Stream.runDrain(Batch.run(JSON.parse("{}"), batchOptions))))
      assert.deepStrictEqual([error._tag, Object(error).field], ["InvalidRequest", "items"])
    })
  )
})

describe("Batch.run", { concurrent: true }, () => {
  const uninterruptible = {
    "without a limit": {},
    "with maxCost": { maxCost: "5.00" },
    "with an exhausted maxCost": { maxCost: "0.10", hold: () => "0.048" },
    "with a slow beforeSubmit": { beforeSubmit: () => Effect.as(Effect.sleep("1 second"), true) }
  } satisfies Record<string, Partial<Batch.Options<number>>>
  for (const [name, extra] of Object.entries(uninterruptible)) {
    it.effect(`completes a batch ${name} in an uninterruptible region`, () =>
      Effect.gen(function* () {
        const outcomes = yield* runBatchTest(
          Effect.uninterruptible(
            Effect.all([
              collect(Batch.run(range(0), { ...batchOptions, ...extra })),
              collect(Batch.run(range(3), { ...batchOptions, ...extra }))
            ])
          )
        )
        assert.deepStrictEqual(
          outcomes.map((each) => each.length),
          [0, 3]
        )
        assert.isAtLeast(countTags(outcomes.flat())["Succeeded"] ?? 0, 2)
      })
    )
  }

  it.effect("resumes the executions of an interrupted run", () =>
    Effect.gen(function* () {
      const { at, executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const running = yield* Effect.fork(Stream.runDrain(Batch.run(range(9), { ...batchOptions, concurrency: 3 })))
          yield* Effect.sleep("3 seconds")
          yield* Fiber.interrupt(running)
          const at = (yield* Clock.currentTimeMillis) - start
          const outcomes = yield* collect(Batch.run(range(9), { ...batchOptions, concurrency: 3 }))
          return { at, outcomes, executions: (yield* readLedger).executions }
        })
      )
      assert.strictEqual(at, 3000)
      assert.deepStrictEqual(countBy(executions.map(({ status }) => status)), { COMPLETED: 9 })
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 9 })
    })
  )
})
