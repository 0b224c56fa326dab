/**
 * Measures the memory per waiting fiber and the CPU time per admission. Compares the gate and complete create requests
 * with a semaphore and with requests without a limit. Compare the ratios, because the absolute values depend on the
 * machine.
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
  /** Heap bytes per waiting fiber. */
  readonly bytes?: number
  /** CPU microseconds per admission. */
  readonly micros: number
}

const range = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i)

/** Returns the heap size after a garbage collection, or `NaN` if Node.js runs without `--expose-gc`. */
const readHeapBytes = (): number => {
  if (globalThis.gc === undefined) return Number.NaN
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

const readCpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return system + user
}

/** Yields until all fibers wait for a timer or another event. */
const nextTurn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Measures 5 single releases and one release of all other permits. Each release wakes all waiting fibers. */
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
      { name: "semaphore, all permits together", fibers, bytes, micros: restMicros }
    ]
  })

/** Measures create requests without a rate limit. The concurrency equals the limit of the other measurements. */
const measureUnlimited = (fibers: number, seed: number): Effect.Effect<WaitCost, unknown> =>
  Effect.gen(function* () {
    const server = new LimitedServer({ limiter: RateLimiter.unlimited, seed })
    const create = yield* makeCreate({ http: makeHttpClient(server, "client"), seed })
    const cpuBefore = readCpuMicros()
    yield* Effect.forEach(range(fibers), () => create, { concurrency: limit, discard: true })
    return { name: "create, without a limit", fibers, micros: (readCpuMicros() - cpuBefore) / fibers }
  })

/** Measures concurrent requests. The first window admits only a part of the requests. */
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
    // After 10 s, all requests of the first window have ended and all other requests wait.
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

/** Returns an end time with more windows than necessary, because a slow run must not be stopped. */
const toEnd = (fibers: number): number => start + (Math.ceil(fibers / limit) * 1.5 + 5) * windowMillis

const runMeasurement = async (fibers: number, measurement: Effect.Effect<WaitCost, unknown>): Promise<WaitCost> => {
  const cost = await VirtualTime.runInVirtualTime({ start, end: toEnd(fibers) }, () =>
    Effect.runPromise(measurement.pipe(Logger.withMinimumLogLevel(LogLevel.None), Effect.withClock(VirtualTime.clock)))
  )
  if (cost === undefined) throw new Error(`${fibers} requests did not finish before the end of the run`)
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
