/** Sends requests from several processes with one API key in virtual time, with local gates or the gate of a cluster. */
import { Effect, Exit, Scope } from "effect"
import { RateLimitGate } from "effect-modelroute"
import type { RateLimiter } from "../../src/internal/simulator/http/rateLimiter.js"
import { MemoryCluster, startProcess } from "./cluster.js"
import { valueOf } from "./exit.js"
import { sendUntilAccepted } from "./gateRequests.js"
import { silent, start } from "./harness.js"
import { LimitedServer, type Latency } from "./limitedServer.js"
import { runInVirtualTime } from "./virtualTime.js"

export interface ClusterScenario {
  readonly gate: "local" | "cluster"
  readonly processes: number
  readonly limiter: RateLimiter
  readonly limit: number
  readonly windowMillis: number
  /** Number of measured windows. */
  readonly windows: number
  readonly latency?: Latency
  /** Kills the owner of the gate after this number of windows. Default: never. */
  readonly killAfter?: number
}

export interface ClusterThroughput {
  /** Accepted requests in each window. */
  readonly accepted: ReadonlyArray<number>
  /** Rejected requests in each window. */
  readonly rejected: ReadonlyArray<number>
}

/** Time from a kill until the other runners acquire the shards. */
const takeoverMillis = 1500

const countPerWindow = (server: LimitedServer, scenario: ClusterScenario, from: number): ClusterThroughput => {
  const count = (isRejected: boolean) =>
    Array.from({ length: scenario.windows }, (_, index) => {
      const begin = from + index * scenario.windowMillis
      const isCounted = (at: number) => at >= begin && at < begin + scenario.windowMillis
      return server.handled.filter((request) => request.isRejected === isRejected && isCounted(request.handledAt))
        .length
    })
  return { accepted: count(false), rejected: count(true) }
}

/** Keeps 1.5 times as many requests as the limit waiting in total. Measures from the start of the second window. */
export const measureCluster = (scenario: ClusterScenario): Effect.Effect<ClusterThroughput> => {
  const { gate, killAfter, latency, limiter, limit, processes, windowMillis, windows } = scenario
  const server = new LimitedServer({ limiter, ...(latency === undefined ? {} : { latency }) })
  const cluster = new MemoryCluster()
  const concurrency = Math.ceil((1.5 * limit) / processes) + 1
  const program = Effect.gen(function* () {
    const started = yield* Effect.forEach(Array.from({ length: processes }), () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const process = yield* Scope.extend(startProcess(cluster), scope)
        yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
        return process
      })
    )
    yield* Effect.sleep(windowMillis / 2)
    const fibers = yield* Effect.forEach(started, (process) =>
      Effect.gen(function* () {
        const own = gate === "cluster" ? process.gate : yield* RateLimitGate.make
        const send = Effect.forever(Effect.ignore(sendUntilAccepted(own.admission, server)))
        return yield* Effect.forkScoped(Effect.replicateEffect(send, concurrency, { concurrency: "unbounded" }))
      })
    )
    yield* Effect.sleep(windowMillis / 2 + (killAfter ?? windows) * windowMillis)
    const victim = cluster.calls.at(-1)?.to
    const index = started.findIndex(({ address }) => address.port === victim?.port)
    if (killAfter !== undefined && victim !== undefined) {
      yield* cluster.kill(victim)
      yield* fibers[index]?.interruptAsFork(fibers[index].id()) ?? Effect.void
      yield* Effect.sleep(takeoverMillis)
      yield* cluster.expire(victim)
      yield* Effect.sleep((windows - killAfter) * windowMillis - takeoverMillis)
    }
    return countPerWindow(server, scenario, start + windowMillis)
  })
  return Effect.map(runInVirtualTime(silent(Effect.scoped(Effect.orDie(program))), start), valueOf)
}
