/**
 * Measures the heap of many waits. A wait for an execution and a wait at the rate limit gate are compared with a fiber
 * that sleeps.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import { Effect, Logger, LogLevel, Schedule } from "effect"
import { Execution, RateLimitGate } from "effect-modelroute"
import { createRequest, makeModelRoute } from "./contestants.js"
import { type Figure, type Group, median } from "./figure.js"
import { measureHeap, type WaitingFibers } from "./heap.js"
import { makeMemoryApi } from "./memoryApi.js"

const sleep = "fiber in Effect.sleep"
const permit = "permit of the gate"
const create = "executions.create at the gate"
const beforePoll = "executions.await before its first poll"
const afterPoll = "executions.await after its first poll"

/** Starts the fibers of a contestant for a sample of `count` waits. */
type MakeFibers = (count: number) => Effect.Effect<WaitingFibers, unknown>

const pollSchedule = Schedule.spaced("1 hour")

const toId = (n: number): Execution.ExecutionId => Execution.ExecutionId.make(`exec_${n}`)

/** Headers of a rate limit without remaining requests. The reset is within the default `maxWait`. */
const exhausted = (): { readonly [name: string]: string } => ({
  "x-ratelimit-limit": "60",
  "x-ratelimit-remaining": "0",
  "x-ratelimit-reset": String(Math.ceil((performance.timeOrigin + performance.now()) / 1000) + 100)
})

const makeSleep: MakeFibers = () =>
  Effect.succeed({ wait: () => Effect.sleep("1 hour"), isWaiting: Effect.succeed(true) })

const makeAwait =
  (pollImmediately: boolean): MakeFibers =>
  (count) => {
    const api = makeMemoryApi(() => false)
    return Effect.map(makeModelRoute("https://api.example.com"), ({ executions }) => ({
      wait: (n: number) => executions.await(toId(n), { pollSchedule, pollImmediately }),
      isWaiting: Effect.sync(() => !pollImmediately || api.responses() >= count)
    })).pipe(Effect.provideService(HttpClient.HttpClient, api.client))
  }

const makeCreate: MakeFibers = (count) =>
  Effect.gen(function* () {
    const { executions, rateLimit } = yield* makeModelRoute("https://api.example.com")
    yield* executions.create(createRequest)
    return {
      wait: () => executions.create(createRequest),
      isWaiting: Effect.map(rateLimit, ({ waiting }) => waiting === count)
    }
  }).pipe(Effect.provideService(HttpClient.HttpClient, makeMemoryApi(() => false, exhausted).client))

const makePermit: MakeFibers = (count) =>
  Effect.map(RateLimitGate.make, ({ admission, snapshot }) => {
    const request = {
      operation: "executions.create",
      requestClass: "submissions",
      isRetry: false,
      confirmWait: () => Effect.succeedNone
    } as const
    // The limit is unknown before the first response. The gate admits one request, and another after several seconds.
    return {
      wait: () => admission.withPermit(request, () => Effect.never),
      isWaiting: Effect.map(snapshot, ({ inFlight, waiting }) => inFlight + waiting === count)
    }
  })

interface Contestant {
  readonly name: string
  readonly makeFibers: MakeFibers
}

const contestants: ReadonlyArray<Contestant> = [
  { name: sleep, makeFibers: makeSleep },
  { name: permit, makeFibers: makePermit },
  { name: create, makeFibers: makeCreate },
  { name: beforePoll, makeFibers: makeAwait(false) }
]

const withPolls: ReadonlyArray<Contestant> = [...contestants, { name: afterPoll, makeFibers: makeAwait(true) }]

/** Returns the medians of `rounds` rounds, because garbage collection changes the heap by a few percent. */
const measureCount = async (
  measured: ReadonlyArray<Contestant>,
  count: number,
  rounds: number
): Promise<ReadonlyArray<Figure>> => {
  const sample = ({ makeFibers }: Contestant) =>
    Effect.flatMap(makeFibers(count), (fibers) => measureHeap(fibers, count))
  const heaps = Effect.forEach(measured, sample)
  const values = await Effect.runPromise(
    Effect.replicateEffect(heaps, rounds).pipe(Logger.withMinimumLogLevel(LogLevel.Warning))
  )
  return measured.map(({ name }, index): Figure => ({
    row: `${count.toLocaleString("en")} waits: heap per wait`,
    contestant: name,
    value: median(values.flatMap((round) => round[index] ?? [])),
    unit: "KB"
  }))
}

export const waits: Group = {
  name: "waits",
  // Measures 100,000 waits only once, because a round takes long and its values vary little.
  measure: async (rounds) => [
    ...(await measureCount(withPolls, 10_000, Math.min(rounds, 3))),
    ...(await measureCount(contestants, 100_000, 1))
  ],
  ratios: [permit, create, beforePoll, afterPoll].map((contestant) => ({ contestant, peer: sleep }))
}
