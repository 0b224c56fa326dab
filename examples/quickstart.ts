/**
 * Creates one image and saves it as a file. The simulator injects a lost response, an overloaded model and a rate
 * limit.
 *
 *     npm start -- "a red fox in snow" --model flux-1.1-pro
 *
 * The program uses a simulator over real HTTP by default, free of charge. If `MODELROUTE_API_KEY` is set, the program
 * uses the API at `MODELROUTE_BASE_URL`. Default URL: the real API.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Cause, Console, Effect, Exit, Stream } from "effect"
import { ModelRouteClient } from "effect-modelroute"
import * as Backend from "./support/Backend.js"
import * as Command from "./support/Command.js"
import * as Narrator from "./support/Narrator.js"

/** Submits an execution, waits for it and saves its files. The client handles retries, waits and idempotency keys. */
const generate = (model: string, prompt: string, isSimulated: boolean) =>
  Effect.gen(function* () {
    const { executions, files } = yield* ModelRouteClient.ModelRouteClient
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path

    yield* Effect.log(`Submitting "${prompt}" to ${model}.`)
    const { id } = yield* executions.create({ model, input: { prompt } })
    yield* Effect.log(`Accepted as ${id}.`)

    yield* Stream.runForEach(executions.watch(id), ({ status }) => Effect.log(`The status is ${status}.`))
    const completed = yield* executions.result(id)

    yield* fs.makeDirectory("out", { recursive: true })
    yield* Effect.forEach(completed.fileIds, (fileId) => {
      const file = path.join("out", `${fileId}.png`)
      return Effect.zipRight(Stream.run(files.download(fileId), fs.sink(file)), Effect.log(`Saved ${file}.`))
    })
    if (isSimulated) {
      yield* Effect.log("The file is a placeholder of the simulator that shows the prompt.")
    }
    return completed
  })

const run = (model: string, prompt: string) =>
  Effect.gen(function* () {
    const { greeting, isEphemeral, receipt } = yield* Backend.Backend
    yield* Console.log(`${greeting}\n`)
    const completed = yield* Effect.provide(generate(model, prompt, isEphemeral), Narrator.layer)
    yield* Console.log(`\n${yield* receipt(completed)}`)
  }).pipe(Effect.provide([Backend.layer, NodeContext.layer]))

const main = Effect.flatMap(Command.request(process.argv.slice(2)), ({ model, prompt }) => run(model, prompt))

main.pipe(
  Command.printHelp(undefined),
  Command.printFailure,
  NodeRuntime.runMain({
    disableErrorReporting: true,
    disablePrettyLogger: true,
    // An interrupted program has saved no image, so its exit code is 130 instead of the default 0.
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : Cause.isInterruptedOnly(exit.cause) ? 130 : 1)
  })
)
