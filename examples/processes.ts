/**
 * Several processes use one API key. The API limits the requests of the key. The gate of a client counts only the
 * requests of that client. The gate detects other clients after a 429, and then uses only a part of each window. At
 * most a few requests per window are rejected. A rejected request is retried and is not charged.
 *
 *     npx tsx examples/processes.ts
 *
 * Each client in this program has its own gate, like clients in separate processes. Within one process, provide the
 * same `RateLimitGate.layer` to all clients, as `examples/rate-limit.ts` does. Then no request is rejected.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Array, Console, Effect, Layer, Redacted } from "effect"
import { IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import * as Simulator from "effect-modelroute/Simulator"

const limit = 20
const processes = 3
const creates = 40

/**
 * Creates a client with its own gate. The idempotency keys of two processes must differ. `IdempotencyKey.layer` creates
 * random keys, and `layerDeterministic` needs a scope per job.
 */
const makeProcess = ModelRouteClient.make({
  apiKey: Redacted.make("sk_simulated"),
  // Other processes can take the permits of several windows, so that a request may be rejected more than once.
  retry: RetryPolicy.make({ rateLimit: { times: 20 } })
})

/** Submits all executions of one process, and returns the number of its rejected requests. */
const work = (client: ModelRouteClient.Service) =>
  Effect.gen(function* () {
    yield* Effect.forEach(
      Array.range(1, creates),
      () => client.executions.create({ model: "flux-1.1-pro", input: { prompt: "a red fox in snow" } }),
      { concurrency: "unbounded", discard: true }
    )
    const { hasOtherClients, rateLimited } = yield* client.rateLimit
    return { hasOtherClients, rateLimited }
  })

const main = Effect.gen(function* () {
  const clients = yield* Effect.replicateEffect(makeProcess, processes)
  const reports = yield* Effect.forEach(clients, work, { concurrency: "unbounded" })
  for (const [index, { hasOtherClients, rateLimited }] of reports.entries()) {
    yield* Console.log(`process ${index + 1}: ${rateLimited} requests rejected, other clients: ${hasOtherClients}`)
  }
  const simulator = yield* Simulator.Simulator
  const { executions } = yield* simulator.ledger
  yield* Console.log(`${executions.length} executions submitted, each once`)
})

NodeRuntime.runMain(
  Effect.provide(main, Layer.merge(Simulator.layer({ rateLimit: { limit, window: "1 second" } }), IdempotencyKey.layer))
)
