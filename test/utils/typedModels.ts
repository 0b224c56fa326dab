/** Runs programs with typed models against the simulator. */
import { Effect, Schema } from "effect"
import { Execution, Model } from "effect-modelroute"
import { Simulator } from "effect-modelroute/Simulator"
import { layer, type Setup, withClient } from "./harness.js"

/** A model with files in its input. */
export const Upscaler = Model.make({
  id: "upscaler",
  input: Schema.Struct({
    source_image: Model.upload,
    mask: Schema.optional(Model.upload),
    factor: Schema.optional(Schema.Int)
  }),
  output: Model.imageOutput
})

const models = { upscaler: { duration: "1 second", cost: "0.010", output: "image" } } as const

/** Runs an effect with a client of the simulator. */
export const simulate = <A, E, R>(use: Parameters<typeof withClient<A, E, R>>[0], setup: Setup = {}) =>
  withClient(use).pipe(Effect.provide(layer({ ...setup, simulator: { models, ...setup.simulator } })))

/** Returns the operations of all requests. */
export const operations = Effect.flatMap(Simulator, (simulator) =>
  Effect.map(simulator.requests, (requests) => requests.map(({ operation }) => operation))
)

/** Returns the bodies of the create requests of all executions. */
export const bodies = Effect.flatMap(Simulator, (simulator) =>
  Effect.map(simulator.ledger, ({ executions }) => executions.map(({ body }): unknown => JSON.parse(body)))
)

/** Returns the sizes of the files in each request body. */
export const sentSizes = Effect.gen(function* () {
  const sizes = new Map((yield* (yield* Simulator).files).map((file) => [file.id, file.size]))
  return (yield* bodies).map((body) => Execution.fileIds(body).map((fileId) => sizes.get(fileId)))
})
