/**
 * Random histories against a reference limiter: requests of all lanes, interrupted while they wait and while they are out,
 * answers that are lost or tell nothing, any latency, skew and window. Whatever happens, a client that is alone is never
 * refused, everyone who stays gets through, and nothing is left behind.
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

interface Ask {
  /** Milliseconds after the one before. */
  readonly after: number
  readonly lane: RequestClass
  readonly there: number
  readonly back: number
  /** When its sender is interrupted, in milliseconds after it has asked. */
  readonly interruptAfter: number | undefined
  /** What becomes of its answer. */
  readonly answer: "whole" | "silent" | "lost" | "unsent"
}

const askWith = (answers: ReadonlyArray<Ask["answer"]>): fc.Arbitrary<Ask> =>
  fc.record({
    after: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 20_000 })),
    lane: fc.constantFrom<RequestClass>("submissions", "polls", "calls"),
    there: fc.integer({ min: 0, max: 400 }),
    back: fc.integer({ min: 0, max: 400 }),
    interruptAfter: fc.option(fc.integer({ min: 0, max: 30_000 }), { nil: undefined, freq: 4 }),
    answer: fc.constantFrom(...answers)
  })

const asks = (answers: ReadonlyArray<Ask["answer"]>) => fc.array(askWith(answers), { minLength: 1, maxLength: 60 })

const history = fc.record({
  limit: fc.integer({ min: 1, max: 12 }),
  window: fc.constantFrom(1000, 2000, 5000, 10_000, 60_000),
  skew: fc.integer({ min: -600_000, max: 600_000 }),
  phase: fc.integer({ min: 0, max: 60_000 }),
  tells: fc.constantFrom("all", "all", "all", "no Remaining"),
  asks: fc.oneof(asks(["whole"]), asks(["whole", "whole", "whole", "whole", "silent", "lost", "unsent"]))
})

type History = typeof history extends fc.Arbitrary<infer H> ? H : never

/** Counts what it takes in each window, and knows nothing else. */
class Reference {
  taken = 0
  refused = 0
  /** What it has taken without the client's learning of it, and what never came. */
  obscure = 0
  private window = Number.NaN
  private used = 0

  constructor(private readonly options: History) {}

  handle(now: number): { readonly status: number; readonly headers: Readonly<Record<string, string>> } {
    const { limit, tells, window: length } = this.options
    const window = Math.floor(now / length)
    if (window !== this.window) {
      this.window = window
      this.used = 0
    }
    const isTaken = this.used < limit
    if (isTaken) {
      this.used += 1
      this.taken += 1
    } else {
      this.refused += 1
    }
    const headers = {
      date: httpDate(now),
      "x-ratelimit-limit": String(limit),
      "x-ratelimit-reset": String(((window + 1) * length) / 1000),
      ...(tells === "all" ? { "x-ratelimit-remaining": String(limit - this.used) } : {})
    }
    return { status: isTaken ? 200 : 429, headers }
  }
}

const entry = (lane: RequestClass): PermitRequest<never> => ({
  operation: lane,
  requestClass: lane,
  isRetry: false,
  confirmWait: () => Effect.succeed(Option.none())
})

const once = (gate: Gate, server: Reference, skew: number, { answer, back, lane, there }: Ask) =>
  gate.withPermit(entry(lane), (place) =>
    Effect.gen(function* () {
      server.obscure += 1
      if (answer === "unsent") return yield* place.reportUnsent
      // The request is on its way, whatever becomes of its sender.
      const handling = yield* Effect.forkDaemon(
        Effect.delay(
          Effect.map(Clock.currentTimeMillis, (now) => server.handle(now + skew)),
          there
        )
      )
      const { headers, status } = yield* Fiber.join(handling)
      yield* Effect.sleep(back)
      if (answer === "lost") return
      if (answer === "whole") server.obscure -= 1
      yield* place.reportResponse(status, answer === "silent" ? {} : headers)
    })
  )

const played = (options: History) =>
  Effect.gen(function* () {
    const gate = new Gate()
    const server = new Reference(options)
    const { asks, limit, window } = options
    yield* Effect.sleep(options.phase)
    const asked = yield* Effect.forEach(asks, (one) =>
      Effect.gen(function* () {
        yield* Effect.sleep(one.after)
        const fiber = yield* Effect.fork(once(gate, server, options.skew, one))
        if (one.interruptAfter !== undefined)
          yield* Effect.fork(Effect.delay(Fiber.interrupt(fiber), one.interruptAfter))
        return { fiber, one }
      })
    )
    const from = yield* Clock.currentTimeMillis
    const ends = yield* Effect.forEach(asked, ({ fiber, one }) =>
      Effect.map(Fiber.await(fiber), (exit) => ({ exit, one }))
    )
    const waited = (yield* Clock.currentTimeMillis) - from
    // Until the server has seen all that was under way.
    yield* Effect.sleep(500)
    return {
      server,
      waited,
      // Each window lets as many through as the limit, or one at a time where answers are missing.
      bound: (asks.length / limit + 2) * 2 * window + asks.length * 1900,
      left: { waiting: gate.waiting, inFlight: gate.limiter.inFlight },
      stuck: ends.filter(({ exit, one }) => Exit.isFailure(exit) && one.interruptAfter === undefined).length,
      defects: ends.filter(({ exit }) => Exit.isFailure(exit) && !Exit.isInterrupted(exit)).length
    }
  })

describe("the gate against a reference", () => {
  it.effect(`is never refused, and loses nobody: ${histories} histories from seed ${seed}`, () =>
    Effect.gen(function* () {
      let clear = 0
      let interrupted = 0
      for (const [i, options] of fc.sample(history, { numRuns: histories, seed }).entries()) {
        const name = `seed ${seed}, history ${i}: ${JSON.stringify(options)}`
        // The end of virtual time is a defect if a sleeper is left behind.
        const { bound, server, waited, ...rest } = valueOf(yield* runInVirtualTime(silent(played(options)), start))
        assert.deepStrictEqual(rest, { left: { waiting: 0, inFlight: 0 }, stuck: 0, defects: 0 }, name)
        assert.isAtMost(waited, bound, name)
        // A request of which nothing was heard can have taken the last place, and who finds no way in tries harder.
        assert.isAtMost(server.refused, 2 * server.obscure, name)
        if (server.obscure === 0 && server.taken > options.limit) clear += 1
        interrupted += options.asks.filter(({ interruptAfter }) => interruptAfter !== undefined).length
      }
      // Most must hold to the letter, and be about more than one window.
      assert.isAbove(clear, histories / 6)
      assert.isAbove(interrupted, histories)
    })
  )
})
