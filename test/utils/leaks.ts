/** Interrupts calls over real sockets at random moments and reports what is left. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Clock, Effect, Exit, Fiber, Layer, Redacted, Schedule, Stream } from "effect"
import { Execution, File, IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { apiKey } from "./harness.js"
import { type LeakServer, serveForLeaks } from "./leakServer.js"
import { seededRandom } from "./seededRandom.js"

export const transports = {
  fetch: FetchHttpClient.layer,
  undici: Layer.fresh(NodeHttpClient.layerUndici),
  "node:http": Layer.fresh(NodeHttpClient.layer)
} as const

export type TransportName = keyof typeof transports

export interface LeakOptions {
  readonly transport: TransportName
  readonly seed: number
  /** Number of calls, or the minimum duration of the calls. */
  readonly until: { readonly calls: number } | { readonly millis: number }
  /** Number of concurrent calls. */
  readonly concurrency: number
}

/** What is left after a part of the calls, when no call runs. */
export interface Sample {
  readonly calls: number
  readonly heapBytes: number
  readonly permits: number
  readonly fibers: number
  /** Requests that the server still handles. */
  readonly openRequests: number
  readonly connections: number
  readonly timers: number
  readonly listeners: number
}

export interface LeakReport {
  /** Sample after the warm-up, and after each quarter of the calls. */
  readonly samples: ReadonlyArray<Sample>
  /** Number of calls by operation. */
  readonly operations: ReadonlyMap<string, number>
  readonly interrupted: number
  readonly defects: ReadonlyArray<string>
  readonly requests: number
  /** Open connections after the end of the transport. The pool of `fetch` has no end. */
  readonly connectionsLeft: number
  /** Warnings of Node, such as `MaxListenersExceededWarning`. */
  readonly warnings: ReadonlyArray<string>
}

const id = Execution.ExecutionId.make("exec_1")
const request = { model: "m", input: { prompt: "a red fox" } }
const bytes = new Uint8Array(100_000)
const pollSchedule = Schedule.spaced("1 millis")
const chunks = Stream.fromIterable(Array.from({ length: 10 }, () => new Uint8Array(10_000)))

type Operation = readonly [name: string, call: Effect.Effect<unknown, unknown>]

const makeOperations = ({ executions, files }: ModelRouteClient.Service): ReadonlyArray<Operation> => [
  ["create", executions.create(request)],
  ["get", executions.get(id)],
  ["run", executions.run(request, { pollSchedule })],
  ["run with cancelOnInterrupt", executions.run(request, { pollSchedule, cancelOnInterrupt: true })],
  ["watch", Stream.runDrain(executions.watch(id, { pollSchedule }))],
  ["upload", files.upload(File.fromBytes(bytes))],
  ["upload of a stream", files.upload(File.fromStream(chunks, { size: 100_000 }))],
  ["download", Stream.runDrain(files.download(File.FileId.make("file_1")))]
]

let collect: (() => void) | undefined

/** Collects garbage. Needs no command line flag. */
const collectGarbage = (): void => {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc")
    collect = runInNewContext("gc")
  }
  collect?.()
}

const countListeners = (): number => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)

const takeSample = (client: ModelRouteClient.Service, { openConnections, openRequests }: LeakServer, calls: number) =>
  Effect.gen(function* () {
    const permitCount = Effect.map(client.rateLimit, ({ inFlight, waiting }) => inFlight + waiting)
    // Cancel requests of interrupted calls continue in the background, and their sockets need a moment to close.
    const permits = yield* Effect.delay(permitCount, 50).pipe(
      Effect.repeat({ until: (count) => count + openRequests() === 0, times: 100 })
    )
    const roots = yield* Fiber.roots
    for (let n = 0; n < 3; n++) {
      collectGarbage()
      yield* Effect.sleep(20)
    }
    const sample: Sample = {
      calls,
      heapBytes: process.memoryUsage().heapUsed,
      permits,
      fibers: roots.length,
      openRequests: openRequests(),
      connections: yield* openConnections,
      timers: process.getActiveResourcesInfo().filter((name) => name === "Timeout").length,
      listeners: countListeners()
    }
    return sample
  })

interface Counts {
  readonly operations: Map<string, number>
  readonly defects: Array<string>
  interrupted: number
  calls: number
  /** Average duration of a call without an interruption, in milliseconds. */
  meanMillis: number
}

/** Share of the calls that are not interrupted. They measure the duration of a call. */
const completedShare = 0.15

/** Runs a call. Interrupts most calls at a random moment, at most twice as late as the average end of a call. */
const runCall = (operations: ReadonlyArray<Operation>, random: () => number, counts: Counts) =>
  Effect.gen(function* () {
    const [name, call] = operations[Math.floor(random() * operations.length)] ?? ["none", Effect.void]
    counts.calls += 1
    counts.operations.set(name, (counts.operations.get(name) ?? 0) + 1)
    const startedAt = performance.now()
    const fiber = yield* Effect.forkDaemon(call)
    const chance = random()
    if (chance < completedShare) {
      yield* Fiber.await(fiber)
      counts.meanMillis = 0.9 * counts.meanMillis + 0.1 * (performance.now() - startedAt)
    } else if (chance < 0.3) {
      // The interruption comes within the first steps of the fiber.
      yield* Effect.repeatN(Effect.yieldNow(), Math.floor(40 * random()))
    } else {
      yield* Effect.sleep(2 * counts.meanMillis * random())
    }
    const exit = yield* Fiber.interrupt(fiber)
    if (Exit.isInterrupted(exit)) counts.interrupted += 1
    else if (Exit.isFailure(exit) && exit.cause._tag === "Die") counts.defects.push(String(exit.cause))
  })

const runBatch = (
  operations: ReadonlyArray<Operation>,
  random: () => number,
  counts: Counts,
  concurrency: number,
  isOver: () => boolean
) =>
  Effect.forEach(
    Array.from({ length: concurrency }),
    () => Effect.repeat(runCall(operations, random, counts), { until: isOver }),
    { concurrency, discard: true }
  )

const quarters = [1, 2, 3, 4]
const warmUpCalls = 400

/** Runs the calls and takes the samples. */
const runQuarters = (options: LeakOptions, client: ModelRouteClient.Service, server: LeakServer) =>
  Effect.gen(function* () {
    const { concurrency, seed, until } = options
    const counts: Counts = { operations: new Map(), defects: [], interrupted: 0, calls: 0, meanMillis: 10 }
    const operations = makeOperations(client)
    const random = seededRandom(seed)
    const play = (isOver: () => boolean) => runBatch(operations, random, counts, concurrency, isOver)
    yield* play(() => counts.calls >= warmUpCalls)
    const samples = [yield* takeSample(client, server, counts.calls)]
    const from = counts.calls
    const clock = yield* Effect.clock
    const startedAt = yield* Clock.currentTimeMillis
    for (const quarter of quarters) {
      const isOver =
        "calls" in until
          ? () => counts.calls >= from + (until.calls * quarter) / 4
          : () => clock.unsafeCurrentTimeMillis() >= startedAt + (until.millis * quarter) / 4
      yield* play(isOver)
      samples.push(yield* takeSample(client, server, counts.calls))
    }
    return { samples, ...counts }
  })

const retry = RetryPolicy.make({ backoff: { base: "1 millis" } })

const makeClient = (baseUrl: string) =>
  Effect.provide(
    ModelRouteClient.make({ apiKey: Redacted.make(apiKey), baseUrl, retry }),
    IdempotencyKey.layerSequence("key")
  )

/** Interrupts calls at random moments. Uses real sockets and the real clock. */
export const interruptCalls = (options: LeakOptions): Effect.Effect<LeakReport> =>
  Effect.gen(function* () {
    const warnings: Array<string> = []
    const onWarning = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`)
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("warning", onWarning)),
      () => Effect.sync(() => process.off("warning", onWarning))
    )
    const server = yield* serveForLeaks(options.seed)
    const played = yield* makeClient(server.url).pipe(
      Effect.flatMap((client) => runQuarters(options, client, server)),
      Effect.provide(transports[options.transport])
    )
    yield* Effect.sleep(100)
    const connectionsLeft = yield* server.openConnections
    return { ...played, requests: server.requests(), connectionsLeft, warnings }
  }).pipe(Effect.scoped, Effect.orDie)

/** Returns the growth of the heap from the second to the last sample, in bytes. */
export const heapGrowth = ({ samples }: LeakReport): number =>
  (samples.at(-1)?.heapBytes ?? Number.NaN) - (samples[1]?.heapBytes ?? Number.NaN)

/** Returns what is left at a sample, compared with the first sample. */
const findSampleLeaks = (sample: Sample, first: Sample, concurrency: number): ReadonlyArray<string> => {
  const limits = {
    permits: 0,
    openRequests: 0,
    connections: 4 * concurrency,
    fibers: first.fibers,
    // undici has a timer for all of its sockets.
    timers: first.timers + 2,
    listeners: first.listeners
  }
  return Object.entries(limits).flatMap(([name, limit]) => {
    const count = new Map(Object.entries(sample)).get(name) ?? 0
    return count > limit ? [`${count} ${name} instead of ${limit} after ${sample.calls} calls`] : []
  })
}

/** Returns what is left after the calls, except memory. */
export const findLeaks = (report: LeakReport, { concurrency, transport }: LeakOptions): ReadonlyArray<string> => {
  const { connectionsLeft, defects, samples, warnings } = report
  const [first, ...later] = samples
  if (first === undefined) return ["no sample was taken"]
  const maxConnections = transport === "fetch" ? 4 * concurrency : 0
  const connections = connectionsLeft > maxConnections ? [`${connectionsLeft} connections are left`] : []
  return [...defects, ...warnings, ...connections].concat(
    later.flatMap((sample) => findSampleLeaks(sample, first, concurrency))
  )
}
