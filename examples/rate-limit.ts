/**
 * Submits more concurrent executions than the rate limit allows, from two clients with the same API key. The clients
 * share a gate to prevent 429 responses. The program prints the state of the gate.
 *
 *     npx tsx examples/rate-limit.ts
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Array, Console, Effect, Fiber, Layer, Logger, LogLevel, Redacted, Schedule } from "effect"
import { IdempotencyKey, ModelRouteClient, RateLimitGate } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const limit = 20
const creates = 50

const client = ModelRouteClient.make({ apiKey: Redacted.make("sk_simulated") })

const batch = ({ executions }: ModelRouteClient.Service) =>
  Effect.forEach(
    Array.range(1, creates),
    () => executions.create({ model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } }),
    { concurrency: "unbounded", discard: true }
  )

const printSnapshots = RateLimitGate.snapshot.pipe(
  Effect.tap(({ inFlight, remaining = "?", waiting }) =>
    Console.log(`${waiting} waiting, ${inFlight} in flight, ${remaining} left in this window`)
  ),
  Effect.repeat(Schedule.spaced("500 millis"))
)

const main = Effect.gen(function* () {
  const printer = yield* Effect.fork(printSnapshots)
  yield* Effect.all([Effect.flatMap(client, batch), Effect.flatMap(client, batch)], { concurrency: "unbounded" })
  yield* Fiber.interrupt(printer)

  const { executions } = yield* Effect.flatMap(Simulator.Simulator, ({ ledger }) => ledger)
  const { rateLimited } = yield* RateLimitGate.snapshot
  yield* Console.log(
    `${executions.length} executions submitted at ${limit} per second, ${rateLimited} requests rejected`
  )
})

const simulator = Simulator.layer({ rateLimit: { limit, window: "1 second" } })

NodeRuntime.runMain(
  main.pipe(
    Effect.provide(Layer.mergeAll(simulator, RateLimitGate.layer, IdempotencyKey.layer)),
    Logger.withMinimumLogLevel(LogLevel.Debug)
  )
)
