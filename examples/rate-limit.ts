/**
 * More creates at once than the rate limit allows, from two clients of one key: they share a gate, so that none of them is
 * refused, and the gate says what it does.
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

const watch = RateLimitGate.snapshot.pipe(
  Effect.tap(({ inFlight, remaining = "?", waiting }) =>
    Console.log(`${waiting} wait, ${inFlight} in flight, ${remaining} left in this window`)
  ),
  Effect.repeat(Schedule.spaced("500 millis"))
)

const main = Effect.gen(function* () {
  const watching = yield* Effect.fork(watch)
  yield* Effect.all([Effect.flatMap(client, batch), Effect.flatMap(client, batch)], { concurrency: "unbounded" })
  yield* Fiber.interrupt(watching)

  const { executions } = yield* Effect.flatMap(Simulator.Simulator, ({ ledger }) => ledger)
  const { rateLimited: refused } = yield* RateLimitGate.snapshot
  yield* Console.log(`${executions.length} executions submitted at ${limit} a second, ${refused} requests refused`)
})

const simulator = Simulator.layer({ rateLimit: { limit, window: "1 second" } })

NodeRuntime.runMain(
  main.pipe(
    Effect.provide(Layer.mergeAll(simulator, RateLimitGate.layer, IdempotencyKey.layer)),
    Logger.withMinimumLogLevel(LogLevel.Debug)
  )
)
