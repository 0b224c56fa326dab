/**
 * Errors are values, told apart by `_tag`: one tag, several tags, every code of the API. And what an error still knows of
 * its call (`idempotencyKey`, `executionId`), so that nothing is lost and nothing is paid twice.
 *
 *     npx tsx examples/errors.ts
 *
 * It runs against the simulator in memory, which is told what goes wrong.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Duration, Effect, Layer, Match, Record, Redacted, Schedule } from "effect"
import { type Execution, IdempotencyKey, ModelRouteClient, ModelRouteError, RetryPolicy } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const { Fault } = Simulator

const request: Execution.CreateRequest = { model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } }

const pollSchedule = Schedule.spaced("100 millis")

/** One tag. All other errors stay in the error channel, with their types. */
const oneTag = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { id } = yield* executions.create(request)
  return `accepted as ${id}`
}).pipe(Effect.catchTag("InsufficientBalance", () => Effect.succeed("tell the owner to top up the balance")))

/** Several tags, each with the fields of its class. A FAILED execution fails with the same classes as a request. */
const severalTags = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { fileIds } = yield* executions.run(request, { pollSchedule })
  return `made ${fileIds.length} file`
}).pipe(
  Effect.catchTags({
    InputValidationError: ({ details }) =>
      Effect.succeed(`mark the field: ${details.map(({ field, message }) => `${field}, ${message}`).join("; ")}`),
    ContentModerationRejected: () => Effect.succeed("ask the user for another prompt"),
    RateLimited: ({ retryAfter = Duration.minutes(1) }) =>
      Effect.succeed(`ask the user to come back in ${Duration.format(retryAfter)}`),
    TransportError: ({ attempts, reason }) => Effect.succeed(`no answer to any of ${attempts} requests (${reason})`)
  })
)

/** Every code of the API. One that is forgotten here, or that a later version adds, does not compile. */
const whatToDo = Match.typeTags<ModelRouteError.ApiError>()({
  InputValidationError: () => "correct the request",
  ContentModerationRejected: () => "change the prompt",
  FileNotFound: () => "upload the file again",
  FileFormatUnsupported: () => "convert the file",
  InsufficientBalance: () => "top up the balance",
  RateLimited: () => "wait for the reset",
  ModelOverloaded: () => "take another model, or come back later",
  ModelUnavailable: () => "take another model, or come back later",
  GenerationTimeout: () => "submit it as a new execution",
  GenerationFailed: () => "submit it as a new execution",
  ServiceUnavailable: () => "come back in a few minutes",
  InternalError: ({ requestId }) => `write to the support about ${requestId}`
})

const everyCode = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { id } = yield* executions.create(request)
  return `accepted as ${id}`
}).pipe(
  Effect.catchIf(ModelRouteError.isApiError, (error) => Effect.succeed(whatToDo(error))),
  RetryPolicy.withPolicy(RetryPolicy.none)
)

/** A create without an answer may have been carried out. Its key, kept for later, leads to that very execution. */
const goOnByKey = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const simulator = yield* Simulator.Simulator
  const created = yield* executions
    .create(request)
    .pipe(Effect.catchTag("TransportError", ({ idempotencyKey }) => executions.create(request, { idempotencyKey })))
  const { executions: ran } = yield* simulator.ledger
  return `${created.id} under the same key; executions on the server: ${ran.length}`
})

/** A wait that was given up can be taken up again, here or in another process: the execution goes on. */
const goOnById = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const completed = yield* executions
    .run(request, { pollSchedule, timeout: "200 millis" })
    .pipe(Effect.catchTag("AwaitTimeout", ({ executionId }) => executions.await(executionId, { pollSchedule })))
  return `${completed.id} is ${completed.status} after all`
})

/** An execution that has FAILED stays so, and costs nothing: once more means a new one, under a new key. */
const onceMore = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const simulator = yield* Simulator.Simulator
  yield* executions.run(request, { pollSchedule }).pipe(
    Effect.retry({
      times: 1,
      while: (error) => error._tag === "GenerationFailed" && error.executionId !== undefined
    })
  )
  const ledger = yield* simulator.ledger
  return `${ledger.executions.map(({ status }) => status).join(", then ")}; $${ledger.charged} paid`
})

/** A client over a simulator of its own. */
const layer = (options: Simulator.Options) =>
  ModelRouteClient.layer({
    apiKey: Redacted.make("sk_simulated"),
    retry: RetryPolicy.make({ backoff: { base: "50 millis", times: 2 } })
  }).pipe(
    Layer.provideMerge(
      Simulator.layer({
        models: { "flux-1.1-pro": { duration: "500 millis", cost: "0.040", output: "image" } },
        ...options
      })
    ),
    Layer.provide(IdempotencyKey.layer)
  )

const show = <E>(
  title: string,
  options: Simulator.Options,
  program: Effect.Effect<string, E, ModelRouteClient.ModelRouteClient | Simulator.Simulator>
) =>
  Effect.flatMap(Effect.provide(program, layer(options)), (outcome) => Console.log(`  ${title.padEnd(28)} ${outcome}`))

const noPrompt = { field: "input.prompt", code: "REQUIRED", message: "prompt is required" }

const main = Effect.gen(function* () {
  yield* Console.log("One tag")
  yield* show("a balance of 1 cent", { balance: "0.01" }, oneTag)
  yield* show("a balance of 1 dollar", { balance: "1.00" }, oneTag)

  yield* Console.log("Several tags")
  yield* show(
    "a wrong parameter",
    { faults: [Fault.envelope("INPUT_VALIDATION_ERROR", { details: [noPrompt] })] },
    severalTags
  )
  yield* show(
    "the filter refuses",
    { faults: [Fault.ends({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" })] },
    severalTags
  )
  yield* show("a reset in 10 minutes", { faults: [Fault.rateLimited({ resetIn: "10 minutes" })] }, severalTags)
  yield* show("the network is down", { faults: Fault.times(3, Fault.dropBefore) }, severalTags)
  yield* show("nothing goes wrong", {}, severalTags)

  yield* Console.log("Every code")
  yield* Effect.forEach(Record.keys(ModelRouteError.codes), (code) =>
    show(code, { faults: [Fault.envelope(code)] }, everyCode)
  )

  yield* Console.log("What the error still knows")
  yield* show("all three answers are lost", { faults: Fault.times(3, Fault.dropAfter) }, goOnByKey)
  yield* show("a wait that is too short", {}, goOnById)
  yield* show("the generation fails", { faults: [Fault.ends({ status: "FAILED" })] }, onceMore)
})

NodeRuntime.runMain(main)
