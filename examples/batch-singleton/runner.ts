/**
 * Runs a batch on several machines. The cluster runs the batch in one process at a time. If this process ends, another
 * process continues the batch from the journal. The journal and the cluster use the same database.
 *
 * Start this program on each machine. The cluster needs a few seconds to detect a killed process. If a process stalls,
 * two processes can run the batch for a moment. Both send the same idempotency key for the first submission of an item. A
 * process fails with `JournalError` if the journal contains a change of the other process.
 */
import * as Singleton from "@effect/cluster/Singleton"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { Array, Config, Console, Effect, Layer, Logger, Schedule, Stream } from "effect"
import { Batch, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as SqlJournal from "effect-modelroute/SqlJournal"
import * as Cluster from "../support/Cluster.js"

const prompts = Array.makeBy(60, (n) => `a red fox, number ${n + 1}`)

const runBatch = Effect.gen(function* () {
  yield* Console.log("The batch starts.")
  const batch = yield* Batch.make(prompts, {
    id: "foxes-2026",
    key: (prompt) => prompt,
    request: (prompt) => ({ model: "flux-1.1-pro", input: { prompt } }),
    deliver: ({ key }) => Console.log(`Delivered ${key}`)
  })
  yield* Stream.runDrain(batch.outcomes)
  const { failed, succeeded } = yield* batch.progress.get
  yield* Console.log(`The batch has ended: ${succeeded} succeeded, ${failed} failed.`)
})

/** The cluster does not start a failed singleton again, so the batch retries, for example after a database failure. */
const singleton = Singleton.make(
  "foxes-2026",
  runBatch.pipe(
    Effect.tapError(({ message }) => Effect.logWarning(message)),
    Effect.retry(Schedule.spaced("5 seconds"))
  )
)

const program = singleton.pipe(
  Layer.provide([Cluster.runner, SqlJournal.layer(), ModelRouteClient.layerConfig()]),
  Layer.provide([Cluster.postgres, FetchHttpClient.layer, IdempotencyKey.layer]),
  Layer.tap(() => Console.log("Started"))
)

const logLevel = Layer.unwrapEffect(Effect.map(Config.logLevel("LOG_LEVEL"), Logger.minimumLogLevel))

NodeRuntime.runMain(Effect.provide(Layer.launch(program), logLevel))
