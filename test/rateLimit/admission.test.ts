/** Tests how a client uses its gate. Covers permit requests, reported outcomes and shared polls. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import { assert, describe, it } from "@effect/vitest"
import {
  Clock,
  DateTime,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberId,
  Layer,
  Logger,
  LogLevel,
  Metric,
  Option,
  TestClock
} from "effect"
import { Execution, Metrics, type ModelRouteClient, RateLimitGate, RetryPolicy } from "effect-modelroute"
import { Fault, type Options as SimulatorOptions, Simulator } from "effect-modelroute/Simulator"
import { bypass, fromGate, makeUnlimited } from "../../src/internal/rateLimit/admission.js"
import { Gate } from "../../src/internal/rateLimit/gate.js"
import { type GateRequestOptions, makePermitRequest } from "../utils/gateRequests.js"
import { monotonicMillis, SettableClock } from "../utils/settableClock.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { arrivalTimes, httpDate, image, layer, runToEnd, silent, start, withClient } from "../utils/harness.js"
import { layerRuntime } from "../utils/runtimes.js"
import { inVirtualTime, runInVirtualTime } from "../utils/virtualTime.js"

const times = <A>(n: number, value: A): ReadonlyArray<A> => Array.from({ length: n }, () => value)

const create = ({ executions }: ModelRouteClient.Service) => executions.create(image)

/**
 * Returns a layer with a limit of three requests in 10 s. The layer also provides the gate because tests read its
 * snapshot.
 */
const limited = (simulator: SimulatorOptions = {}, client: Omit<ModelRouteClient.Options, "apiKey"> = {}) =>
  Layer.provideMerge(
    layer({ simulator: { rateLimit: { limit: 3, window: "10 seconds" }, date: false, ...simulator }, client }),
    RateLimitGate.layer
  )

/** Returns the requests. Each entry contains the key or the operation, and the arrival in seconds after `start`. */
const sent = Effect.flatMap(Simulator, ({ requests }) =>
  Effect.map(requests, (all) =>
    all.map(({ at, idempotencyKey, operation }) => [idempotencyKey ?? operation, (at - start) / 1000] as const)
  )
)

const pollTimes = Effect.map(arrivalTimes("executions.get"), (at) => at.map((millis) => millis / 1000))

const elapsed = Effect.map(Clock.currentTimeMillis, (now) => now - start)

/** Joins the fibers in the order of their start. */
const joinAll = <A, E>(fibers: ReadonlyArray<Fiber.Fiber<A, E>>) =>
  Effect.map(runToEnd(Effect.forEach(fibers, Fiber.join)), valueOf)

describe("Gate.withPermit", () => {
  it.effect("does not count a wait in the rate limit queue as a retry", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        yield* Effect.forEach(times(3, client), create)
        const fiber = yield* Effect.fork(create(client))
        yield* TestClock.adjust("9 seconds")
        yield* inject(Fault.apiError("RATE_LIMITED", { resetIn: "5 seconds" }))
        yield* joinAll([fiber])
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 0, 0, 10_000, 15_000])
      })
    ).pipe(Effect.provide(limited({}, { retry: RetryPolicy.rateLimit({ times: 1 }) })))
  )

  it.effect("admits queued create requests, polls and other requests in turn", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { executions } = client
        const [first, second] = yield* Effect.all([create(client), create(client)])
        yield* create(client)
        const creates = yield* Effect.forEach(times(6, client), (one) => Effect.fork(create(one)))
        const waits = yield* Effect.forEach([first, second], ({ id }) => Effect.fork(executions.await(id)))
        yield* TestClock.adjust("9 seconds")
        const calls = yield* Effect.forEach([first, second], ({ id }) => Effect.fork(executions.get(id)))
        yield* joinAll(creates)
        yield* joinAll(waits)
        yield* joinAll(calls)
        const all = yield* (yield* Simulator).requests
        const window = all.filter(({ at }) => at >= start + 10_000 && at < start + 20_000)
        assert.deepStrictEqual(
          window.map(({ operation }) => operation),
          ["executions.create", "executions.get", "executions.get"]
        )
      })
    ).pipe(Effect.provide(limited()))
  )

  it.effect("admits a retry before queued first attempts of its request class", () =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* joinAll(yield* Effect.forEach(times(4, client), (one) => Effect.fork(create(one))))
        assert.deepStrictEqual(yield* sent, [
          ["key-1", 0],
          ["key-2", 0],
          ["key-1", 10],
          ["key-3", 20],
          ["key-4", 30]
        ])
      })
    ).pipe(
      Effect.provide(
        limited({ rateLimit: { limit: 1, window: "10 seconds" }, faults: [Fault.apiError("MODEL_OVERLOADED")] })
      )
    )
  )

  it.effect("decrements the gauge of waiting requests after a queued request is interrupted", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const waiting = Effect.map(Metric.value(Metrics.waiting), ({ value }) => value)
        const before = yield* waiting
        yield* Effect.forEach(times(3, client), create)
        const fiber = yield* Effect.fork(create(client))
        yield* TestClock.adjust("100 millis")
        assert.strictEqual((yield* waiting) - before, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* waiting) - before, 0)
      })
    ).pipe(Effect.provide(limited()))
  )

  it.effect("fails a queued request if other requests extend its wait beyond maxWait", () =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* Effect.forEach(times(3, client), create)
        const ended = (exit: Exit.Exit<unknown, { readonly _tag: string }>) =>
          Effect.map(
            Clock.currentTimeMillis,
            (now) => [Exit.isSuccess(exit) ? "sent" : failureOf(exit)._tag, (now - start) / 1000] as const
          )
        const one = Effect.flatMap(Effect.exit(create(client)), ended)
        const creates = yield* Effect.forEach(times(6, one), (effect) => Effect.fork(effect))
        yield* TestClock.adjust("1 second")
        // Polling starts after 4 s instead of 2 s because the limit is nearly used up.
        const ids = Array.from({ length: 30 }, (_, i) => Execution.ExecutionId.make(`exec_${i}`))
        const polls = yield* Effect.forEach(ids, (id) => Effect.fork(Effect.exit(client.executions.await(id))))
        const ends = yield* joinAll(creates)
        // Without the polls, all six create requests would be sent within 20 s.
        assert.deepStrictEqual(ends, [
          ["sent", 10],
          ["sent", 10],
          ["sent", 20],
          ["RateLimited", 20],
          ["RateLimited", 10],
          ["RateLimited", 10]
        ])
        yield* Fiber.interruptAll(polls)
      })
    ).pipe(Effect.provide(limited({}, { retry: RetryPolicy.make({ rateLimit: { maxWait: "25 seconds" } }) })))
  )

  for (const [name, latency, waiting] of [
    ["without latency", 0, 15],
    ["with a latency of 100 ms", 100, 14]
  ] as const) {
    it.effect(`fails the requests whose wait after a 429 would exceed 15 s: ${name}`, () =>
      Effect.gen(function* () {
        const gate = new Gate()
        let responses = 0
        const permitRequest = makePermitRequest({
          failureFor: ({ wait }) => (wait > 15_000 ? "declined" : undefined)
        })
        const one = gate.withPermit(permitRequest, (permit) =>
          Effect.gen(function* () {
            const sentAt = yield* Clock.currentTimeMillis
            yield* Effect.sleep(latency)
            responses += 1
            yield* permit.reportResponse(responses === 1 ? 429 : 200, {})
            return sentAt - start
          })
        )
        const fibers = yield* Effect.forEach(times(40, one), (request) => Effect.fork(request))
        yield* Effect.sleep(latency + 1)
        assert.strictEqual(gate.waiting, waiting)
        const exits = yield* Effect.forEach(fibers, Fiber.await)
        const [rejectedAt, ...sentAt] = exits.filter(Exit.isSuccess).map(({ value }) => value)
        assert.strictEqual(rejectedAt, 0)
        assert.deepStrictEqual(
          sentAt,
          Array.from({ length: waiting }, (_, i) => latency + 1000 * (i + 1))
        )
        assert.deepStrictEqual(exits.filter(Exit.isFailure).map(failureOf), times(39 - waiting, "declined"))
      }).pipe(inVirtualTime)
    )
  }
})

describe("Gate after the wall clock is set back by one hour", () => {
  const minute = 60_000

  /**
   * Returns the send times of three requests on the steady clock. `toHeaders` creates the headers of a response at the
   * given time.
   */
  const sentAt = (toHeaders: (now: number) => { readonly [name: string]: string }) =>
    Effect.gen(function* () {
      const steady = yield* Effect.clock
      const clock = new SettableClock(steady)
      const gate = new Gate()
      const at: Array<number> = []
      const one = gate.withPermit(makePermitRequest(), (permit) =>
        Effect.gen(function* () {
          const now = steady.unsafeCurrentTimeMillis()
          at.push(now - start)
          yield* permit.reportResponse(200, toHeaders(now))
        })
      )
      const program = Effect.gen(function* () {
        const fibers = yield* Effect.forEach(times(3, one), (request) => Effect.fork(request))
        yield* Effect.sleep("10 seconds")
        clock.offset = -60 * minute
        yield* Effect.forEach(fibers, Fiber.join)
      })
      yield* Effect.withClock(program, clock)
      return at
    }).pipe(inVirtualTime)

  const makeHeaders = (resets: (now: number) => number) => (now: number) => ({
    "x-ratelimit-limit": "1",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": String(resets(now))
  })
  const nextMinute = (now: number): number => (Math.floor(now / minute) + 1) * minute

  it.effect("admits new requests when the server's reset has passed", () =>
    Effect.gen(function* () {
      for (const others of [0, 1]) {
        const sent = yield* Effect.gen(function* () {
          const steady = yield* Effect.clock
          const clock = new SettableClock(steady)
          const gate = new Gate()
          const waits: Array<number> = []
          const confirmWait = (delay: { readonly wait: number }) =>
            Effect.sync(() => {
              waits.push(delay.wait)
              return Option.none<never>()
            })
          const one = gate.withPermit({ ...makePermitRequest(), confirmWait }, (permit) =>
            Effect.gen(function* () {
              yield* permit.reportResponse(429, { "retry-after": "60" })
              return steady.unsafeCurrentTimeMillis() - start
            })
          )
          const program = Effect.gen(function* () {
            yield* one
            yield* Effect.forEach(times(others, one), Effect.fork)
            yield* Effect.sleep("10 seconds")
            clock.offset = -60 * minute
            yield* Effect.sleep("10 seconds")
            const at = yield* one
            return { at, longest: Math.max(...waits) }
          })
          return yield* Effect.withClock(program, clock)
        }).pipe(inVirtualTime)
        assert.strictEqual(sent.at, (1 + others) * minute, `${others}`)
        assert.strictEqual(sent.longest, (1 + others) * minute - 20_000, `${others}`)
      }
    })
  )

  for (const [name, toHeaders] of [
    [
      "server with a Date header",
      (now: number) => ({ ...makeHeaders((at) => nextMinute(at) / 1000)(now), date: httpDate(now) })
    ],
    ["server that reports the seconds until the reset", makeHeaders((now) => (nextMinute(now) - now) / 1000)]
  ] as const) {
    it.effect(`admits queued requests when the reset has passed: ${name}`, () =>
      Effect.gen(function* () {
        const [first = -1, second = -1, third = -1] = yield* sentAt(toHeaders)
        assert.strictEqual(first, 0)
        assert.isTrue(second >= minute && second <= minute + 1100, `${second}`)
        assert.isTrue(third >= 2 * minute && third <= 2 * minute + 1100, `${third}`)
      })
    )
  }
})

describe("Gate", () => {
  it.effect("does not count a request against the limit if the connection was refused", () => {
    let requests = 0
    const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
    const transformClient = (client: HttpClient.HttpClient) =>
      HttpClient.transform(client, (effect, request) => {
        requests += 1
        return requests === 2
          ? Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause }))
          : effect
      })
    return withClient((client) =>
      Effect.gen(function* () {
        valueOf(yield* runToEnd(Effect.forEach(times(2, client), create)))
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 1000])
      })
    ).pipe(Effect.provide(limited({ rateLimit: { limit: 2, window: "10 seconds" } }, { transformClient })))
  })

  it.effect("converts the reset of a 429 with the clock skew from all responses", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        yield* create(client)
        yield* TestClock.adjust("700 millis")
        yield* inject(Fault.apiError("RATE_LIMITED", { resetIn: "7300 millis" }))
        valueOf(yield* runToEnd(create(client)))
        // With the clock skew of this response alone, the block would end at 8.7 s.
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 700, 8002])
      })
    ).pipe(Effect.provide(limited({ rateLimit: false, date: true })))
  )

  const sentAfter = (first: (gate: Gate) => Effect.Effect<void, string>) =>
    Effect.gen(function* () {
      const gate = new Gate()
      const at: Array<number> = []
      const one = gate.withPermit(makePermitRequest(), () =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          at.push(now - start)
          return Effect.sleep(100)
        })
      )
      const lost = yield* Effect.fork(Effect.exit(first(gate)))
      yield* Effect.sleep(1)
      const rest = yield* Effect.forEach(times(5, one), (request) => Effect.fork(request))
      yield* Effect.sleep(1049)
      const soon = [...at]
      yield* Effect.forEach(rest, Fiber.join)
      yield* Fiber.join(lost)
      return soon
    }).pipe(inVirtualTime)

  for (const [name, end] of [
    ["fails", Effect.fail("lost")],
    ["ends without a response", Effect.void]
  ] as const) {
    it.effect(`allows two probes if the only probe ${name}`, () =>
      Effect.gen(function* () {
        const lost = (gate: Gate) => gate.withPermit(makePermitRequest(), () => Effect.delay(end, 1000))
        assert.deepStrictEqual(yield* sentAfter(lost), [1000, 1000])
      })
    )
  }

  it.effect("allows one probe if the only probe is interrupted", () =>
    Effect.gen(function* () {
      const interrupted = (gate: Gate) =>
        Effect.asVoid(
          Effect.timeoutOption(
            gate.withPermit(makePermitRequest(), () => Effect.sleep(60_000)),
            1000
          )
        )
      assert.deepStrictEqual(yield* sentAfter(interrupted), [1000])
    })
  )

  it.effect("logs the reset before the next request even if no request waits", () =>
    Effect.gen(function* () {
      const lines: Array<readonly [at: number, text: string]> = []
      const logger = Logger.make<unknown, void>(({ date, message }) => {
        lines.push([date.getTime() - start, String(message)])
      })
      const gate = new Gate()
      const headers = { "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "10" }
      const one = gate.withPermit(makePermitRequest(), (permit) => permit.reportResponse(200, headers))
      yield* Effect.gen(function* () {
        yield* one
        const waiting = yield* Effect.fork(one)
        yield* Effect.sleep(1000)
        yield* Fiber.interrupt(waiting)
        yield* Effect.sleep(11_000)
        yield* one
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All))
      assert.deepStrictEqual(lines, [
        [0, "The rate limit of 1 requests per window is exhausted and resets in 10 s. Waiting requests: 1"],
        [12_000, "The rate limit has reset after 12 s. Waiting requests: 0"]
      ])
    }).pipe(inVirtualTime)
  )

  it.effect("blocks requests for 1 s after a rate limit error without a requested wait", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const sentAt = gate.withPermit(makePermitRequest(), (permit) =>
        Effect.zipRight(
          permit.reportResponse(503, {}),
          Effect.map(Clock.currentTimeMillis, (now) => now - start)
        )
      )
      yield* gate.withPermit(makePermitRequest(), (permit) =>
        Effect.zipRight(permit.reportResponse(503, {}), permit.reportRateLimited(undefined))
      )
      assert.strictEqual(yield* sentAt, 1000)
    }).pipe(inVirtualTime)
  )

  it.effect("admits a queued request before a new request that arrives at the reset", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const order: Array<readonly [name: string, at: number]> = []
      const send = (name: string) =>
        gate.withPermit(makePermitRequest(), (permit) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            order.push([name, now - start])
            return permit.reportResponse(200, {
              "x-ratelimit-limit": "1",
              "x-ratelimit-remaining": "0",
              "x-ratelimit-reset": "10"
            })
          })
        )
      yield* send("first")
      // The new request has an earlier sleep than the timer of the gate, so that it arrives before the timer fires.
      const added = yield* Effect.fork(Effect.delay(send("new"), 10_000))
      yield* Effect.yieldNow()
      const queued = yield* Effect.fork(send("queued"))
      yield* Fiber.joinAll([added, queued])
      assert.deepStrictEqual(order, [
        ["first", 0],
        ["queued", 10_000],
        ["new", 20_000]
      ])
    }).pipe(inVirtualTime)
  )

  it.effect("does not ask a caller to confirm a wait after its request was admitted", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const send = (options: GateRequestOptions = {}) =>
        gate.withPermit(makePermitRequest(options), () => Effect.zipLeft(elapsed, Effect.sleep(5000)))
      yield* gate.withPermit(makePermitRequest(), (permit) =>
        permit.reportResponse(200, {
          "x-ratelimit-limit": "4",
          "x-ratelimit-remaining": "3",
          "x-ratelimit-reset": "60"
        })
      )
      // A new gate uses only a part of the limit for 1 s. The last request arrives after 1 s, before the timer fires.
      const last = yield* Effect.fork(Effect.delay(send({ failureFor: () => "declined" }), 1000))
      yield* Effect.yieldNow()
      const others = yield* Effect.forEach([send(), send()], (request) => Effect.fork(request))
      assert.deepStrictEqual(yield* Effect.forEach([...others, last], Fiber.join), [0, 1000, 1000])
    }).pipe(inVirtualTime)
  )

  it.effect("admits a request while its caller confirms the wait", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const headers = { "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "10" }
      yield* gate.withPermit(makePermitRequest(), (permit) => permit.reportResponse(200, headers))
      const confirmWait = () => Effect.as(Effect.sleep(11_000), Option.none<string>())
      assert.strictEqual(yield* gate.withPermit({ ...makePermitRequest(), confirmWait }, () => elapsed), 11_000)
    }).pipe(inVirtualTime)
  )

  it.effect("reads a reset in seconds from now if the monotonic clock starts at 0", () =>
    Effect.gen(function* () {
      const clock = new SettableClock(yield* Effect.clock)
      clock.offset = start
      const gate = new Gate()
      const at: Array<number> = []
      const headers = { "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "10" }
      const one = gate.withPermit(makePermitRequest(), (permit) =>
        Effect.flatMap(monotonicMillis, (now) => {
          at.push(now)
          return permit.reportResponse(200, headers)
        })
      )
      yield* Effect.withClock(Effect.repeatN(one, 1), clock)
      assert.deepStrictEqual(at, [0, 10_000])
    }).pipe((effect) => Effect.map(runInVirtualTime(silent(effect), 0), valueOf))
  )

  it.effect("updates the metric of the remaining requests only if a response contains their number", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const readRemaining = Effect.map(Metric.value(Metrics.remaining), ({ value }) => value)
      const report = (headers: { readonly [name: string]: string }) =>
        Effect.zipRight(
          gate.withPermit(makePermitRequest(), (permit) => permit.reportResponse(200, headers)),
          readRemaining
        )
      yield* Metric.set(Metrics.remaining, 7)
      assert.strictEqual(yield* report({}), 7)
      assert.strictEqual(yield* report({ "x-ratelimit-reset": "10" }), 7)
      assert.strictEqual(yield* report({ "x-ratelimit-remaining": "5", "x-ratelimit-reset": "20" }), 5)
    }).pipe(inVirtualTime)
  )

  it.effect("releases the permit of a request that is interrupted while it is admitted", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const other = yield* Deferred.make<Fiber.RuntimeFiber<void, string>>()
      const headers = {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": "59",
        "x-ratelimit-reset": String((start + 60_000) / 1000)
      }
      const first = yield* Effect.fork(
        gate.withPermit(makePermitRequest(), (permit) =>
          Effect.gen(function* () {
            yield* Effect.sleep(100)
            yield* Fiber.interruptAsFork(yield* Deferred.await(other), FiberId.none)
            yield* permit.reportResponse(200, headers)
          })
        )
      )
      yield* Effect.sleep(1)
      const second = yield* Effect.fork(gate.withPermit(makePermitRequest(), () => Effect.sleep(60_000)))
      const readInFlight = Effect.map(Metric.value(Metrics.inFlight), ({ value }) => value)
      const before = yield* readInFlight
      yield* Deferred.succeed(other, second)
      yield* Fiber.join(first)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(second)))
      assert.deepStrictEqual(
        { waiting: gate.waiting, inFlight: gate.limiter.inFlight, own: gate.limiter.window?.ownRequests },
        { waiting: 0, inFlight: 0, own: 1 }
      )
      // The first request was in flight before.
      assert.strictEqual((yield* readInFlight) - before, -1)
    }).pipe(inVirtualTime)
  )
})

describe("Gate on Cloudflare Workers", () => {
  const settle = Effect.promise(() => new Promise<void>((resolve) => void setImmediate(resolve)))

  it.scoped("updates the queue at the reset, and at least once a second", () =>
    Effect.gen(function* () {
      yield* Layer.build(layerRuntime("Cloudflare Workers"))
      yield* TestClock.setTime(start)
      const gate = new Gate()
      const headers = { "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2.5" }
      yield* gate.withPermit(makePermitRequest(), (permit) => permit.reportResponse(200, headers))
      const queued = yield* Effect.fork(gate.withPermit(makePermitRequest(), () => elapsed))
      const wakeTimes: Array<ReadonlyArray<number>> = []
      for (const millis of [0, 1000, 1000, 500]) {
        yield* TestClock.adjust(millis)
        yield* settle
        wakeTimes.push(Array.from(yield* TestClock.sleeps(), (at) => at - start))
      }
      assert.deepStrictEqual(wakeTimes.slice(0, 3), [[1000], [2000], [2500]])
      assert.strictEqual(yield* Fiber.join(queued), 2500)
    }).pipe(silent)
  )

  it.scoped("updates the queue once a second while a request waits for a response", () =>
    Effect.gen(function* () {
      yield* Layer.build(layerRuntime("Cloudflare Workers"))
      yield* TestClock.setTime(start)
      const gate = new Gate()
      const probe = yield* Effect.fork(gate.withPermit(makePermitRequest(), () => Effect.sleep(1500)))
      const queued = yield* Effect.fork(gate.withPermit(makePermitRequest(), () => elapsed))
      const wakeTimes: Array<ReadonlyArray<number>> = []
      for (const millis of [0, 1000]) {
        yield* TestClock.adjust(millis)
        yield* settle
        wakeTimes.push(Array.from(yield* TestClock.sleeps(), (at) => at - start).toSorted((a, b) => a - b))
      }
      assert.deepStrictEqual(wakeTimes.flat(), [1000, 1500, 1500, 2000])
      yield* Fiber.interrupt(queued)
      yield* Fiber.interrupt(probe)
    }).pipe(silent)
  )
})

describe("RateLimitGate.layerUnlimited", () => {
  const readMetrics = Effect.all({
    inFlight: Effect.map(Metric.value(Metrics.inFlight), ({ value }) => value),
    rateLimited: Effect.map(Metric.value(Metrics.rateLimited), ({ count }) => count)
  })

  it.effect("counts the requests in flight in the snapshot and the metrics", () =>
    Effect.gen(function* () {
      const { admission, snapshot } = makeUnlimited()
      const before = yield* readMetrics
      const counts = yield* admission.withPermit(makePermitRequest(), () =>
        admission.withPermit(makePermitRequest(), () => Effect.all([snapshot, readMetrics]))
      )
      assert.deepStrictEqual(
        [counts[0].inFlight, counts[1].inFlight - before.inFlight, yield* readMetrics],
        [2, 2, before]
      )
      assert.strictEqual((yield* snapshot).inFlight, 0)
    })
  )

  it.effect("counts each reported rejection in the snapshot and the metrics", () =>
    Effect.gen(function* () {
      const { admission, snapshot } = makeUnlimited()
      const before = yield* readMetrics
      const opensIn = yield* admission.withPermit(makePermitRequest(), (permit) =>
        Effect.zipLeft(
          Effect.all([permit.reportResponse(429, { "retry-after": "5" }), permit.reportResponse(200, {})]),
          permit.reportRateLimited(5000)
        )
      )
      assert.deepStrictEqual(opensIn, [undefined, undefined])
      assert.strictEqual((yield* snapshot).rateLimited, 2)
      assert.strictEqual((yield* readMetrics).rateLimited - before.rateLimited, 2)
      assert.isFalse(yield* admission.isScarce)
    })
  )
})

describe("admission to hosts other than the API", () => {
  it.effect("ignores a rejection", () =>
    Effect.gen(function* () {
      const opensIn = yield* bypass.withPermit(makePermitRequest(), (permit) =>
        Effect.zipLeft(permit.reportResponse(429, { "retry-after": "5" }), permit.reportRateLimited(5000))
      )
      assert.isUndefined(opensIn)
      assert.isFalse(yield* bypass.isScarce)
    })
  )
})

describe("RateLimitGate.snapshot", () => {
  const millis = (moment: DateTime.Utc | undefined) => moment && DateTime.toEpochMillis(moment) - start

  it.effect("contains blockedUntil after a 429 until the reset", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(create(client))
        yield* TestClock.adjust("4999 millis")
        const { blockedUntil, inFlight, rateLimited } = yield* client.rateLimit
        assert.deepStrictEqual([millis(blockedUntil), inFlight, rateLimited], [5000, 0, 1])
        yield* joinAll([fiber])
        const after = yield* client.rateLimit
        assert.deepStrictEqual([millis(after.blockedUntil), after.rateLimited], [undefined, 1])
      })
    ).pipe(Effect.provide(limited({ faults: [Fault.apiError("RATE_LIMITED", { resetIn: "5 seconds" })] })))
  )

  it.effect("omits the remaining requests and the reset after the end of the window", () =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* create(client)
        yield* TestClock.adjust("9999 millis")
        const { limit, remaining, resetAt } = yield* client.rateLimit
        assert.deepStrictEqual([limit, remaining, millis(resetAt)], [3, 2, 10_000])
        yield* TestClock.adjust("1 millis")
        const after = yield* client.rateLimit
        assert.deepStrictEqual([after.limit, after.remaining, after.resetAt], [3, undefined, undefined])
      })
    ).pipe(Effect.provide(limited()))
  )

  /** Returns the snapshot after a response, on a wall clock that is an hour ahead of the monotonic clock. */
  const snapshotAfter = (status: number, headers: { readonly [name: string]: string }, after = 0) =>
    Effect.gen(function* () {
      const clock = new SettableClock(yield* Effect.clock)
      clock.offset = 3_600_000
      const { admission, snapshot } = fromGate(new Gate())
      return yield* Effect.gen(function* () {
        yield* admission.withPermit(makePermitRequest(), (permit) => permit.reportResponse(status, headers))
        yield* Effect.sleep(after)
        return yield* snapshot
      }).pipe(Effect.withClock(clock))
    }).pipe((effect) => Effect.map(runInVirtualTime(silent(effect), start - 3_600_000), valueOf))

  const counts = { waiting: 0, inFlight: 0, rateLimited: 0, hasOtherClients: false }

  it.effect("contains the times and the skew of the wall clock", () =>
    Effect.gen(function* () {
      const limits = { "x-ratelimit-limit": "3", "x-ratelimit-remaining": "2", "x-ratelimit-reset": "10" }
      assert.deepStrictEqual(yield* snapshotAfter(200, { ...limits, date: httpDate(start) }), {
        ...counts,
        limit: 3,
        remaining: 2,
        resetAt: DateTime.unsafeMake(start + 10_000),
        skew: { min: -1, max: 1000 }
      })
      assert.deepStrictEqual(yield* snapshotAfter(429, { ...limits, "retry-after": "5" }), {
        ...counts,
        limit: 3,
        remaining: 0,
        resetAt: DateTime.unsafeMake(start + 10_000),
        blockedUntil: DateTime.unsafeMake(start + 5000),
        rateLimited: 1
      })
    })
  )

  it.effect("omits an unknown number of remaining requests and an unknown reset", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* snapshotAfter(200, {}), counts)
      assert.deepStrictEqual(yield* snapshotAfter(200, { "x-ratelimit-reset": "10" }), {
        ...counts,
        resetAt: DateTime.unsafeMake(start + 10_000)
      })
      assert.deepStrictEqual(yield* snapshotAfter(200, { "x-ratelimit-remaining": "2" }), { ...counts, remaining: 2 })
    })
  )

  it.effect("omits blockedUntil at the end of the block", () =>
    Effect.gen(function* () {
      const { blockedUntil, rateLimited } = yield* snapshotAfter(429, { "retry-after": "5" }, 5000)
      assert.deepStrictEqual([blockedUntil, rateLimited], [undefined, 1])
    })
  )
})

describe("SharedPolls", () => {
  it.effect("continues all waits after a transient poll failure", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        const { id } = yield* executions.create(image)
        yield* inject(Fault.times(4, Fault.badGateway))
        yield* joinAll(yield* Effect.forEach(times(2, id), (one) => Effect.fork(executions.await(one))))
        // The waits share every poll. The first poll has three retries and is followed by the next poll.
        assert.deepStrictEqual(yield* pollTimes, [2, 3, 5, 9, 12])
      })
    ).pipe(Effect.provide(limited({ rateLimit: false })))
  )

  it.effect("retries a rejected poll for a second wait if the first wait does not retry", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        const { id } = valueOf(yield* runToEnd(executions.create(image)))
        yield* inject(Fault.apiError("RATE_LIMITED", { resetIn: "500 millis" }))
        const one = yield* Effect.fork(executions.await(id).pipe(RetryPolicy.withPolicy(RetryPolicy.none)))
        const other = yield* Effect.fork(Effect.delay(executions.await(id), 50))
        const ends = yield* joinAll([one, other])
        assert.deepStrictEqual(
          ends.map(({ status }) => status),
          ["COMPLETED", "COMPLETED"]
        )
        // The other wait polls when the gate opens. The next poll follows after 6 s instead of 3 s because the limit is
        // nearly used up.
        assert.deepStrictEqual(yield* pollTimes, [2.1, 3.2, 9.3])
      })
    ).pipe(Effect.provide(limited({ rateLimit: false, onRequest: () => Effect.sleep(100) })))
  )

  it.effect("shares each poll between the remaining and the new waits after one wait is interrupted", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { id } = yield* executions.create(image)
        const [first, leaving] = yield* Effect.all([
          Effect.fork(executions.await(id)),
          Effect.fork(executions.await(id))
        ])
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.interrupt(leaving)
        yield* TestClock.adjust("1 second")
        const late = yield* Effect.fork(executions.await(id))
        yield* joinAll([first, late])
        assert.deepStrictEqual(yield* pollTimes, [2, 5, 9])
      })
    ).pipe(Effect.provide(limited({ rateLimit: false })))
  )

  it.effect("doubles the poll interval if more than half of the limit is used", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const made = yield* Effect.forEach(times(40, client), create)
        yield* joinAll(yield* Effect.forEach(made.slice(-1), ({ id }) => Effect.fork(client.executions.await(id))))
        assert.deepStrictEqual(yield* pollTimes, [4, 10])
      })
    ).pipe(Effect.provide(limited({ rateLimit: { limit: 60, window: "60 seconds" } })))
  )
})
