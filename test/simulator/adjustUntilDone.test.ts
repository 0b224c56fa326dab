/** Tests `Simulator.adjustUntilDone` with work in real time. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Effect, Exit, Layer } from "effect"
import { Batch } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { batchOptions, collect, range } from "../utils/batches.js"
import { layer, silent } from "../utils/harness.js"

/** Waits for several reads of a file, one after the other. */
const readFiles = Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.repeatN(fs.readFileString("package.json"), 9))

describe("Simulator.adjustUntilDone", () => {
  it.effect("advances the TestClock for a sleep that follows file operations", () =>
    Effect.gen(function* () {
      const times = yield* Effect.forEach([1, 2, 3], () =>
        Effect.zipRight(readFiles, Effect.zipRight(Effect.sleep("1 hour"), Clock.currentTimeMillis))
      ).pipe(Simulator.adjustUntilDone)
      assert.deepStrictEqual(times, [3_600_000, 7_200_000, 10_800_000])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("runs a batch with a journal in files", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())
      const journal = Layer.provide(Batch.layerJournal(), KeyValueStore.layerFileSystem(folder))
      const outcomes = yield* collect(Batch.run(range(3), batchOptions)).pipe(
        Effect.provide(journal),
        Simulator.adjustUntilDone
      )
      assert.deepStrictEqual(
        outcomes.map(({ _tag }) => _tag),
        ["Succeeded", "Succeeded", "Succeeded"]
      )
      assert.strictEqual((yield* (yield* Simulator.Simulator).ledger).charged, "0.120")
    }).pipe(Effect.provide([layer(), NodeContext.layer]), silent)
  )

  it.effect("does not advance the TestClock if no fiber sleeps", () =>
    Effect.gen(function* () {
      const waitForTurns = Effect.async<void>((resume) => {
        let turns = 0
        const turn = () => (++turns === 100 ? resume(Effect.void) : void setImmediate(turn))
        turn()
      })
      yield* Simulator.adjustUntilDone(waitForTurns, { settle: 0 })
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
    })
  )

  it.effect("returns when the effect ends, without a wait for the settle time", () =>
    Simulator.adjustUntilDone(readFiles, { settle: "1 hour" }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("fails with the error of the effect", () =>
    Effect.gen(function* () {
      const failing = Effect.zipRight(Effect.sleep("1 second"), Effect.fail("no" as const))
      expectTypeOf(Simulator.adjustUntilDone(failing)).toEqualTypeOf<Effect.Effect<never, "no">>()
      assert.strictEqual(yield* Effect.flip(Simulator.adjustUntilDone(failing)), "no")
    })
  )

  it.effect("dies if the effect does not end within `limit`", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const endless = Effect.forever(Effect.sleep("1 minute")).pipe(
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
      )
      const exit = yield* Effect.exit(Simulator.adjustUntilDone(endless, { limit: "1 hour", settle: 0 }))
      assert(Exit.isFailure(exit) && Cause.isDieType(exit.cause))
      assert.match(String(exit.cause.defect), /did not end within 1h on the TestClock/)
      assert.isTrue(yield* Deferred.isDone(interrupted))
      assert.strictEqual(yield* Clock.currentTimeMillis, 3_600_000)
    })
  )
})
