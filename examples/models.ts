/**
 * Defines typed models. The client checks the input before it sends a request, uploads the files in the input, and
 * decodes the output. If an output does not match its schema, the error contains the result.
 *
 *     npx tsx examples/models.ts
 *
 * The models run in a simulator in memory.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Redacted, Schedule, Schema, Stream } from "effect"
import { Batch, File, IdempotencyKey, Model, ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

/** Creates an image. `Model.imageOutput` is the documented output of image models. */
const Flux = Model.make({
  id: "flux-1.1-pro",
  input: Schema.Struct({
    prompt: Schema.NonEmptyString,
    width: Schema.optional(Schema.Int.pipe(Schema.between(256, 2048)))
  }),
  output: Model.imageOutput
})

/** Changes an image. `Model.upload` accepts the id of a file, or a source that the client uploads first. */
const Editor = Model.make({
  id: "flux-edit",
  input: Schema.Struct({ prompt: Schema.NonEmptyString, source_image: Model.upload }),
  output: Model.imageOutput
})

/** Writes a text. The API does not document the output of text models, so this schema is an assumption. */
const Writer = Model.make({
  id: "text-generation-standard",
  input: Schema.Struct({ prompt: Schema.NonEmptyString }),
  output: Schema.Struct({ text: Schema.NonEmptyString })
})

/** Declares an output that the model does not return. */
const WrongWriter = Model.make({
  id: Writer.id,
  input: Writer.input,
  output: Schema.Struct({ paragraphs: Schema.Array(Schema.String) })
})

const pollSchedule = Schedule.spaced("100 millis")

const decodedOutput = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { cost, output } = yield* executions.run(
    { model: Flux, input: { prompt: "a red fox in snow", width: 512 } },
    { pollSchedule }
  )
  const sizes = output.images.map(({ height, width }) => `${width} × ${height}`)
  return `created ${sizes.join(", ")} for $${cost}`
})

const invalidInput = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  yield* executions.create({ model: Flux, input: { prompt: "a red fox in snow", width: 20_000 } })
  return "accepted"
}).pipe(Effect.catchTag("InvalidRequest", ({ message }) => Effect.succeed(message)))

const uploadedFile = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const simulator = yield* Simulator.Simulator
  const source_image = File.fromBytes(new Uint8Array(2048))
  yield* executions.run({ model: Editor, input: { prompt: "at night", source_image } }, { pollSchedule })
  const files = yield* simulator.files
  return `uploaded ${files.map(({ size }) => `${size} bytes`).join()}`
})

/** Decodes the result again with a corrected schema. The execution is paid for once. */
const outputOfAnotherShape = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const simulator = yield* Simulator.Simulator
  const text = yield* executions.run({ model: WrongWriter, input: { prompt: "a fox" } }, { pollSchedule }).pipe(
    Effect.map(({ output }) => output.paragraphs.join("\n")),
    Effect.catchTag("OutputDecodeError", ({ completed, issues }) =>
      Effect.gen(function* () {
        for (const { message, path } of issues) yield* Console.log(`    ${path} ${message}`)
        const { output } = yield* Model.decode(Writer, completed)
        return output.text
      })
    )
  )
  const { charged, executions: executed } = yield* simulator.ledger
  return `"${text}"; executions: ${executed.length}, $${charged} paid`
})

/** Decodes each outcome. The journal contains the unchanged outputs. */
const batch = Batch.run(["fox", "hare", "owl"], {
  id: "animals",
  key: (animal) => animal,
  request: (animal) => Model.request(Flux, { prompt: `a ${animal} in snow` }),
  wait: { pollSchedule }
}).pipe(
  Stream.runFold(0, (images, outcome) => images + (outcome._tag === "Succeeded" ? outcome.output.images.length : 0)),
  Effect.map((images) => `created ${images} images`),
  Effect.provide(Batch.layerJournalMemory)
)

/** Provides a client with a new simulator. */
const layer = Layer.fresh(
  ModelRouteClient.layer({ apiKey: Redacted.make("sk_simulated") }).pipe(
    Layer.provideMerge(
      Simulator.layer({
        models: {
          "flux-1.1-pro": { duration: "300 millis", cost: "0.040", output: "image" },
          "flux-edit": { duration: "300 millis", cost: "0.040", output: "image" },
          "text-generation-standard": { duration: "200 millis", cost: "0.010", output: "text" }
        }
      })
    ),
    Layer.provide(IdempotencyKey.layer)
  )
)

const show = <E>(
  title: string,
  program: Effect.Effect<string, E, ModelRouteClient.ModelRouteClient | Simulator.Simulator>
) =>
  Effect.zipRight(
    Console.log(title),
    Effect.flatMap(Effect.provide(program, layer), (outcome) => Console.log(`  ${outcome}`))
  )

const main = Effect.gen(function* () {
  yield* show("A decoded output", decodedOutput)
  yield* show("An invalid input", invalidInput)
  yield* show("A file in the input", uploadedFile)
  yield* show("An output that does not match its schema", outputOfAnotherShape)
  yield* show("A batch", batch)
})

NodeRuntime.runMain(main)
