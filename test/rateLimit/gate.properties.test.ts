/**
 * Tests the gate with random histories of requests against a reference limiter. The histories contain all request
 * classes and any latency, clock skew and window. Some requests are interrupted, are lost or have a response without
 * headers. A client without other clients must not be rejected. Every request must complete unless it is interrupted.
 * The gate must be empty at the end.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, FastCheck as fc, Fiber, Option } from "effect"
import { Gate } from "../../src/internal/rateLimit/gate.js"
import { type PermitRequest } from "../../src/internal/rateLimit/permit.js"
import type { RequestClass } from "../../src/internal/rateLimit/fairQueue.js"
import { valueOf } from "../utils/exit.js"
import { httpDate, silent, start } from "../utils/harness.js"
import { runInVirtualTime } from "../utils/virtualTime.js"
import { numRuns } from "../utils/suite.js"

const seed = 20_260_320
const histories = numRuns(100, 1500)

interface RequestPlan {
  /** Milliseconds after the previous request. */
  readonly after: number
  readonly requestClass: RequestClass
  readonly outboundMillis: number
  readonly returnMillis: number
  /** Milliseconds from the request to the interruption of its caller. */
  readonly interruptAfter: number | undefined
  /** Outcome of the request: a complete response, a response without headers, a lost response or an unsent request. */
  readonly outcome: "complete" | "noHeaders" | "lost" | "unsent"
}

const planWith = (outcomes: ReadonlyArray<RequestPlan["outcome"]>): fc.Arbitrary<RequestPlan> =>
  fc.record({
    after: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 20_000 })),
    requestClass: fc.constantFrom<RequestClass>("submissions", "polls", "calls"),
    outboundMillis: fc.integer({ min: 0, max: 400 }),
    returnMillis: fc.integer({ min: 0, max: 400 }),
    interruptAfter: fc.option(fc.integer({ min: 0, max: 30_000 }), { nil: undefined, freq: 4 }),
    outcome: fc.constantFrom(...outcomes)
  })

const plans = (outcomes: ReadonlyArray<RequestPlan["outcome"]>) =>
  fc.array(planWith(outcomes), { minLength: 1, maxLength: 60 })

const history = fc.record({
  limit: fc.integer({ min: 1, max: 12 }),
  window: fc.constantFrom(1000, 2000, 5000, 10_000, 60_000),
  skew: fc.integer({ min: -600_000, max: 600_000 }),
  phase: fc.integer({ min: 0, max: 60_000 }),
  headers: fc.constantFrom("all", "all", "all", "no Remaining"),
  plans: fc.oneof(
    plans(["complete"]),
    plans(["complete", "complete", "complete", "complete", "noHeaders", "lost", "unsent"])
  )
})

type History = typeof history extends fc.Arbitrary<infer H> ? H : never

/** Limiter that only counts the accepted requests of each window. */
class ReferenceLimiter {
  accepted = 0
  rejections = 0
  /** Number of requests without a complete response to the client. */
  unreported = 0
  private window = Number.NaN
  private used = 0

  constructor(private readonly options: History) {}

  handle(now: number): { readonly status: number; readonly headers: Readonly<Record<string, string>> } {
    const { headers: reported, limit, window: length } = this.options
    const window = Math.floor(now / length)
    if (window !== this.window) {
      this.window = window
      this.used = 0
    }
    const isAccepted = this.used < limit
    if (isAccepted) {
      this.used += 1
      this.accepted += 1
    } else {
      this.rejections += 1
    }
    const headers = {
      date: httpDate(now),
      "x-ratelimit-limit": String(limit),
      "x-ratelimit-reset": String(((window + 1) * length) / 1000),
      ...(reported === "all" ? { "x-ratelimit-remaining": String(limit - this.used) } : {})
    }
    return { status: isAccepted ? 200 : 429, headers }
  }
}

const makePermitRequest = (requestClass: RequestClass): PermitRequest<never> => ({
  operation: requestClass,
  requestClass,
  isRetry: false,
  confirmWait: () => Effect.succeed(Option.none())
})

const sendOnce = (
  gate: Gate,
  server: ReferenceLimiter,
  skew: number,
  { outboundMillis, outcome, requestClass, returnMillis }: RequestPlan
) =>
  gate.withPermit(makePermitRequest(requestClass), (permit) =>
    Effect.gen(function* () {
      server.unreported += 1
      if (outcome === "unsent") return yield* permit.reportUnsent
      // The server handles the request even if its caller is interrupted.
      const handling = yield* Effect.forkDaemon(
        Effect.delay(
          Effect.map(Clock.currentTimeMillis, (now) => server.handle(now + skew)),
          outboundMillis
        )
      )
      const { headers, status } = yield* Fiber.join(handling)
      yield* Effect.sleep(returnMillis)
      if (outcome === "lost") return
      if (outcome === "complete") server.unreported -= 1
      yield* permit.reportResponse(status, outcome === "noHeaders" ? {} : headers)
    })
  )

const playHistory = (options: History) =>
  Effect.gen(function* () {
    const gate = new Gate()
    const server = new ReferenceLimiter(options)
    const { limit, plans, window } = options
    yield* Effect.sleep(options.phase)
    const running = yield* Effect.forEach(plans, (plan) =>
      Effect.gen(function* () {
        yield* Effect.sleep(plan.after)
        const fiber = yield* Effect.fork(sendOnce(gate, server, options.skew, plan))
        if (plan.interruptAfter !== undefined)
          yield* Effect.fork(Effect.delay(Fiber.interrupt(fiber), plan.interruptAfter))
        return { fiber, plan }
      })
    )
    const from = yield* Clock.currentTimeMillis
    const ends = yield* Effect.forEach(running, ({ fiber, plan }) =>
      Effect.map(Fiber.await(fiber), (exit) => ({ exit, plan }))
    )
    const waited = (yield* Clock.currentTimeMillis) - from
    // Requests of interrupted callers can still be on their way to the server.
    yield* Effect.sleep(500)
    return {
      server,
      waited,
      // Each window admits as many requests as the limit. Without responses, requests are admitted one at a time.
      bound: (plans.length / limit + 2) * 2 * window + plans.length * 1900,
      left: { waiting: gate.waiting, inFlight: gate.limiter.inFlight },
      stuck: ends.filter(({ exit, plan }) => Exit.isFailure(exit) && plan.interruptAfter === undefined).length,
      defects: ends.filter(({ exit }) => Exit.isFailure(exit) && !Exit.isInterrupted(exit)).length
    }
  })

describe("Gate", () => {
  it.effect(`completes every request without a rejection in ${histories} random request sequences (seed ${seed})`, () =>
    Effect.gen(function* () {
      let completeHistories = 0
      let interrupted = 0
      for (const [i, options] of fc.sample(history, { numRuns: histories, seed }).entries()) {
        const name = `seed ${seed}, history ${i}: ${JSON.stringify(options)}`
        // `runInVirtualTime` fails with a defect if a fiber is still sleeping.
        const { bound, server, waited, ...rest } = valueOf(yield* runInVirtualTime(silent(playHistory(options)), start))
        assert.deepStrictEqual(rest, { left: { waiting: 0, inFlight: 0 }, stuck: 0, defects: 0 }, name)
        assert.isAtMost(waited, bound, name)
        // A request without a response can use the last request of a window. The gate then sends more probes.
        assert.isAtMost(server.rejections, 2 * server.unreported, name)
        if (server.unreported === 0 && server.accepted > options.limit) completeHistories += 1
        interrupted += options.plans.filter(({ interruptAfter }) => interruptAfter !== undefined).length
      }
      // The test is meaningful only if many histories have complete responses and span several windows.
      assert.isAbove(completeHistories, histories / 6)
      assert.isAbove(interrupted, histories)
    })
  )
})
