/**
 * A file into an execution and another one out of it: uploaded with its progress shown, downloaded to a path, and all the same
 * when connections break on the way.
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

/** Storage breaks the first connection that takes a file, and the first one that gives one. */
const server = SimulatorServer.layer({
  models: { "flux-1.1-pro": { duration: "1 second", cost: "0.040", output: "image" } },
  faults: [Fault.on("storage.put", Fault.dropBefore), Fault.on("storage.get", Fault.cutBody())]
})

const client = Layer.unwrapEffect(
  Effect.map(SimulatorServer.SimulatorServer, ({ url }) =>
    ModelRouteClient.layer({ apiKey: Redacted.make("sk_simulated"), baseUrl: url })
  )
).pipe(Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer]))

/** Uploads a file and gives its id, which is the last thing that the stream tells. */
const uploaded = (path: string) =>
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

  const source_image = yield* uploaded(`${folder}/fox.png`)
  const { fileIds } = yield* executions.run({ model: "flux-1.1-pro", input: { prompt: "at night", source_image } })
  for (const id of fileIds) {
    const { size } = yield* files.download(id).pipe(File.toPath(`${folder}/night.png`))
    yield* Console.log(`saved ${size} bytes as night.png`)
  }
  yield* Console.log(`in the folder: ${(yield* fs.readDirectory(folder)).toSorted().join(", ")}`)

  const simulator = yield* Simulator.Simulator
  const parts = (yield* simulator.requests).filter(({ operation }) => operation.startsWith("storage."))
  for (const { headers, method, outcome } of parts) {
    yield* Console.log(`storage: ${method} ${headers["range"] ?? "all of it"}: ${outcome}`)
  }
}).pipe(Effect.scoped, Effect.provide([Layer.provideMerge(client, server), NodeContext.layer]))

NodeRuntime.runMain(main)
