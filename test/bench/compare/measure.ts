/** Measures the CPU time, the allocated memory and the latency of calls. */
import { fork } from "node:child_process"
import * as PerfHooks from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { Array, Effect, Number } from "effect"
import { type Figure, median } from "./figure.js"

/** Makes `calls` calls. At most `concurrency` calls run at the same time. Reports the latency in microseconds. */
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
  /** The number of calls of a sample. */
  readonly calls: number
  /** The number of samples of each contestant per round. Many short samples cancel changes in the load of the machine. */
  readonly samples: number
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

interface Sample {
  /** Per call, in KB. `undefined` if a garbage collection ran. */
  readonly allocated: number | undefined
  /** Per call, in microseconds. */
  readonly cpu: number
  readonly latencies: ReadonlyArray<number>
}

const warmUp = ({ run }: Contestant, { calls, concurrency }: Load): Effect.Effect<void> =>
  Effect.promise(() => run(Math.max(Math.ceil(calls / 2), concurrency), concurrency))

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
      cpu: (cpu.user + cpu.system) / load.calls,
      latencies
    }
  })

/** Returns the value of a metric in one round. The CPU time is a mean, so it includes rare garbage collections. */
const toValues = (samples: ReadonlyArray<Sample>, metric: Metric): ReadonlyArray<number> => {
  switch (metric) {
    case "allocated":
      return samples.flatMap(({ allocated }) => allocated ?? [])
    case "CPU":
      return [Number.sumAll(samples.map(({ cpu }) => cpu)) / samples.length]
    case "latency p50":
      return [median(samples.flatMap(({ latencies }) => latencies))]
  }
}

interface Series {
  readonly load: Load
  readonly contestant: Contestant
  /** The samples of each round. */
  readonly rounds: ReadonlyArray<ReadonlyArray<Sample>>
}

const toFigure = ({ contestant, load, rounds }: Series, metric: Metric): Figure => {
  const row = `${load.name}: ${metric}`
  const values = rounds.flatMap((samples) => toValues(samples, metric))
  if (values.length === 0) throw new Error(`A garbage collection ran in every round of "${row}", ${contestant.name}`)
  return { row, contestant: contestant.name, value: median(values), unit: metric === "allocated" ? "KB" : "us" }
}

/** Takes the samples of a load. The contestants take turns. */
const measureRound = (load: Load): Effect.Effect<ReadonlyArray<ReadonlyArray<Sample>>> =>
  Effect.forEach(Array.range(1, load.samples), () =>
    Effect.forEach(load.contestants, (contestant) => takeSample(contestant, load))
  )

const toFigures = (load: Load, rounds: ReadonlyArray<ReadonlyArray<ReadonlyArray<Sample>>>): ReadonlyArray<Figure> => {
  const series = load.contestants.map((contestant, n) => ({
    load,
    contestant,
    rounds: rounds.map((turns) => turns.flatMap((samples) => samples[n] ?? []))
  }))
  return load.metrics.flatMap((metric) => series.map((each) => toFigure(each, metric)))
}

/**
 * Measures all loads in `rounds` rounds, after a warm-up. In each round, the contestants of a load take turns. Returns
 * the medians of the rounds.
 */
export const measureLoads = (loads: ReadonlyArray<Load>, rounds: number): Promise<ReadonlyArray<Figure>> =>
  Effect.gen(function* () {
    yield* Effect.forEach(loads, (load) =>
      Effect.forEach(load.contestants, ({ run }) =>
        Effect.promise(() => run(2 * load.calls * load.samples, load.concurrency))
      )
    )
    const measured = yield* Effect.forEach(Array.range(1, rounds), () => Effect.forEach(loads, measureRound))
    return loads.flatMap((load, n) =>
      toFigures(
        load,
        measured.flatMap((round) => [round[n] ?? []])
      )
    )
  }).pipe(Effect.runPromise)
