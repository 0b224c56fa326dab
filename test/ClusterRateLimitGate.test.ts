/** Tests the gate of a cluster with clients and the simulator. `test/cluster/rateLimitGate.test.ts` tests its parts. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigError from "effect/ConfigError"
import { ConfigProvider, Context, Effect, Fiber, Layer, Metric, Redacted, TestClock } from "effect"
import { IdempotencyKey, Metrics, ModelRouteClient, RateLimitGate, RetryPolicy } from "effect-modelroute"
import * as ClusterRateLimitGate from "effect-modelroute/ClusterRateLimitGate"
import { Fault, Simulator, layer as simulatorLayer } from "effect-modelroute/Simulator"
import { MemoryCluster, startPair, startProcess } from "./utils/cluster.js"
import { isFull } from "./utils/suite.js"
import { failureOf } from "./utils/exit.js"
import { apiKey, image, runToEnd, silent, start } from "./utils/harness.js"
import { valueOf } from "./utils/exit.js"

const create = ({ executions }: ModelRouteClient.Service) => executions.create(image)

/** Creates a client with a gate. */
const makeClient = (gate: RateLimitGate.Service, options: Partial<ModelRouteClient.Options> = {}) =>
  ModelRouteClient.make({ apiKey: Redacted.make(apiKey), ...options }).pipe(
    Effect.provide(IdempotencyKey.layer),
    Effect.provideService(RateLimitGate.RateLimitGate, gate)
  )

const requests = Effect.flatMap(Simulator, (simulator) => simulator.requests)

/** Returns the number of accepted requests in each period of 10 s after `start`, and the number of rejections. */
const summarize = Effect.map(requests, (all) => {
  const accepted = all.filter(({ outcome }) => outcome !== 429)
  const windows = new Map<number, number>()
  for (const { at } of accepted) {
    const window = Math.floor((at - start) / 10_000)
    windows.set(window, (windows.get(window) ?? 0) + 1)
  }
  return { perWindow: [...windows.values()], rejected: all.length - accepted.length }
})

const limited = simulatorLayer({ rateLimit: { limit: 20, window: "10 seconds" } })

describe("ClusterRateLimitGate.layer", () => {
  it.effect.runIf(isFull)("lets four processes use the whole rate limit without a 429", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const { client, runner } = yield* startPair(cluster)
      const others = [yield* startProcess(cluster), yield* startProcess(cluster, { clientOnly: true })]
      yield* TestClock.adjust("6 seconds")
      const clients = yield* Effect.forEach([client, runner, ...others], ({ gate }) => makeClient(gate))
      const all = Effect.forEach(
        clients,
        (each) => Effect.replicateEffect(create(each), 30, { concurrency: "unbounded" }),
        { concurrency: "unbounded" }
      )
      valueOf(yield* runToEnd(all))
      assert.deepStrictEqual(yield* summarize, { perWindow: [20, 20, 20, 20, 20, 20], rejected: 0 })
      const { limit, remaining, waiting } = yield* client.gate.snapshot
      assert.deepStrictEqual({ limit, remaining, waiting }, { limit: 20, remaining: 0, waiting: 0 })
    }).pipe(Effect.scoped, Effect.provide(limited), silent)
  )

  it.effect("fails immediately with RateLimited if the retry policy does not wait", () =>
    Effect.gen(function* () {
      const { client, runner } = yield* startPair(new MemoryCluster())
      const filling = yield* makeClient(runner.gate)
      valueOf(yield* runToEnd(Effect.replicateEffect(create(filling), 20, { concurrency: 20 })))
      const made = yield* makeClient(client.gate, { retry: RetryPolicy.none })
      const fiber = yield* Effect.fork(Effect.exit(create(made)))
      yield* TestClock.adjust(0)
      const failure = failureOf(yield* Fiber.join(fiber))
      assert.strictEqual(failure._tag, "RateLimited")
      assert.strictEqual(failure.attempts, 0)
      assert.lengthOf(yield* requests, 20)
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* runner.gate.snapshot).waiting, 0)
    }).pipe(Effect.scoped, Effect.provide(limited), silent)
  )

  it.effect("blocks the requests of all processes after RATE_LIMITED with a status other than 429", () =>
    Effect.gen(function* () {
      const { client, runner } = yield* startPair(new MemoryCluster())
      const one = yield* makeClient(client.gate)
      const two = yield* makeClient(runner.gate)
      const first = yield* Effect.fork(create(one))
      yield* TestClock.adjust(0)
      const second = yield* Effect.fork(create(two))
      yield* TestClock.adjust("5 seconds")
      yield* Effect.forEach([first, second], Fiber.join)
      const at = (yield* requests).map((request) => (request.at - start) / 1000)
      assert.deepStrictEqual(at, [4, 9, 9])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        simulatorLayer({
          rateLimit: false,
          faults: [Fault.apiError("RATE_LIMITED", { status: 503, headers: { "retry-after": "5" } })]
        })
      ),
      silent
    )
  )

  it.effect("counts only the requests of its own process in the metrics", () =>
    Effect.gen(function* () {
      const { client, runner } = yield* startPair(new MemoryCluster())
      const values = Effect.all([Metric.value(Metrics.waiting), Metric.value(Metrics.inFlight)])
      const [waitingBefore, inFlightBefore] = yield* values
      const one = yield* makeClient(client.gate)
      const fibers = yield* Effect.replicateEffect(Effect.fork(create(one)), 25)
      yield* TestClock.adjust("1500 millis")
      const [waiting, inFlight] = yield* values
      // Both processes of this test share their metrics.
      assert.deepStrictEqual([waiting.value - waitingBefore.value, inFlight.value - inFlightBefore.value], [5, 0])
      assert.strictEqual((yield* runner.gate.snapshot).waiting, 5)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual((yield* Metric.value(Metrics.waiting)).value, waitingBefore.value)
    }).pipe(Effect.scoped, Effect.provide(limited), silent)
  )

  it.effect("identifies a gate by a hash of the API key and the base URL", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const { client } = yield* startPair(cluster)
      const processes = [
        client,
        yield* startProcess(cluster, { clientOnly: true, baseUrl: "https://api.modelroute.ai/v1/" }),
        yield* startProcess(cluster, { clientOnly: true, baseUrl: "https://eu.modelroute.ai" }),
        yield* startProcess(cluster, { clientOnly: true, key: "sk_other" })
      ]
      yield* TestClock.adjust("4 seconds")
      yield* Effect.fork(Effect.forEach(processes, ({ gate }) => gate.snapshot))
      yield* TestClock.adjust(0)
      const ids = cluster.calls.map(({ text }) => /"entityId":"([0-9a-f]{64})"/.exec(text)?.[1])
      assert.lengthOf(ids, 4)
      assert.strictEqual(ids[0], ids[1])
      assert.strictEqual(new Set(ids).size, 3)
      assert.deepStrictEqual(
        cluster.calls.filter(({ text }) => text.includes(apiKey) || text.includes("sk_other")),
        []
      )
    }).pipe(Effect.scoped, silent)
  )

  it.effect("fails with InvalidRequest if an option is invalid", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const key = yield* Effect.flip(startProcess(cluster, { key: "" }))
      assert.deepStrictEqual(
        [key._tag, key.field, key.operation],
        ["InvalidRequest", "apiKey", "ClusterRateLimitGate.layer"]
      )
      const url = yield* Effect.flip(startProcess(cluster, { baseUrl: "api.modelroute.ai" }))
      assert.deepStrictEqual([url._tag, url.field], ["InvalidRequest", "baseUrl"])
    }).pipe(Effect.scoped)
  )
})

describe("ClusterRateLimitGate.layerConfig", () => {
  const build = (variables: ReadonlyArray<readonly [string, string]>) => {
    const { layer } = new MemoryCluster().connect()
    return ClusterRateLimitGate.layerConfig().pipe(
      Layer.provide(layer),
      Layer.build,
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables)))
    )
  }

  it.effect("reads the API key and the base URL from the variables of the client", () =>
    Effect.gen(function* () {
      const context = yield* build([
        ["MODELROUTE_API_KEY", apiKey],
        ["MODELROUTE_BASE_URL", "https://eu.modelroute.ai"]
      ])
      const fiber = yield* Effect.fork(Context.get(context, RateLimitGate.RateLimitGate).snapshot)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).waiting, 0)
    }).pipe(Effect.scoped, silent)
  )

  it.effect("fails with ConfigError if a variable is missing or invalid", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(build([]))
      assert.isTrue(ConfigError.isMissingData(missing))
      const invalid = yield* Effect.flip(
        build([
          ["MODELROUTE_API_KEY", apiKey],
          ["MODELROUTE_BASE_URL", "eu"]
        ])
      )
      assert.isTrue(ConfigError.isInvalidData(invalid) && invalid.path.includes("MODELROUTE_BASE_URL"))
    }).pipe(Effect.scoped, silent)
  )
})

describe("ClusterRateLimitGate.layerEntity", () => {
  it.effect("makes a process without an API key the owner of a gate", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      yield* Layer.build(Layer.provide(ClusterRateLimitGate.layerEntity, cluster.connect().layer))
      const client = yield* startProcess(cluster, { clientOnly: true })
      yield* TestClock.adjust("4 seconds")
      const fiber = yield* Effect.fork(client.gate.snapshot)
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* Fiber.join(fiber)).waiting, 0)
      assert.deepStrictEqual(
        cluster.calls.map(({ tag }) => tag),
        ["poll"]
      )
    }).pipe(Effect.scoped, silent)
  )
})
