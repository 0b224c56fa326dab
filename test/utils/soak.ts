/** Runs calls for a long virtual time, with waits, rate limits, faults and interruptions. */
import { Cause, Clock, Duration, Effect, Exit, Fiber, Stream } from "effect"
import { File, ModelRouteClient } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { valueOf } from "./exit.js"
import { image, layer, silent, start } from "./harness.js"
import { seededRandom } from "./seededRandom.js"
import { runInVirtualTime } from "./virtualTime.js"

export interface SoakReport {
  readonly calls: number
  readonly interrupted: number
  readonly requests: number
  readonly rateLimited: number
  readonly defects: ReadonlyArray<string>
  readonly virtualMillis: number
  readonly permitsLeft: number
  /** Fibers at the end minus fibers at the start. */
  readonly fibersLeft: number
}

const bytes = new Uint8Array(50_000)

const makeCalls = ({ executions, files }: ModelRouteClient.Service): ReadonlyArray<Effect.Effect<unknown, unknown>> => [
  executions.run(image),
  executions.run(image, { cancelOnInterrupt: true }),
  Effect.flatMap(executions.create(image), ({ id }) => Stream.runDrain(executions.watch(id))),
  Effect.flatMap(files.upload(File.fromBytes(bytes)), (id) => Stream.runDrain(files.download(id)))
]

const program = (minutes: number, seed: number) =>
  Effect.gen(function* () {
    const client = yield* ModelRouteClient.ModelRouteClient
    const simulator = yield* Simulator
    const random = seededRandom(seed)
    const calls = makeCalls(client)
    const defects: Array<string> = []
    const startedAt = yield* Clock.currentTimeMillis
    const fibersBefore = (yield* Fiber.roots).length
    const running: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
    let interrupted = 0
    while ((yield* Clock.currentTimeMillis) - startedAt < minutes * 60_000) {
      const call = calls[Math.floor(random() * calls.length)] ?? Effect.void
      const fiber = yield* Effect.forkDaemon(call)
      running.push(fiber)
      if (random() < 0.5) yield* Effect.forkDaemon(Effect.delay(Fiber.interrupt(fiber), 40_000 * random()))
      yield* Effect.sleep(Duration.millis(6000 * random()))
    }
    for (const fiber of running) {
      const exit = yield* Fiber.await(fiber)
      if (Exit.isInterrupted(exit)) interrupted += 1
      else if (Exit.isFailure(exit) && Cause.isDie(exit.cause)) defects.push(Cause.pretty(exit.cause))
    }
    // A cancel request in the background ends after 5 minutes.
    yield* Effect.sleep("10 minutes")
    const { inFlight, rateLimited, waiting } = yield* client.rateLimit
    const report: SoakReport = {
      calls: running.length,
      interrupted,
      requests: (yield* simulator.requests).length,
      rateLimited,
      defects,
      virtualMillis: (yield* Clock.currentTimeMillis) - startedAt,
      permitsLeft: inFlight + waiting,
      fibersLeft: (yield* Fiber.roots).length - fibersBefore
    }
    return report
  })

const faults = Fault.transient.filter(({ _tag }) => _tag !== "ResetUnit")

/** Runs calls for the given number of virtual minutes. Dies if a timer is left at the end. */
export const soak = (minutes: number, seed: number): Effect.Effect<SoakReport> =>
  program(minutes, seed).pipe(
    Effect.provide(
      layer({
        simulator: {
          rateLimit: { limit: 20, window: "10 seconds" },
          randomFaults: { seed, probability: 0.1, faults },
          balance: "1000.00",
          recordRequests: 100_000
        }
      })
    ),
    silent,
    (effect) => Effect.map(runInVirtualTime(effect, start), valueOf)
  )
