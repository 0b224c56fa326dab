/**
 * Simulates the API for an example with several processes. Counts the requests of each process.
 */
import { Console, Context, Data, Effect, Layer } from "effect"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"

/** An execution was lost or created twice. */
export class WrongLedger extends Data.TaggedError("WrongLedger")<{ readonly message: string }> {}

/** Starts a simulator on a free port. It stops when the scope closes. */
export const start = Effect.gen(function* () {
  const requests = new Map<string, number>()
  const context = yield* Layer.build(
    SimulatorServer.layer({
      rateLimit: false,
      models: { "flux-1.1-pro": { ...Simulator.models["flux-1.1-pro"], duration: "4 seconds" } },
      onRequest: ({ headers }) =>
        Effect.sync(() => {
          const name = headers["user-agent"] ?? ""
          requests.set(name, (requests.get(name) ?? 0) + 1)
        })
    })
  )
  return {
    url: Context.get(context, SimulatorServer.SimulatorServer).url,
    service: Context.get(context, Simulator.Simulator),
    /** Returns the number of requests with a user agent. */
    requestsOf: (name: string): number => requests.get(name) ?? 0
  }
})

/** Prints the ledger. Fails with `WrongLedger` unless it contains `total` completed executions under as many keys. */
export const printLedger = (simulator: Simulator.Service, total: number) =>
  Effect.gen(function* () {
    const { charged, executions } = yield* simulator.ledger
    const creates = (yield* simulator.requests).filter(({ operation }) => operation === "executions.create").length
    const keys = new Set(executions.map(({ idempotencyKey }) => idempotencyKey)).size
    const completed = executions.filter(({ status }) => status === "COMPLETED").length
    yield* Console.log(`\nLedger of the simulator: ${creates} create requests, $${charged} charged.`)
    yield* Console.log(`${executions.length} executions, ${keys} keys`)
    if (executions.length !== total || keys !== total || completed !== total) {
      return yield* new WrongLedger({ message: `The ledger must contain ${total} completed executions.` })
    }
  })
