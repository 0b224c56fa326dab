/** Tests the gate through the public API. `test/rateLimit` tests its parts and its throughput. */
import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Clock,
  DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  HashMap,
  Layer,
  Logger,
  LogLevel,
  Metric,
  Redacted,
  Schedule,
  Stream,
  TestClock,
  Tracer
} from "effect"
import { Execution, IdempotencyKey, Metrics, ModelRouteClient, RateLimitGate, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator, layer as simulatorLayer } from "effect-modelroute/Simulator"
import { createMany, makeClient, measureEnd } from "./utils/throughput.js"
import { makeFakeClient } from "./utils/fake.js"
import { failureOf, valueOf } from "./utils/exit.js"
import { apiKey, arrivalTimes, image, layer, runToEnd, start, withClient } from "./utils/harness.js"
import { LimitedServer } from "./utils/limitedServer.js"
import { fixedWindow } from "../src/internal/simulator/http/rateLimiter.js"
import { spansOf } from "./utils/tracing.js"
import { inVirtualTime, runInVirtualTime } from "./utils/virtualTime.js"

const times = <A>(n: number, value: A): ReadonlyArray<A> => Array.from({ length: n }, () => value)

const create = ({ executions }: ModelRouteClient.Service) => executions.create(image)

const countRejected = Effect.flatMap(Simulator, ({ requests }) =>
  Effect.map(requests, (all) => all.filter(({ outcome }) => outcome === 429).length)
)

describe("RateLimitGate", { concurrent: true }, () => {
  it.effect("prevents 429 responses of a client by default", () =>
    Effect.gen(function* () {
      const server = new LimitedServer({ limiter: fixedWindow(60, 60_000), skew: -5400 })
      const ended = yield* measureEnd(
        Effect.flatMap(makeClient(server), (client) => createMany(client, 300, 300)),
        start
      )
      assert.strictEqual(server.rejections, 0)
      assert.lengthOf(server.handled, 300)
      // The fifth window of the server begins after 3 minutes and 5.4 s, because its clock is 5.4 s behind.
      assert.isAtLeast(ended - start, 185_400)
      assert.isAtMost(ended - start, 186_900)
    })
  )

  it.effect("uses the gate of the context instead of the gate of the client", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.all(
        times(3, ModelRouteClient.make({ apiKey: Redacted.make(apiKey) }).pipe(Effect.provide(IdempotencyKey.layer)))
      )
      const program = Effect.gen(function* () {
        yield* Effect.forEach(clients, (client) => Effect.forEach(times(50, client), create, { concurrency: 50 }), {
          concurrency: "unbounded"
        })
        return yield* Effect.all([RateLimitGate.snapshot, clients[0]?.rateLimit ?? RateLimitGate.snapshot])
      })
      const [provided, ofClient] = yield* Effect.provide(program, RateLimitGate.layer)
      assert.strictEqual(yield* countRejected, 0)
      assert.deepStrictEqual([provided.limit, provided.remaining], [60, 30])
      assert.deepStrictEqual(ofClient, provided)
      // Without a gate in the context, each client uses a separate gate.
      assert.isUndefined((yield* clients[1]?.rateLimit ?? Effect.succeed(provided)).limit)
    }).pipe(Effect.provide(simulatorLayer({ rateLimit: { limit: 60, window: "1 minute" } })), inVirtualTime)
  )

  it.effect("delays requests for at most 1 minute if the API omits X-RateLimit-Reset", () =>
    Effect.gen(function* () {
      const { at, client } = makeFakeClient((_, n) => ({
        status: 202,
        json: { id: `exec_${n}`, status: "PENDING" },
        ...(n === 1 ? { headers: { "x-ratelimit-remaining": "5" } } : {})
      }))
      const created = Effect.flatMap(client, (made) =>
        Effect.forEach(times(200, made), create, { concurrency: 20, discard: true })
      )
      yield* inVirtualTime(created)
      const seconds = at.map((instant) => (instant - start) / 1000)
      // The gate admits 1 request per second until the longest possible window of 1 minute has ended.
      assert.isAtMost(seconds.filter((second) => second < 60).length, 66)
      assert.isAtMost(Math.max(...seconds), 62)
    })
  )

  const broken: ReadonlyArray<readonly [name: string, <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>]> = [
    [
      "logger",
      Effect.provide(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make<unknown, void>(() => {
            throw new Error("the logger is broken")
          })
        )
      )
    ],
    [
      "tracer",
      Effect.withTracer(
        Tracer.make({
          span: () => {
            throw new Error("the tracer is broken")
          },
          context: (f) => f()
        })
      )
    ],
    [
      "span",
      Effect.withTracer(
        Tracer.make({
          span: (spanName, parent, context, links, startTime, kind) => ({
            _tag: "Span",
            name: spanName,
            spanId: "1",
            traceId: "2",
            parent,
            context,
            status: { _tag: "Started", startTime },
            attributes: new Map(),
            links,
            sampled: true,
            kind,
            end: () => {
              throw new Error("the span is broken")
            },
            attribute: () => {
              throw new Error("the span is broken")
            },
            event: () => {
              throw new Error("the span is broken")
            },
            addLinks: () => {}
          }),
          context: (f) => f()
        })
      )
    ]
  ]
  for (const [name, withBroken] of broken) {
    it.effect(`releases all permits if a ${name} throws`, () =>
      Effect.gen(function* () {
        const program = Effect.gen(function* () {
          const client = yield* ModelRouteClient.ModelRouteClient
          const { inject } = yield* Simulator
          yield* Effect.forEach(times(9, client), create, { concurrency: 9, discard: true })
          yield* inject(Fault.apiError("MODEL_OVERLOADED"), Fault.apiError("RATE_LIMITED", { resetIn: "9 seconds" }))
          const completed = yield* client.executions.run(image)
          const { inFlight, waiting } = yield* client.rateLimit
          return { inFlight, waiting, files: completed.fileIds.length }
        }).pipe(
          Effect.provide(layer({ simulator: { rateLimit: { limit: 3, window: "10 seconds" } } })),
          withBroken,
          Effect.provide(Logger.remove(Logger.defaultLogger)),
          Logger.withMinimumLogLevel(LogLevel.All)
        )
        const result = valueOf(yield* runInVirtualTime(program, start))
        assert.deepStrictEqual(result, { inFlight: 0, waiting: 0, files: 1 })
      })
    )
  }

  it.effect("is shared by all clients with the same gate layer", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.all(
        times(3, ModelRouteClient.make({ apiKey: Redacted.make(apiKey) }).pipe(Effect.provide(IdempotencyKey.layer)))
      )
      const gate = yield* RateLimitGate.snapshot
      assert.deepStrictEqual(gate, { waiting: 0, inFlight: 0, rateLimited: 0, hasOtherClients: false })
      yield* Effect.forEach(clients, (client) => Effect.forEach(times(50, client), create, { concurrency: 50 }), {
        concurrency: "unbounded"
      })
      assert.strictEqual(yield* countRejected, 0)
      // 150 requests require three windows of 60 requests.
      assert.strictEqual(Math.floor(((yield* Clock.currentTimeMillis) - start) / 60_000), 2)
      const { limit, remaining, resetAt, skew, ...rest } = yield* RateLimitGate.snapshot
      assert.deepStrictEqual(
        { limit, remaining, ...rest },
        {
          limit: 60,
          remaining: 30,
          waiting: 0,
          inFlight: 0,
          rateLimited: 0,
          hasOtherClients: false
        }
      )
      // The simulator uses the local clock, but its `Date` header has a resolution of 1 s.
      const { max = Number.NaN, min = Number.NaN } = skew ?? {}
      assert.isTrue(min <= 0 && max > 0 && max - min <= 1010, JSON.stringify(skew))
      assert.strictEqual(resetAt && DateTime.toEpochMillis(resetAt), start + 180_000 - Math.floor(min))
    }).pipe(Effect.provide(Layer.merge(simulatorLayer(), RateLimitGate.layer)), inVirtualTime)
  )

  it.effect("is disabled by RateLimitGate.layerUnlimited", () =>
    Effect.gen(function* () {
      const client = yield* ModelRouteClient.ModelRouteClient
      yield* Effect.forEach(times(150, client), create, { concurrency: 150 })
      assert.strictEqual(yield* countRejected, 90 + 30)
      assert.deepStrictEqual(yield* client.rateLimit, {
        waiting: 0,
        inFlight: 0,
        rateLimited: 120,
        hasOtherClients: false
      })
    }).pipe(
      Effect.provide(
        Layer.provide(
          layer({ simulator: { rateLimit: { limit: 60, window: "60 seconds" } } }),
          RateLimitGate.layerUnlimited
        )
      ),
      inVirtualTime
    )
  )

  it.effect("blocks requests after RATE_LIMITED even if the status is not 429", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const first = yield* Effect.fork(create(client))
        yield* TestClock.adjust(0)
        const second = yield* Effect.fork(create(client))
        yield* TestClock.adjust("4999 millis")
        assert.deepStrictEqual(yield* arrivalTimes(), [0])
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(first)
        yield* Fiber.join(second)
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 5000, 5000])
      })
    ).pipe(
      Effect.provide(
        layer({
          simulator: { faults: [Fault.apiError("RATE_LIMITED", { status: 503, headers: { "retry-after": "5" } })] }
        })
      )
    )
  )

  it.effect("blocks all requests until the reset after a 429", () =>
    withClient((client) =>
      Effect.gen(function* () {
        // The reset is in 7 s. The gate adds 1 ms, because `Date` is exact in this test.
        const first = yield* Effect.fork(create(client))
        yield* TestClock.adjust("3 seconds")
        const others = yield* Effect.fork(Effect.forEach(times(3, client), create, { concurrency: 3 }))
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(yield* arrivalTimes(), [0])
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(first)
        yield* Fiber.join(others)
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 7001, 7001, 7001, 7001])
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.apiError("RATE_LIMITED", { resetIn: "7 seconds" })] } })))
  )
})

describe("RateLimitGate queue", () => {
  const limited = (limit: number, retry?: RetryPolicy.RetryPolicy) =>
    layer({
      simulator: { rateLimit: { limit, window: "10 seconds" }, date: false },
      client: retry === undefined ? {} : { retry }
    })

  const outcomes = (n: number) =>
    withClient((client) =>
      Effect.gen(function* () {
        const one = Effect.exit(Effect.zipRight(create(client), Clock.currentTimeMillis))
        const fibers = yield* Effect.forEach(times(n, one), Effect.fork)
        const exits = yield* runToEnd(Effect.forEach(fibers, Fiber.join))
        return valueOf(exits).map((exit) => (Exit.isSuccess(exit) ? (exit.value - start) / 1000 : failureOf(exit)))
      })
    )

  it.effect("has no maximum wait by default", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* outcomes(10), [0, 0, 0, 10, 10, 10, 20, 20, 20, 30])
    }).pipe(Effect.provide(limited(3)))
  )

  it.effect("fails a request immediately if the required wait exceeds maxWait", () =>
    Effect.gen(function* () {
      const ended = yield* outcomes(10)
      assert.deepStrictEqual(ended.slice(0, 6), [0, 0, 0, 10, 10, 10])
      const failures = ended.slice(6).map((error) => {
        assert.instanceOf(error, Object)
        const { _tag, attempts, idempotencyKey, message, resetAt, retryAfter } = Object(error)
        return {
          _tag,
          attempts,
          idempotencyKey,
          message,
          retryAfter: Duration.toSeconds(retryAfter),
          resetAt: Number(DateTime.toEpochMillis(resetAt)) - start
        }
      })
      assert.deepStrictEqual(
        failures.map(({ _tag, attempts, idempotencyKey, resetAt, retryAfter }) => [
          _tag,
          attempts,
          idempotencyKey,
          resetAt,
          retryAfter
        ]),
        [
          ["RateLimited", 0, "key-7", 10_000, 20],
          ["RateLimited", 0, "key-8", 10_000, 20],
          ["RateLimited", 0, "key-9", 10_000, 20],
          ["RateLimited", 0, "key-10", 10_000, 30]
        ]
      )
      assert.strictEqual(
        failures[0]?.message,
        "executions.create was not sent: the rate limit is exhausted. The request would have waited 20 s, longer than the retry policy allows. Try again after that time, send fewer requests, or raise maxWait in RetryPolicy.rateLimit."
      )
      assert.lengthOf(yield* arrivalTimes(), 6)
    }).pipe(Effect.provide(limited(3, RetryPolicy.make({ rateLimit: { maxWait: "15 seconds" } }))))
  )

  it.effect("fails a request immediately if the retry policy is RetryPolicy.none", () =>
    Effect.gen(function* () {
      const ended = yield* outcomes(5)
      assert.deepStrictEqual(
        ended.map((end) => (typeof end === "number" ? end : Object(end)._tag)),
        [0, 0, 0, "RateLimited", "RateLimited"]
      )
      assert.lengthOf(yield* arrivalTimes(), 3)
    }).pipe(Effect.provide(limited(3, RetryPolicy.none)))
  )

  it.effect("fails a queued request if a 429 delays the reset beyond maxWait", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        yield* Effect.forEach(times(3, client), create)
        const waiting = yield* Effect.forEach(times(2, Effect.exit(create(client))), Effect.fork)
        yield* TestClock.adjust("9 seconds")
        yield* inject(Fault.apiError("RATE_LIMITED", { resetIn: "5 minutes" }))
        yield* TestClock.adjust("1 seconds")
        const exits = yield* Effect.forEach(waiting, Fiber.join)
        assert.deepStrictEqual(
          exits.map((exit) => {
            const error = failureOf(exit)
            return [
              error._tag,
              error.attempts,
              error._tag === "RateLimited" && error.retryAfter && Duration.toSeconds(error.retryAfter)
            ]
          }),
          // The first request received the 429. The second request has waited for 10 s in the queue.
          [
            ["RateLimited", 1, 300],
            ["RateLimited", 0, 310]
          ]
        )
        assert.strictEqual((yield* Clock.currentTimeMillis) - start, 10_000)
      })
    ).pipe(Effect.provide(limited(3)))
  )

  it.effect("removes an interrupted request and its timer immediately", () =>
    Effect.gen(function* () {
      const client = yield* ModelRouteClient.ModelRouteClient
      yield* Effect.forEach(times(3, client), create)
      const [first, second] = yield* Effect.all([Effect.fork(create(client)), Effect.fork(create(client))])
      const third = yield* Effect.fork(create(client))
      yield* Effect.sleep(1000)
      assert.strictEqual((yield* RateLimitGate.snapshot).waiting, 3)
      yield* Fiber.interrupt(first)
      assert.strictEqual((yield* Clock.currentTimeMillis) - start, 1000)
      assert.strictEqual((yield* RateLimitGate.snapshot).waiting, 2)
      yield* Fiber.join(second)
      assert.strictEqual((yield* Clock.currentTimeMillis) - start, 10_000)
      yield* Fiber.join(third)
      const last = yield* Effect.forEach(times(9, client), (one) => Effect.fork(create(one)))
      yield* Effect.sleep(1)
      assert.isAbove((yield* RateLimitGate.snapshot).waiting, 5)
      // `inVirtualTime` fails if a fiber still sleeps, so the interruption must remove all timers.
      yield* Fiber.interruptAll(last)
      const { inFlight, waiting } = yield* RateLimitGate.snapshot
      assert.deepStrictEqual({ inFlight, waiting }, { inFlight: 0, waiting: 0 })
    }).pipe(Effect.provide(Layer.provideMerge(limited(3), RateLimitGate.layer)), inVirtualTime)
  )

  it.effect("adds a wait event to the span of each queued request", () => {
    const lines: Array<readonly [LogLevel.LogLevel["label"], unknown]> = []
    const logger = Logger.make<unknown, void>(({ annotations, logLevel, message }) => {
      lines.push([logLevel.label, Array.isArray(message) ? message[0] : message])
      assert.isTrue(HashMap.isEmpty(annotations))
    })
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const client = yield* ModelRouteClient.ModelRouteClient
      const waits = Metrics.waits.pipe(Metric.tagged("operation", "executions.create"), Metric.tagged("reason", "gate"))
      const before = yield* Metric.value(waits)
      const spans = yield* spansOf(
        runToEnd(Effect.forEach(times(8, client), create, { concurrency: 8, discard: true })).pipe(
          Effect.annotateLogs("operation", "of one request")
        )
      )
      assert.deepStrictEqual(lines, [
        ["INFO", "The rate limit of 3 requests per window is exhausted and resets in 10 s. Waiting requests: 5"],
        ["INFO", "The rate limit has reset after 10 s. Waiting requests: 4"],
        ["INFO", "The rate limit of 3 requests per window is exhausted and resets in 10 s. Waiting requests: 2"],
        ["INFO", "The rate limit has reset after 10 s. Waiting requests: 1"]
      ])
      const events = spans.map((span) =>
        "events" in span && Array.isArray(span.events)
          ? span.events
              .map(([name, at, attributes]) => [
                name,
                Number(at / 1_000_000n) - start,
                attributes["modelroute.wait.reason"],
                attributes["modelroute.wait.duration_ms"]
              ])
              // Effect also adds log lines to the current span as events.
              .filter(([name]) => name === "modelroute.wait")
          : []
      )
      const waited = (millis: number) => [["modelroute.wait", millis, "gate", millis]]
      // Two requests wait only for the first response. The simulator sends the response immediately.
      assert.deepStrictEqual(events, [[], ...[0, 0, 10_000, 10_000, 10_000, 20_000, 20_000].map(waited)])
      const after = yield* Metric.value(waits)
      assert.strictEqual(after.count - before.count, 7)
      assert.strictEqual(after.sum - before.sum, 3 * 10 + 2 * 20)
    }).pipe(
      Effect.provide([limited(3), Logger.replace(Logger.defaultLogger, logger)]),
      Logger.withMinimumLogLevel(LogLevel.Debug)
    )
  })

  it.effect("updates the gauge that counts the waiting requests", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const counts = Effect.all({
          waiting: Effect.map(Metric.value(Metrics.waiting), ({ value }) => value),
          inFlight: Effect.map(Metric.value(Metrics.inFlight), ({ value }) => value),
          remaining: Effect.map(Metric.value(Metrics.remaining), ({ value }) => value),
          countRejected: Effect.map(Metric.value(Metrics.rateLimited), ({ count }) => count)
        })
        const before = yield* counts
        const { inject } = yield* Simulator
        yield* inject(Fault.delay("1 second", "before"), Fault.apiError("RATE_LIMITED", { resetIn: "10 seconds" }))
        const fibers = yield* Effect.forEach(times(3, client), (one) => Effect.fork(create(one)))
        yield* TestClock.adjust(0)
        const during = yield* counts
        assert.deepStrictEqual(
          [
            during.waiting - before.waiting,
            during.inFlight - before.inFlight,
            during.countRejected - before.countRejected
          ],
          [2, 1, 0]
        )
        valueOf(yield* runToEnd(Effect.forEach(fibers, Fiber.join)))
        const after = yield* counts
        assert.deepStrictEqual(
          [
            after.waiting - before.waiting,
            after.inFlight - before.inFlight,
            after.countRejected - before.countRejected
          ],
          [0, 0, 1]
        )
        assert.strictEqual(after.remaining, 1)
      })
    ).pipe(Effect.provide(limited(3)))
  )
})

describe("retry with a RateLimitGate", { concurrent: true }, () => {
  const sent = (retry: RetryPolicy.RetryPolicy, faults: ReadonlyArray<Fault.Fault>) =>
    withClient((client) =>
      Effect.gen(function* () {
        const exit = yield* runToEnd(create(client))
        return { ended: Exit.isSuccess(exit) ? "ok" : failureOf(exit)._tag, at: yield* arrivalTimes() }
      })
    ).pipe(Effect.provide(layer({ client: { retry }, simulator: { faults, date: false } })))

  it.effect("uses one retry of the schedule for each 429 response", () =>
    Effect.gen(function* () {
      const limited = Fault.apiError("RATE_LIMITED", { resetIn: "4 seconds" })
      assert.deepStrictEqual(yield* sent(Schedule.recurs(1), [limited]), { ended: "ok", at: [0, 4000] })
      assert.deepStrictEqual(yield* sent(Schedule.recurs(2), [limited, limited]), { ended: "ok", at: [0, 4000, 8000] })
      assert.deepStrictEqual(yield* sent(Schedule.recurs(1), [limited, limited]), {
        ended: "RateLimited",
        at: [0, 4000]
      })
    })
  )

  it.effect("waits for the gate before the last retry that the schedule allows", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(create(client))
        yield* TestClock.adjust("100 millis")
        yield* Effect.forEach(times(3, client), create)
        assert.strictEqual(valueOf(yield* runToEnd(Fiber.join(fiber))).status, "PENDING")
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 100, 100, 100, 10_000])
      })
    ).pipe(
      Effect.provide(
        layer({
          client: { retry: RetryPolicy.standard.pipe(Schedule.intersect(Schedule.recurs(1))) },
          simulator: {
            rateLimit: { limit: 3, window: "10 seconds" },
            date: false,
            faults: [Fault.apiError("MODEL_OVERLOADED")]
          }
        })
      )
    )
  )
})

describe("cancelOnInterrupt with a RateLimitGate", { concurrent: true }, () => {
  it.effect("sends the cancel request before older create requests", () =>
    Effect.gen(function* () {
      const { executions } = yield* ModelRouteClient.ModelRouteClient
      const running = yield* Effect.fork(executions.run(image, { cancelOnInterrupt: true }))
      const rest = yield* Effect.fork(
        Effect.forEach(times(9, image), (one) => executions.create(one), { concurrency: 9 })
      )
      yield* Effect.sleep(5000)
      yield* Fiber.interrupt(running)
      assert.strictEqual((yield* Clock.currentTimeMillis) - start, 15_000)
      yield* Fiber.join(rest)
      const requests = yield* (yield* Simulator).requests
      const cancel = requests.findIndex(({ operation }) => operation === "executions.cancel")
      // Three create requests use the first window. The cancel request precedes the six queued create requests.
      assert.strictEqual(cancel, 3)
      assert.strictEqual(requests[cancel]?.outcome, 200)
      assert.strictEqual((yield* (yield* Simulator).ledger).executions[0]?.status, "CANCELLED")
    }).pipe(
      Effect.provide(
        layer({
          simulator: {
            rateLimit: { limit: 3, window: "60 seconds" },
            date: false,
            defaultModel: { duration: "4 minutes", cost: "0.040", output: "image" },
            models: { "flux-1.1-pro": { duration: "4 minutes", cost: "0.040", output: "image" } }
          }
        })
      ),
      inVirtualTime
    )
  )
})

describe("polls with a RateLimitGate", { concurrent: true }, () => {
  const pollTimes = Effect.map(arrivalTimes("executions.get"), (at) => at.map((millis) => millis / 1000))

  it.effect("are shared by all waits for the same execution", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(image)
        const wait = (seconds: number) => Effect.fork(Effect.delay(executions.await(id), seconds * 1000))
        const fibers = yield* Effect.all([wait(0), wait(0), wait(1), wait(4)])
        const statuses = yield* Effect.fork(Stream.runCollect(executions.watch(id)))
        const results = valueOf(yield* runToEnd(Effect.forEach(fibers, Fiber.join)))
        assert.deepStrictEqual(
          results.map((one) => one.id),
          times(4, id)
        )
        const seen = Chunk.toReadonlyArray(yield* Fiber.join(statuses)).map(({ status }) => status)
        assert.deepStrictEqual(seen, ["PROCESSING", "COMPLETED"])
        // The execution takes 8.42 s. The wait that began after 4 s polls at 9 s, before the polls at 9.5 and 10.5 s.
        assert.deepStrictEqual(yield* pollTimes, [2, 5, 9])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("continue for the remaining waits if one wait is interrupted or fails", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        const { id } = yield* executions.create(image)
        yield* inject(Fault.hang("before"))
        const first = yield* Effect.fork(executions.await(id))
        const second = yield* Effect.fork(Effect.delay(executions.await(id), 100))
        const third = yield* Effect.fork(Effect.delay(executions.await(id), 200))
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(yield* pollTimes, [2])
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust(0)
        // The second wait polls instead of the first wait. The third wait uses the same response.
        assert.deepStrictEqual(yield* pollTimes, [2, 3])
        yield* inject(Fault.apiError("UNAUTHORIZED"))
        yield* TestClock.adjust("3 seconds")
        yield* TestClock.adjust(0)
        // One wait fails, and the other wait continues to poll.
        assert.deepStrictEqual(yield* pollTimes, [2, 3, 6, 6])
        const ends = valueOf(yield* runToEnd(Effect.forEach([second, third], Fiber.await)))
        const tags = ends.map((exit) => (Exit.isSuccess(exit) ? exit.value.status : failureOf(exit)._tag))
        assert.deepStrictEqual(tags.toSorted(), ["COMPLETED", "Unauthorized"])
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("are sent at the estimated end of the execution if few requests remain in the window", () =>
    Effect.gen(function* () {
      const { executions } = yield* ModelRouteClient.ModelRouteClient
      yield* Effect.forEach(times(1000, image), (one) => executions.run(one), { concurrency: 100, discard: true })
      const requests = yield* (yield* Simulator).requests
      assert.strictEqual(yield* countRejected, 0)
      assert.strictEqual(requests.filter(({ operation }) => operation === "executions.create").length, 1000)
      // The default schedule requires 4 requests for each execution: the create request and polls after 2, 5 and 9.5 s.
      assert.isAtMost(requests.length, 2250)
    }).pipe(
      Effect.provide(layer({ simulator: { rateLimit: { limit: 600, window: "60 seconds" }, expiresAfter: "1 hour" } })),
      inVirtualTime
    )
  )

  it.effect("extend the timeout of executions.await by at most 30 s while the rate limit blocks requests", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(image)
        const error = failureOf(yield* runToEnd(executions.await(id, { timeout: "10 seconds" })))
        assert.strictEqual(error._tag, "AwaitTimeout")
        assert.strictEqual((yield* Clock.currentTimeMillis) - start, 40_000)
        assert.deepStrictEqual(yield* pollTimes, [])
      })
    ).pipe(Effect.provide(layer({ simulator: { rateLimit: { limit: 1, window: "100 seconds" } } })))
  )

  it.effect("wait for the gate even if the retry policy is RetryPolicy.none", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        const one = yield* Effect.fork(executions.run(image))
        yield* TestClock.adjust("1 second")
        yield* Effect.forEach(times(2, image), (one) => executions.create(one))
        assert.strictEqual(valueOf(yield* runToEnd(Fiber.join(one))).status, "COMPLETED")
        assert.deepStrictEqual(yield* pollTimes, [20])
        // The client repeats a poll with a 429 response after the reset.
        const { id } = yield* executions.create(image)
        yield* inject(Fault.on("executions.get", Fault.apiError("RATE_LIMITED", { resetIn: "25 seconds" })))
        assert.strictEqual(valueOf(yield* runToEnd(executions.await(id))).status, "COMPLETED")
        // Few requests remain, so the client polls after 4 s instead of 2 s.
        assert.deepStrictEqual(yield* pollTimes, [20, 24, 49])
      })
    ).pipe(
      Effect.provide(
        layer({
          client: { retry: RetryPolicy.none },
          simulator: { rateLimit: { limit: 3, window: "20 seconds" }, date: false }
        })
      )
    )
  )

  it.effect("return the terminal status even if the rate limit delays the polls", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const exit = yield* runToEnd(executions.run(image))
        assert.strictEqual(valueOf(exit).status, "COMPLETED")
        // The execution expires after 10 s. Without a delayed poll, the wait ends after 40 s.
        assert.deepStrictEqual(yield* pollTimes, [100.001])
      })
    ).pipe(
      Effect.provide(
        layer({ simulator: { rateLimit: { limit: 1, window: "100 seconds" }, expiresAfter: "10 seconds", date: true } })
      )
    )
  )

  it.effect("follow the poll schedule while enough requests remain in the window", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        valueOf(yield* runToEnd(executions.run(image)))
        valueOf(yield* runToEnd(executions.run(image)))
        assert.deepStrictEqual(yield* pollTimes, [2, 5, 9.5, 11.5, 14.5, 19])
      })
    ).pipe(Effect.provide(layer({ simulator: { rateLimit: { limit: 60, window: "60 seconds" } } })))
  )
})

describe("RateLimitGate.layer", { concurrent: true }, () => {
  it("adds no requirement to ModelRouteClient.layer", () => {
    const client: Layer.Layer<ModelRouteClient.ModelRouteClient, unknown, never> = ModelRouteClient.layer({
      apiKey: Redacted.make(apiKey)
    }).pipe(Layer.provide(RateLimitGate.layer), Layer.provide(Layer.merge(simulatorLayer(), IdempotencyKey.layer)))
    assert.isTrue(Layer.isLayer(client))
    assert.isString(Execution.ExecutionId.make("exec_1"))
  })
})
