/**
 * Tests random histories of a batch. The histories contain faults, rejections, terminal statuses, stopped and killed
 * runs, duplicate keys and a cost limit.
 *
 * Each history must meet these conditions:
 *
 * - No item is executed twice.
 * - Each run emits one outcome per item.
 * - The costs and holds stay within the limit.
 * - The counters are consistent.
 * - A last run without faults returns every paid execution.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, FastCheck as fc, Fiber, Stream } from "effect"
import { Batch } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { collect, committedMills, range, batchOptions, runBatchTest } from "../utils/batches.js"
import { numRuns } from "../utils/suite.js"

const { Fault } = Simulator

const seed = 20_260_320
const histories = numRuns(4, 100)

const distinct = 6
/** Items of the batch. Two keys occur twice. */
const items = [...range(distinct), 2, 4]

const onCreate = (fault: Simulator.Fault.Fault) => Fault.on("executions.create", fault)
const onPoll = (fault: Simulator.Fault.Fault) => Fault.on("executions.get", fault)

const fault: fc.Arbitrary<Simulator.Fault.Fault> = fc.oneof(
  fc.constantFrom(
    onCreate(Fault.dropBefore),
    onCreate(Fault.dropAfter),
    onCreate(Fault.cutBody()),
    onCreate(Fault.apiError("INSUFFICIENT_BALANCE")),
    onCreate(Fault.apiError("SERVICE_UNAVAILABLE")),
    onCreate(Fault.apiError("SERVICE_UNAVAILABLE", { phase: "after" })),
    onCreate(Fault.apiError("FILE_NOT_FOUND")),
    onCreate(Fault.apiError("INPUT_VALIDATION_ERROR")),
    onPoll(Fault.dropBefore),
    onPoll(Fault.apiError("UNAUTHORIZED", { status: 401 })),
    onPoll(Fault.apiError("NOT_FOUND", { status: 404 })),
    Fault.executionOutcome({ status: "FAILED", code: "GENERATION_FAILED" }),
    Fault.executionOutcome({ status: "EXPIRED" })
  ),
  fc.constantFrom(2000, 30_000, 600_000).map((resetIn) => onCreate(Fault.apiError("RATE_LIMITED", { resetIn }))),
  fc.constantFrom(500, 3000, 20_000).map((millis) => onCreate(Fault.delay(millis)))
)

const scene = fc.record({
  concurrency: fc.constantFrom(1, 2, 4, 10),
  order: fc.constantFrom<"completion" | "input">("completion", "input"),
  end: fc.constantFrom<"undisturbed" | "stopped" | "killed">("undisturbed", "stopped", "killed"),
  /** Time until the run is stopped or killed, in milliseconds. */
  after: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 20_000 })),
  pause: fc.constantFrom(0, 60_000, 3_600_000),
  isDelivered: fc.boolean(),
  deliveryMillis: fc.constantFrom(0, 500)
})

type Scene = typeof scene extends fc.Arbitrary<infer S> ? S : never

const history = fc.record({
  scenes: fc.array(scene, { minLength: 1, maxLength: 4 }),
  faults: fc.array(fault, { maxLength: 14 }),
  /** Cost limit in dollars. `undefined` means no limit. */
  maxCost: fc.constantFrom(undefined, undefined, "0.20", "0.10", "0.05"),
  hasHold: fc.boolean()
})

type History = typeof history extends fc.Arbitrary<infer H> ? H : never

const optionsOf = (
  { maxCost, hasHold }: History,
  { concurrency, isDelivered, deliveryMillis, order }: Scene
): Batch.Options<number> => ({
  ...batchOptions,
  concurrency,
  order,
  maxCost,
  hold: hasHold ? () => "0.048" : undefined,
  deliver: () => Effect.as(Effect.sleep(deliveryMillis), isDelivered)
})

const toMills = (dollars: string): number => Math.round(1000 * Number(dollars))

const playHistory = (history: History) => {
  const { faults, maxCost, scenes, hasHold } = history
  let readCommitted: Effect.Effect<number> = Effect.succeed(0)
  let most = 0
  return runBatchTest(
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      readCommitted = Effect.map(simulator.ledger, committedMills)
      for (const scene of scenes) {
        const batch = yield* Batch.make(items, optionsOf(history, scene))
        const checkProgress = Effect.map(batch.progress.get, (progress) => {
          const { delivering, succeeded, failed, held, inFlight, notAttempted, waiting } = progress
          assert.isAtLeast(Math.min(waiting, inFlight, delivering, Number(held)), 0)
          assert.isAtMost(succeeded + failed + notAttempted + waiting + inFlight + delivering, items.length)
        })
        const subscriber = yield* Effect.fork(Stream.runForEach(batch.progress.changes, () => checkProgress))
        const running = yield* Effect.fork(collect(batch.outcomes))
        if (scene.end !== "undisturbed") yield* Effect.raceFirst(Effect.sleep(scene.after), Fiber.await(running))
        if (scene.end === "stopped") yield* batch.stop
        const since = yield* Clock.currentTimeMillis
        const exit = scene.end === "killed" ? yield* Fiber.interrupt(running) : yield* Fiber.await(running)
        if (scene.end === "killed") assert.strictEqual(yield* Clock.currentTimeMillis, since)
        const { delivering, held, inFlight, waiting } = yield* batch.progress.get
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(subscriber)))
        assert.deepStrictEqual({ delivering, held, inFlight }, { delivering: 0, held: "0.00", inFlight: 0 })
        if (Exit.isSuccess(exit)) {
          assert.deepStrictEqual(
            exit.value.map(({ index }) => index).toSorted((a, b) => a - b),
            range(items.length)
          )
          assert.strictEqual(waiting, 0)
        } else {
          assert.isTrue(Exit.isInterrupted(exit))
        }
        const ledger = yield* simulator.ledger
        assert.strictEqual(new Set(ledger.executions.map(({ body }) => body)).size, ledger.executions.length)
        // The first execution may exceed the limit if the hold is unknown.
        if (maxCost !== undefined) {
          assert.isAtMost(Math.max(most, committedMills(ledger)), toMills(maxCost) + (hasHold ? 0 : 48))
        }
        yield* Effect.sleep(scene.pause)
      }
      // These runs consume the remaining faults, so that the last run has no faults.
      yield* Effect.repeatN(Effect.delay(collect(Batch.run(items, batchOptions)), "11 minutes"), faults.length)
      const last = yield* collect(Batch.run(items, { ...batchOptions, order: "input" }))
      return { last, ledger: yield* simulator.ledger }
    }),
    {
      simulator: {
        faults,
        balance: "100.00",
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

describe("Batch.run", () => {
  it.effect(
    `returns every paid execution once in ${histories} random sequences of runs and faults (seed ${seed})`,
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(history, async (history) => {
            const { last, ledger } = await Effect.runPromise(playHistory(history))
            const returned = new Set<string>()
            for (const outcome of last) {
              if (outcome._tag === "Succeeded") returned.add(outcome.completed.id)
              else assert.isTrue(outcome._tag === "Failed" && outcome.final, outcome._tag)
            }
            const paid = ledger.executions.filter(({ status }) => status === "COMPLETED")
            assert.deepStrictEqual(returned, new Set(paid.map(({ executionId }) => executionId)))
            assert.strictEqual(toMills(ledger.charged), 40 * paid.length)
          }),
          { seed, numRuns: histories }
        )
      ),
    120_000
  )
})
