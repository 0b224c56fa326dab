/** Measures the CPU time, the allocated memory and the latency of calls. */
import { fork } from "node:child_process"
import * as PerfHooks from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { Array, Effect } from "effect"
import { type Figure, median } from "./figure.js"

/** Makes `calls` calls, of which at most `concurrency` run at the same time. Reports the latency in microseconds. */
export type RunCalls = (calls: number, concurrency: number, onLatency?: (micros: number) => void) => Promise<void>

/** A client that the benchmark measures. */
export interface Contestant {
  readonly name: string
  readonly run: RunCalls
}

export type Metric = "allocated" | "CPU" | "latency p50"

/** Calls that all contestants make in the same way. */
export interface Load {
  readonly name: string
  readonly contestants: ReadonlyArray<Contestant>
  readonly calls: number
  readonly concurrency: number
  readonly metrics: ReadonlyArray<Metric>
}

/** Keeps garbage collection out of the measured calls. Required for the metric `allocated`. */
export const allocationFlags = ["--min-semi-space-size=256", "--max-semi-space-size=256"]

/**
 * Loads the `fetch` of Node.js before any module. Otherwise, the package `undici` replaces the dispatcher of `fetch`
 * with its own.
 */
export const builtInFetchFlags = ["--import", "data:text/javascript,fetch('data:,')"]

/** Starts the server in a child process, passes its URL to `use` and stops the server afterwards. */
export const withServer = async <A>(use: (url: string) => Promise<A>): Promise<A> => {
  const server = fork(fileURLToPath(new URL("server.ts", import.meta.url)))
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.once("message", resolve)
      server.once("exit", (code) => reject(new Error(`The server ended with ${String(code)}`)))
    })
    return await use(`http://127.0.0.1:${port}`)
  } finally {
    server.kill()
  }
}

let collections = 0
new PerfHooks.PerformanceObserver((list) => {
  collections += list.getEntries().length
}).observe({ entryTypes: ["gc"] })

/** Collects all garbage, so that no garbage collection runs during the calls of the sample. */
const collectGarbage = Effect.gen(function* () {
  globalThis.gc?.()
  globalThis.gc?.()
  yield* Effect.sleep("30 millis")
  collections = 0
})

type Sample = { readonly [metric in Metric]: number | undefined }

const warmUp = ({ run }: Contestant, { calls, concurrency }: Load): Effect.Effect<void> =>
  Effect.promise(() => run(Math.max(calls / 2, concurrency), concurrency))

/** Returns the values of one run per call. Omits the allocated memory if a garbage collection ran. */
const takeSample = (contestant: Contestant, load: Load): Effect.Effect<Sample> =>
  Effect.gen(function* () {
    yield* warmUp(contestant, load)
    if (load.metrics.includes("allocated")) yield* collectGarbage
    const latencies: globalThis.Array<number> = []
    const onLatency = load.metrics.includes("latency p50") ? (micros: number) => latencies.push(micros) : undefined
    const heapBefore = process.memoryUsage().heapUsed
    const cpuBefore = process.cpuUsage()
    yield* Effect.promise(() => contestant.run(load.calls, load.concurrency, onLatency))
    const cpu = process.cpuUsage(cpuBefore)
    const allocated = process.memoryUsage().heapUsed - heapBefore
    // Node.js reports a garbage collection after the current task.
    yield* Effect.sleep("5 millis")
    return {
      allocated: collections === 0 ? allocated / load.calls / 1024 : undefined,
      CPU: (cpu.user + cpu.system) / load.calls,
      "latency p50": median(latencies)
    }
  })

interface Series {
  readonly load: Load
  readonly contestant: Contestant
  readonly samples: ReadonlyArray<Sample>
}

const toFigure = ({ contestant, load, samples }: Series, metric: Metric): Figure => {
  const row = `${load.name}: ${metric}`
  const values = samples.flatMap((sample) => sample[metric] ?? [])
  if (values.length === 0) throw new Error(`A garbage collection ran in every round of "${row}", ${contestant.name}`)
  return { row, contestant: contestant.name, value: median(values), unit: metric === "allocated" ? "KB" : "us" }
}

/**
 * Measures all loads in `rounds` rounds, after a warm-up round. In each round, the contestants of a load run one after
 * another. Returns the medians of the rounds.
 */
export const measureLoads = (loads: ReadonlyArray<Load>, rounds: number): Promise<ReadonlyArray<Figure>> =>
  Effect.gen(function* () {
    const pairs = loads.flatMap((load) => load.contestants.map((contestant) => ({ load, contestant })))
    yield* Effect.forEach(pairs, ({ contestant, load }) => Effect.repeatN(warmUp(contestant, load), 3))
    const measured = yield* Effect.forEach(Array.range(1, rounds), () =>
      Effect.forEach(pairs, ({ contestant, load }) => takeSample(contestant, load))
    )
    const series = pairs.map(({ contestant, load }, n): Series => ({
      contestant,
      load,
      samples: measured.flatMap((round) => round[n] ?? [])
    }))
    return loads.flatMap((load) =>
      load.metrics.flatMap((metric) =>
        series.filter((each) => each.load === load).map((each) => toFigure(each, metric))
      )
    )
  }).pipe(Effect.runPromise)
