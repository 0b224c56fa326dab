/** Tests the public types. `tsc` checks this file. */
import type { PlatformError } from "@effect/platform/Error"
import type { FileSystem } from "@effect/platform/FileSystem"
import type { HttpClient } from "@effect/platform/HttpClient"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expectTypeOf, it } from "@effect/vitest"
import { type ConfigError, Effect, type Layer, Match, Schedule, Schema, Stream } from "effect"
import {
  Batch,
  type Execution,
  File,
  type IdempotencyKey,
  Model,
  ModelRouteClient,
  ModelRouteError,
  RetryPolicy
} from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

type Failure<A> = A extends Effect.Effect<unknown, infer E, unknown> ? E : never
type Needs<A> =
  A extends Effect.Effect<unknown, unknown, infer R>
    ? R
    : A extends Stream.Stream<unknown, unknown, infer R>
      ? R
      : never

const create = Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ executions }) =>
  executions.create({ model: "m", input: {} })
)
const run = Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ executions }) =>
  executions.run({ model: "m", input: {} })
)

describe("ModelRouteError type", () => {
  it("is narrowed to the class of its tag by Effect.catchTag", () => {
    const none = Effect.catchTags(run, {
      InputValidationError: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.InputValidationError>()),
      ContentModerationRejected: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.ContentModerationRejected>()),
      FileNotFound: (error) => Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.FileNotFound>()),
      FileFormatUnsupported: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.FileFormatUnsupported>()),
      InsufficientBalance: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.InsufficientBalance>()),
      RateLimited: (error) => Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.RateLimited>()),
      ModelOverloaded: (error) => Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.ModelOverloaded>()),
      ModelUnavailable: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.ModelUnavailable>()),
      GenerationTimeout: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.GenerationTimeout>()),
      GenerationFailed: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.GenerationFailed>()),
      ServiceUnavailable: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.ServiceUnavailable>()),
      InternalError: (error) => Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.InternalError>()),
      Unauthorized: (error) => Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.Unauthorized>()),
      UnrecognizedError: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.UnrecognizedError>()),
      UnexpectedResponse: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.UnexpectedResponse>()),
      TransportError: (error) => Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.TransportError>()),
      InvalidRequest: (error) => Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.InvalidRequest>()),
      ExecutionCancelled: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.ExecutionCancelled>()),
      ExecutionExpired: (error) =>
        Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.ExecutionExpired>()),
      AwaitTimeout: (error) => Effect.succeed(expectTypeOf(error).toEqualTypeOf<ModelRouteError.AwaitTimeout>())
    })
    expectTypeOf<Failure<typeof none>>().toBeNever()

    const limited = Effect.catchTag(create, "RateLimited", (error) => {
      expectTypeOf(error).toEqualTypeOf<ModelRouteError.RateLimited>()
      return Effect.succeed(error.retryAfter)
    })
    expectTypeOf<Extract<Failure<typeof limited>, { readonly _tag: "RateLimited" }>>().toBeNever()
    expectTypeOf<Failure<typeof limited>["_tag"]>().toEqualTypeOf<
      Exclude<ModelRouteError.RequestFailure["_tag"], "RateLimited">
    >()

    const others = Effect.catchIf(
      Effect.zipRight(create, Effect.fail("mine" as const)),
      ModelRouteError.isModelRouteError,
      (error) => Effect.succeed(error._tag)
    )
    expectTypeOf<Failure<typeof others>>().toEqualTypeOf<"mine">()

    // @ts-expect-error `create` does not wait, so `create` does not fail with AwaitTimeout.
    void Effect.catchTag(create, "AwaitTimeout", () => Effect.void)
    // @ts-expect-error The tag does not exist.
    void Effect.catchTag(run, "ModelOverload", () => Effect.void)
  })

  const one = {
    InputValidationError: (error: ModelRouteError.InputValidationError) => error.details.length,
    ContentModerationRejected: (error: ModelRouteError.ContentModerationRejected) => error.status,
    FileNotFound: (error: ModelRouteError.FileNotFound) => error.status,
    FileFormatUnsupported: (error: ModelRouteError.FileFormatUnsupported) => error.status,
    InsufficientBalance: (error: ModelRouteError.InsufficientBalance) => error.status,
    RateLimited: (error: ModelRouteError.RateLimited) => error.remaining ?? 0,
    ModelOverloaded: (error: ModelRouteError.ModelOverloaded) => error.status,
    ModelUnavailable: (error: ModelRouteError.ModelUnavailable) => error.status,
    GenerationTimeout: (error: ModelRouteError.GenerationTimeout) => error.status,
    GenerationFailed: (error: ModelRouteError.GenerationFailed) => error.status,
    ServiceUnavailable: (error: ModelRouteError.ServiceUnavailable) => error.status
  }

  it("supports an exhaustive Match over the twelve API errors", () => {
    const all = Match.type<ModelRouteError.ApiError>().pipe(
      Match.tagsExhaustive({ ...one, InternalError: (error) => error.status })
    )
    expectTypeOf(all).returns.toEqualTypeOf<number>()

    // @ts-expect-error InternalError is missing.
    void Match.type<ModelRouteError.ApiError>().pipe(Match.tagsExhaustive(one))

    void Match.type<ModelRouteError.RequestFailure>().pipe(
      // @ts-expect-error The client errors are missing.
      Match.tagsExhaustive({ ...one, InternalError: (error) => error.status })
    )
  })

  it("contains every tag of ModelRouteError.codes", () => {
    expectTypeOf<(typeof ModelRouteError.codes)[ModelRouteError.Code]["tag"]>().toEqualTypeOf<
      ModelRouteError.ApiError["_tag"]
    >()
  })
})

describe("ModelRouteClient type", () => {
  it("requires no service in any method", () => {
    type Methods<A> = {
      [K in keyof A]: A[K] extends (...args: never) => infer Out
        ? Needs<Out>
        : A[K] extends Effect.Effect<unknown, unknown, infer R>
          ? R
          : Methods<A[K]>
    }
    type All<A> = A extends object ? { [K in keyof A]: All<A[K]> }[keyof A] : A
    expectTypeOf<All<Methods<ModelRouteClient.Service>>>().toBeNever()
  })

  it("contains the exact failures of create, run and download", () => {
    expectTypeOf<Failure<typeof create>>().toEqualTypeOf<ModelRouteError.RequestFailure>()
    expectTypeOf<Failure<typeof run>>().toEqualTypeOf<ModelRouteError.AwaitFailure>()
    expectTypeOf<ModelRouteClient.Files["download"]>().returns.toEqualTypeOf<
      Stream.Stream<Uint8Array, ModelRouteError.RequestFailure>
    >()
  })

  it("has distinct types for execution ids and file ids", () => {
    expectTypeOf<Execution.ExecutionId>().toExtend<string>()
    expectTypeOf<string>().not.toExtend<Execution.ExecutionId>()
    expectTypeOf<File.FileId>().not.toExtend<Execution.ExecutionId>()
  })

  it("requires only HttpClient and IdempotencyKey in its layers", () => {
    expectTypeOf(ModelRouteClient.layer).returns.toEqualTypeOf<
      Layer.Layer<
        ModelRouteClient.ModelRouteClient,
        ModelRouteError.InvalidRequest,
        HttpClient | IdempotencyKey.IdempotencyKey
      >
    >()
    expectTypeOf(ModelRouteClient.layerConfig).returns.toEqualTypeOf<
      Layer.Layer<
        ModelRouteClient.ModelRouteClient,
        ConfigError.ConfigError,
        HttpClient | IdempotencyKey.IdempotencyKey
      >
    >()
  })
})

describe("RetryPolicy type", () => {
  it("is assignable to Schedule, and a Schedule is assignable to RetryPolicy", () => {
    expectTypeOf(RetryPolicy.standard).toExtend<Schedule.Schedule<unknown, ModelRouteError.ModelRouteError>>()
    expectTypeOf(Schedule.recurs(3)).toExtend<RetryPolicy.RetryPolicy>()
    expectTypeOf(
      Schedule.recurWhile((error: ModelRouteError.ModelRouteError) => error.retryable)
    ).toExtend<RetryPolicy.RetryPolicy>()
    expectTypeOf(Schedule.recurWhile((text: string) => text === "")).not.toExtend<RetryPolicy.RetryPolicy>()
  })

  it("preserves the type of the effect in withPolicy", () => {
    expectTypeOf(create.pipe(RetryPolicy.withPolicy(RetryPolicy.none))).toEqualTypeOf<typeof create>()
  })
})

describe("Batch.run type", () => {
  interface Disk {
    readonly _: unique symbol
  }

  it("contains the failures of request in its outcomes and the failures of other callbacks in its error type", () => {
    const outcomes = Batch.run([1, 2], {
      id: "b",
      key: String,
      request: (n: number) => (n > 1 ? Effect.fail("no picture" as const) : Effect.succeed({ model: "m", input: {} })),
      deliver: (): Effect.Effect<void, "disk full", Disk> => Effect.fail("disk full"),
      beforeSubmit: () => Effect.fail("no bank" as const)
    })
    expectTypeOf<Stream.Stream.Success<typeof outcomes>>().toEqualTypeOf<Batch.Outcome<number, "no picture">>()
    expectTypeOf<Stream.Stream.Error<typeof outcomes>>().toEqualTypeOf<
      "disk full" | "no bank" | ModelRouteError.InvalidRequest | ModelRouteError.JournalError
    >()
    expectTypeOf<Stream.Stream.Context<typeof outcomes>>().toEqualTypeOf<
      Disk | ModelRouteClient.ModelRouteClient | Batch.Journal
    >()
  })

  it("contains the failures and requirements of the input stream", () => {
    const request = () => ({ model: "m", input: {} })
    const plain = Batch.run(["a"], { id: "b", key: (name) => name, request })
    expectTypeOf<Stream.Stream.Error<typeof plain>>().toEqualTypeOf<
      ModelRouteError.InvalidRequest | ModelRouteError.JournalError
    >()
    const input: Stream.Stream<string, "no database", Disk> = Stream.fail("no database")
    const read = Batch.run(input, { id: "b", key: (name) => name, request })
    expectTypeOf<Stream.Stream.Error<typeof read>>().toEqualTypeOf<
      "no database" | ModelRouteError.InvalidRequest | ModelRouteError.JournalError
    >()
    expectTypeOf<Stream.Stream.Context<typeof read>>().toEqualTypeOf<
      Disk | ModelRouteClient.ModelRouteClient | Batch.Journal
    >()
  })
})

describe("Simulator type", () => {
  it("requires the services of the app in deliverTo, except HttpServerRequest", () => {
    const app = Effect.zipRight(
      Effect.zip(HttpServerRequest.HttpServerRequest, ModelRouteClient.ModelRouteClient),
      HttpServerResponse.empty()
    )
    const deliver = ({ deliverTo }: Simulator.Service) => deliverTo(app)
    expectTypeOf(deliver).returns.toEqualTypeOf<Effect.Effect<void, never, ModelRouteClient.ModelRouteClient>>()
  })

  it("suggests the twelve documented error codes and accepts other codes", () => {
    expectTypeOf(Simulator.Fault.apiError).parameter(0).toEqualTypeOf<ModelRouteError.Code | (string & {})>()
    // @ts-expect-error A status of a running execution is not an outcome.
    Simulator.Fault.executionOutcome({ status: "PENDING" })
    // @ts-expect-error A cancelled execution has no error code.
    Simulator.Fault.executionOutcome({ status: "CANCELLED", code: "GENERATION_FAILED" })
  })
})

describe("Model type", () => {
  const Flux = Model.make({
    id: "flux-1.1-pro",
    input: Schema.Struct({ prompt: Schema.String, seed: Schema.optional(Schema.NumberFromString) }),
    output: Model.imageOutput
  })
  const Writer = Model.make({
    id: "text-generation-standard",
    input: Schema.Struct({ prompt: Schema.String }),
    output: Schema.Struct({ text: Schema.String })
  })
  const Upscaler = Model.make({
    id: "upscaler",
    input: Schema.Struct({ source_image: Model.upload }),
    output: Model.imageOutput
  })
  type SourceError = PlatformError | ModelRouteError.FileTooLarge

  const typed = ({ executions }: ModelRouteClient.Service, id: Execution.ExecutionId) => ({
    create: executions.create({ model: Flux, input: { prompt: "a fox" } }),
    run: executions.run({ model: Flux, input: { prompt: "a fox", seed: 7 }, metadata: { order: 1 } }),
    runRequest: executions.run(Model.request(Writer, { prompt: "a fox" }), {
      onAccepted: () => Effect.fail("mine" as const)
    }),
    upload: executions.run({ model: Upscaler, input: { source_image: File.fromBytes(new Uint8Array()) } }),
    await: executions.await(id, { model: Flux, timeout: "1 minute" }),
    result: executions.result(id, { model: Flux }),
    watch: executions.watch(id, { model: Writer })
  })
  type Typed = ReturnType<typeof typed>

  it("infers the decoded output of each method", () => {
    type Images = Model.Completed<Model.ImageOutput>
    expectTypeOf<Effect.Effect.Success<Typed["create"]>>().toEqualTypeOf<Execution.Execution>()
    expectTypeOf<Effect.Effect.Success<Typed["run"]>>().toEqualTypeOf<Images>()
    expectTypeOf<Effect.Effect.Success<Typed["runRequest"]>["output"]>().toEqualTypeOf<{ readonly text: string }>()
    expectTypeOf<Effect.Effect.Success<Typed["await"]>>().toEqualTypeOf<Images>()
    expectTypeOf<Effect.Effect.Success<Typed["result"]>>().toEqualTypeOf<Images>()
    expectTypeOf<Stream.Stream.Success<Typed["watch"]>>().toEqualTypeOf<
      Model.WatchedExecution<{ readonly text: string }>
    >()
    expectTypeOf<Images>().toExtend<Execution.Completed>()
  })

  it("contains the failures of each method and requires no service", () => {
    expectTypeOf<Failure<Typed["create"]>>().toEqualTypeOf<ModelRouteError.RequestFailure>()
    type RunFailure = ModelRouteError.AwaitFailure | ModelRouteError.OutputDecodeError
    expectTypeOf<Failure<Typed["run"]>>().toEqualTypeOf<RunFailure>()
    expectTypeOf<Failure<Typed["runRequest"]>>().toEqualTypeOf<RunFailure | "mine">()
    expectTypeOf<Failure<Typed["upload"]>>().toEqualTypeOf<RunFailure | SourceError>()
    expectTypeOf<Failure<Typed["await"]>>().toEqualTypeOf<RunFailure>()
    expectTypeOf<Failure<Typed["result"]>>().toEqualTypeOf<
      ModelRouteError.ResultFailure | ModelRouteError.OutputDecodeError
    >()
    expectTypeOf<Stream.Stream.Error<Typed["watch"]>>().toEqualTypeOf<
      ModelRouteError.RequestFailure | ModelRouteError.AwaitTimeout | ModelRouteError.OutputDecodeError
    >()
    expectTypeOf<Needs<Typed[keyof Typed]>>().toBeNever()
  })

  it("rejects an input that does not match the model", () => {
    void (({ executions }: ModelRouteClient.Service) => {
      // @ts-expect-error `prompt` is missing.
      void executions.run({ model: Flux, input: {} })
      // @ts-expect-error `prompt` is not a string.
      void executions.create({ model: Flux, input: { prompt: 7 } })
      // @ts-expect-error The encoded form of `seed` is not its type.
      void executions.run({ model: Flux, input: { prompt: "a fox", seed: "7" } })
      // @ts-expect-error `widht` is not a field of the schema.
      void executions.run({ model: Flux, input: { prompt: "a fox", widht: 7 } })
      // @ts-expect-error `prompt` is not a string.
      void Model.request(Flux, { prompt: 7 })
      // @ts-expect-error `prompt` is not a string.
      void Model.requestEffect(Flux, Effect.succeed({ prompt: 7 }))
      // @ts-expect-error The input needs a service, and `run` cannot provide it.
      void executions.run(Model.requestEffect(Flux, Effect.as(ModelRouteClient.ModelRouteClient, { prompt: "a fox" })))
      // @ts-expect-error The encoded input is not an object.
      void Model.make({ id: "m", input: Schema.String, output: Schema.Unknown })
    })
  })

  it("contains the decoded output in the outcomes of a batch", () => {
    const outcomes = Batch.run([1, 2], {
      id: "b",
      key: String,
      request: () => Model.request(Flux, { prompt: "a fox" }),
      deliver: (outcome) =>
        outcome._tag === "Succeeded"
          ? Effect.succeed(expectTypeOf(outcome.output).toEqualTypeOf<Model.ImageOutput>())
          : Effect.void
    })
    expectTypeOf<Stream.Stream.Success<typeof outcomes>>().toEqualTypeOf<
      Batch.Outcome<number, never, Model.ImageOutput>
    >()
    type Either = Model.ImageOutput | { readonly text: string }
    const several = Batch.run([1, 2], {
      id: "b",
      key: String,
      request: (n): Model.Request<Either> =>
        n > 1 ? Model.request(Flux, { prompt: "a fox" }) : Model.request(Writer, { prompt: "a fox" })
    })
    expectTypeOf<Stream.Stream.Success<typeof several>>().toEqualTypeOf<Batch.Outcome<number, never, Either>>()
    const uploads = Batch.run(["a"], {
      id: "b",
      key: String,
      request: (path) =>
        Model.requestEffect(
          Upscaler,
          Effect.map(File.fromPath(path), (source_image) => ({ source_image }))
        )
    })
    expectTypeOf<Stream.Stream.Success<typeof uploads>>().toEqualTypeOf<
      Batch.Outcome<string, Model.SourceFailure, Model.ImageOutput>
    >()
    expectTypeOf<Stream.Stream.Context<typeof uploads>>().toEqualTypeOf<
      FileSystem | ModelRouteClient.ModelRouteClient | Batch.Journal
    >()
    const mixed = (n: number) =>
      n > 1 ? Model.request(Flux, { prompt: "a fox" }) : { model: "flux-1.1-pro", input: { prompt: "a fox" } }
    // @ts-expect-error The output of the untyped request is not an `ImageOutput`.
    void Batch.run([1, 2], { id: "b", key: String, request: mixed })
  })
})
