/**
 * Wraps the client in a service of the backend. The rest of the backend depends on `Images` and three errors, but not
 * on this library.
 *
 *     npx tsx examples/image-service.ts
 *
 * `image-service.test.ts` tests the service without a network and without real waits.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Chunk, Console, Context, Data, Effect, Layer, Match, Redacted, Stream } from "effect"
import { IdempotencyKey, ModelRouteClient, type ModelRouteError } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { fileURLToPath } from "node:url"

/** Error for an invalid or rejected prompt. The user must change the prompt. */
export class PromptRejected extends Data.TaggedError("PromptRejected")<{ readonly reason: string }> {}

/** Error for an insufficient balance. The owner must top up the balance. */
export class OutOfCredit extends Data.TaggedError("OutOfCredit") {}

/** Error for a temporary failure. */
export class TryLater extends Data.TaggedError("TryLater") {}

export type Failure = PromptRejected | OutOfCredit | TryLater

export class Images extends Context.Tag("examples/Images")<
  Images,
  {
    /** Returns a PNG. An interruption cancels the execution. A cancelled execution is free of charge. */
    readonly render: (prompt: string) => Effect.Effect<Uint8Array, Failure>
  }
>() {}

/**
 * Maps the errors of the client to the errors of the service. Dies with errors that no caller can handle, for example
 * an invalid API key.
 */
const toFailure: (error: ModelRouteError.AwaitFailure) => Effect.Effect<never, Failure> =
  Match.type<ModelRouteError.AwaitFailure>().pipe(
    Match.tag("ContentModerationRejected", () => new PromptRejected({ reason: "The prompt breaks the rules." })),
    Match.tag("InputValidationError", ({ details }) => {
      const reason = details.map(({ message }) => message).join(" ")
      return new PromptRejected({ reason })
    }),
    Match.tag("InsufficientBalance", () => new OutOfCredit()),
    Match.tag("AwaitTimeout", "ExecutionExpired", () => new TryLater()),
    Match.orElse((error) => (error.retryable ? new TryLater() : Effect.die(error)))
  )

export const layer: Layer.Layer<Images, never, ModelRouteClient.ModelRouteClient> = Layer.effect(
  Images,
  Effect.gen(function* () {
    const { executions, files } = yield* ModelRouteClient.ModelRouteClient

    const render = Effect.fn("Images.render")(
      function* (prompt: string) {
        const request = { model: "flux-1.1-pro", input: { prompt } }
        const { fileIds } = yield* executions.run(request, { cancelOnInterrupt: true })
        const chunks = yield* Stream.runCollect(Stream.flatMap(Stream.fromIterable(fileIds), files.download))
        return new Uint8Array(Buffer.concat(Chunk.toReadonlyArray(chunks)))
      },
      Effect.tapError(({ message }) => Effect.logWarning(message)),
      Effect.catchAll(toFailure)
    )

    return { render }
  })
)

/** Handles a request in another part of the backend. This part does not depend on ModelRoute. */
const respond = (prompt: string) =>
  Effect.gen(function* () {
    const images = yield* Images
    const png = yield* images.render(prompt)
    return `200, ${png.length} bytes`
  }).pipe(
    Effect.catchTags({
      PromptRejected: ({ reason }) => Effect.succeed(`422, ${reason}`),
      OutOfCredit: () => Effect.succeed("503, and an email to the owner"),
      TryLater: () => Effect.succeed("503, Retry-After: 60")
    })
  )

const main = Effect.gen(function* () {
  yield* Console.log(yield* respond("a red fox in snow"))
  yield* Console.log(yield* respond(""))
  yield* Console.log(yield* respond("a red fox in the rain"))
}).pipe(
  Effect.provide(
    layer.pipe(
      Layer.provide(ModelRouteClient.layer({ apiKey: Redacted.make("sk_simulated") })),
      Layer.provide(
        Simulator.layer({
          models: { "flux-1.1-pro": { duration: "1 second", cost: "0.040", output: "image", requires: ["prompt"] } },
          balance: "0.05"
        })
      ),
      Layer.provide(IdempotencyKey.layer)
    )
  )
)

if (process.argv[1] === fileURLToPath(import.meta.url)) NodeRuntime.runMain(main)
