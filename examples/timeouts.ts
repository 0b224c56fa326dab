/**
 * Limits the time of a call in three ways, and shows what continues after each limit. A limit ends only the wait of this
 * program. The execution continues at the API and is paid for, unless the program cancels it.
 *
 *     npx tsx examples/timeouts.ts
 *
 * | Limit                             | Ends                                       | Execution          |
 * | --------------------------------- | ------------------------------------------ | ------------------ |
 * | `attemptTimeout` of the client    | one request, which is then retried         | continues, 1 charge|
 * | `timeout` of `run` and `await`    | the wait, with `AwaitTimeout` and the id   | continues, 1 charge|
 * | `Effect.timeout`, or interruption | the call                                   | continues, 1 charge|
 * | the same with `cancelOnInterrupt` | the call, after a cancel request           | CANCELLED, free    |
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Redacted, Schedule } from "effect"
import { type Execution, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const { Fault } = Simulator

const request: Execution.CreateRequest = { model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } }

/** Limits a single request. The default is 30 seconds. The retry sends the same idempotency key. */
const attemptTimeout = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { fileIds } = yield* executions.run(request)
  return `created ${fileIds.length} file, although the first request had no response`
})

/** Limits the wait. The error contains the id of the execution, so that any process can wait again. */
const awaitTimeout = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const { fileIds } = yield* executions
    .run(request, { timeout: "300 millis" })
    .pipe(Effect.catchTag("AwaitTimeout", ({ executionId }) => executions.await(executionId)))
  return `created ${fileIds.length} file in the second wait`
})

/** Interrupts the call, for example after a user has disconnected. `onAccepted` stores the id before the wait. */
const effectTimeout = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const accepted: Array<Execution.ExecutionId> = []
  yield* executions
    .run(request, { onAccepted: ({ id }) => Effect.sync(() => accepted.push(id)) })
    .pipe(Effect.timeoutOption("300 millis"))
  const [completed] = yield* Effect.forEach(accepted, (id) => executions.await(id))
  return `${completed?.status}, found with the stored id`
})

/** Interrupts the call and cancels the execution. An execution that has ended is still paid for. */
const cancelOnInterrupt = Effect.gen(function* () {
  const { executions } = yield* ModelRouteClient.ModelRouteClient
  const result = yield* executions.run(request, { cancelOnInterrupt: true }).pipe(Effect.timeoutOption("300 millis"))
  return `no result: ${result._tag}`
})

/** Runs a program with a new simulator. Prints its outcome and the executions that the simulator created. */
const show = <E>(
  title: string,
  program: Effect.Effect<string, E, ModelRouteClient.ModelRouteClient>,
  faults: ReadonlyArray<Simulator.Fault.Fault> = []
) =>
  Effect.gen(function* () {
    const simulator = yield* Simulator.Simulator
    const outcome = yield* program
    const { charged, executions } = yield* simulator.ledger
    const statuses = executions.map(({ status }) => status).join(", ")
    yield* Console.log(`${title}\n  ${outcome}\n  executions: ${statuses}; $${charged} paid`)
  }).pipe(
    Effect.provide(
      ModelRouteClient.layer({
        apiKey: Redacted.make("sk_simulated"),
        attemptTimeout: "200 millis",
        pollSchedule: Schedule.spaced("100 millis")
      }).pipe(
        Layer.provideMerge(
          Simulator.layer({
            models: { "flux-1.1-pro": { duration: "1 second", cost: "0.040", output: "image" } },
            faults
          })
        ),
        Layer.provide(IdempotencyKey.layer)
      )
    )
  )

const main = Effect.gen(function* () {
  yield* show("attemptTimeout of the client", attemptTimeout, [Fault.on("executions.create", Fault.hang())])
  yield* show("timeout of run", awaitTimeout)
  yield* show("Effect.timeout and onAccepted", effectTimeout)
  yield* show("Effect.timeout and cancelOnInterrupt", cancelOnInterrupt)
})

NodeRuntime.runMain(main)
