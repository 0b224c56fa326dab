/** Starts worker processes that share the rate limits of simulators, and counts the requests per window. */
import { spawn } from "node:child_process"
import { Clock, Deferred, Effect, FiberId, Layer, Schedule, Schema, Context, type Scope } from "effect"
import * as Simulator from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { bundleWorker, freePort, temporaryFolder } from "./durableProcess.js"
import { type Job, type LimitArguments, LimitArgumentsText, type LimitLine, LimitLineText } from "./limitWorkerLines.js"

type Cost = Extract<LimitLine, { readonly _tag: "Cost" }>

export interface LimitWorker {
  readonly ready: Effect.Effect<void>
  readonly exited: Effect.Effect<void>
  readonly cost: Effect.Effect<Cost>
  readonly isOwner: (job: string) => boolean
  readonly send: (command: "go" | "cost") => Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  /** Returns the log lines of the worker. */
  readonly log: () => string
}

const decodeLine = Schema.decodeUnknownSync(LimitLineText)

const spawnWorker = (script: string, workerArguments: LimitArguments) => {
  const text = Schema.encodeSync(LimitArgumentsText)(workerArguments)
  const child = spawn(process.execPath, ["--enable-source-maps", script, text], { stdio: ["pipe", "pipe", "pipe"] })
  const ready = Deferred.unsafeMake<void>(FiberId.none)
  const cost = Deferred.unsafeMake<Cost>(FiberId.none)
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()))
  let owned: ReadonlyArray<string> = []
  let [rest, log] = ["", ""]
  const onLine = (line: string) => {
    if (!line.startsWith(`{"_tag"`)) return void (log += `${line}\n`)
    const decoded = decodeLine(line)
    if (decoded._tag === "Ready") Deferred.unsafeDone(ready, Effect.void)
    if (decoded._tag === "Owned") owned = decoded.jobs
    if (decoded._tag === "Cost") Deferred.unsafeDone(cost, Effect.succeed(decoded))
  }
  child.stdout.on("data", (chunk) => {
    const lines = `${rest}${String(chunk)}`.split("\n")
    rest = lines.pop() ?? ""
    lines.forEach(onLine)
  })
  child.stderr.on("data", (chunk) => (log += String(chunk)))
  child.stdin.on("error", () => {})
  return {
    ready: Effect.raceFirst(
      Deferred.await(ready),
      Effect.flatMap(
        Effect.promise(() => exited),
        () => Effect.dieMessage(`The worker has ended: ${log}`)
      )
    ),
    exited: Effect.promise(() => exited),
    cost: Deferred.await(cost),
    isOwner: (job: string) => owned.includes(job),
    send: (command: string) => Effect.sync(() => void child.stdin.write(`${command}\n`)),
    kill: Effect.sync(() => void child.kill("SIGKILL")),
    log: () => log
  }
}

/** Starts a worker. Kills the worker when the scope closes. */
const startWorker = (script: string, workerArguments: LimitArguments): Effect.Effect<LimitWorker, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => spawnWorker(script, workerArguments)),
    ({ exited, kill }) => Effect.zipRight(kill, exited)
  )

/** Starts workers one after the other, because the first one creates the tables of the cluster. */
export const startWorkers = (
  options: Pick<LimitArguments, "databaseUrl" | "isTuned" | "jobs"> & {
    readonly workers: number
    /** Number of workers that own no gates. Default: 0 */
    readonly clientOnly?: number
  }
): Effect.Effect<ReadonlyArray<LimitWorker>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { clientOnly = 0, workers, ...rest } = options
    const script = yield* bundleWorker(yield* temporaryFolder, "limitWorker")
    return yield* Effect.forEach(Array.from({ length: workers }), (_, index) =>
      Effect.gen(function* () {
        const port = yield* freePort
        const worker = yield* startWorker(script, { ...rest, port, isClientOnly: index >= workers - clientOnly })
        yield* worker.ready
        return worker
      })
    )
  })

/** Waits until a condition is true. Checks the condition every 100 ms. */
export const waitUntil = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  condition.pipe(Effect.repeat({ until: (isTrue) => isTrue, schedule: Schedule.spaced("100 millis") }), Effect.asVoid)

/** Returns the worker that owns the gate of a job. Waits until the cluster has assigned it. */
export const ownerOf = (workers: ReadonlyArray<LimitWorker>, job: string): Effect.Effect<LimitWorker> =>
  Effect.flatMap(
    Effect.sync(() => workers.find(({ isOwner }) => isOwner(job))),
    (owner) => (owner === undefined ? Effect.delay(ownerOf(workers, job), 100) : Effect.succeed(owner))
  )

export interface LimitedJob {
  readonly job: Job
  readonly limit: number
  readonly windowMillis: number
  readonly requests: Simulator.Service["requests"]
}

/** Starts a simulator with a rate limit. */
export const startJob = (
  job: Omit<Job, "apiUrl">,
  rateLimit: { readonly limit: number; readonly windowMillis: number; readonly kind: "fixed" | "sliding" }
): Effect.Effect<LimitedJob, never, Scope.Scope> => {
  const { kind, limit, windowMillis } = rateLimit
  return SimulatorServer.layer({
    rateLimit: { limit, window: windowMillis, kind },
    recordRequests: 100_000
  }).pipe(
    Layer.build,
    Effect.orDie,
    Effect.map((context) => ({
      job: { ...job, apiUrl: Context.get(context, SimulatorServer.SimulatorServer).url },
      limit,
      windowMillis,
      requests: Context.get(context, Simulator.Simulator).requests
    }))
  )
}

export interface LimitReport {
  /** Accepted requests in each window since the start. */
  readonly accepted: ReadonlyArray<number>
  /** Rejected requests in each window since the start. */
  readonly rejected: ReadonlyArray<number>
}

/** Counts the requests in `windows` windows after `from`. */
export const reportOf = ({ requests, windowMillis }: LimitedJob, from: number, windows: number) =>
  Effect.map(requests, (all): LimitReport => {
    const count = (isRejected: boolean) => {
      const counts = Array.from({ length: windows }, () => 0)
      for (const { at, outcome } of all) {
        const index = Math.floor((at - from) / windowMillis)
        const previous = counts[index]
        if (previous !== undefined && (outcome === 429) === isRejected) counts[index] = previous + 1
      }
      return counts
    }
    return { accepted: count(false), rejected: count(true) }
  })

/** Waits until the next multiple of `millis`. Returns its time. */
export const nextMultiple = (millis: number): Effect.Effect<number> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const next = (Math.floor(now / millis) + 1) * millis
    return Effect.as(Effect.sleep(next - now), next)
  })
