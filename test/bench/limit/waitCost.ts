/**
 * What it costs to wait for the limit: memory per fiber that waits, and CPU per fiber that is let through: of the gate alone,
 * with ten times as many as well, and of whole creates; beside a semaphore on which as many fibers wait, and beside creates
 * that need not wait. Machines differ and are shared, so read the ratios.
 */
import { Effect, Logger, LogLevel } from "effect"
import { Gate } from "../../../src/internal/rateLimit/gate.js"
import * as RateLimiter from "../../../src/internal/simulator/http/rateLimiter.js"
import { LimitedServer } from "../../utils/limitedServer.js"
import { sendUntilAccepted } from "../../utils/gateRequests.js"
import { makeCreate } from "./benchClients.js"
import { makeHttpClient } from "./transport.js"
import { start } from "./scenarios.js"
import * as VirtualTime from "./virtualTime.js"

export const limit = 600
export const length = 60_000

export interface WaitCost {
  readonly name: string
  readonly fibers: number
  /** Of heap, per fiber that waits. */
  readonly bytes?: number
  /** Of CPU, per fiber that is let through. */
  readonly micros: number
}

const times = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i)

/** No number without `--expose-gc`: it would say more about the last collection. */
const heap = (): number => {
  if (globalThis.gc === undefined) return Number.NaN
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

const cpu = (): number => {
  const { system, user } = process.cpuUsage()
  return system + user
}

/** Lets all go on that can, without any time. */
const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Each release wakes all who wait: with many of them, a few releases take long enough to tell. */
const semaphore = (fibers: number): Effect.Effect<ReadonlyArray<WaitCost>> =>
  Effect.gen(function* () {
    const few = Math.min(5, fibers)
    const permits = yield* Effect.makeSemaphore(0)
    const empty = heap()
    yield* Effect.forEach(times(fibers), () => Effect.forkDaemon(permits.take(1)), { discard: true })
    yield* turn
    const bytes = (heap() - empty) / fibers
    const begun = cpu()
    yield* Effect.forEach(times(few), () => Effect.zipRight(permits.release(1), turn), { discard: true })
    const one = (cpu() - begun) / few
    const rest = fibers - few
    const resumed = cpu()
    yield* Effect.zipRight(permits.release(rest), turn)
    return [
      { name: "semaphore, permits one by one", fibers, bytes, micros: one },
      { name: "semaphore, all permits at once", fibers, bytes, micros: (cpu() - resumed) / Math.max(1, rest) }
    ]
  })

/** As many at once as the limit allows in a window, but without a limit. */
const unlimited = (fibers: number, seed: number): Effect.Effect<WaitCost, unknown> =>
  Effect.gen(function* () {
    const server = new LimitedServer({ limiter: RateLimiter.unlimited, seed })
    const create = yield* makeCreate({ http: makeHttpClient(server, "client"), seed })
    const begun = cpu()
    yield* Effect.forEach(times(fibers), () => create, { concurrency: limit, discard: true })
    return { name: "create, without a limit", fibers, micros: (cpu() - begun) / fibers }
  })

/** All of them at once, at a limit that lets a few of them through at first. */
const waiting = (
  name: string,
  fibers: number,
  one: Effect.Effect<unknown, unknown>
): Effect.Effect<WaitCost, unknown> =>
  Effect.gen(function* () {
    const empty = heap()
    let done = 0
    const counted = Effect.tap(one, () => (done += 1))
    const rest = yield* Effect.forkDaemon(
      Effect.forEach(times(fibers), () => counted, { concurrency: "unbounded", discard: true })
    )
    // What the first window lets through has then been answered.
    yield* Effect.sleep("10 seconds")
    const waiters = fibers - done
    const bytes = (heap() - empty) / waiters
    const begun = cpu()
    yield* rest.await.pipe(Effect.flatten)
    return { name, fibers, bytes, micros: (cpu() - begun) / waiters }
  })

const limitedServer = (seed: number): LimitedServer =>
  new LimitedServer({ limiter: RateLimiter.fixedWindow(limit, length), seed })

const gate = (fibers: number, seed: number): Effect.Effect<WaitCost, unknown> =>
  waiting("gate alone", fibers, sendUntilAccepted(new Gate(), limitedServer(seed)))

const limited = (fibers: number, seed: number): Effect.Effect<WaitCost, unknown> =>
  Effect.flatMap(makeCreate({ http: makeHttpClient(limitedServer(seed), "client"), seed }), (create) =>
    waiting("create, waiting for the limit", fibers, create)
  )

/** A few windows more than it takes. */
const cap = (fibers: number): number => start + (Math.ceil(fibers / limit) * 1.5 + 5) * length

const inVirtualTime = async (fibers: number, effect: Effect.Effect<WaitCost, unknown>): Promise<WaitCost> => {
  const cost = await VirtualTime.runInVirtualTime({ start, cap: cap(fibers) }, () =>
    Effect.runPromise(effect.pipe(Logger.withMinimumLogLevel(LogLevel.None), Effect.withClock(VirtualTime.clock)))
  )
  if (cost === undefined) throw new Error(`${fibers} creates have not ended within their time`)
  return cost
}

export const measureWaitCosts = async (fibers: number, seed: number): Promise<ReadonlyArray<WaitCost>> => {
  const semaphores = await Effect.runPromise(semaphore(fibers))
  const fewer = Math.ceil(fibers / 10)
  const gates = [await inVirtualTime(fewer, gate(fewer, seed)), await inVirtualTime(fibers, gate(fibers, seed))]
  const free = await inVirtualTime(fewer, unlimited(fewer, seed))
  return [...semaphores, ...gates, free, await inVirtualTime(fewer, limited(fewer, seed))]
}
