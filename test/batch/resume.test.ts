/** A batch that ends at any point, however badly, goes on from there: nothing is submitted twice, and nothing is lost (P10). */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option, Stream } from "effect"
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

const { Fault } = Simulator

const lostCreate = Fault.on("executions.create", Fault.dropAfter)
const unseenCreate = Fault.on("executions.create", Fault.dropBefore)

const power = new ModelRouteError.JournalError({ message: "the power is gone" })

/** A journal that is cut off at its n-th write, before or after that is kept; then nothing more can be read or written. */
const cutOff = (
  kept: Batch.JournalService,
  at: number,
  isKept: boolean,
  only: Batch.JournalStep | undefined = undefined
) => {
  let left = at
  let isGone = false
  const unlessGone = <A>(effect: Effect.Effect<A, ModelRouteError.JournalError>) =>
    Effect.suspend(() => (isGone ? Effect.fail(power) : effect))
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
          return Effect.zipRight(isKept ? kept.write(batch, entries) : Effect.void, Effect.fail(power))
        })
      )
  }
  return service
}

const executionOf = (outcome: Batch.Outcome<number>): string | undefined =>
  outcome._tag === "Succeeded"
    ? outcome.completed.id
    : outcome._tag === "Failed"
      ? outcome.error.executionId
      : undefined

describe("a step", () => {
  it.effect("is written before it counts", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const memory = yield* makeMemoryJournal
      const noting: Batch.JournalService = {
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
          Effect.provide(withJournal(noting))
        ),
        { simulator: { onRequest: ({ operation }) => Effect.sync(() => void log.push(operation)) } }
      )
      assert.deepStrictEqual(
        log.filter((line, i) => line !== log[i - 1]),
        ["Submitted", "executions.create", "Accepted", "executions.get", "Ended", "deliver", "taken 1", "Delivered"]
      )
    })
  )

  it.effect("tells all that the next one needs", () =>
    Effect.gen(function* () {
      const memory = yield* makeMemoryJournal
      const history: Array<Batch.JournalEntry> = []
      const noting: Batch.JournalService = {
        ...memory,
        write: (batch, entries) =>
          Effect.zipRight(
            Effect.sync(() => history.push(...entries)),
            memory.write(batch, entries)
          )
      }
      const executions = yield* runBatchTest(
        Effect.zipRight(
          Stream.runDrain(Batch.run([1], batchOptions)).pipe(Effect.provide(withJournal(noting))),
          Effect.map(readLedger, ({ executions }) => executions)
        )
      )
      const [submitted, accepted, ended, delivered] = history
      const id = executions[0]?.executionId
      assert.strictEqual(history.length, 4)
      assert.deepStrictEqual(submitted?.body, requestOf(1))
      assert.strictEqual(submitted?.submittedAt.epochMillis, start)
      assert.strictEqual(submitted?.idempotencyKey, executions[0]?.idempotencyKey)
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

describe("a batch that ends at", () => {
  const count = 5
  const faults = [
    lostCreate,
    Fault.on("executions.create", Fault.cutBody()),
    Fault.ends({ status: "FAILED", code: "GENERATION_FAILED" })
  ]

  /** Ends at the given write, goes on with the same journal, and is run a third time. */
  const interrupted = (at: number, isKept: boolean, setup: Setup) =>
    runBatchTest(
      Effect.gen(function* () {
        const kept = yield* makeMemoryJournal
        const runWith = (service: Batch.JournalService) =>
          collect(Batch.run(range(count), { ...batchOptions, concurrency: 2 })).pipe(
            Effect.provide(withJournal(service))
          )
        const first = yield* Effect.exit(runWith(cutOff(kept, at, isKept)))
        const second = yield* runWith(kept)
        const third = yield* runWith(kept)
        const simulator = yield* Simulator.Simulator
        const creates = (yield* simulator.requests).filter(({ operation }) => operation === "executions.create")
        return { first, second, third, creates, executions: (yield* simulator.ledger).executions }
      }),
      setup
    )

  for (const isKept of [false, true]) {
    it.effect(
      `any write, ${isKept ? "just after" : "just before"} it is kept, has one execution and one outcome per item`,
      () =>
        Effect.gen(function* () {
          for (let at = 1; at <= 4 * count; at++) {
            const name = `write ${at}`
            const { creates, executions, first, second, third } = yield* interrupted(at, isKept, {
              simulator: { faults }
            })
            assert.isTrue(Exit.isFailure(first), name)
            assert.strictEqual(executions.length, count, name)
            assert.strictEqual(new Set(executions.map(({ idempotencyKey }) => idempotencyKey)).size, count, name)
            // The same bytes under the same key, in every run.
            const bodies = new Set(
              creates.map(({ body, headers }) => `${headers["idempotency-key"]} ${new TextDecoder().decode(body)}`)
            )
            assert.strictEqual(bodies.size, count, name)
            for (const outcomes of [second, third]) {
              assert.deepStrictEqual(outcomes.map(({ index }) => index).toSorted(), range(count), name)
              assert.deepStrictEqual(countTags(outcomes), { Succeeded: count - 1, "Failed for good": 1 }, name)
              for (const outcome of outcomes) {
                const mine = executions.find(({ body }) => body === JSON.stringify(requestOf(outcome.item)))
                assert.strictEqual(executionOf(outcome), mine?.executionId, name)
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

  it.effect("a step that cannot be written sends nothing, and hands nothing out", () =>
    Effect.gen(function* () {
      const sentAt = (step: Batch.JournalStep) =>
        runBatchTest(
          Effect.gen(function* () {
            const service = cutOff(yield* makeMemoryJournal, 1, false, step)
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

describe("a later run", () => {
  it.effect("hands out what has ended without a request, and says what was delivered", () =>
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
        const id = executionOf(outcome) ?? assert.fail()
        assert.isFalse(
          sent.some(
            ({ body, path }) => path.includes(id) || new TextDecoder().decode(body).includes(`picture ${outcome.item}"`)
          )
        )
      }
    })
  )

  it.effect("submits under the same key what may have been accepted, and the API gives the same execution", () =>
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

  it.effect("sends nothing under the key of another request, and goes on with the one that was sent", () =>
    Effect.gen(function* () {
      const { runs, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          const once = (request: (n: number) => ReturnType<typeof requestOf>) =>
            Effect.map(collect(Batch.run([1], { ...batchOptions, request })), (outcomes) => outcomes.map(nameOf))
          const simulator = yield* Simulator.Simulator
          const first = yield* once(requestOf)
          const before = (yield* simulator.requests).length
          const changed = yield* once((n) => requestOf(n + 1))
          const sent = (yield* simulator.requests).length - before
          const third = yield* once(requestOf)
          assert.strictEqual((yield* simulator.ledger).executions.length, 1)
          return { sent, runs: [first, changed, third] }
        }),
        { simulator: { faults: [lostCreate, lostCreate, lostCreate, lostCreate] } }
      )
      assert.deepStrictEqual(runs, [["TransportError"], ["InvalidRequest"], ["Succeeded"]])
      assert.strictEqual(sent, 0)
    })
  )

  const undecided = (extra: Partial<Batch.Options<number>>, wait: Duration.DurationInput, fault = lostCreate) =>
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

  it.effect("does not send a key again that is too old, and says which item is undecided", () =>
    Effect.gen(function* () {
      const { executions, first, outcomes, sent } = yield* undecided({}, "24 hours")
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

  it.effect("goes by the key's life that it is told", () =>
    Effect.gen(function* () {
      const younger = yield* undecided({ keyTtl: "2 hours" }, "1 hour")
      assert.deepStrictEqual(countTags(younger.outcomes), { Succeeded: 1 })
      const older = yield* undecided({ keyTtl: "1 hour" }, "2 hours")
      assert.deepStrictEqual(older.sent, [])
    })
  )

  it.effect("nor while it waits to send it again: the age counts at the moment of sending", () =>
    Effect.gen(function* () {
      const { at, executions, outcomes } = yield* runBatchTest(
        Effect.gen(function* () {
          const outcomes = yield* collect(Batch.run([1], { ...batchOptions, keyTtl: "7 seconds" }))
          return { outcomes, at: yield* arrivalTimes("executions.create"), executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: [lostCreate, lostCreate, lostCreate, lostCreate] } }
      )
      // The next would have been due at 7 s, when the key's life has just ended.
      assert.deepStrictEqual(at, [0, 1000, 3000])
      assert.deepStrictEqual(outcomes.map(nameOf), ["SubmissionOutcomeUnknown"])
      assert.strictEqual(executions.length, 1)
    })
  )

  it.effect(
    "is no matter of age where nothing was accepted for certain: what was refused for the rate limit goes out",
    () =>
      Effect.gen(function* () {
        const { at, outcomes } = yield* runBatchTest(
          Effect.gen(function* () {
            const outcomes = yield* collect(Batch.run([1], { ...batchOptions, keyTtl: "5 seconds" }))
            return { outcomes, at: yield* arrivalTimes("executions.create") }
          }),
          { simulator: { faults: [Fault.on("executions.create", Fault.rateLimited({ resetIn: "30 seconds" }))] } }
        )
        assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1 })
        assert.strictEqual(at.length, 2)
        assert.isAtLeast(at[1] ?? 0, 30_000)
      })
  )

  it.effect("submits an undecided item under a new key where the caller has decided", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const resubmit = (error: ModelRouteError.ModelRouteError, item: number) => {
        asked.push(`${item} ${error._tag}`)
        return error._tag === "SubmissionOutcomeUnknown"
      }
      const { executions, outcomes, sent } = yield* undecided({ resubmit }, "2 days", unseenCreate)
      assert.deepStrictEqual(new Set(asked), new Set(["1 SubmissionOutcomeUnknown"]))
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 1 })
      assert.strictEqual(executions.length, 1)
      const old = sent.map(({ headers }) => headers["idempotency-key"])
      assert.strictEqual(executions[0]?.idempotencyKey, old[0])
    })
  )

  it.effect("asks once about an undecided item, not again for the one behind it with the same key", () =>
    Effect.gen(function* () {
      const faults = Array.from({ length: 8 }, () => unseenCreate)
      const { outcomes, sent } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Batch.run([1], batchOptions))
          yield* Effect.sleep("2 days")
          const simulator = yield* Simulator.Simulator
          const before = (yield* simulator.requests).length
          // Under the new key, too, its answer is lost, and is soon too old.
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

  it.effect("looks an execution up by its id, however old its key is", () =>
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

  describe("that finds an execution unknown to the API", () => {
    const forgotten = Fault.on(
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
     * One item, accepted and left alone; each of `runs` comes 70 s after the one before, and the first finds nothing: not because a
     * replica is behind.
     */
    const looking = (
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
        { simulator: { faults: [forgotten, ...then] } }
      )

    it.effect("fails, and looks again in the next run", () =>
      Effect.gen(function* () {
        const { executions, outcomes } = yield* looking([{}, {}])
        const [unknown, found] = outcomes
        if (unknown?._tag !== "Failed") return assert.fail()
        assert.strictEqual(unknown.error._tag, "UnrecognizedError")
        assert.strictEqual(unknown.error.executionId, executions[0]?.executionId)
        assert.isFalse(unknown.final)
        assert.deepStrictEqual([found && nameOf(found), found?.delivered], ["Succeeded", false])
        assert.strictEqual(executions.length, 1)
      })
    )

    it.effect("submits it anew in the next run where the caller says so, and beforeSubmit lets it", () =>
      Effect.gen(function* () {
        const counts: Array<number> = []
        const { executions, outcomes } = yield* looking([
          { resubmit: () => true },
          { resubmit: isUnknown, beforeSubmit: (count) => Effect.sync(() => counts.push(count) > 0) },
          {}
        ])
        assert.deepStrictEqual(outcomes.map(nameOf), ["UnrecognizedError", "Succeeded", "Succeeded"])
        assert.deepStrictEqual(counts, [1])
        assert.strictEqual(executions.length, 2)
        assert.deepStrictEqual(outcomes.map(executionOf), [
          executions[0]?.executionId,
          executions[1]?.executionId,
          executions[1]?.executionId
        ])
      })
    )

    it.effect("forgets that when it is seen again", () =>
      Effect.gen(function* () {
        const { executions, outcomes } = yield* looking(
          [{}, { wait: { timeout: "1 millis" } }, { resubmit: isUnknown }],
          [],
          video
        )
        assert.deepStrictEqual(outcomes.map(nameOf), ["UnrecognizedError", "AwaitTimeout", "Succeeded"])
        assert.strictEqual(executions.length, 1)
      })
    )

    it.effect("forgets that at once: though the run that has seen it is cut off", () =>
      Effect.gen(function* () {
        const executions = yield* runBatchTest(
          Effect.gen(function* () {
            yield* Effect.timeoutOption(Stream.runDrain(Batch.run([1], video)), "1 second")
            yield* Effect.sleep("70 seconds")
            const [unknown] = yield* collect(Batch.run([1], video))
            assert.strictEqual(unknown && nameOf(unknown), "UnrecognizedError")
            // It polls at once, and the execution has not ended yet.
            yield* Effect.timeoutOption(Stream.runDrain(Batch.run([1], video)), "1 second")
            yield* Stream.runDrain(Batch.run([1], { ...video, resubmit: isUnknown }))
            return (yield* readLedger).executions
          }),
          { simulator: { faults: [forgotten] } }
        )
        assert.strictEqual(executions.length, 1)
      })
    )

    it.effect("remembers it over a run that could not look", () =>
      Effect.gen(function* () {
        const refused = Fault.on("executions.get", Fault.envelope("UNAUTHORIZED", { status: 401 }))
        const { executions, outcomes } = yield* looking([{}, {}, { resubmit: isUnknown }], [refused])
        assert.deepStrictEqual(outcomes.map(nameOf), ["UnrecognizedError", "Unauthorized", "Succeeded"])
        assert.strictEqual(executions.length, 2)
      })
    )

    it.effect("submits nothing else in its place: a changed request may be of another account", () =>
      Effect.gen(function* () {
        const { executions, outcomes } = yield* looking([{}, { request: (n) => requestOf(n + 1) }])
        assert.deepStrictEqual(outcomes.map(nameOf), ["UnrecognizedError", "InvalidRequest"])
        assert.strictEqual(executions.length, 1)
      })
    )
  })

  it.effect("waits again for all that runs, so many at once, and looks at each without delay", () =>
    Effect.gen(function* () {
      const { looks, outcomes, took } = yield* runBatchTest(
        Effect.gen(function* () {
          const kept = yield* makeMemoryJournal
          const half = cutOff(kept, 8, false, "Ended")
          const batch = Batch.run(range(8), { ...batchOptions, concurrency: 8 })
          yield* Effect.exit(Stream.runDrain(batch).pipe(Effect.provide(withJournal(half))))
          yield* Effect.sleep("1 hour")
          const simulator = yield* Simulator.Simulator
          const before = (yield* simulator.requests).length
          const [took, outcomes] = yield* Effect.timed(collect(batch).pipe(Effect.provide(withJournal(kept))))
          return { outcomes, took, looks: (yield* simulator.requests).slice(before) }
        })
      )
      assert.deepStrictEqual(countTags(outcomes), { Succeeded: 8 })
      assert.strictEqual(Duration.toMillis(took), 0)
      for (const { operation } of looks) assert.strictEqual(operation, "executions.get")
    })
  )

  it.effect("hands a failure out again, unless resubmit says otherwise: then under a new key", () =>
    Effect.gen(function* () {
      const { executions, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const once = (extra: Partial<Batch.Options<number>> = {}) =>
            collect(Batch.run(range(3), { ...batchOptions, order: "input", ...extra }))
          const first = yield* once()
          const second = yield* once()
          const third = yield* once({ resubmit: (error) => error._tag === "GenerationFailed" })
          const fourth = yield* once()
          return { runs: [first, second, third, fourth], executions: (yield* readLedger).executions }
        }),
        {
          simulator: {
            faults: [
              Fault.ends({ status: "FAILED", code: "GENERATION_FAILED" }),
              Fault.on("executions.create", Fault.envelope("CONTENT_MODERATION_REJECTED"))
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

  it.effect("submits what has failed and changed, and refuses what has changed and not failed", () =>
    Effect.gen(function* () {
      const changed = (n: number) => ({ model: "flux-1.1-pro", input: { prompt: `another picture ${n}` } })
      const { executions, second, third } = yield* runBatchTest(
        Effect.gen(function* () {
          yield* Stream.runDrain(Batch.run(range(2), { ...batchOptions, concurrency: 1 }))
          const second = yield* collect(Batch.run(range(2), { ...batchOptions, request: changed, order: "input" }))
          const third = yield* collect(Batch.run([1], batchOptions))
          return { second, third, executions: (yield* readLedger).executions }
        }),
        { simulator: { faults: [Fault.on("executions.create", Fault.envelope("CONTENT_MODERATION_REJECTED"))] } }
      )
      assert.deepStrictEqual(second.map(nameOf), ["Succeeded", "InvalidRequest"])
      assert.deepStrictEqual(third.map(nameOf), ["Succeeded"])
      assert.deepStrictEqual(
        executions.map(({ body }) => body),
        [requestOf(1), changed(0)].map((body) => JSON.stringify(body))
      )
      const [, refused] = second
      if (refused?._tag !== "Failed") return assert.fail()
      assert.include(refused.error.message, executions[0]?.executionId ?? assert.fail())
      assert.isFalse(refused.final)
    })
  )

  it.effect("finds out by version what has changed, where it takes an effect to make the request", () =>
    Effect.gen(function* () {
      const { executions, runs } = yield* runBatchTest(
        Effect.gen(function* () {
          const once = (version: string) =>
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
            runs: [yield* once("a"), yield* once("a"), yield* once("b")],
            executions: (yield* readLedger).executions
          }
        }),
        { simulator: { faults: [Fault.on("executions.create", Fault.envelope("CONTENT_MODERATION_REJECTED"))] } }
      )
      assert.deepStrictEqual(runs, [
        ["ContentModerationRejected", "Succeeded"],
        ["ContentModerationRejected", "Succeeded"],
        ["Succeeded", "InvalidRequest"]
      ])
      assert.strictEqual(executions.length, 2)
    })
  )

  it.effect("takes no notice of the order of the fields of a request", () =>
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

  it.effect("of another batch has keys of its own", () =>
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

  it.effect("pays nothing twice without its journal, as long as the API knows the keys", () =>
    Effect.gen(function* () {
      const executions = yield* runBatchTest(
        Effect.gen(function* () {
          const once = Effect.flatMap(makeMemoryJournal, (empty) =>
            Stream.runDrain(Batch.run(range(4), batchOptions)).pipe(Effect.provide(withJournal(empty)))
          )
          yield* once
          yield* once
          return (yield* readLedger).executions
        })
      )
      assert.strictEqual(executions.length, 4)
    })
  )

  it.effect("sends the body that it has sent before, where that takes an effect to make", () =>
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

const nameOf = (outcome: Batch.Outcome<unknown>): string =>
  outcome._tag === "Failed" ? outcome.error._tag : outcome._tag

describe("two runs of one batch at the same time", () => {
  it.effect("pay nothing twice", () =>
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

describe("the journal", () => {
  it.effect("tells what became of a batch, and forgets it", () =>
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
