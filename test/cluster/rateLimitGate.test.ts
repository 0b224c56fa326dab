/** Tests the gate of a cluster in memory, on the test clock. `test/ClusterRateLimitGate.test.ts` tests it with clients. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, LogLevel, Scope, TestClock } from "effect"
import type { RateLimitGate } from "effect-modelroute"
import { fixedWindow, slidingWindow } from "../../src/internal/simulator/http/rateLimiter.js"
import { MemoryCluster, startPair, startProcess } from "../utils/cluster.js"
import { measureCluster } from "../utils/clusterThroughput.js"
import { failureOf } from "../utils/exit.js"
import { makePermitRequest, sendOnce, sendUntilAccepted, type GateRequestOptions } from "../utils/gateRequests.js"
import { silent, start } from "../utils/harness.js"
import { LimitedServer } from "../utils/limitedServer.js"

/** Fixed windows that begin at multiples of 10 s. The processes begin 4 s after the start of a window. */
const makeServer = (limit: number) =>
  new LimitedServer({ limiter: fixedWindow(limit, 10_000), hasDate: false, latency: { min: 100, max: 100 } })

/** Returns the names of the handled requests, with the seconds after `start` at which they were sent. */
const sentAt = (server: LimitedServer) =>
  server.handled.map(({ name, sentAt: at }) => [name, (at - start) / 1000] as const)

const send = (gate: RateLimitGate.Service, server: LimitedServer, options?: GateRequestOptions) =>
  Effect.fork(sendUntilAccepted(gate.admission, server, options))

/** Sends requests in the first two seconds. */
const sendFirst = (gate: RateLimitGate.Service, server: LimitedServer, requests: number) =>
  Effect.zipRight(
    Effect.replicateEffect(send(gate, server, { name: "first" }), requests),
    TestClock.adjust("2 seconds")
  )

const counts = (gate: RateLimitGate.Service) =>
  Effect.map(gate.snapshot, ({ inFlight, waiting }) => ({ inFlight, waiting }))

/** Returns the number of calls of each kind to other processes. */
const countCalls = (cluster: MemoryCluster) => {
  const count = (tag: string) => cluster.calls.filter((call) => call.tag === tag).length
  return { acquire: count("acquire"), report: count("report"), poll: count("poll") }
}

/** Returns the log lines about the owner, with the seconds after `start`. */
const collectLines = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ date, logLevel, message }) => {
    const text = String(message)
    if (/gate/.test(text)) lines.push(`${(date.getTime() - start) / 1000} ${logLevel.label} ${text}`)
  })
  return { lines, logger: Logger.replace(Logger.defaultLogger, logger) }
}

describe("ClusterGate.withPermit", { concurrent: true }, () => {
  it.effect("admits the requests of all processes in the order of their request classes", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const { client, runner } = yield* startPair(cluster)
      const other = yield* startProcess(cluster, { clientOnly: true })
      const server = makeServer(1)
      yield* sendFirst(client.gate, server, 1)
      const queue: ReadonlyArray<readonly [RateLimitGate.Service, GateRequestOptions]> = [
        [client.gate, { name: "create 1" }],
        [other.gate, { name: "create 2" }],
        [client.gate, { name: "poll", requestClass: "polls" }],
        [other.gate, { name: "call", requestClass: "calls" }],
        [other.gate, { name: "retry", isRetry: true }],
        [client.gate, { name: "cancel", requestClass: "cancels" }]
      ]
      for (const [gate, options] of queue) {
        yield* send(gate, server, options)
        yield* TestClock.adjust(10)
      }
      assert.deepStrictEqual(yield* counts(runner.gate), { inFlight: 0, waiting: 6 })
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(sentAt(server), [
        ["first", 4],
        ["cancel", 10],
        ["retry", 20],
        ["poll", 30],
        ["call", 40],
        ["create 1", 50],
        ["create 2", 60]
      ])
      assert.strictEqual(server.rejections, 0)
    }).pipe(Effect.scoped, silent)
  )

  it.effect("removes a request from the queue if the caller rejects the wait", () =>
    Effect.gen(function* () {
      const { client, runner } = yield* startPair(new MemoryCluster())
      const server = makeServer(3)
      yield* sendFirst(client.gate, server, 3)
      const delays: Array<number> = []
      const failureFor = (delay: { readonly opensIn: number }) => {
        delays.push(delay.opensIn)
        return "rejected"
      }
      const fiber = yield* Effect.fork(Effect.exit(sendOnce(client.gate.admission, server, { failureFor })))
      yield* TestClock.adjust(0)
      assert.strictEqual(failureOf(yield* Fiber.join(fiber)), "rejected")
      assert.deepStrictEqual(delays, [4000])
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* counts(runner.gate), { inFlight: 0, waiting: 0 })
      yield* TestClock.adjust("20 seconds")
      assert.lengthOf(server.handled, 3)
    }).pipe(Effect.scoped, silent)
  )

  it.effect("lets the caller reject the wait if another process extends the wait", () =>
    Effect.gen(function* () {
      const { client, runner } = yield* startPair(new MemoryCluster())
      const server = makeServer(3)
      yield* sendFirst(client.gate, server, 2)
      yield* Effect.fork(
        runner.gate.admission.withPermit(makePermitRequest(), (permit) =>
          Effect.delay(permit.reportRateLimited(60_000), 1000)
        )
      )
      yield* TestClock.adjust(0)
      const failureFor = ({ opensIn }: { readonly opensIn: number }) => (opensIn > 20_000 ? "too long" : undefined)
      const fiber = yield* Effect.fork(Effect.exit(sendOnce(client.gate.admission, server, { failureFor })))
      yield* TestClock.adjust("999 millis")
      assert.isNull(fiber.unsafePoll())
      assert.deepStrictEqual(yield* counts(runner.gate), { inFlight: 1, waiting: 1 })
      yield* TestClock.adjust("1 millis")
      assert.isNotNull(fiber.unsafePoll())
      assert.strictEqual(failureOf(yield* Fiber.join(fiber)), "too long")
    }).pipe(Effect.scoped, silent)
  )

  it.effect("removes an interrupted request from the queue", () =>
    Effect.gen(function* () {
      const { client } = yield* startPair(new MemoryCluster())
      const server = makeServer(1)
      yield* sendFirst(client.gate, server, 1)
      const fiber = yield* send(client.gate, server, { name: "interrupted" })
      yield* TestClock.adjust(0)
      yield* send(client.gate, server, { name: "next" })
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(sentAt(server).slice(1), [["next", 10]])
    }).pipe(Effect.scoped, silent)
  )

  it.effect("does not queue a request if its caller is interrupted before the reply of the owner", () =>
    Effect.gen(function* () {
      const { client, runner } = yield* startPair(new MemoryCluster())
      const fiber = yield* Effect.fork(client.gate.admission.withPermit(makePermitRequest(), () => Effect.never))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* counts(runner.gate), { inFlight: 0, waiting: 0 })
    }).pipe(Effect.scoped, silent)
  )

  it.effect("counts a request that is interrupted in flight as sent", () =>
    Effect.gen(function* () {
      const { client, runner } = yield* startPair(new MemoryCluster())
      const server = makeServer(8)
      yield* sendFirst(client.gate, server, 2)
      const fiber = yield* Effect.fork(client.gate.admission.withPermit(makePermitRequest(), () => Effect.never))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* counts(runner.gate), { inFlight: 1, waiting: 0 })
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 seconds")
      // The snapshot of the owner shows the change after the next request.
      yield* Effect.fork(client.gate.admission.withPermit(makePermitRequest(), (permit) => permit.reportUnsent))
      yield* TestClock.adjust("1100 millis")
      const { inFlight, remaining } = yield* runner.gate.snapshot
      assert.deepStrictEqual([inFlight, remaining], [0, 5])
    }).pipe(Effect.scoped, silent)
  )

  it.effect("releases the requests of a killed process after 5 seconds", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const { client, runner } = yield* startPair(cluster)
      const server = makeServer(3)
      yield* sendFirst(client.gate, server, 2)
      yield* Effect.fork(client.gate.admission.withPermit(makePermitRequest(), () => Effect.never))
      yield* TestClock.adjust(0)
      yield* Effect.replicateEffect(send(client.gate, server, { name: "killed" }), 2)
      yield* TestClock.adjust(0)
      yield* cluster.kill(client.address)
      yield* TestClock.adjust("3900 millis")
      assert.deepStrictEqual(yield* counts(runner.gate), { inFlight: 1, waiting: 2 })
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* counts(runner.gate), { inFlight: 0, waiting: 0 })
      yield* send(runner.gate, server, { name: "other" })
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(
        sentAt(server).filter(([name]) => name === "other"),
        [["other", 12.9]]
      )
    }).pipe(Effect.scoped, silent)
  )

  it.effect("returns the time until the gate opens after a 429", () =>
    Effect.gen(function* () {
      const { client, runner } = yield* startPair(new MemoryCluster())
      const fiber = yield* Effect.fork(
        client.gate.admission.withPermit(makePermitRequest(), (permit) =>
          permit.reportResponse(429, { "retry-after": "7" })
        )
      )
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* Fiber.join(fiber), 7000)
      assert.strictEqual((yield* runner.gate.snapshot).rateLimited, 1)
    }).pipe(Effect.scoped, silent)
  )

  it.effect("makes two calls to the owner per request and one poll per second", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const { client } = yield* startPair(cluster)
      const one = sendOnce(client.gate.admission, makeServer(1000))
      const fiber = yield* Effect.fork(Effect.replicateEffect(one, 35, { discard: true }))
      yield* TestClock.adjust("3600 millis")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(countCalls(cluster), { acquire: 35, report: 35, poll: 3 })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(countCalls(cluster), { acquire: 35, report: 35, poll: 3 })
    }).pipe(Effect.scoped, silent)
  )
})

describe("ClusterGate.isScarce and snapshot", () => {
  it.effect("read the state of the owner at most once per second", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const { client, runner } = yield* startPair(cluster)
      const server = makeServer(3)
      const areScarce = Effect.replicateEffect(client.gate.admission.isScarce, 50)
      const before = yield* Effect.fork(areScarce)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(new Set(yield* Fiber.join(before)), new Set([false]))
      assert.strictEqual(countCalls(cluster).poll, 1)
      yield* sendFirst(runner.gate, server, 3)
      const after = yield* Effect.fork(Effect.all([areScarce, Effect.replicateEffect(client.gate.snapshot, 50)]))
      yield* TestClock.adjust(0)
      const [scarce, [snapshot]] = yield* Fiber.join(after)
      assert.deepStrictEqual(new Set(scarce), new Set([true]))
      assert.deepStrictEqual([snapshot?.limit, snapshot?.remaining], [3, 0])
      assert.strictEqual(countCalls(cluster).poll, 2)
    }).pipe(Effect.scoped, silent)
  )
})

describe("ClusterGate without its owner", { concurrent: true }, () => {
  it.effect("uses a local gate after 5 seconds until the owner is reachable again", () => {
    const { lines, logger } = collectLines()
    return Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const { client, runner } = yield* startPair(cluster)
      const server = makeServer(3)
      cluster.isConnected = false
      yield* send(client.gate, server, { name: "one" })
      yield* TestClock.adjust("4999 millis")
      assert.deepStrictEqual(server.handled, [])
      yield* TestClock.adjust("1001 millis")
      const snapshot = yield* client.gate.snapshot
      assert.deepStrictEqual([snapshot.limit, snapshot.hasOtherClients], [3, true])
      // The next requests do not wait for 5 seconds. Two more requests than the limit wait in the local queue.
      yield* Effect.replicateEffect(send(client.gate, server, { name: "local" }), 5)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* client.gate.snapshot).waiting, 2)
      cluster.isConnected = true
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(yield* counts(runner.gate), { inFlight: 0, waiting: 0 })
      // The gate of the owner knows nothing about the four requests of the local gate, so it sends one too early.
      assert.deepStrictEqual(sentAt(server), [
        ["one", 9],
        ["local", 10],
        ["local", 10.1],
        ["local", 10.2],
        ["local", 14.5],
        ["local", 20],
        ["local", 20.1]
      ])
      assert.deepStrictEqual(lines, [
        "9 WARN The owner of the rate limit gate has not replied for 5 s. This process uses its own gate",
        "14.5 INFO The owner of the rate limit gate replies again after 5.5 s"
      ])
    }).pipe(Effect.scoped, Effect.provide(logger), Logger.withMinimumLogLevel(LogLevel.Info))
  })

  it.effect("queues the waiting requests at the next owner if the owner is killed", () => {
    const { lines, logger } = collectLines()
    return Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const { client, runner } = yield* startPair(cluster)
      const server = makeServer(3)
      yield* sendFirst(client.gate, server, 2)
      const inFlight = yield* Effect.fork(
        client.gate.admission.withPermit(makePermitRequest(), () => Effect.delay(Effect.succeed("response"), 3000))
      )
      yield* TestClock.adjust(0)
      yield* Effect.replicateEffect(send(client.gate, server, { name: "waiting" }), 4)
      yield* TestClock.adjust(500)
      yield* cluster.kill(runner.address)
      yield* startProcess(cluster)
      yield* TestClock.adjust("1 seconds")
      yield* cluster.expire(runner.address)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(inFlight), "response")
      yield* TestClock.adjust("20 seconds")
      // The new gate begins with one request.
      assert.deepStrictEqual(sentAt(server).slice(2), [
        ["waiting", 10.6],
        ["waiting", 10.7],
        ["waiting", 10.8],
        ["waiting", 20]
      ])
      assert.strictEqual(server.rejections, 0)
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.scoped, Effect.provide(logger), Logger.withMinimumLogLevel(LogLevel.Info))
  })

  it.effect("queues the waiting requests at the next owner if the owner stops", () =>
    Effect.gen(function* () {
      const cluster = new MemoryCluster()
      const scope = yield* Scope.make()
      const { client } = yield* startPair(cluster, scope)
      const server = makeServer(3)
      yield* sendFirst(client.gate, server, 3)
      yield* send(client.gate, server, { name: "waiting" })
      yield* startProcess(cluster)
      yield* TestClock.adjust(500)
      const stop = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1500 millis")
      assert.isNotNull(stop.unsafePoll())
      yield* TestClock.adjust("12 seconds")
      assert.deepStrictEqual(sentAt(server).slice(3), [["waiting", 10.1]])
      assert.strictEqual(server.rejections, 0)
    }).pipe(Effect.scoped, silent)
  )
})

describe("ClusterGate in virtual time", { concurrent: true }, () => {
  const scenario = { gate: "cluster", processes: 4, limit: 12, windowMillis: 6000, windows: 4 } as const
  const latency = { min: 2, max: 42 }

  it.effect("prevents 429 responses to four processes if the API uses a sliding window", () =>
    Effect.gen(function* () {
      const limiter = slidingWindow(12, 6000)
      const { rejected } = yield* measureCluster({ ...scenario, limiter, latency })
      assert.deepStrictEqual(rejected, [0, 0, 0, 0])
      const local = yield* measureCluster({ ...scenario, gate: "local", limiter: slidingWindow(12, 6000), latency })
      assert.isAbove(Math.max(...local.rejected), 0)
    })
  )

  it.effect("uses the whole limit of each window even if the owner is killed", () =>
    Effect.gen(function* () {
      const limiter = fixedWindow(12, 6000)
      const { accepted, rejected } = yield* measureCluster({ ...scenario, limiter, latency, killAfter: 1.2 })
      assert.deepStrictEqual(accepted, [12, 12, 12, 12])
      // The first request of the new owner is rejected, because the old owner has used up the window.
      assert.deepStrictEqual(rejected, [0, 1, 0, 0])
    })
  )
})
