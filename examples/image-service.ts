/**
 * The client inside a service of your own: the rest of the backend sees `Images`, bytes, and three errors in its own words.
 *
 *     npx tsx examples/image-service.ts
 *
 * `image-service.test.ts` tests it, without a network and without waiting.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Chunk, Console, Context, Data, Effect, Layer, Match, Redacted, Stream } from "effect"
import { IdempotencyKey, ModelRouteClient, type ModelRouteError } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"
import { fileURLToPath } from "node:url"

/** The user has to write something else. */
export class PromptRefused extends Data.TaggedError("PromptRefused")<{ readonly reason: string }> {}

/** The owner has to top up the balance. */
export class OutOfCredit extends Data.TaggedError("OutOfCredit") {}

/** It passes by itself. */
export class TryLater extends Data.TaggedError("TryLater") {}

export type Failure = PromptRefused | OutOfCredit | TryLater

export class Images extends Context.Tag("examples/Images")<
  Images,
  {
    /** A PNG. To interrupt it is to cancel the execution, which then costs nothing. */
    readonly render: (prompt: string) => Effect.Effect<Uint8Array, Failure>
  }
>() {}

/** What no caller of `render` can do anything about, such as a wrong API key, is a defect of this backend. */
const inOurWords: (error: ModelRouteError.AwaitFailure) => Effect.Effect<never, Failure> =
  Match.type<ModelRouteError.AwaitFailure>().pipe(
    Match.tag("ContentModerationRejected", () => new PromptRefused({ reason: "The prompt breaks the rules." })),
    Match.tag("InputValidationError", ({ details }) => {
      const reason = details.map(({ message }) => message).join(" ")
      return new PromptRefused({ reason })
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
      Effect.catchAll(inOurWords)
    )

    return { render }
  })
)

/** Some other part of the backend: it knows nothing of ModelRoute. */
const answer = (prompt: string) =>
  Effect.gen(function* () {
    const images = yield* Images
    const png = yield* images.render(prompt)
    return `200, ${png.length} bytes`
  }).pipe(
    Effect.catchTags({
      PromptRefused: ({ reason }) => Effect.succeed(`422, ${reason}`),
      OutOfCredit: () => Effect.succeed("503, and a mail to the owner"),
      TryLater: () => Effect.succeed("503, Retry-After: 60")
    })
  )

const main = Effect.gen(function* () {
  yield* Console.log(yield* answer("a red fox in snow"))
  yield* Console.log(yield* answer(""))
  yield* Console.log(yield* answer("a red fox in the rain"))
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
