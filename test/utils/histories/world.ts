/**
 * Provides the surroundings of an application: the simulator, the network, the disk and the wall clock. These survive a
 * crash of the application.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as KeyValueStore from "@effect/platform/KeyValueStore"
import { Context, Effect, FiberSet, Layer, type Scope } from "effect"
import * as Simulator from "effect-modelroute/Simulator"
import { makeStore, storeFailure, type StoreValues } from "../store.js"
import { type CrashPoint, type FaultName, type FaultTarget, type HistorySetup, models } from "./commands.js"
import type { Machine, SimulatedProcess } from "./process.js"

/** A crash that has not happened yet. */
interface ArmedCrash {
  readonly at: CrashPoint
  left: number
}

/** One call of the handler of webhook events. */
export interface HandledEvent {
  readonly eventId: string
  readonly process: number
  readonly at: number
}

export interface World {
  readonly setup: HistorySetup
  readonly simulator: Simulator.Service
  /** Sends a request to the simulator, without latency. */
  readonly api: HttpClient.HttpClient
  readonly machine: Machine
  /** The values on the disk. */
  readonly disk: StoreValues
  readonly processes: Array<SimulatedProcess>
  readonly handled: Array<HandledEvent>
  readonly deliveryFaults: Array<Simulator.DeliveryFault>
  /** Starts an effect outside the processes. */
  readonly fork: (effect: Effect.Effect<unknown>) => void
  /** Runs after the server has received a request. */
  onRequest: () => void
  crash: ArmedCrash | undefined
  isFaulty: boolean
  /** Number of webhook deliveries that are verified now. Virtual time stops meanwhile, because WebCrypto takes real time. */
  verifying: number
}

/** Returns the fault of a name. */
const toFault = (name: FaultName): Simulator.Fault.Fault => {
  const { Fault } = Simulator
  const faults: { readonly [N in FaultName]: Simulator.Fault.Fault } = {
    dropBefore: Fault.dropBefore,
    dropAfter: Fault.dropAfter,
    cutBody: Fault.cutBody(),
    truncated: Fault.truncateCleanly(),
    lateRequest: Fault.delay("3 seconds", "before"),
    lateResponse: Fault.delay("3 seconds", "after"),
    slowResponse: Fault.delay("40 seconds", "after"),
    hangBefore: Fault.hang("before"),
    hangAfter: Fault.hang("after"),
    badGateway: Fault.badGateway,
    unavailable: Fault.apiError("SERVICE_UNAVAILABLE"),
    unavailableAfter: Fault.apiError("SERVICE_UNAVAILABLE", { phase: "after" }),
    internalError: Fault.apiError("INTERNAL_ERROR"),
    rateLimited: Fault.apiError("RATE_LIMITED", { resetIn: "2 seconds" }),
    rateLimitedLong: Fault.apiError("RATE_LIMITED", { resetIn: "45 seconds", retryAfter: "45 seconds" }),
    rateLimitedTooLong: Fault.apiError("RATE_LIMITED", { resetIn: "10 minutes" }),
    noBalance: Fault.apiError("INSUFFICIENT_BALANCE"),
    unauthorized: Fault.apiError("UNAUTHORIZED", { status: 401 }),
    notFound: Fault.apiError("NOT_FOUND", { status: 404 }),
    emptyOk: Fault.emptyOk,
    dateAhead: Fault.skewDate("5 minutes"),
    dateBehind: Fault.skewDate(-300_000),
    withoutHeaders: Fault.withoutHeaders(),
    resetGarbage: Fault.resetUnit("garbage")
  }
  return faults[name]
}

/** Adds faults to the next requests of an operation. */
export const injectFault = (world: World, on: FaultTarget, fault: FaultName, times: number): Effect.Effect<void> => {
  const matches = ({ operation }: Simulator.Fault.Target) => world.isFaulty && operation === on
  return world.simulator.inject(Simulator.Fault.times(times, Simulator.Fault.on(matches, toFault(fault))))
}

/** Sets the terminal status of the next execution. */
export const injectOutcome = (world: World, status: "FAILED" | "CANCELLED" | "EXPIRED"): Effect.Effect<void> => {
  const matches = ({ operation }: Simulator.Fault.Target) => world.isFaulty && operation === "executions.create"
  return world.simulator.inject(Simulator.Fault.on(matches, Simulator.Fault.executionOutcome({ status })))
}

/** Kills the process if this is the moment of the armed crash. Returns whether the process was killed. */
const killIfDue = (world: World, process: SimulatedProcess, ...points: ReadonlyArray<CrashPoint>): boolean => {
  const { crash } = world
  if (crash === undefined || !process.isAlive || !points.includes(crash.at)) return false
  crash.left -= 1
  if (crash.left >= 0) return false
  world.crash = undefined
  process.kill()
  return true
}

const connectionRefused = (request: HttpClientRequest.HttpClientRequest) =>
  new HttpClientError.RequestError({
    request,
    reason: "Transport",
    cause: Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
  })

/**
 * Returns the network of a process. The server continues to handle a request after its caller was interrupted or its
 * process was killed.
 */
export const makeTransport = (world: World, process: SimulatedProcess): HttpClient.HttpClient => {
  const { latencyMillis } = world.setup
  const deliver = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.gen(function* () {
      if (killIfDue(world, process, "beforeSend")) return yield* Effect.never
      yield* Effect.sleep(latencyMillis)
      const exit = yield* Effect.exit(world.api.execute(request))
      world.onRequest()
      if (killIfDue(world, process, "afterResponse")) return yield* Effect.never
      yield* Effect.sleep(latencyMillis)
      return yield* exit
    })
  return HttpClient.make((request) =>
    Effect.async<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
      if (!process.isAlive) return resume(Effect.fail(connectionRefused(request)))
      const forget = process.onKill(() => resume(Effect.fail(connectionRefused(request))))
      world.fork(
        Effect.map(Effect.exit(deliver(request)), (exit) => {
          forget()
          if (process.isAlive) resume(exit)
        })
      )
    })
  )
}

/** Returns the disk of a process. A killed process writes nothing. */
export const makeDisk = (world: World, process: SimulatedProcess): KeyValueStore.KeyValueStore => {
  const { disk } = world
  // The process is killed, so the rest of this effect runs only after the end of the history.
  const neverWritten = Effect.zipRight(Effect.yieldNow(), Effect.fail(storeFailure()))
  const failIfDead = Effect.suspend(() => (process.isAlive ? Effect.void : Effect.fail(storeFailure())))
  return makeStore(disk, {
    get: () => failIfDead,
    remove: () => failIfDead,
    set: (key, value) =>
      Effect.suspend(() => {
        const point = world.crash?.at
        if (!killIfDue(world, process, "beforeWrite", "tornWrite", "afterWrite")) return failIfDead
        if (point === "afterWrite") disk.set(key, value)
        if (point === "tornWrite") disk.set(key, value.slice(0, value.length / 2))
        return neverWritten
      })
  })
}

const simulatorOptions = (
  setup: HistorySetup,
  nextDeliveryFault: () => Simulator.DeliveryFault
): Simulator.Options => ({
  models,
  rateLimit: setup.limit === undefined ? false : { limit: setup.limit, window: "10 seconds" },
  // A history can last longer than the default lifetime.
  keyTtl: "1000 days",
  webhooks: { deliveryFault: nextDeliveryFault }
})

/** Creates the surroundings of a history. */
export const makeWorld = (setup: HistorySetup): Effect.Effect<World, never, Scope.Scope> =>
  Effect.gen(function* () {
    const deliveryFaults: Array<Simulator.DeliveryFault> = []
    const options = simulatorOptions(setup, () => deliveryFaults.shift() ?? "deliver")
    const services = yield* Layer.build(Simulator.layer(options))
    const fork = yield* FiberSet.makeRuntime<never, unknown, unknown>()
    return {
      setup,
      simulator: Context.get(services, Simulator.Simulator),
      api: Context.get(services, HttpClient.HttpClient),
      machine: { wallOffset: 0 },
      disk: new Map(),
      processes: [],
      handled: [],
      deliveryFaults,
      fork,
      onRequest: () => {},
      crash: undefined,
      isFaulty: true,
      verifying: 0
    }
  })
