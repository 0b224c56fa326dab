/**
 * The cost of waiting for the limit: memory for each waiting fiber, and CPU time for each admission. Measures the gate alone,
 * the gate with ten times as many fibers, and whole creates. Compares them with a semaphore, and with creates without a limit.
 * Compare the ratios, because machines differ and are shared.
 */
import { Effect, Logger, LogLevel } from "effect"
import { Gate } from "../../../src/internal/rateLimit/gate.js"
import * as RateLimiter from "../../../src/internal/simulator/http/rateLimiter.js"
import { sendUntilAccepted } from "../../utils/gateRequests.js"
import { LimitedServer } from "../../utils/limitedServer.js"
import { makeCreate } from "./benchClients.js"
import { start } from "./scenarios.js"
import { makeHttpClient } from "./transport.js"
import * as VirtualTime from "./virtualTime.js"

export const limit = 600
export const windowMillis = 60_000

export interface WaitCost {
  readonly name: string
  readonly fibers: number
  /** Heap bytes for each waiting fiber. */
  readonly bytes?: number
  /** CPU microseconds for each admission. */
  readonly micros: number
}

const range = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i)

/** Returns `NaN` without `--expose-gc`, because the heap then depends on the last collection. */
const readHeapBytes = (): number => {
  if (globalThis.gc === undefined) return Number.NaN
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

const readCpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return system + user
}

/** Lets all fibers run that can run without a timer. */
const nextTurn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Each release wakes all waiting fibers. With many fibers, a few releases take long enough to measure. */
const measureSemaphore = (fibers: number): Effect.Effect<ReadonlyArray<WaitCost>> =>
  Effect.gen(function* () {
    const singleReleases = Math.min(5, fibers)
    const semaphore = yield* Effect.makeSemaphore(0)
    const heapBefore = readHeapBytes()
    yield* Effect.forEach(range(fibers), () => Effect.forkDaemon(semaphore.take(1)), { discard: true })
    yield* nextTurn
    const bytes = (readHeapBytes() - heapBefore) / fibers
    const cpuBefore = readCpuMicros()
    yield* Effect.forEach(range(singleReleases), () => Effect.zipRight(semaphore.release(1), nextTurn), {
      discard: true
    })
    const micros = (readCpuMicros() - cpuBefore) / singleReleases
    const rest = fibers - singleReleases
    const cpuBeforeRest = readCpuMicros()
    yield* Effect.zipRight(semaphore.release(rest), nextTurn)
    const restMicros = (readCpuMicros() - cpuBeforeRest) / Math.max(1, rest)
    return [
      { name: "semaphore, permits one by one", fibers, bytes, micros },
      { name: "semaphore, all permits at once", fibers, bytes, micros: restMicros }
    ]
  })

/** Runs as many concurrent creates as the limit allows in a window, but without a limit. */
const measureUnlimited = (fibers: number, seed: number): Effect.Effect<WaitCost, unknown> =>
  Effect.gen(function* () {
    const server = new LimitedServer({ limiter: RateLimiter.unlimited, seed })
    const create = yield* makeCreate({ http: makeHttpClient(server, "client"), seed })
    const cpuBefore = readCpuMicros()
    yield* Effect.forEach(range(fibers), () => create, { concurrency: limit, discard: true })
    return { name: "create, without a limit", fibers, micros: (readCpuMicros() - cpuBefore) / fibers }
  })

/** Runs all requests at once under a limit that admits a few of them in the first window. */
const measureWaiting = (
  name: string,
  fibers: number,
  request: Effect.Effect<unknown, unknown>
): Effect.Effect<WaitCost, unknown> =>
  Effect.gen(function* () {
    const heapBefore = readHeapBytes()
    let done = 0
    const counted = Effect.tap(request, () => (done += 1))
    const all = yield* Effect.forkDaemon(
      Effect.forEach(range(fibers), () => counted, { concurrency: "unbounded", discard: true })
    )
    // All requests of the first window have a response by then.
    yield* Effect.sleep("10 seconds")
    const waiting = fibers - done
    const bytes = (readHeapBytes() - heapBefore) / waiting
    const cpuBefore = readCpuMicros()
    yield* all.await.pipe(Effect.flatten)
    return { name, fibers, bytes, micros: (readCpuMicros() - cpuBefore) / waiting }
  })

const makeServer = (seed: number): LimitedServer =>
  new LimitedServer({ limiter: RateLimiter.fixedWindow(limit, windowMillis), seed })

const measureGate = (fibers: number, seed: number): Effect.Effect<WaitCost, unknown> =>
  measureWaiting("gate alone", fibers, sendUntilAccepted(new Gate(), makeServer(seed)))

const measureCreate = (fibers: number, seed: number): Effect.Effect<WaitCost, unknown> =>
  Effect.flatMap(makeCreate({ http: makeHttpClient(makeServer(seed), "client"), seed }), (create) =>
    measureWaiting("create, waiting for the limit", fibers, create)
  )

/** Allows some windows more than needed. */
const toEnd = (fibers: number): number => start + (Math.ceil(fibers / limit) * 1.5 + 5) * windowMillis

const runMeasurement = async (fibers: number, measurement: Effect.Effect<WaitCost, unknown>): Promise<WaitCost> => {
  const cost = await VirtualTime.runInVirtualTime({ start, end: toEnd(fibers) }, () =>
    Effect.runPromise(measurement.pipe(Logger.withMinimumLogLevel(LogLevel.None), Effect.withClock(VirtualTime.clock)))
  )
  if (cost === undefined) throw new Error(`${fibers} requests did not end in time`)
  return cost
}

export const measureWaitCosts = async (fibers: number, seed: number): Promise<ReadonlyArray<WaitCost>> => {
  const fewer = Math.ceil(fibers / 10)
  return [
    ...(await Effect.runPromise(measureSemaphore(fibers))),
    await runMeasurement(fewer, measureGate(fewer, seed)),
    await runMeasurement(fibers, measureGate(fibers, seed)),
    await runMeasurement(fewer, measureUnlimited(fewer, seed)),
    await runMeasurement(fewer, measureCreate(fewer, seed))
  ]
}
