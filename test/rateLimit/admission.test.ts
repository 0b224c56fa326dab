/** What a client makes of its gate: who asks for which place, what is told of each request, and how looks are shared. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Deferred, Effect, Exit, Fiber, FiberId, Layer, Metric, Option, TestClock } from "effect"
import { Execution, Metrics, type ModelRouteClient, RateLimitGate, RetryPolicy } from "effect-modelroute"
import { Fault, type Options as SimulatorOptions, Simulator } from "effect-modelroute/Simulator"
import { Gate } from "../../src/internal/rateLimit/gate.js"
import { type QueueDelay, type PermitRequest } from "../../src/internal/rateLimit/permit.js"
import { SettableClock } from "../utils/settableClock.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { arrivalTimes, httpDate, image, layer, runToEnd, silent, start, withClient } from "../utils/harness.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

const times = <A>(n: number, value: A): ReadonlyArray<A> => Array.from({ length: n }, () => value)

const create = ({ executions }: ModelRouteClient.Service) => executions.create(image)

/** Three requests in 10 s, and the gate for its snapshot. */
const limited = (simulator: SimulatorOptions = {}, client: Omit<ModelRouteClient.Options, "apiKey"> = {}) =>
  Layer.provideMerge(
    layer({ simulator: { rateLimit: { limit: 3, window: "10 seconds" }, date: false, ...simulator }, client }),
    RateLimitGate.layer
  )

/** Each request: its key where it has one, else its operation, and the second after `start` in which it arrived. */
const sent = Effect.flatMap(Simulator, ({ requests }) =>
  Effect.map(requests, (all) =>
    all.map(({ at, idempotencyKey, operation }) => [idempotencyKey ?? operation, (at - start) / 1000] as const)
  )
)

const looks = Effect.map(arrivalTimes("executions.get"), (at) => at.map((millis) => millis / 1000))

/** To their ends, in the order in which they were begun. */
const joined = <A, E>(fibers: ReadonlyArray<Fiber.Fiber<A, E>>) =>
  Effect.map(runToEnd(Effect.forEach(fibers, Fiber.join)), valueOf)

/** What waits however long, or as `unwilling` says. */
const entry = (unwilling: (closed: QueueDelay) => string | undefined = () => undefined): PermitRequest<string> => ({
  operation: "executions.create",
  requestClass: "submissions",
  isRetry: false,
  confirmWait: (closed) => Effect.sync(() => Option.fromNullable(unwilling(closed)))
})

const inVirtualTime = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(runInVirtualTime(silent(effect), start), valueOf)

describe("a request that waits", () => {
  it.effect("asks the policy what it thinks of that, and uses up none of its retries", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        yield* Effect.forEach(times(3, client), create)
        const fiber = yield* Effect.fork(create(client))
        yield* TestClock.adjust("9 seconds")
        yield* inject(Fault.rateLimited({ resetIn: "5 seconds" }))
        yield* joined([fiber])
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 0, 0, 10_000, 15_000])
      })
    ).pipe(Effect.provide(limited({}, { retry: RetryPolicy.rateLimit({ times: 1 }) })))
  )

  it.effect("takes turns with those of other kinds: a create, a look for a wait, another call", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { executions } = client
        const [first, second] = yield* Effect.all([create(client), create(client)])
        yield* create(client)
        const creates = yield* Effect.forEach(times(6, client), (one) => Effect.fork(create(one)))
        const waits = yield* Effect.forEach([first, second], ({ id }) => Effect.fork(executions.await(id)))
        yield* TestClock.adjust("9 seconds")
        const calls = yield* Effect.forEach([first, second], ({ id }) => Effect.fork(executions.get(id)))
        yield* joined(creates)
        yield* joined(waits)
        yield* joined(calls)
        const all = yield* (yield* Simulator).requests
        const window = all.filter(({ at }) => at >= start + 10_000 && at < start + 20_000)
        assert.deepStrictEqual(
          window.map(({ operation }) => operation),
          ["executions.create", "executions.get", "executions.get"]
        )
      })
    ).pipe(Effect.provide(limited()))
  )

  it.effect("goes before the others of its kind when it was sent before", () =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* joined(yield* Effect.forEach(times(4, client), (one) => Effect.fork(create(one))))
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
        limited({ rateLimit: { limit: 1, window: "10 seconds" }, faults: [Fault.envelope("MODEL_OVERLOADED")] })
      )
    )
  )

  it.effect("counts in the gauge until it is interrupted", () =>
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

  it.effect("is declined when others make its wait longer than maxWait, as soon as the gate closes again", () =>
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
        // Requests are scarce, so that they look after 4 s in place of 2.
        const ids = Array.from({ length: 30 }, (_, i) => Execution.ExecutionId.make(`exec_${i}`))
        const polls = yield* Effect.forEach(ids, (id) => Effect.fork(Effect.exit(client.executions.await(id))))
        const ends = yield* joined(creates)
        // Alone all six would be sent by 20 s.
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
    ["at once", 0, 15],
    ["when asked", 100, 14]
  ] as const) {
    it.effect(`behind a refusal without a word is one of as many as have their turn in time, ${name}`, () =>
      Effect.gen(function* () {
        const gate = new Gate()
        let answers = 0
        const impatient = entry(({ wait }) => (wait > 15_000 ? "declined" : undefined))
        const one = gate.withPermit(impatient, (place) =>
          Effect.gen(function* () {
            const sentAt = yield* Clock.currentTimeMillis
            yield* Effect.sleep(latency)
            answers += 1
            yield* place.reportResponse(answers === 1 ? 429 : 200, {})
            return sentAt - start
          })
        )
        const fibers = yield* Effect.forEach(times(40, one), (request) => Effect.fork(request))
        yield* Effect.sleep(latency + 1)
        assert.strictEqual(gate.waiting, waiting)
        const exits = yield* Effect.forEach(fibers, Fiber.await)
        const [refused, ...sentAt] = exits.filter(Exit.isSuccess).map(({ value }) => value)
        assert.strictEqual(refused, 0)
        assert.deepStrictEqual(
          sentAt,
          Array.from({ length: waiting }, (_, i) => latency + 1000 * (i + 1))
        )
        assert.deepStrictEqual(exits.filter(Exit.isFailure).map(failureOf), times(39 - waiting, "declined"))
      }).pipe(inVirtualTime)
    )
  }
})

describe("a clock that is set back by an hour", () => {
  const minute = 60_000

  /** One request a minute, by the steady clock; what each answer says at such a moment. */
  const sentAt = (says: (now: number) => { readonly [name: string]: string }) =>
    Effect.gen(function* () {
      const steady = yield* Effect.clock
      const clock = new SettableClock(steady)
      const gate = new Gate()
      const at: Array<number> = []
      const one = gate.withPermit(entry(), (place) =>
        Effect.gen(function* () {
          const now = steady.unsafeCurrentTimeMillis()
          at.push(now - start)
          yield* place.reportResponse(200, says(now))
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

  const told = (resets: (now: number) => number) => (now: number) => ({
    "x-ratelimit-limit": "1",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": String(resets(now))
  })
  const nextMinute = (now: number): number => (Math.floor(now / minute) + 1) * minute

  it.effect("holds up nobody who comes when it has been, whether others wait or not", () =>
    Effect.gen(function* () {
      for (const others of [0, 1]) {
        const sent = yield* Effect.gen(function* () {
          const steady = yield* Effect.clock
          const clock = new SettableClock(steady)
          const gate = new Gate()
          const waits: Array<number> = []
          const willing = (closed: { readonly wait: number }) =>
            Effect.sync(() => {
              waits.push(closed.wait)
              return Option.none<never>()
            })
          const one = gate.withPermit({ ...entry(), confirmWait: willing }, (place) =>
            Effect.gen(function* () {
              yield* place.reportResponse(429, { "retry-after": "60" })
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

  for (const [name, says] of [
    [
      "a server that has a clock",
      (now: number) => ({ ...told((at) => nextMinute(at) / 1000)(now), date: httpDate(now) })
    ],
    ["a server that counts the seconds", told((now) => (nextMinute(now) - now) / 1000)]
  ] as const) {
    it.effect(`holds up nobody for longer than before: ${name}`, () =>
      Effect.gen(function* () {
        const [first = -1, second = -1, third = -1] = yield* sentAt(says)
        assert.strictEqual(first, 0)
        assert.isTrue(second >= minute && second <= minute + 1100, `${second}`)
        assert.isTrue(third >= 2 * minute && third <= 2 * minute + 1100, `${third}`)
      })
    )
  }
})

describe("what a request has come to", () => {
  it.effect("is nothing where no connection was made: its place is free again", () => {
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

  it.effect("is a refusal until the moment that the gate knows, which is earlier than one answer can tell", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        yield* create(client)
        yield* TestClock.adjust("700 millis")
        yield* inject(Fault.rateLimited({ resetIn: "7300 millis" }))
        valueOf(yield* runToEnd(create(client)))
        // By this answer alone, whose Date is rounded down to 0 s, it would be at 8.7 s.
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 700, 8002])
      })
    ).pipe(Effect.provide(limited({ rateLimit: false, date: true })))
  )

  const sentAfter = (first: (gate: Gate) => Effect.Effect<void, string>) =>
    Effect.gen(function* () {
      const gate = new Gate()
      const at: Array<number> = []
      const one = gate.withPermit(entry(), () =>
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

  it.effect("is a loss where it failed: two may try in its place", () =>
    Effect.gen(function* () {
      const lost = (gate: Gate) => gate.withPermit(entry(), () => Effect.delay(Effect.fail("lost"), 1000))
      assert.deepStrictEqual(yield* sentAfter(lost), [1000, 1000])
    })
  )

  it.effect("is unknown where it was interrupted: one goes on in its place", () =>
    Effect.gen(function* () {
      const interrupted = (gate: Gate) =>
        Effect.asVoid(
          Effect.timeoutOption(
            gate.withPermit(entry(), () => Effect.sleep(60_000)),
            1000
          )
        )
      assert.deepStrictEqual(yield* sentAfter(interrupted), [1000])
    })
  )

  it.effect("is nothing where it was interrupted in the moment in which it got its place", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const other = yield* Deferred.make<Fiber.RuntimeFiber<void, string>>()
      const headers = {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": "59",
        "x-ratelimit-reset": String((start + 60_000) / 1000)
      }
      const first = yield* Effect.fork(
        gate.withPermit(entry(), (place) =>
          Effect.gen(function* () {
            yield* Effect.sleep(100)
            yield* Fiber.interruptAsFork(yield* Deferred.await(other), FiberId.none)
            yield* place.reportResponse(200, headers)
          })
        )
      )
      yield* Effect.sleep(1)
      const second = yield* Effect.fork(gate.withPermit(entry(), () => Effect.sleep(60_000)))
      yield* Deferred.succeed(other, second)
      yield* Fiber.join(first)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(second)))
      assert.deepStrictEqual(
        { waiting: gate.waiting, inFlight: gate.limiter.inFlight, own: gate.limiter.window?.ownRequests },
        { waiting: 0, inFlight: 0, own: 1 }
      )
    }).pipe(inVirtualTime)
  )
})

describe("the snapshot", () => {
  const millis = (moment: DateTime.Utc | undefined) => moment && DateTime.toEpochMillis(moment) - start

  it.effect("has the end of a refusal as long as it lasts, and the refusals for ever", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(create(client))
        yield* TestClock.adjust("4999 millis")
        const { blockedUntil, inFlight, rateLimited: refused } = yield* client.rateLimit
        assert.deepStrictEqual([millis(blockedUntil), inFlight, refused], [5000, 0, 1])
        yield* joined([fiber])
        const after = yield* client.rateLimit
        assert.deepStrictEqual([millis(after.blockedUntil), after.rateLimited], [undefined, 1])
      })
    ).pipe(Effect.provide(limited({ faults: [Fault.rateLimited({ resetIn: "5 seconds" })] })))
  )

  it.effect("has what is left and the reset as long as the window lasts, and the limit for ever", () =>
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
})

describe("looks at executions", () => {
  it.effect("fail for all who share them, with what may pass", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        const { id } = yield* executions.create(image)
        yield* inject(...Fault.times(4, Fault.badGateway))
        yield* joined(yield* Effect.forEach(times(2, id), (one) => Effect.fork(executions.await(one))))
        // One look and its three retries, then the next: nobody has taken it up alone meanwhile.
        assert.deepStrictEqual(yield* looks, [2, 3, 5, 9, 12])
      })
    ).pipe(Effect.provide(limited({ rateLimit: false })))
  )

  it.effect("are taken up by another when they are refused to one who does not retry, and go on for both", () =>
    withClient(({ executions }) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        const { id } = valueOf(yield* runToEnd(executions.create(image)))
        yield* inject(Fault.rateLimited({ resetIn: "500 millis" }))
        const one = yield* Effect.fork(executions.await(id).pipe(RetryPolicy.withPolicy(RetryPolicy.none)))
        const other = yield* Effect.fork(Effect.delay(executions.await(id), 50))
        const ends = yield* joined([one, other])
        assert.deepStrictEqual(
          ends.map(({ status }) => status),
          ["COMPLETED", "COMPLETED"]
        )
        // The other's own comes when the gate opens, and the next, as requests are scarce, after 6 s in place of 3.
        assert.deepStrictEqual(yield* looks, [2.1, 3.2, 9.3])
      })
    ).pipe(Effect.provide(limited({ rateLimit: false, onRequest: () => Effect.sleep(100) })))
  )

  it.effect("are shared with whoever comes, also when one has left", () =>
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
        yield* joined([first, late])
        assert.deepStrictEqual(yield* looks, [2, 5, 9])
      })
    ).pipe(Effect.provide(limited({ rateLimit: false })))
  )

  it.effect("come half as often where more than half of the limit is used up", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const made = yield* Effect.forEach(times(40, client), create)
        yield* joined(yield* Effect.forEach(made.slice(-1), ({ id }) => Effect.fork(client.executions.await(id))))
        assert.deepStrictEqual(yield* looks, [4, 10])
      })
    ).pipe(Effect.provide(limited({ rateLimit: { limit: 60, window: "60 seconds" } })))
  )
})
