/**
 * Tests that a batch can resume after a failure at any point. No item is submitted twice, and no outcome is lost (P10).
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, Stream } from "effect"
import { Batch, ModelRouteError } from "effect-modelroute"
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
  withJournal
} from "../utils/batches.js"
import { arrivalTimes, type Setup, start } from "../utils/harness.js"
import { numRuns } from "../utils/suite.js"

const { Fault } = Simulator

const lostCreate = Fault.on("executions.create", Fault.dropAfter)
const unsentCreate = Fault.on("executions.create", Fault.dropBefore)

const journalFailure = new ModelRouteError.JournalError({ message: "the journal is gone" })

/**
 * Returns a journal that fails at its n-th write, before or after the entries are stored. All later reads and writes
 * fail.
 */
const failAtWrite = (
  kept: Batch.JournalService,
  at: number,
  isStored: boolean,
  only: Batch.JournalStep | undefined = undefined
) => {
  let left = at
  let isGone = false
  const unlessGone = <A>(effect: Effect.Effect<A, ModelRouteError.JournalError>) =>
    Effect.suspend(() => (isGone ? Effect.fail(journalFailure) : effect))
  const service: Batch.JournalService = {
    read: (batch, keys) => unlessGone(kept.read(batch, keys)),
    entries: (batch) => kept.entries(batch),
    remove: (batch) => kept.remove(batch),
    write: (batch, entries) =>
      unlessGone(
        Effect.suspend(() => {
          const counted = entries.filter(({ step }) => only === undefined || step === only).length
          left -= counted
          if (counted === 0 || left > 0) return kept.write(batch, entries)
          isGone = true
          return Effect.zipRight(isStored ? kept.write(batch, entries) : Effect.void, Effect.fail(journalFailure))
        })
      )
  }
  return service
}

const executionIdOf = (outcome: Batch.Outcome<number>): string | undefined =>
  outcome._tag === "Succeeded"
    ? outcome.completed.id
    : outcome._tag === "Failed"
      ? outcome.error.executionId
      : undefined

describe("Batch.run", { concurrent: true }, () => {
  it.effect("writes each step to the journal before the step takes effect", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const memory = yield* makeMemoryJournal
      const recording: Batch.JournalService = {
        ...memory,
        write: (batch, entries) =>
          Effect.sync(() => {
            assert.strictEqual(batch, "catalogue")
            for (const { step } of entries) log.push(step)
          }).pipe(Effect.zipRight(memory.write(batch, entries)))
      }
      const batch = Batch.run([1], { ...batchOptions, deliver: () => Effect.sync(() => void log.push("deliver")) })
      yield* runBatchTest(
        Stream.runForEach(batch, ({ key }) => Effect.sync(() => log.push(`taken ${key}`))).pipe(
          Effect.provide(withJournal(recording))
        ),
        { simulator: { onRequest: ({ operation }) => Effect.sync(() => void log.push(operation)) } }
      )
      assert.deepStrictEqual(
        log.filter((line, i) => line !== log[i - 1]),
        ["Submitted", "executions.create", "Accepted", "executions.get", "Ended", "deliver", "taken 1", "Delivered"]
      )
    })
  )

  it.effect("stores in each journal entry the data that the next step needs", () =>
    Effect.gen(function* () {
      const memory = yield* makeMemoryJournal
      const history: Array<Batch.JournalEntry> = []
      const recording: Batch.JournalService = {
        ...memory,
        write: (batch, entries) =>
          Effect.zipRight(
            Effect.sync(() => history.push(...entries)),
            memory.write(batch, entries)
          )
      }
      const executions = yield* runBatchTest(
        Effect.zipRight(
          Stream.runDrain(Batch.run([1], batchOptions)).pipe(Effect.provide(withJournal(recording))),
          Effect.map(readLedger, ({ executions }) => executions)
        )
      )
      const [submitted, accepted, ended, delivered] = history
      const id = executions[0]?.executionId
      assert.strictEqual(history.length, 4)
      assert.deepStrictEqual([submitted?.body, submitted?.model], [requestOf(1), "flux-1.1-pro"])
      assert.strictEqual(submitted?.submittedAt.epochMillis, start)
      assert.strictEqual(submitted?.idempotencyKey, executions[0]?.idempotencyKey)
      // A later version of the library must compute the same values. Otherwise, it would reject the item or pay twice.
      assert.deepStrictEqual(
        [submitted?.digest, submitted?.idempotencyKey],
        ["30c742c32f647e2e98bb5f502bb54cd1", "b93cc31e3c66c4e8c4cd545640507e56"]
      )
      for (const { attempt, digest, idempotencyKey, key, submittedAt } of history) {
        assert.deepStrictEqual(
          { attempt, digest, idempotencyKey, key, submittedAt },
          {
            attempt: 1,
            digest: submitted?.digest,
            idempotencyKey: submitted?.idempotencyKey,
            key: "1",
            submittedAt: submitted?.submittedAt
          }
        )
      }
      assert.deepStrictEqual([accepted?.executionId, accepted?.hold, accepted?.body], [id, "0.048", undefined])
      assert.deepStrictEqual([ended?.executionId, ended?.completed?.cost, ended?.completed?.id], [id, "0.040", id])
      assert.deepStrictEqual([delivered?.step, delivered?.completed?.id], ["Delivered", id])
    })
  )
})

describe("Batch.run with a failing journal", { concurrent: true }, () => {
  const count = 5
  const faults = [
    lostCreate,
    Fault.on("executions.create", Fault.cutBody()),
    Fault.executionOutcome({ status: "FAILED", code: "GENERATION_FAILED" })
  ]

  /** Runs a batch until the given write fails. Then runs the batch twice with the same journal. */
  const runWithFailure = (at: number, isStored: boolean, setup: Setup) =>
    runBatchTest(
      Effect.gen(function* () {
        const kept = yield* makeMemoryJournal
        const runWith = (service: Batch.JournalService) =>
          collect(Batch.run(range(count), { ...batchOptions, concurrency: 2 })).pipe(
            Effect.provide(withJournal(service))
          )
        const first = yield* Effect.exit(runWith(failAtWrite(kept, at, isStored)))
        const second = yield* runWith(kept)
        const third = yield* runWith(kept)
        const simulator = yield* Simulator.Simulator
        const creates = (yield* simulator.requests).filter(({ operation }) => operation === "executions.create")
        return { first, second, third, creates, executions: (yield* simulator.ledger).executions }
      }),
      setup
    )

  for (const isStored of [false, true]) {
    it.effect(
      `executes each item once if a journal write fails ${isStored ? "after" : "before"} the entries are stored`,
      () =>
        Effect.gen(function* () {
          for (let at = 1; at <= 4 * count; at += numRuns(3, 1)) {
            const name = `write ${at}`
            const { creates, executions, first, second, third } = yield* runWithFailure(at, isStored, {
              simulator: { faults }
            })
            assert.isTrue(Exit.isFailure(first), name)
            assert.strictEqual(executions.length, count, name)
            assert.strictEqual(new Set(executions.map(({ idempotencyKey }) => idempotencyKey)).size, count, name)
            // Every run sends the same bytes with the same idempotency key.
            const bodies = new Set(
              creates.map(({ body, headers }) => `${headers["idempotency-key"]} ${new TextDecoder().decode(body)}`)
            )
            assert.strictEqual(bodies.size, count, name)
            for (const outcomes of [second, third]) {
              assert.deepStrictEqual(outcomes.map(({ index }) => index).toSorted(), range(count), name)
              assert.deepStrictEqual(countTags(outcomes), { Succeeded: count - 1, "Failed permanently": 1 }, name)
              for (const outcome of outcomes) {
                const mine = executions.find(({ body }) => body === JSON.stringify(requestOf(outcome.item)))
                assert.strictEqual(executionIdOf(outcome), mine?.executionId, name)
              }
            }
            assert.isTrue(
              third.every(({ delivered }) => delivered),
              name
            )
          }
        })
    )
  }

  it.effect("does not start the next step of an item if the write of the current step fails", () =>
    Effect.gen(function* () {
      const sentAt = (step: Batch.JournalStep) =>
        runBatchTest(
          Effect.gen(function* () {
            const service = failAtWrite(yield* makeMemoryJournal, 1, false, step)
            let taken = 0
            const error = yield* Stream.runForEach(Batch.run([1], batchOptions), () => Effect.sync(() => taken++)).pipe(
              Effect.provide(withJournal(service)),
              Effect.flip
            )
            assert.strictEqual(error._tag, "JournalError")
            const { executions } = yield* readLedger
            return [executions.length, taken]
          })
        )
      assert.deepStrictEqual(yield* sentAt("Submitted"), [0, 0])
      assert.deepStrictEqual(yield* sentAt("Accepted"), [1, 0])
      assert.deepStrictEqual(yield* sentAt("Ended"), [1, 0])
      assert.deepStrictEqual(yield* sentAt("Delivered"), [1, 1])
    })
  )
})

describe("Batch.run in a later run", { concurrent: true }, () => {
  it.effect("emits delivered outcomes again without a request", () =>
    Effect.gen(function* () {
      const { again, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Stream.take(Batch.run(range(10), { ...batchOptions, concurrency: 1 }), 4))
          const simulator = yield* Simulator.Simulator
          const before = (yield* simulator.requests).length
          const again = yield* collect(Stream.take(Batch.run(range(10), { ...batchOptions, order: "input" }), 3))
          return { again, sent: (yield* simulator.requests).slice(before) }
        })
      )
      assert.deepStrictEqual(
        again.map(({ delivered }) => delivered),
        [true, true, true]
      )
      for (const outcome of again) {
        const id = executionIdOf(outcome) ?? assert.fail()
        assert.isFalse(
          sent.some(
            ({ body, path }) => path.includes(id) || new TextDecoder().decode(body).includes(`picture ${outcome.item}"`)
          )
        )
      }
    })
  )

  it.effect("keeps the idempotency key of an item whose create response was lost", () =>
    Effect.gen(function* () {
      const { executions, first, keys, second } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* collect(Batch.run([1], batchOptions))
          yield* Effect.sleep("23 hours")
          const second = yield* collect(Batch.run([1], batchOptions))
          const simulator = yield* Simulator.Simulator
          const keys = (yield* simulator.requests).flatMap(({ headers }) => headers["idempotency-key"] ?? [])
          return { first, second, keys, executions: (yield* simulator.ledger).executions }
        }),
        { simulator: { faults: [lostCreate, lostCreate, lostCreate, lostCreate] } }
      )
      assert.deepStrictEqual(countTags(first), { Failed: 1 })
      assert.deepStrictEqual(countTags(second), { Succeeded: 1 })
      assert.strictEqual(keys.length, 5)
      assert.strictEqual(new Set(keys).size, 1)
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("rejects a changed request after an ambiguous submission", () =>
    Effect.gen(function* () {
      const { runs, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          const runOnce = (request: (n: number) => ReturnType<typeof requestOf>) =>
            Effect.map(collect(Batch.run([1], { ...batchOptions, request })), (outcomes) => outcomes.map(nameOf))
          const simulator = yield* Simulator.Simulator
          const first = yield* runOnce(requestOf)
          const before = (yield* simulator.requests).length
          const changed = yield* runOnce((n) => requestOf(n + 1))
          const sent = (yield* simulator.requests).length - before
          const third = yield* runOnce(requestOf)
          assert.strictEqual((yield* simulator.ledger).executions.length, 1)
          return { sent, runs: [first, changed, third] }
        }),
        { simulator: { faults: [lostCreate, lostCreate, lostCreate, lostCreate] } }
      )
      assert.deepStrictEqual(runs, [["TransportError"], ["InvalidRequest"], ["Succeeded"]])
      assert.strictEqual(sent, 0)
    })
  )

  const runAfterExpiry = (extra: Partial<Batch.Options<number>>, wait: Duration.DurationInput, fault = lostCreate) =>
    runBatchTest(
      Effect.gen(function* () {
        const first = yield* collect(Batch.run([1], batchOptions))
        assert.deepStrictEqual(countTags(first), { Failed: 1 })
        yield* Effect.sleep(wait)
        const simulator = yield* Simulator.Simulator
        const before = (yield* simulator.requests).length
        const outcomes = yield* collect(Batch.run([1], { ...batchOptions, ...extra }))
        const sent = (yield* simulator.requests).slice(before)
        return { first, outcomes, sent, executions: (yield* simulator.ledger).executions }
      }),
      { simulator: { faults: [fault, fault, fault, fault] } }
    )

  it.effect("fails with SubmissionOutcomeUnknown after the idempotency key has expired", () =>
    Effect.gen(function* () {
      const { executions, first, outcomes, sent } = yield* runAfterExpiry({}, "24 hours")
      assert.deepStrictEqual(sent, [])
      const [outcome] = outcomes
      if (outcome?._tag !== "Failed") return assert.fail()
      assert.isFalse(outcome.final)
      const { error } = outcome
      if (error._tag !== "SubmissionOutcomeUnknown") return assert.fail(error._tag)
      assert.strictEqual(error.submittedAt.epochMillis, start)
      assert.strictEqual(error.idempotencyKey, executions[0]?.idempotencyKey)
      assert.isFalse(error.retryable)
      assert.include(error.message, "2026-03-20T10:30:00.000Z")
      assert.include(error.message, error.idempotencyKey ?? assert.fail())
      const [before] = first
      assert.strictEqual(before?._tag === "Failed" && before.error.idempotencyKey, error.idempotencyKey)
    })
  )

  it.effect("resends an ambiguous create request only until `keyTtl` has elapsed", () =>
    Effect.gen(function* () {
      const beforeExpiry = yield* runAfterExpiry({ keyTtl: "2 hours" }, "1 hour")
      assert.deepStrictEqual(countTags(beforeExpiry.outcomes), { Succeeded: 1 })
      const afterExpiry = yield* runAfterExpiry({ keyTtl: "1 hour" }, "2 hours")
      assert.deepStrictEqual(afterExpiry.sent, [])
    })
  )

  it.effect("does not retry a create request if its idempotency key expires during the delay", () =>
    Effect.gen(function* () {
      const { at, executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run([1], { ...batchOptions, keyTtl: "7 seconds" }))
          return { outcomes, at: yield* arrivalTimes("executions.create"), executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: [lostCreate, lostCreate, lostCreate, lostCreate] } }
      )
      // The next attempt would start after 7 seconds, but the key expires at the same time.
      assert.deepStrictEqual(at, [0, 1000, 3000])
      assert.deepStrictEqual(outcomes.map(nameOf), ["SubmissionOutcomeUnknown"])
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("retries a create request after a 429 even if its idempotency key has expired", () =>
    Effect.gen(function* () {
      const { at, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run([1], { ...batchOptions, keyTtl: "5 seconds" }))
          return { outcomes, at: yield* arrivalTimes("executions.create") }
        }),
        {
          simulator: {
            faults: [Fault.on("executions.create", Fault.apiError("RATE_LIMITED", { resetIn: "30 seconds" }))]
          }
        }
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1 })
      assert.strictEqual(at.length, 2)
      assert.isAtLeast(at[1] ?? 0, 30_000)
    })
  )

  it.effect("submits an ambiguous item again with a new idempotency key if `resubmit` returns `true`", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const resubmit = (error: ModelRouteError.ModelRouteError, item: number) => {
        asked.push(`${item} ${error._tag}`)
        return error._tag === "SubmissionOutcomeUnknown"
      }
      const { executions, outcomes, sent } = yield* runAfterExpiry({ resubmit }, "2 days", unsentCreate)
      assert.deepStrictEqual(new Set(asked), new Set(["1 SubmissionOutcomeUnknown"]))
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1 })
      assert.strictEqual(executions.length, 1)
      const old = sent.map(({ headers }) => headers["idempotency-key"])
      assert.strictEqual(executions[0]?.idempotencyKey, old[0])
    })
  )

  it.effect("resubmits two items with the same item key only once", () =>
    Effect.gen(function* () {
      const faults = Array.from({ length: 8 }, () => unsentCreate)
      const { outcomes, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Batch.run([1], batchOptions))
          yield* Effect.sleep("2 days")
          const simulator = yield* Simulator.Simulator
          const before = (yield* simulator.requests).length
          // The response to the new key is also lost. The new key expires after 5 seconds.
          const outcomes = yield* collect(
            Batch.run([1, 1], { ...batchOptions, keyTtl: "5 seconds", resubmit: () => true })
          )
          return { outcomes, sent: (yield* simulator.requests).slice(before) }
        }),
        { simulator: { faults } }
      )
      assert.deepStrictEqual(outcomes.map(nameOf), ["SubmissionOutcomeUnknown", "SubmissionOutcomeUnknown"])
      assert.strictEqual(sent.length, 3)
      assert.strictEqual(new Set(sent.map(({ headers }) => headers["idempotency-key"])).size, 1)
    })
  )

  it.effect("resumes an execution after its idempotency key has expired", () =>
    Effect.gen(function* () {
      const { creates, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const first = yield* collect(Batch.run([1], { ...batchOptions, wait: { timeout: "1 second" } }))
          assert.deepStrictEqual(first.map(nameOf), ["AwaitTimeout"])
          yield* Effect.sleep("3 days")
          const outcomes = yield* collect(Batch.run([1], batchOptions))
          const simulator = yield* Simulator.Simulator
          const requests = yield* simulator.requests
          return { outcomes, creates: requests.filter(({ operation }) => operation === "executions.create").length }
        })
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1 })
      assert.strictEqual(creates, 1)
    })
  )

  it.effect("polls the executions of an earlier run immediately and concurrently", () =>
    Effect.gen(function* () {
      const { polls, outcomes, took } = yield* runBatchTest(
        Effect.gen(function* () {
          const kept = yield* makeMemoryJournal
          const half = failAtWrite(kept, 8, false, "Ended")
          const batch = Batch.run(range(8), { ...batchOptions, concurrency: 8 })
          yield* Effect.exit(Stream.runDrain(batch).pipe(Effect.provide(withJournal(half))))
          yield* Effect.sleep("1 hour")
          const simulator = yield* Simulator.Simulator
          const before = (yield* simulator.requests).length
          const [took, outcomes] = yield* Effect.timed(collect(batch).pipe(Effect.provide(withJournal(kept))))
          return { outcomes, took, polls: (yield* simulator.requests).slice(before) }
        })
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 8 })
      assert.strictEqual(Duration.toMillis(took), 0)
      for (const { operation } of polls) assert.strictEqual(operation, "executions.get")
      assert.isAtMost(polls.length, 8)
    })
  )

  it.effect("counts the holds of the executions of an earlier run in the progress", () =>
    Effect.gen(function* () {
      const states = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Effect.timeoutOption(Stream.runDrain(Batch.run(range(3), batchOptions)), "1 second")
          const batch = yield* Batch.make(range(3), batchOptions)
          const running = yield* Effect.fork(Stream.runDrain(batch.outcomes))
          yield* Effect.sleep("1 second")
          const during = yield* batch.progress.get
          yield* Fiber.join(running)
          return [during, yield* batch.progress.get].map(({ held, inFlight }) => [inFlight, held])
        })
      )
      assert.deepStrictEqual(states, [
        [3, "0.144"],
        [0, "0.00"]
      ])
    })
  )

  it.effect("submits an item with a final failure again only if `resubmit` returns `true`", () =>
    Effect.gen(function* () {
      const { executions, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const runOnce = (extra: Partial<Batch.Options<number>> = {}) =>
            collect(Batch.run(range(3), { ...batchOptions, order: "input", ...extra }))
          const first = yield* runOnce()
          const second = yield* runOnce()
          const third = yield* runOnce({ resubmit: (error) => error._tag === "GenerationFailed" })
          const fourth = yield* runOnce()
          return { runs: [first, second, third, fourth], executions: (yield* readLedger).executions }
        }),
        {
          simulator: {
            faults: [
              Fault.executionOutcome({ status: "FAILED", code: "GENERATION_FAILED" }),
              Fault.on("executions.create", Fault.apiError("CONTENT_MODERATION_REJECTED"))
            ]
          }
        }
      )
      const names = runs.map((outcomes) => outcomes.map(nameOf).toSorted())
      assert.deepStrictEqual(names, [
        ["ContentModerationRejected", "GenerationFailed", "Succeeded"],
        ["ContentModerationRejected", "GenerationFailed", "Succeeded"],
        ["ContentModerationRejected", "Succeeded", "Succeeded"],
        ["ContentModerationRejected", "Succeeded", "Succeeded"]
      ])
      assert.strictEqual(executions.length, 3)
      assert.strictEqual(new Set(executions.map(({ idempotencyKey }) => idempotencyKey)).size, 3)
    })
  )

  it.effect("submits a changed request only after a final failure", () =>
    Effect.gen(function* () {
      const changed = (n: number) => ({ model: "flux-1.1-pro", input: { prompt: `another picture ${n}` } })
      const { executions, second, third } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Batch.run(range(2), { ...batchOptions, concurrency: 1 }))
          const second = yield* collect(Batch.run(range(2), { ...batchOptions, request: changed, order: "input" }))
          const third = yield* collect(Batch.run([1], batchOptions))
          return { second, third, executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: [Fault.on("executions.create", Fault.apiError("CONTENT_MODERATION_REJECTED"))] } }
      )
      assert.deepStrictEqual(second.map(nameOf), ["Succeeded", "InvalidRequest"])
      assert.deepStrictEqual(third.map(nameOf), ["Succeeded"])
      assert.deepStrictEqual(
        executions.map(({ body }) => body),
        [requestOf(1), changed(0)].map((body) => JSON.stringify(body))
      )
      const [, rejected] = second
      if (rejected?._tag !== "Failed") return assert.fail()
      assert.include(rejected.error.message, executions[0]?.executionId ?? assert.fail())
      assert.isFalse(rejected.final)
    })
  )

  it.effect("uses `version` to detect a changed request that an effect creates", () =>
    Effect.gen(function* () {
      const { executions, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const runOnce = (version: string) =>
            Effect.map(
              collect(
                Batch.run([1, 2], {
                  ...batchOptions,
                  order: "input",
                  concurrency: 1,
                  version: (n) => `${n} ${version}`,
                  request: (n) => Effect.succeed(requestOf(n))
                })
              ),
              (outcomes) => outcomes.map(nameOf)
            )
          return {
            runs: [yield* runOnce("a"), yield* runOnce("a"), yield* runOnce("b")],
            executions: (yield* readLedger).executions
          }
        }),
        { simulator: { faults: [Fault.on("executions.create", Fault.apiError("CONTENT_MODERATION_REJECTED"))] } }
      )
      assert.deepStrictEqual(runs, [
        ["ContentModerationRejected", "Succeeded"],
        ["ContentModerationRejected", "Succeeded"],
        ["Succeeded", "InvalidRequest"]
      ])
      assert.strictEqual(executions.length, 2)
    })
  )

  it.effect("ignores the field order of a request", () =>
    Effect.gen(function* () {
      const outcomes = yield* runBatchTest(
        Effect.gen(function* () {
          const request = () => ({ model: "flux-1.1-pro", input: { width: 512, prompt: "a" } })
          yield* Stream.runDrain(Batch.run([1], { ...batchOptions, request }))
          const turned = () => ({ model: "flux-1.1-pro", input: { prompt: "a", width: 512 } })
          return yield* collect(Batch.run([1], { ...batchOptions, request: turned }))
        })
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1 })
    })
  )

  it.effect("uses new idempotency keys for a new batch id", () =>
    Effect.gen(function* () {
      const executions = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Batch.run([1], batchOptions))
          yield* Stream.runDrain(Batch.run([1], { ...batchOptions, id: "another" }))
          return (yield* readLedger).executions
        })
      )
      assert.strictEqual(executions.length, 2)
      assert.strictEqual(new Set(executions.map(({ idempotencyKey }) => idempotencyKey)).size, 2)
    })
  )

  it.effect("finds the existing executions without the journal", () =>
    Effect.gen(function* () {
      const executions = yield* runBatchTest(
        Effect.gen(function* () {
          const runOnce = Effect.flatMap(makeMemoryJournal, (empty) =>
            Stream.runDrain(Batch.run(range(4), batchOptions)).pipe(Effect.provide(withJournal(empty)))
          )
          yield* runOnce
          yield* runOnce
          return (yield* readLedger).executions
        })
      )
      assert.strictEqual(executions.length, 4)
    })
  )

  it.effect("resends the recorded request without running the request effect again", () =>
    Effect.gen(function* () {
      let made = 0
      const uploading = {
        ...batchOptions,
        request: (n: number) =>
          Effect.sync(() => ({
            model: "flux-1.1-pro",
            input: { prompt: `made ${++made}` },
            metadata: { n },
            extra: { priority: 3, "1": "a" },
            webhookUrl: "https://example.com/hooks"
          }))
      }
      const { bodies, executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Batch.run([1], uploading))
          const outcomes = yield* collect(Batch.run([1], uploading))
          const simulator = yield* Simulator.Simulator
          const creates = (yield* simulator.requests).filter(({ operation }) => operation === "executions.create")
          const bodies = new Set(creates.map(({ body }) => new TextDecoder().decode(body)))
          return { bodies, outcomes, executions: (yield* simulator.ledger).executions }
        }),
        { simulator: { faults: [lostCreate, lostCreate, lostCreate, lostCreate] } }
      )
      assert.strictEqual(made, 1)
      assert.strictEqual(bodies.size, 1)
      assert.strictEqual(executions.length, 1)
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1 })
    })
  )
})

describe("Batch.run after a 404 for an execution", { concurrent: true }, () => {
  const notFound = Fault.on(
    "executions.get",
    Fault.raw({
      status: 404,
      headers: { "content-type": "application/json" },
      body: '{"error":{"code":"NOT_FOUND","message":"No such execution.","retryable":false,"request_id":"req_1"}}'
    })
  )
  const image = batchOptions
  const video = {
    ...batchOptions,
    request: (n: number) => ({ model: "seedance-video", input: { prompt: `picture ${n}` } })
  }
  const isUnknown = (error: ModelRouteError.ModelRouteError) => "status" in error && error.status === 404

  /**
   * Submits one item and then runs the batch again with each of `runs`, at intervals of 70 seconds. The first of
   * these runs receives a 404. After 70 seconds, replication lag cannot cause a 404.
   */
  const runAfterNotFound = (
    runs: ReadonlyArray<Partial<Batch.Options<number>>>,
    then: ReadonlyArray<Simulator.Fault.Fault> = [],
    options = image
  ) =>
    runBatchTest(
      Effect.gen(function* () {
        yield* Effect.timeoutOption(Stream.runDrain(Batch.run([1], options)), "1 second")
        const outcomes = yield* Effect.forEach(runs, (extra) =>
          Effect.zipRight(Effect.sleep("70 seconds"), collect(Batch.run([1], { ...options, ...extra })))
        )
        return { outcomes: outcomes.flat(), executions: (yield* readLedger).executions }
      }),
      { simulator: { faults: [notFound, ...then] } }
    )

  it.effect("polls the execution again in the next run", () =>
    Effect.gen(function* () {
      const { executions, outcomes } = yield* runAfterNotFound([{}, {}])
      const [unknown, found] = outcomes
      if (unknown?._tag !== "Failed") return assert.fail()
      assert.strictEqual(unknown.error._tag, "UnrecognizedError")
      assert.strictEqual(unknown.error.executionId, executions[0]?.executionId)
      assert.isFalse(unknown.final)
      assert.deepStrictEqual([found && nameOf(found), found?.delivered], ["Succeeded", false])
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("fails with JournalError if the recorded 404 cannot be removed", () =>
    Effect.gen(function* () {
      const error = yield* runBatchTest(
        Effect.gen(function* () {
          const kept = yield* makeMemoryJournal
          const runOnce = (journal: Batch.JournalService) =>
            collect(Batch.run([1], image)).pipe(Effect.provide(withJournal(journal)))
          yield* Effect.timeoutOption(runOnce(kept), "1 second")
          yield* Effect.sleep("70 seconds")
          assert.deepStrictEqual((yield* runOnce(kept)).map(nameOf), ["UnrecognizedError"])
          return yield* Effect.flip(runOnce(failAtWrite(kept, 1, false, "Accepted")))
        }),
        { simulator: { faults: [notFound] } }
      )
      assert.strictEqual(error, journalFailure)
    })
  )

  it.effect("submits the item again if `resubmit` and `beforeSubmit` return `true`", () =>
    Effect.gen(function* () {
      const counts: Array<number> = []
      const { executions, outcomes } = yield* runAfterNotFound([
        { resubmit: () => true },
        { resubmit: isUnknown, beforeSubmit: (count) => Effect.sync(() => counts.push(count) > 0) },
        {}
      ])
      assert.deepStrictEqual(outcomes.map(nameOf), ["UnrecognizedError", "Succeeded", "Succeeded"])
      assert.deepStrictEqual(counts, [1])
      assert.strictEqual(executions.length, 2)
      assert.deepStrictEqual(outcomes.map(executionIdOf), [
        executions[0]?.executionId,
        executions[1]?.executionId,
        executions[1]?.executionId
      ])
    })
  )

  it.effect("clears the 404 from the journal when the API returns the execution again", () =>
    Effect.gen(function* () {
      const { executions, outcomes } = yield* runAfterNotFound(
        [{}, { wait: { timeout: "1 millis" } }, { resubmit: isUnknown }],
        [],
        video
      )
      assert.deepStrictEqual(outcomes.map(nameOf), ["UnrecognizedError", "AwaitTimeout", "Succeeded"])
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("clears the 404 from the journal even if the run is interrupted after a successful poll", () =>
    Effect.gen(function* () {
      const executions = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Effect.timeoutOption(Stream.runDrain(Batch.run([1], video)), "1 second")
          yield* Effect.sleep("70 seconds")
          const [unknown] = yield* collect(Batch.run([1], video))
          assert.strictEqual(unknown && nameOf(unknown), "UnrecognizedError")
          // This run polls immediately. The execution is still running.
          yield* Effect.timeoutOption(Stream.runDrain(Batch.run([1], video)), "1 second")
          yield* Stream.runDrain(Batch.run([1], { ...video, resubmit: isUnknown }))
          return (yield* readLedger).executions
        }),
        { simulator: { faults: [notFound] } }
      )
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect("keeps the 404 in the journal if the next poll fails", () =>
    Effect.gen(function* () {
      const rejected = Fault.on("executions.get", Fault.apiError("UNAUTHORIZED", { status: 401 }))
      const { executions, outcomes } = yield* runAfterNotFound([{}, {}, { resubmit: isUnknown }], [rejected])
      assert.deepStrictEqual(outcomes.map(nameOf), ["UnrecognizedError", "Unauthorized", "Succeeded"])
      assert.strictEqual(executions.length, 2)
    })
  )

  it.effect("rejects a changed request for the same item", () =>
    Effect.gen(function* () {
      const { executions, outcomes } = yield* runAfterNotFound([{}, { request: (n) => requestOf(n + 1) }])
      assert.deepStrictEqual(outcomes.map(nameOf), ["UnrecognizedError", "InvalidRequest"])
      assert.strictEqual(executions.length, 1)
    })
  )
})

const nameOf = (outcome: Batch.Outcome<unknown>): string =>
  outcome._tag === "Failed" ? outcome.error._tag : outcome._tag

describe("Batch.run in two concurrent runs", { concurrent: true }, () => {
  it.effect("executes each item once", () =>
    Effect.gen(function* () {
      const { both, executions } = yield* runBatchTest(
        Effect.gen(function* () {
          const one = collect(Batch.run(range(20), { ...batchOptions, concurrency: 5 }))
          const both = yield* Effect.all([one, one], { concurrency: 2 })
          return { both, executions: (yield* readLedger).executions }
        })
      )
      assert.strictEqual(executions.length, 20)
      for (const outcomes of both) assert.deepStrictEqual(countTags(outcomes), { Succeeded: 20 })
    })
  )
})

describe("Batch.Journal", { concurrent: true }, () => {
  it.effect("contains the last step of each item after the batch has ended", () =>
    Effect.gen(function* () {
      const { after, steps } = yield* runBatchTest(
        Effect.gen(function* () {
          const service = yield* Batch.Journal
          yield* Stream.runDrain(Batch.run(range(5), batchOptions))
          const steps = (yield* collect(service.entries("catalogue"))).map(({ key, step }) => `${key} ${step}`)
          yield* service.remove("catalogue")
          return { steps, after: yield* service.read("catalogue", ["1"]) }
        })
      )
      assert.deepStrictEqual(
        steps.toSorted(),
        range(5).map((n) => `${n} Delivered`)
      )
      assert.deepStrictEqual(after.map(Option.isNone), [true])
    })
  )
})
