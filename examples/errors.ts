/**
 * Handles errors by one tag, by several tags, and by every code of the API. Continues after an error with its
 * `idempotencyKey` or `executionId`, without a second charge.
 *
 *     npx tsx examples/errors.ts
 *
 * Each case runs against a separate simulator in memory.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Duration, Effect, Layer, Match, Record, Redacted, Schedule } from "effect"
import { type Execution, IdempotencyKey, ModelRouteClient, ModelRouteError, RetryPolicy } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const { Fault } = Simulator

const request: Execution.CreateRequest = { model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } }

const pollSchedule = Schedule.spaced("100 millis")

/** Handles one tag. All other errors remain in the error channel with their types. */
const oneTag = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { id } = yield* executions.create(request)
  return `accepted as ${id}`
}).pipe(Effect.catchTag("InsufficientBalance", () => Effect.succeed("tell the owner to top up the balance")))

/**
 * Handles several tags and reads the fields of each error class. Failed requests and FAILED executions share these
 * classes.
 */
const severalTags = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { fileIds } = yield* executions.run(request, { pollSchedule })
  return `created ${fileIds.length} file`
}).pipe(
  Effect.catchTags({
    InputValidationError: ({ details }) =>
      Effect.succeed(`mark the field: ${details.map(({ field, message }) => `${field}, ${message}`).join("; ")}`),
    ContentModerationRejected: () => Effect.succeed("ask the user for another prompt"),
    RateLimited: ({ retryAfter = Duration.minutes(1) }) =>
      Effect.succeed(`ask the user to retry in ${Duration.format(retryAfter)}`),
    TransportError: ({ attempts, reason }) => Effect.succeed(`no response to ${attempts} requests (${reason})`)
  })
)

/** Returns advice for every code of the API. A missing code is a type error. */
const adviceFor = Match.typeTags<ModelRouteError.ApiError>()({
  InputValidationError: () => "correct the request",
  ContentModerationRejected: () => "change the prompt",
  FileNotFound: () => "upload the file again",
  FileFormatUnsupported: () => "convert the file",
  InsufficientBalance: () => "top up the balance",
  RateLimited: () => "wait for the reset",
  ModelOverloaded: () => "use another model, or retry later",
  ModelUnavailable: () => "use another model, or retry later",
  GenerationTimeout: () => "submit a new execution",
  GenerationFailed: () => "submit a new execution",
  ServiceUnavailable: () => "retry in a few minutes",
  InternalError: ({ requestId }) => `contact support and quote ${requestId}`
})

const everyCode = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { id } = yield* executions.create(request)
  return `accepted as ${id}`
}).pipe(
  Effect.catchIf(ModelRouteError.isApiError, (error) => Effect.succeed(adviceFor(error))),
  RetryPolicy.withPolicy(RetryPolicy.none)
)

/** Repeats a create request after its response was lost. The same key returns the same execution. */
const continueByKey = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const simulator = yield* Simulator.Simulator
  const created = yield* executions
    .create(request)
    .pipe(Effect.catchTag("TransportError", ({ idempotencyKey }) => executions.create(request, { idempotencyKey })))
  const { executions: executed } = yield* simulator.ledger
  return `${created.id} under the same key; executions on the server: ${executed.length}`
})

/** Waits again after a timeout. The execution continues, and another process can also wait for the execution. */
const continueById = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const completed = yield* executions
    .run(request, { pollSchedule, timeout: "200 millis" })
    .pipe(Effect.catchTag("AwaitTimeout", ({ executionId }) => executions.await(executionId, { pollSchedule })))
  return `${completed.id} is ${completed.status}`
})

/** Submits a new execution under a new key after a FAILED execution. A FAILED execution is free of charge. */
const submitAgain = Effect.gen(function* () {
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

/** Provides a client with a new simulator. */
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
  Effect.flatMap(Effect.provide(program, layer(options)), (outcome) => Console.log(`  ${title.padEnd(30)} ${outcome}`))

const noPrompt = { field: "input.prompt", code: "REQUIRED", message: "prompt is required" }

const main = Effect.gen(function* () {
  yield* Console.log("One tag")
  yield* show("a balance of 1 cent", { balance: "0.01" }, oneTag)
  yield* show("a balance of 1 dollar", { balance: "1.00" }, oneTag)

  yield* Console.log("Several tags")
  yield* show(
    "a wrong parameter",
    { faults: [Fault.apiError("INPUT_VALIDATION_ERROR", { details: [noPrompt] })] },
    severalTags
  )
  yield* show(
    "the filter rejects the prompt",
    { faults: [Fault.executionOutcome({ status: "FAILED", code: "CONTENT_MODERATION_REJECTED" })] },
    severalTags
  )
  yield* show(
    "a reset in 10 minutes",
    { faults: [Fault.apiError("RATE_LIMITED", { resetIn: "10 minutes" })] },
    severalTags
  )
  yield* show("the network is down", { faults: [Fault.times(3, Fault.dropBefore)] }, severalTags)
  yield* show("success", {}, severalTags)

  yield* Console.log("Every code")
  yield* Effect.forEach(Record.keys(ModelRouteError.codes), (code) =>
    show(code, { faults: [Fault.apiError(code)] }, everyCode)
  )

  yield* Console.log("Continue after an error")
  yield* show("all three responses are lost", { faults: [Fault.times(3, Fault.dropAfter)] }, continueByKey)
  yield* show("the wait is too short", {}, continueById)
  yield* show("the generation fails", { faults: [Fault.executionOutcome({ status: "FAILED" })] }, submitAgain)
})

NodeRuntime.runMain(main)
