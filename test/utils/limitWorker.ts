/**
 * Runs a worker that shares rate limits with other workers. The argument is the JSON text of `LimitArguments`. Prints
 * the lines of `LimitLine`. Sends requests after the line `go` of the standard input. Measures the cost of its gates
 * after the line `cost`.
 */
import { createInterface } from "node:readline"
import { EntityId } from "@effect/cluster"
import { Sharding } from "@effect/cluster/Sharding"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Logger, LogLevel, Option, Redacted, Schedule, Schema, Stream } from "effect"
import * as ClusterRateLimitGate from "effect-modelroute/ClusterRateLimitGate"
import * as IdempotencyKey from "effect-modelroute/IdempotencyKey"
import * as ModelRouteClient from "effect-modelroute/ModelRouteClient"
import * as RateLimitGate from "effect-modelroute/RateLimitGate"
import { entityIdOf } from "../../src/internal/cluster/rateLimit/options.js"
import { GateEntity } from "../../src/internal/cluster/rateLimit/protocol.js"
import * as engines from "./limitEngine.js"
import { type Job, LimitArgumentsText, type LimitLine, LimitLineText } from "./limitWorkerLines.js"

const workerArguments = Schema.decodeUnknownSync(LimitArgumentsText)(process.argv[2])

const encodeLine = Schema.encodeSync(LimitLineText)

const print = (line: LimitLine) => Effect.sync(() => void process.stdout.write(`${encodeLine(line)}\n`))

const apiKey = Redacted.make("sk_shared")

const gateOf = ({ apiUrl, gate }: Job) =>
  gate === "local" ? RateLimitGate.layer : ClusterRateLimitGate.layer({ apiKey, baseUrl: apiUrl })

/** Sends create requests until the process ends. */
const sendForever = ({ concurrency }: Job) =>
  Effect.flatMap(ModelRouteClient.ModelRouteClient, ({ executions }) => {
    const create = executions.create({ model: "flux-1.1-pro", input: { prompt: "a lighthouse" } })
    return Effect.replicateEffect(Effect.forever(Effect.ignore(create)), concurrency, {
      concurrency: "unbounded",
      discard: true
    })
  })

const runJob = (job: Job) =>
  sendForever(job).pipe(
    Effect.provide(
      ModelRouteClient.layer({ apiKey, baseUrl: job.apiUrl }).pipe(
        Layer.provide([gateOf(job), NodeHttpClient.layerUndici, IdempotencyKey.layer])
      )
    )
  )

/** Prints the owned jobs after each change. */
const printOwned = (jobs: ReadonlyArray<Job>) => {
  let last = ""
  const isOwned = ({ apiUrl, gate }: Job) =>
    gate === "local"
      ? Effect.succeed(false)
      : Effect.flatMap(entityIdOf({ apiKey, baseUrl: apiUrl }), (id) =>
          Effect.flatMap(GateEntity.getShardId(EntityId.make(id)), (shard) =>
            Effect.map(Sharding, (sharding) => sharding.hasShardId(shard))
          )
        )
  return Effect.flatMap(Effect.filter(jobs, isOwned), (owned) => {
    const names = owned.map(({ name }) => name)
    if (names.join() === last) return Effect.void
    last = names.join()
    return print({ _tag: "Owned", jobs: names })
  }).pipe(Effect.repeat(Schedule.spaced("200 millis")))
}

const headers = { "x-ratelimit-limit": "1000000", "x-ratelimit-remaining": "999999", "x-ratelimit-reset": "3600" }

/** Returns the time per request without a server, in microseconds. Sends `concurrency` requests at a time. */
const measureCost = ({ concurrency }: Job) =>
  Effect.gen(function* () {
    const { admission } = yield* RateLimitGate.RateLimitGate
    const request = {
      operation: "executions.create",
      requestClass: "submissions",
      isRetry: false,
      confirmWait: () => Effect.succeed(Option.none<never>())
    } as const
    const one = admission.withPermit(request, (permit) => permit.reportResponse(200, headers))
    const run = (requests: number) =>
      Effect.timed(Effect.replicateEffect(one, requests, { concurrency, discard: true }))
    // A gate first admits one request, and assumes other clients for 1 second.
    yield* run(1)
    yield* Effect.sleep("1500 millis")
    yield* run(2000)
    const [duration] = yield* run(5000)
    return Number(duration.value._tag === "Nanos" ? duration.value.nanos / 1000n : 0n) / 5000
  })

const runCost = ([job]: ReadonlyArray<Job>) =>
  Effect.gen(function* () {
    if (job === undefined) return
    const measure = (gate: Job["gate"]) => Effect.provide(measureCost(job), gateOf({ ...job, gate }))
    yield* print({ _tag: "Cost", local: yield* measure("local"), cluster: yield* measure("cluster") })
  })

const commands = Stream.fromAsyncIterable(createInterface({ input: process.stdin }), (error) => error)

const program = Effect.gen(function* () {
  const { jobs } = workerArguments
  yield* Effect.forkScoped(printOwned(jobs))
  yield* print({ _tag: "Ready" })
  yield* Stream.runForEach(commands, (command) =>
    Effect.forkScoped(
      command === "cost" ? runCost(jobs) : Effect.forEach(jobs, runJob, { concurrency: "unbounded", discard: true })
    )
  )
})

NodeRuntime.runMain(
  program.pipe(
    Effect.scoped,
    Effect.provide(Layer.provideMerge(ClusterRateLimitGate.layerEntity, engines.limitEngine(workerArguments))),
    Logger.withMinimumLogLevel(LogLevel.Info)
  )
)
