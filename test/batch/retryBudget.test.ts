/** Tests the retry budget that all items of a batch share. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Logger } from "effect"
import { RetryBudget, type RetryBudgetOptions } from "../../src/internal/batch/retryBudget.js"
import { valueOf } from "../utils/exit.js"
import { start } from "../utils/harness.js"
import { inVirtualTime, runInVirtualTime } from "../utils/virtualTime.js"

const elapsed = Effect.map(Clock.currentTimeMillis, (now) => now - start)

interface Retry {
  readonly name: string
  /** Due time in milliseconds after the start. */
  readonly due: number
}

/**
 * Starts each retry at its due time. Runs `concurrently` at the same time. Returns the time of the token of each retry,
 * in order.
 */
const runRetries = (
  options: RetryBudgetOptions | false,
  retries: ReadonlyArray<Retry>,
  concurrently: (budget: RetryBudget) => Effect.Effect<void> = () => Effect.void
) =>
  Effect.gen(function* () {
    const budget = new RetryBudget(options)
    const out: Array<readonly [string, number]> = []
    const lines: Array<readonly [number, string]> = []
    const logger = Logger.make<unknown, void>(({ date, message }) => {
      lines.push([date.getTime() - start, String(message)])
    })
    const each = Effect.forEach(
      retries,
      ({ due, name }) =>
        Effect.gen(function* () {
          yield* Effect.sleep(due)
          yield* budget.waitForToken
          out.push([name, yield* elapsed])
        }),
      { concurrency: "unbounded", discard: true }
    )
    yield* Effect.map(
      runInVirtualTime(
        Effect.all([each, concurrently(budget)], { concurrency: 2, discard: true }).pipe(
          Effect.provide(Logger.replace(Logger.defaultLogger, logger))
        ),
        start
      ),
      valueOf
    )
    return { out, lines, budget }
  })

const at = (due: number, ...names: ReadonlyArray<string>): ReadonlyArray<Retry> => names.map((name) => ({ name, due }))

describe("RetryBudget.waitForToken", () => {
  it.effect("returns immediately while the bucket has tokens", () =>
    Effect.gen(function* () {
      const { budget, lines, out } = yield* runRetries({ maxTokens: 3 }, at(0, "a", "b", "c"))
      assert.deepStrictEqual(out, [
        ["a", 0],
        ["b", 0],
        ["c", 0]
      ])
      assert.strictEqual(budget.tokensLeft(start), 0)
      assert.deepStrictEqual(lines, [])
    })
  )

  it.effect("waits until the minimum rate has added a token", () =>
    Effect.gen(function* () {
      // Ten tokens per minute are one token in 6 s. The retry `b` starts after half of that time.
      const { out } = yield* runRetries({ maxTokens: 1 }, [...at(0, "a"), ...at(3000, "b")])
      assert.deepStrictEqual(out, [
        ["a", 0],
        ["b", 6000]
      ])
    })
  )

  it.effect("returns in the order of the calls", () =>
    Effect.gen(function* () {
      const { out } = yield* runRetries({ maxTokens: 1 }, [...at(0, "a", "b", "c"), ...at(10_900, "d")])
      assert.deepStrictEqual(out, [
        ["a", 0],
        ["b", 6000],
        ["c", 12_000],
        ["d", 18_000]
      ])
    })
  )

  it.effect("returns within 5 s after two requests have succeeded", () =>
    Effect.gen(function* () {
      const { out } = yield* runRetries({ maxTokens: 1, minPerMinute: 1 }, at(0, "a", "b", "c"), (budget) =>
        Effect.delay(
          Effect.sync(() => {
            budget.succeeded += 2
          }),
          1000
        )
      )
      // The bucket has a capacity of one token. The fraction of a token from the minimum rate is therefore lost.
      assert.deepStrictEqual(out, [
        ["a", 0],
        ["b", 5000],
        ["c", 65_000]
      ])
    })
  )

  it.effect("leaves no entry in the queue after an interruption", () =>
    Effect.gen(function* () {
      const { budget, out } = yield* runRetries({ maxTokens: 1 }, at(0, "a"), (budget) =>
        Effect.asVoid(Effect.timeoutOption(Effect.delay(budget.waitForToken, 1), 1000))
      )
      assert.deepStrictEqual(out, [["a", 0]])
      assert.strictEqual(budget.waiting, 0)
      assert.isUndefined(budget.nextRetryAt(start + 1001))
    })
  )
})

describe("RetryBudget.nextRetryAt", () => {
  /** Returns the time after `after` milliseconds while one retry waits, after `succeeded` successful requests. */
  const nextRetryAfter = (after: number, succeeded: number) =>
    Effect.gen(function* () {
      let at: number | undefined
      const { budget } = yield* runRetries({ maxTokens: 4, minPerMinute: 15 }, at0(5), (budget) =>
        Effect.delay(
          Effect.sync(() => {
            budget.succeeded += succeeded
            at = budget.nextRetryAt(start + after)
          }),
          after
        )
      )
      assert.isUndefined(budget.nextRetryAt(start + 60_000))
      return at === undefined ? undefined : at - start
    })
  const at0 = (count: number) => at(0, ...Array.from({ length: count }, (_, n) => `retry ${n}`))

  it.effect("returns the time at which the minimum rate completes the next token", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* nextRetryAfter(1000, 0), 4000)
      assert.strictEqual(yield* nextRetryAfter(2000, 0), 4000)
      // One successful request adds half a token.
      assert.strictEqual(yield* nextRetryAfter(1000, 1), 2000)
    })
  )

  it.effect("returns the current time while the bucket has a token", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* nextRetryAfter(1000, 6), 1000)
    })
  )
})

describe("RetryBudget", () => {
  it("never contains more than `maxTokens` tokens", () => {
    const budget = new RetryBudget({ maxTokens: 4 })
    assert.strictEqual(budget.tokensLeft(start), 4)
    budget.succeeded += 1000
    assert.strictEqual(budget.tokensLeft(start + 3_600_000), 4)
  })

  it.effect("rounds the number of tokens down", () =>
    Effect.gen(function* () {
      const budget = new RetryBudget({ maxTokens: 4 })
      assert.strictEqual(budget.tokensLeft(start), 4)
      yield* Effect.repeatN(budget.waitForToken, 3)
      budget.succeeded += 3
      assert.strictEqual(budget.tokensLeft(start), 1)
    }).pipe(inVirtualTime)
  )

  it.effect("does not delay retries if the budget is disabled", () =>
    Effect.gen(function* () {
      const { budget, out } = yield* runRetries(false, at(0, ...Array.from({ length: 500 }, (_, n) => `retry ${n}`)))
      assert.isTrue(out.length === 500 && out.every(([, at]) => at === 0))
      assert.strictEqual(budget.tokensLeft(start), Number.POSITIVE_INFINITY)
    })
  )

  it.effect("logs each exhaustion and each refill once", () =>
    Effect.gen(function* () {
      const retries = [...at(0, "a", "b", "c", "d"), ...at(60_000, "e"), ...at(61_000, "f", "g", "h")]
      const { lines } = yield* runRetries({ maxTokens: 2 }, retries, (budget) =>
        Effect.delay(
          Effect.sync(() => {
            budget.succeeded += 100
          }),
          30_000
        )
      )
      assert.deepStrictEqual(
        lines.map(([at, line]) => [at, line.includes("exhausted"), line.includes("has tokens again")]),
        [
          [0, true, false],
          [60_000, false, true],
          [61_000, true, false]
        ]
      )
      assert.include(lines[0]?.[1], "10 retries per minute")
    })
  )
})
