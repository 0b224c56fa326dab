/**
 * Random histories of a batch: faults, refusals and endings of every kind, runs that are stopped, killed and started again at any
 * moment, items with the same key, a limit of cost. Whatever happens, nothing is executed twice, each run has one outcome per
 * item, the limit is kept, the counters agree, and a last run in peace has all that was paid for.
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
/** Two come again. */
const items = [...range(distinct), 2, 4]

const onCreate = (fault: Simulator.Fault.Fault) => Fault.on("executions.create", fault)
const onLook = (fault: Simulator.Fault.Fault) => Fault.on("executions.get", fault)

const fault: fc.Arbitrary<Simulator.Fault.Fault> = fc.oneof(
  fc.constantFrom(
    onCreate(Fault.dropBefore),
    onCreate(Fault.dropAfter),
    onCreate(Fault.cutBody()),
    onCreate(Fault.envelope("INSUFFICIENT_BALANCE")),
    onCreate(Fault.envelope("SERVICE_UNAVAILABLE")),
    onCreate(Fault.envelope("SERVICE_UNAVAILABLE", { phase: "after" })),
    onCreate(Fault.envelope("FILE_NOT_FOUND")),
    onCreate(Fault.envelope("INPUT_VALIDATION_ERROR")),
    onLook(Fault.dropBefore),
    onLook(Fault.envelope("UNAUTHORIZED", { status: 401 })),
    onLook(Fault.envelope("NOT_FOUND", { status: 404 })),
    Fault.ends({ status: "FAILED", code: "GENERATION_FAILED" }),
    Fault.ends({ status: "EXPIRED" })
  ),
  fc.constantFrom(2000, 30_000, 600_000).map((resetIn) => onCreate(Fault.rateLimited({ resetIn }))),
  fc.constantFrom(500, 3000, 20_000).map((millis) => onCreate(Fault.delay(millis)))
)

const scene = fc.record({
  concurrency: fc.constantFrom(1, 2, 4, 10),
  order: fc.constantFrom<"completion" | "input">("completion", "input"),
  end: fc.constantFrom<"alone" | "stopped" | "killed">("alone", "stopped", "killed"),
  /** Milliseconds after which it is stopped or killed, and until the next begins. */
  after: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 20_000 })),
  pause: fc.constantFrom(0, 60_000, 3_600_000),
  delivers: fc.boolean(),
  deliveryTime: fc.constantFrom(0, 500)
})

type Scene = typeof scene extends fc.Arbitrary<infer S> ? S : never

const history = fc.record({
  scenes: fc.array(scene, { minLength: 1, maxLength: 4 }),
  faults: fc.array(fault, { maxLength: 14 }),
  /** `undefined`: no limit. */
  maxCost: fc.constantFrom(undefined, undefined, "0.20", "0.10", "0.05"),
  tellsHold: fc.boolean()
})

type History = typeof history extends fc.Arbitrary<infer H> ? H : never

const optionsOf = (
  { maxCost, tellsHold }: History,
  { concurrency, delivers, deliveryTime, order }: Scene
): Batch.Options<number> => ({
  ...batchOptions,
  concurrency,
  order,
  maxCost,
  hold: tellsHold ? () => "0.048" : undefined,
  deliver: () => Effect.as(Effect.sleep(deliveryTime), delivers)
})

const thousandths = (dollars: string): number => Math.round(1000 * Number(dollars))

const played = (history: History) => {
  const { faults, maxCost, scenes, tellsHold } = history
  let look: Effect.Effect<number> = Effect.succeed(0)
  let most = 0
  return runBatchTest(
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      look = Effect.map(simulator.ledger, committedMills)
      for (const scene of scenes) {
        const batch = yield* Batch.make(items, optionsOf(history, scene))
        const consistent = Effect.map(batch.progress.get, (progress) => {
          const { delivering, succeeded, failed, held, inFlight, notAttempted, waiting } = progress
          assert.isAtLeast(Math.min(waiting, inFlight, delivering, Number(held)), 0)
          assert.isAtMost(succeeded + failed + notAttempted + waiting + inFlight + delivering, items.length)
        })
        const follower = yield* Effect.fork(Stream.runForEach(batch.progress.changes, () => consistent))
        const running = yield* Effect.fork(collect(batch.outcomes))
        if (scene.end !== "alone") yield* Effect.raceFirst(Effect.sleep(scene.after), Fiber.await(running))
        if (scene.end === "stopped") yield* batch.stop
        const since = yield* Clock.currentTimeMillis
        const exit = scene.end === "killed" ? yield* Fiber.interrupt(running) : yield* Fiber.await(running)
        if (scene.end === "killed") assert.strictEqual(yield* Clock.currentTimeMillis, since)
        const { delivering, held, inFlight, waiting } = yield* batch.progress.get
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(follower)))
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
        // Where nobody tells what an execution holds, the first one can take more than there is.
        if (maxCost !== undefined) {
          assert.isAtMost(Math.max(most, committedMills(ledger)), thousandths(maxCost) + (tellsHold ? 0 : 48))
        }
        yield* Effect.sleep(scene.pause)
      }
      // What is left of the faults strikes here; then there is peace.
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
                Effect.suspend(() => look),
                (now) => void (most = Math.max(most, now))
              )
            : Effect.void
      }
    }
  )
}

describe("a batch", () => {
  it.effect(
    `pays for nothing twice, and loses nothing: ${histories} histories from seed ${seed}`,
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(history, async (history) => {
            const { last, ledger } = await Effect.runPromise(played(history))
            const handedOut = new Set<string>()
            for (const outcome of last) {
              if (outcome._tag === "Succeeded") handedOut.add(outcome.completed.id)
              else assert.isTrue(outcome._tag === "Failed" && outcome.final, outcome._tag)
            }
            const paid = ledger.executions.filter(({ status }) => status === "COMPLETED")
            assert.deepStrictEqual(handedOut, new Set(paid.map(({ executionId }) => executionId)))
            assert.strictEqual(thousandths(ledger.charged), 40 * paid.length)
          }),
          { seed, numRuns: histories }
        )
      ),
    120_000
  )
})
