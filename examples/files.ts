/**
 * Uploads a file with progress, runs an execution with the file, and downloads the result to a path. The connections of
 * the first upload and the first download break, and the client retries both.
 *
 *     npx tsx examples/files.ts
 */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import { Console, Effect, Layer, Redacted, Stream } from "effect"
import { File, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"

const { Fault } = Simulator

/** Serves a simulator that breaks the connections of the first upload and the first download. */
const server = SimulatorServer.layer({
  models: { "flux-1.1-pro": { duration: "1 second", cost: "0.040", output: "image" } },
  faults: [Fault.on("storage.put", Fault.dropBefore), Fault.on("storage.get", Fault.cutBody())]
})

const client = Layer.unwrapEffect(
  Effect.map(SimulatorServer.SimulatorServer, ({ url }) =>
    ModelRouteClient.layer({ apiKey: Redacted.make("sk_simulated"), baseUrl: url })
  )
).pipe(Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer]))

/** Uploads a file and prints the progress. Returns the file id from the last element of the stream. */
const upload = (path: string) =>
  Effect.gen(function* () {
    const { files } = yield* ModelRouteClient.ModelRouteClient
    const steps = files.uploadProgress(yield* File.fromPath(path)).pipe(
      Stream.tap(
        File.Upload.$match({
          Sending: ({ sent, size }) => Console.log(`sent ${Math.round((100 * sent) / size)} %`),
          Uploaded: ({ fileId }) => Console.log(`uploaded as ${fileId}`)
        })
      )
    )
    return yield* Stream.runFold(steps, "", (id, step) => (step._tag === "Uploaded" ? step.fileId : id))
  })

const main = Effect.gen(function* () {
  const { executions, files } = yield* ModelRouteClient.ModelRouteClient
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped()
  yield* fs.writeFile(`${folder}/fox.png`, new Uint8Array(200_000))

  const source_image = yield* upload(`${folder}/fox.png`)
  const { fileIds } = yield* executions.run({ model: "flux-1.1-pro", input: { prompt: "at night", source_image } })
  for (const id of fileIds) {
    const { size } = yield* files.download(id).pipe(File.toPath(`${folder}/night.png`))
    yield* Console.log(`saved ${size} bytes as night.png`)
  }
  yield* Console.log(`in the folder: ${(yield* fs.readDirectory(folder)).toSorted().join(", ")}`)

  const simulator = yield* Simulator.Simulator
  const parts = (yield* simulator.requests).filter(({ operation }) => operation.startsWith("storage."))
  for (const { headers, method, outcome } of parts) {
    yield* Console.log(`storage: ${method} ${headers["range"] ?? "whole file"}: ${outcome}`)
  }
}).pipe(Effect.scoped, Effect.provide([Layer.provideMerge(client, server), NodeContext.layer]))

NodeRuntime.runMain(main)
