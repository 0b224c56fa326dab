import { assert, describe, it } from "@effect/vitest"
import {
  Clock,
  DateTime,
  Duration,
  Effect,
  Fiber,
  Option,
  Random,
  Schedule,
  ScheduleDecision,
  ScheduleIntervals,
  TestClock
} from "effect"
import { Execution, ModelRouteError, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "./utils/exit.js"
import { makeFakeClient } from "./utils/fake.js"
import { arrivalTimes, httpDate, image, layer, runToEnd, start, withClient } from "./utils/harness.js"

const overloaded = Fault.apiError("MODEL_OVERLOADED")

/** Sends a create request. Returns the time of each attempt and the exit. */
const runCreate = (
  faults: ReadonlyArray<Fault.Fault>,
  options: { readonly retry?: RetryPolicy.RetryPolicy; readonly date?: boolean; readonly clockSkew?: number } = {}
) => {
  const { retry, ...simulator } = options
  return withClient((client) =>
    Effect.gen(function* () {
      const exit = yield* runToEnd(client.executions.create(image))
      return { exit, instants: yield* arrivalTimes() }
    })
  ).pipe(Effect.provide(layer({ simulator: { faults, ...simulator }, client: retry === undefined ? {} : { retry } })))
}

const gaps = (instants: ReadonlyArray<number>): ReadonlyArray<number> =>
  instants.slice(1).map((instant, i) => (instant - (instants[i] ?? 0)) / 1000)

describe("RetryPolicy.backoff", { concurrent: true }, () => {
  it.effect("retries ModelOverloaded after 1, 3 and 7 s by default", () =>
    Effect.gen(function* () {
      const { exit, instants } = yield* runCreate([Fault.times(9, overloaded)])
      assert.deepStrictEqual(instants, [0, 1000, 3000, 7000])
      const error = failureOf(exit)
      assert.strictEqual(error._tag, "ModelOverloaded")
      assert.strictEqual(error.attempts, 4)
      assert.strictEqual(error.idempotencyKey, "key-1")
    })
  )

  it.effect("doubles the delay up to the cap of 30 s", () =>
    Effect.gen(function* () {
      const retry = RetryPolicy.make({ backoff: { times: 8 } })
      const { instants } = yield* runCreate([Fault.times(20, overloaded)], { retry })
      assert.deepStrictEqual(gaps(instants), [1, 2, 4, 8, 16, 30, 30, 30])
    })
  )

  it.effect("retries exactly at the end of the delay", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(client.executions.create(image))
        yield* TestClock.adjust("999 millis")
        assert.lengthOf(yield* arrivalTimes(), 1)
        yield* TestClock.adjust("1 millis")
        assert.lengthOf(yield* arrivalTimes(), 2)
        const execution = yield* Fiber.join(fiber)
        assert.strictEqual(execution.status, "PENDING")
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [overloaded] } })))
  )

  const once: ReadonlyArray<readonly [string, ModelRouteError.ModelRouteError["_tag"]]> = [
    ["INTERNAL_ERROR", "InternalError"],
    ["INSUFFICIENT_BALANCE", "InsufficientBalance"],
    ["INPUT_VALIDATION_ERROR", "InputValidationError"],
    ["CONTENT_MODERATION_REJECTED", "ContentModerationRejected"],
    ["FILE_NOT_FOUND", "FileNotFound"],
    ["FILE_FORMAT_UNSUPPORTED", "FileFormatUnsupported"],
    ["UNAUTHORIZED", "Unauthorized"],
    ["A_CODE_OF_TOMORROW", "UnrecognizedError"]
  ]
  for (const [code, tag] of once) {
    it.effect(`does not retry ${code}`, () =>
      Effect.gen(function* () {
        const { exit, instants } = yield* runCreate([Fault.times(3, Fault.apiError(code))])
        assert.deepStrictEqual(instants, [0])
        assert.strictEqual(failureOf(exit)._tag, tag)
      })
    )
  }

  it.effect("applies the retryable field of the response instead of the default for the error code", () =>
    Effect.gen(function* () {
      const yes = yield* runCreate([Fault.apiError("INTERNAL_ERROR", { retryable: true })])
      assert.deepStrictEqual(yes.instants, [0, 1000])
      const no = yield* runCreate([Fault.apiError("MODEL_OVERLOADED", { retryable: false })])
      assert.deepStrictEqual(no.instants, [0])
    })
  )

  it.effect("reduces the delay by jitter from the Random service", () =>
    Effect.gen(function* () {
      const instants = (jitter: "equal" | "full", random: number) =>
        runCreate([Fault.times(9, overloaded)], { retry: RetryPolicy.make({ backoff: { jitter } }) }).pipe(
          Effect.withRandom(Random.fixed([random])),
          Effect.map((result) => gaps(result.instants))
        )
      assert.deepStrictEqual(yield* instants("equal", 0.5), [0.75, 1.5, 3])
      assert.deepStrictEqual(yield* instants("full", 0.5), [0.5, 1, 2])
      assert.deepStrictEqual(yield* instants("full", 0.25), [0.25, 0.5, 1])
    })
  )

  const withRetryAfter = (retryAfter: string, status = 503, code = "SERVICE_UNAVAILABLE") =>
    Fault.apiError(code, { status, retryable: null, headers: { "retry-after": retryAfter } })

  it.effect("waits for Retry-After instead of a shorter delay, up to the cap of 30 s", () =>
    Effect.gen(function* () {
      const faults = ["5", "1", "999", "3"].map((retryAfter) => withRetryAfter(retryAfter))
      const { exit, instants } = yield* runCreate(faults)
      assert.deepStrictEqual(gaps(instants), [5, 2, 30])
      const error = failureOf(exit)
      assert.strictEqual(error._tag, "ServiceUnavailable")
      assert.deepStrictEqual("retryAfter" in error && error.retryAfter, Duration.seconds(3))
    })
  )

  it.effect("applies no jitter to Retry-After", () =>
    Effect.gen(function* () {
      const retry = RetryPolicy.make({ backoff: { jitter: "full" } })
      const { instants } = yield* Effect.withRandom(
        runCreate([withRetryAfter("5"), overloaded], { retry }),
        Random.fixed([0.5])
      )
      assert.deepStrictEqual(gaps(instants), [5, 1])
    })
  )

  it.effect("adds retryAfter only to retryable errors", () =>
    Effect.gen(function* () {
      const headers = { "retry-after": "7" }
      const page = { headers, body: "<html>" }
      for (const [fault, seconds] of [
        [withRetryAfter("7", 503, "MODEL_OVERLOADED"), 7],
        [withRetryAfter("7", 503, "A_CODE_OF_TOMORROW"), 7],
        [withRetryAfter("Fri, 20 Mar 2026 10:30:09 GMT", 504, "GENERATION_TIMEOUT"), 9],
        [Fault.raw({ status: 500, ...page }), 7],
        [Fault.raw({ status: 525, ...page }), 7],
        [withRetryAfter("7", 500, "INTERNAL_ERROR"), undefined],
        [Fault.raw({ status: 400, ...page }), undefined],
        [Fault.raw({ status: 503, headers: { "x-ratelimit-reset": "9" }, body: "" }), undefined]
      ] as const) {
        const { exit } = yield* runCreate([fault], { retry: RetryPolicy.none })
        const error = failureOf(exit)
        assert.deepStrictEqual(
          "retryAfter" in error && error.retryAfter ? Duration.toSeconds(error.retryAfter) : undefined,
          seconds,
          error.message
        )
      }
    })
  )

  it("doubles the delay of backoffDelay up to the cap", () => {
    const delays = [0, 1, 2, 3, 4, 5, 6, 5000].map((n) => Duration.toSeconds(RetryPolicy.backoffDelay(n)))
    assert.deepStrictEqual(delays, [1, 2, 4, 8, 16, 30, 30, 30])
    assert.strictEqual(Duration.toMillis(RetryPolicy.backoffDelay(3, { base: "100 millis", cap: "500 millis" })), 500)
  })
})

describe("Schedule as retry policy", { concurrent: true }, () => {
  const rejectedWith = (code: string, status = 400) => [Fault.times(9, Fault.apiError(code, { status }))]
  const schedules: ReadonlyArray<readonly [name: string, RetryPolicy.RetryPolicy]> = [
    ["an exponential schedule", Schedule.exponential("1 second").pipe(Schedule.intersect(Schedule.recurs(4)))],
    ["the union of RetryPolicy.standard and Schedule.recurs", Schedule.union(RetryPolicy.standard, Schedule.recurs(2))],
    ["Schedule.spaced", Schedule.spaced("1 second")]
  ]
  for (const [name, retry] of schedules) {
    it.effect(`retries only retryable errors with ${name}`, () =>
      Effect.gen(function* () {
        for (const [code, status] of [
          ["CONTENT_MODERATION_REJECTED", 400],
          ["INPUT_VALIDATION_ERROR", 400],
          ["UNAUTHORIZED", 401],
          ["INSUFFICIENT_BALANCE", 402],
          ["INTERNAL_ERROR", 500]
        ] as const) {
          assert.deepStrictEqual((yield* runCreate(rejectedWith(code, status), { retry })).instants, [0], code)
        }
        const busy = yield* runCreate([overloaded], { retry })
        assert.lengthOf(busy.instants, 2)
      })
    )
  }

  it.effect("retries only retryable errors with RetryPolicy.withPolicy", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const always = RetryPolicy.withPolicy(client.executions.create(image), Schedule.spaced("1 second"))
        assert.strictEqual(failureOf(yield* runToEnd(always))._tag, "ContentModerationRejected")
        assert.deepStrictEqual(yield* arrivalTimes(), [0])
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: rejectedWith("CONTENT_MODERATION_REJECTED") } })))
  )

  it.effect("retries only errors that match retryWhile", () =>
    Effect.gen(function* () {
      const instants = (code: string, retryWhile: (error: ModelRouteError.ModelRouteError) => boolean) =>
        withClient((client) => Effect.zipRight(runToEnd(client.executions.create(image)), arrivalTimes())).pipe(
          Effect.provide(
            layer({ simulator: { faults: [Fault.times(9, Fault.apiError(code))] }, client: { retryWhile } })
          )
        )
      const more = (error: ModelRouteError.ModelRouteError) => error.retryable || error._tag === "InternalError"
      assert.deepStrictEqual(yield* instants("INTERNAL_ERROR", more), [0, 1000, 3000, 7000])
      assert.deepStrictEqual(yield* instants("MODEL_OVERLOADED", more), [0, 1000, 3000, 7000])
      assert.deepStrictEqual(yield* instants("INPUT_VALIDATION_ERROR", more), [0])
      assert.deepStrictEqual(yield* instants("MODEL_OVERLOADED", () => false), [0])
    })
  )

  it.effect("does not retry an ambiguous failure without an idempotency key even if retryWhile matches", () =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* runToEnd(client.webhookEndpoints.create({ url: "https://example.com" }))
        assert.deepStrictEqual(yield* arrivalTimes(), [0])
      })
    ).pipe(Effect.provide(layer({ simulator: { faults: [Fault.dropAfter] }, client: { retryWhile: () => true } })))
  )
})

describe("RetryPolicy with an invalid option", { concurrent: true }, () => {
  const wrong: ReadonlyArray<readonly [field: string, make: () => unknown]> = [
    ["RetryPolicy.backoff: times", () => RetryPolicy.backoff({ times: -1 })],
    ["RetryPolicy.backoff: times", () => RetryPolicy.make({ backoff: { times: Number.NaN } })],
    ["RetryPolicy.backoff: times", () => RetryPolicy.backoff({ times: 1.5 })],
    ["RetryPolicy.backoff: base", () => RetryPolicy.backoff({ base: 0 })],
    ["RetryPolicy.backoff: base", () => RetryPolicy.backoffDelay(1, { base: -5 })],
    ["RetryPolicy.backoff: base", () => RetryPolicy.backoff(JSON.parse('{"base":"10s"}'))],
    ["RetryPolicy.backoff: cap", () => RetryPolicy.backoff({ cap: Number.NaN })],
    ["RetryPolicy.backoff: cap", () => RetryPolicy.backoff({ cap: 0 })],
    ["RetryPolicy.backoff: jitter", () => RetryPolicy.backoff(JSON.parse('{"jitter":true}'))],
    ["RetryPolicy.rateLimit: times", () => RetryPolicy.rateLimit({ times: -1 })],
    ["RetryPolicy.rateLimit: minDelay", () => RetryPolicy.make({ rateLimit: { minDelay: -1 } })],
    ["RetryPolicy.rateLimit: minDelay", () => RetryPolicy.rateLimit({ minDelay: 0 })],
    ["RetryPolicy.rateLimit: maxWait", () => RetryPolicy.rateLimit(JSON.parse('{"maxWait":"soon"}'))]
  ]
  for (const [field, make] of wrong) {
    it(`throws an error that contains the name of the option: ${field}`, () => {
      try {
        make()
      } catch (error) {
        assert.isTrue(ModelRouteError.isModelRouteError(error))
        assert.include(String(error), `${field} is `)
        return
      }
      assert.fail("was accepted")
    })
  }
})

describe("RetryPolicy.rateLimit", { concurrent: true }, () => {
  // The clock starts at x.7 s, because the reset after 7.3 s must be a whole second.
  const momentsAfterLimit = (simulator: { readonly date: boolean; readonly clockSkew?: number }) =>
    withClient((client) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(start + 700)
        yield* runToEnd(client.executions.create(image))
        return (yield* arrivalTimes()).map((at) => at - 700)
      })
    ).pipe(
      Effect.provide(
        layer({ simulator: { ...simulator, faults: [Fault.apiError("RATE_LIMITED", { resetIn: "7300 millis" })] } })
      )
    )

  it.effect("uses the local clock for the reset if the response has no Date header", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* momentsAfterLimit({ date: false }), [0, 7300])
    })
  )

  for (const [name, clockSkew] of [
    ["right", 0],
    ["10 minutes slow", 600_000],
    ["10 minutes fast", -600_000],
    ["5.4 s fast", -5400]
  ] as const) {
    it.effect(`retries at most 1 s after the reset if the local clock is ${name}`, () =>
      Effect.gen(function* () {
        const [first, second] = yield* momentsAfterLimit({ date: true, clockSkew })
        // The simulator rounds its reset up to a whole second.
        const reset = Math.ceil((start + 700 + clockSkew + 7300) / 1000) * 1000 - (start + 700 + clockSkew)
        assert.strictEqual(first, 0)
        assert.isAtLeast(second ?? 0, reset)
        assert.isAtMost(second ?? 0, reset + 1000)
      })
    )
  }

  it.effect("counts its retries separately from the retries of RetryPolicy.backoff", () =>
    Effect.gen(function* () {
      const limited = Fault.apiError("RATE_LIMITED", { resetIn: "5 seconds" })
      const { instants } = yield* runCreate(
        [overloaded, limited, overloaded, limited, limited, overloaded, limited, limited, overloaded],
        { date: false }
      )
      assert.deepStrictEqual(gaps(instants), [1, 5, 2, 5, 5, 4, 5, 5])
    })
  )

  it.effect("fails after 5 retries", () =>
    Effect.gen(function* () {
      const { exit, instants } = yield* runCreate(
        [Fault.times(9, Fault.apiError("RATE_LIMITED", { resetIn: "2 seconds" }))],
        {
          date: false
        }
      )
      assert.deepStrictEqual(gaps(instants), [2, 2, 2, 2, 2])
      assert.strictEqual(failureOf(exit).attempts, 6)
    })
  )

  const rateLimitWith = (headers: Record<string, string>) =>
    Fault.raw({
      status: 429,
      headers,
      body: '{"error":{"code":"RATE_LIMITED","message":"slow down","retryable":true}}'
    })

  it("parses the three date formats of RFC 9110", () => {
    const now = Date.UTC(1994, 10, 6, 8, 49, 0)
    const seconds = (text: string) =>
      Option.getOrUndefined(Option.map(RetryPolicy.rateLimitDelay({ "retry-after": text }, now), Duration.toSeconds))
    for (const [text, expected] of [
      ["Sun, 06 Nov 1994 08:49:37 GMT", 37],
      ["Sunday, 06-Nov-94 08:49:37 GMT", 37],
      ["Sun Nov  6 08:49:37 1994", 37],
      ["Sun, 06 Nov 1994 08:49:60 GMT", 60],
      ["Sunday, 06-Nov-44 08:49:00 GMT", 18263 * 86400],
      ["Sunday, 06-Nov-45 08:49:37 GMT", undefined],
      ["after 2099", undefined],
      ["Sun, 06 Nov 1994 08:49:37", undefined],
      ["Sun, 06 Nov 1994 08:49:37 PST", undefined],
      ["Sun, 06 Nov 1994 08:49:37 +0100", undefined],
      ["Sun, 31 Nov 1994 08:49:37 GMT", undefined],
      ["Sun, 06 Nov 1994 24:49:37 GMT", undefined],
      ["1994-11-06T08:49:37Z", undefined],
      ["Nov 6, 2099", undefined]
    ] as const) {
      assert.strictEqual(seconds(text), expected, text)
    }
  })

  it("parses a Date header in asctime format as GMT", () => {
    const now = Date.UTC(2026, 2, 20, 10, 30)
    const headers = { date: "Fri Mar 20 10:25:00 2026", "x-ratelimit-reset": String(now / 1000) }
    assert.deepStrictEqual(Option.getOrUndefined(RetryPolicy.rateLimitDelay(headers, now)), Duration.minutes(5))
  })

  for (const [name, headers] of [
    ["missing", {}],
    ["zero", { "x-ratelimit-reset": "0", "retry-after": "0" }],
    ["in the past", { "x-ratelimit-reset": "1710924600" }],
    ["garbage", { "x-ratelimit-reset": "soon", "retry-after": "-3" }],
    ["NaN", { "x-ratelimit-reset": "NaN" }]
  ] as const) {
    it.effect(`doubles the delay from 1 s to 30 s if X-RateLimit-Reset is ${name}`, () =>
      Effect.gen(function* () {
        const retry = RetryPolicy.rateLimit({ times: 7 })
        const { instants } = yield* runCreate([Fault.times(9, rateLimitWith(headers))], { retry })
        assert.deepStrictEqual(gaps(instants), [1, 2, 4, 8, 16, 30, 30])
      })
    )
  }

  it.effect("fails immediately if the time until the reset exceeds maxWait", () =>
    Effect.gen(function* () {
      const resetIn = 3 * 3600
      const headers = { "x-ratelimit-reset": String(start / 1000 + resetIn) }
      const { exit, instants } = yield* runCreate([rateLimitWith(headers)], { date: false })
      assert.deepStrictEqual(instants, [0])
      const error = failureOf(exit)
      assert.strictEqual(error._tag, "RateLimited")
      if (error._tag !== "RateLimited") return
      assert.strictEqual(error.retryAfter && Duration.toSeconds(error.retryAfter), resetIn)
      assert.strictEqual(error.resetAt && DateTime.toEpochMillis(error.resetAt), start + resetIn * 1000)
      assert.include(error.message, "The limit resets in 3 h")
      for (const absurd of ["9".repeat(15), "9".repeat(400), "253402300799"]) {
        const later = yield* runCreate([rateLimitWith({ "retry-after": absurd })])
        assert.deepStrictEqual(later.instants, [0])
        assert.include(failureOf(later.exit).message, "The limit resets in 876000 h")
      }
    })
  )

  it.effect("retries a 429 even if the body contains no documented error", () =>
    Effect.gen(function* () {
      const bare = Fault.raw({
        status: 429,
        headers: { "retry-after": "4", "content-type": "text/html" },
        body: "<p>slow"
      })
      assert.deepStrictEqual((yield* runCreate([bare])).instants, [0, 4000])
      const unknown = Fault.apiError("SLOW_DOWN", { status: 429, retryable: true, headers: { "retry-after": "6" } })
      assert.deepStrictEqual((yield* runCreate([unknown])).instants, [0, 6000])
    })
  )

  it("calculates the delay of RetryPolicy.rateLimitDelay from the rate limit headers", () => {
    const seconds = (headers: Record<string, string>, now = start) =>
      Option.match(RetryPolicy.rateLimitDelay(headers, now), { onNone: () => undefined, onSome: Duration.toSeconds })
    const reset = String(start / 1000 + 9)
    const date = httpDate(start)
    assert.strictEqual(seconds({ "x-ratelimit-reset": reset }), 9)
    assert.strictEqual(seconds({ "x-ratelimit-reset": reset }, start + 700), 8.3)
    assert.strictEqual(seconds({ "x-ratelimit-reset": reset, date }, start + 3_600_000), 9)
    assert.strictEqual(seconds({ "x-ratelimit-reset": `${reset}000` }), 9)
    assert.strictEqual(seconds({ "x-ratelimit-reset": `${reset}, ${reset}` }), 9)
    assert.strictEqual(seconds({ "x-ratelimit-reset": "30" }), 30)
    assert.strictEqual(seconds({ "x-ratelimit-reset": reset, "retry-after": "2" }), 2)
    assert.strictEqual(seconds({ "x-ratelimit-reset": reset, "retry-after": "1.5" }), 1.5)
    assert.strictEqual(seconds({ "x-ratelimit-reset": reset, "retry-after": "later" }), 9)
    assert.strictEqual(seconds({ "retry-after": httpDate(start + 12_000), date }, 0), 12)
    assert.strictEqual(seconds({ "retry-after": httpDate(start - 12_000), date }), undefined)
    assert.strictEqual(seconds({}), undefined)
  })
})

describe("RetryPolicy", { concurrent: true }, () => {
  const failed = new ModelRouteError.ModelOverloaded({})
  const limited = new ModelRouteError.RateLimited({ retryAfter: Duration.seconds(3) })

  it.effect("composes with the combinators of Schedule", () =>
    Effect.gen(function* () {
      const retry = RetryPolicy.make({ backoff: { times: 8 } }).pipe(Schedule.intersect(Schedule.recurs(2)))
      const { instants } = yield* runCreate([Fault.times(9, overloaded)], { retry })
      assert.deepStrictEqual(instants, [0, 1000, 3000])
      const own = yield* runCreate([Fault.times(9, overloaded)], {
        retry: Schedule.spaced("5 seconds").pipe(Schedule.intersect(Schedule.recurs(2)))
      })
      assert.deepStrictEqual(own.instants, [0, 5000, 10_000])
    })
  )

  it.effect("retries only the errors that its options enable", () =>
    Effect.gen(function* () {
      const decide = (policy: RetryPolicy.RetryPolicy, error: ModelRouteError.ModelRouteError) =>
        Effect.map(policy.step(0, error, policy.initial), ([, , decision]) => ScheduleDecision.isContinue(decision))
      assert.isTrue(yield* decide(RetryPolicy.standard, failed))
      assert.isTrue(yield* decide(RetryPolicy.standard, limited))
      assert.isFalse(yield* decide(RetryPolicy.make({ backoff: false }), failed))
      assert.isTrue(yield* decide(RetryPolicy.make({ backoff: false }), limited))
      assert.isTrue(yield* decide(RetryPolicy.make({ rateLimit: false }), failed))
      assert.isFalse(yield* decide(RetryPolicy.make({ rateLimit: false }), limited))
      assert.isFalse(yield* decide(RetryPolicy.backoff(), limited))
      assert.isFalse(yield* decide(RetryPolicy.rateLimit(), failed))
      assert.isFalse(yield* decide(RetryPolicy.none, failed))
    })
  )

  it.effect("is replaced by withPolicy for one effect", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const { inject } = yield* Simulator
        yield* inject(Fault.times(2, overloaded))
        const exit = yield* Effect.exit(client.executions.create(image).pipe(RetryPolicy.withPolicy(RetryPolicy.none)))
        assert.strictEqual(failureOf(exit)._tag, "ModelOverloaded")
        yield* runToEnd(client.executions.create(image))
        assert.deepStrictEqual(yield* arrivalTimes(), [0, 0, 1000])
        assert.strictEqual(yield* Clock.currentTimeMillis, start + 1000)
      })
    ).pipe(Effect.provide(layer()))
  )
})

describe("delay of a RetryPolicy", { concurrent: true }, () => {
  const id = Execution.ExecutionId.make("exec_1")
  const waitOf = (policy: RetryPolicy.RetryPolicy, error: ModelRouteError.ModelRouteError, now = 0) =>
    Effect.map(Effect.zipRight(TestClock.setTime(now), policy.step(now, error, policy.initial)), ([, , decision]) =>
      ScheduleDecision.isDone(decision) ? undefined : ScheduleIntervals.start(decision.intervals) - now
    )
  const limited = (retryAfter: Duration.DurationInput) =>
    new ModelRouteError.RateLimited({ retryAfter: Duration.decode(retryAfter) })

  it.effect("equals retryAfter if retryAfter is between minDelay and maxWait", () =>
    Effect.gen(function* () {
      const { rateLimit } = RetryPolicy
      assert.strictEqual(yield* waitOf(rateLimit(), limited("3 seconds")), 3000)
      assert.strictEqual(yield* waitOf(rateLimit(), limited("200 millis")), 1000)
      assert.strictEqual(yield* waitOf(rateLimit({ minDelay: "5 seconds" }), limited("200 millis")), 5000)
      assert.strictEqual(
        yield* waitOf(rateLimit({ minDelay: "1 minute" }), new ModelRouteError.RateLimited({})),
        60_000
      )
      assert.strictEqual(yield* waitOf(rateLimit(), limited("2 minutes")), 120_000)
      assert.isUndefined(yield* waitOf(rateLimit(), limited(120_001)))
      assert.strictEqual(yield* waitOf(rateLimit({ maxWait: "10 minutes" }), limited("10 minutes")), 600_000)
      assert.isUndefined(yield* waitOf(rateLimit({ maxWait: "2 seconds" }), limited(2001)))
    })
  )

  it.effect("is absent if an explicit maxWait is shorter than the whole wait in the queue", () =>
    Effect.gen(function* () {
      const queued = new ModelRouteError.RateLimited({
        retryAfter: Duration.minutes(3),
        resetAt: DateTime.unsafeMake(5000)
      })
      assert.strictEqual(yield* waitOf(RetryPolicy.rateLimit(), queued), 5000)
      assert.strictEqual(yield* waitOf(RetryPolicy.rateLimit({ maxWait: "3 minutes" }), queued), 5000)
      assert.isUndefined(yield* waitOf(RetryPolicy.rateLimit({ maxWait: "2 minutes" }), queued))
    })
  )

  it.effect("uses no random number without jitter", () =>
    Effect.gen(function* () {
      const overloaded = new ModelRouteError.ModelOverloaded({})
      const nextAfter = (jitter: "none" | "full") =>
        Effect.withRandom(
          Effect.zipRight(waitOf(RetryPolicy.backoff({ jitter }), overloaded), Random.next),
          Random.fixed([0.25, 0.75])
        )
      assert.deepStrictEqual([yield* nextAfter("none"), yield* nextAfter("full")], [0.25, 0.75])
    })
  )

  it.effect("ends at the reset even if the response body arrives late", () =>
    Effect.gen(function* () {
      const error = new ModelRouteError.RateLimited({
        retryAfter: Duration.seconds(5),
        resetAt: DateTime.unsafeMake(start + 5000)
      })
      assert.strictEqual(yield* waitOf(RetryPolicy.rateLimit(), error, start + 2000), 3000)
      assert.strictEqual(yield* waitOf(RetryPolicy.rateLimit(), error, start + 9000), 1000)
    })
  )

  it.effect("is absent after an unrecognized 429 that is not retryable", () =>
    Effect.gen(function* () {
      const error = new ModelRouteError.UnrecognizedError({ status: 429, retryable: false, code: "QUOTA_GONE" })
      assert.isUndefined(yield* waitOf(RetryPolicy.standard, error))
    })
  )

  it("is the longest of several Retry-After values", () => {
    const seconds = (headers: Record<string, string>) => {
      const o = RetryPolicy.rateLimitDelay(headers, start)
      return o._tag === "None" ? undefined : Duration.toSeconds(o.value)
    }
    assert.strictEqual(seconds({ "retry-after": "2, 5" }), 5)
    // A reset of more than 86400 is read as epoch seconds, not as a delay.
    assert.isUndefined(seconds({ "x-ratelimit-reset": "86401" }))
    assert.strictEqual(seconds({ "x-ratelimit-reset": "86400" }), 86_400)
    assert.isUndefined(seconds({ "x-ratelimit-reset": String(start / 1000 - 86_400) }))
  })

  it.effect("increases separately for 429 responses and other errors", () =>
    Effect.gen(function* () {
      const limited = { status: 429, text: "" }
      const replies = [limited, { status: 503 }, { status: 503 }, limited, { status: 200, json: { id: "exec_1" } }]
      const { at, client } = makeFakeClient((_, n) => replies[n - 1] ?? { status: 500 })
      valueOf(yield* runToEnd(Effect.flatMap(client, ({ executions }) => executions.get(id))))
      assert.deepStrictEqual(at, [0, 1000, 2000, 4000, 6000])
    })
  )

  it.effect("is absent after a RATE_LIMITED error that is not retryable", () => {
    const { at, client } = makeFakeClient(() => ({
      status: 429,
      json: { error: { code: "RATE_LIMITED", message: "x", retryable: false } }
    }))
    return Effect.gen(function* () {
      yield* runToEnd((yield* client).executions.get(id))
      assert.lengthOf(at, 1)
    })
  })
})
