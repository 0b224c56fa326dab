/**
 * Runs many executions with `Effect.forEach`, and with `Batch`.
 *
 * - Use `Effect.forEach` if you can submit every item again after a crash of the process.
 * - Use `Batch` if an item must not be paid for twice. A journal records each item, and the next run continues.
 *
 *     npx tsx examples/for-each.ts
 */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { Array, Console, Effect, Layer, Redacted, Schedule, Stream } from "effect"
import { Batch, type Execution, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const animals = Array.makeBy(12, (n) => `animal ${n + 1}`)

const toRequest = (animal: string): Execution.CreateRequest => ({
  model: "flux-1.1-pro",
  input: { prompt: `${animal} in snow` }
})

/** Collects a result for each item. Without `Effect.either`, the first failure would interrupt the other items. */
const forEach = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const results = yield* Effect.forEach(animals, (animal) => Effect.either(executions.run(toRequest(animal))), {
    concurrency: 4
  })
  return Array.getRights(results).length
})

/** Runs the items without a result in the journal. Returns the number of succeeded items. */
const batch = Batch.run(animals, {
  id: "animals-2026",
  key: (animal) => animal,
  request: toRequest,
  concurrency: 4
}).pipe(
  Stream.filter(({ _tag }) => _tag === "Succeeded"),
  Stream.runCount
)

const printLedger = (title: string) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const { charged, executions } = yield* simulator.ledger
    yield* Console.log(`${title}: ${executions.length} executions, $${charged} paid`)
  })

/** Interrupts the effect after some executions, like a crash, and runs the effect again. */
const runTwice = <E, R>(name: string, effect: Effect.Effect<number, E, R>) =>
  Effect.gen(function* () {
    yield* Effect.timeoutOption(effect, "600 millis")
    yield* printLedger(`${name}, interrupted`)
    const succeeded = yield* effect
    yield* printLedger(`${name}, second run with ${succeeded} results`)
  }).pipe(
    Effect.provide(
      ModelRouteClient.layer({
        apiKey: Redacted.make("sk_simulated"),
        pollSchedule: Schedule.spaced("50 millis")
      }).pipe(
        Layer.provideMerge(
          Simulator.layer({
            rateLimit: false,
            models: { "flux-1.1-pro": { duration: "200 millis", cost: "0.040", output: "image" } }
          })
        ),
        Layer.provide(IdempotencyKey.layer)
      )
    )
  )

const main = Effect.gen(function* () {
  yield* runTwice("Effect.forEach", forEach)
  // In production, use a folder that outlives the process, or `SqlJournal`.
  const folder = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())
  const journal = Layer.provide(Batch.layerJournal(), KeyValueStore.layerFileSystem(folder))
  yield* runTwice("Batch", Effect.provide(batch, journal))
}).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

NodeRuntime.runMain(main)
