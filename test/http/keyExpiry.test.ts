import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { isExpired, makeKeyExpiry } from "../../src/internal/http/keyExpiry.js"
import { start } from "../utils/harness.js"
import { SettableClock } from "../utils/settableClock.js"

describe("isExpired", () => {
  const at = (millis: number, wallOffset: number) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const clock = new SettableClock(yield* Effect.clock)
      const expiry = yield* Effect.withClock(makeKeyExpiry(start + 10_000), clock)
      yield* TestClock.adjust(millis)
      clock.offset = wallOffset
      return yield* Effect.withClock(isExpired(expiry), clock)
    })

  it.effect("returns true from the expiry on", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* at(9999, 0))
      assert.isTrue(yield* at(10_000, 0))
      assert.isTrue(yield* at(10_001, 0))
    })
  )

  it.effect("returns true if the key has expired on only one of the clocks", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* at(9999, -3000))
      assert.isTrue(yield* at(10_000, -3000))
      assert.isFalse(yield* at(6999, 3000))
      assert.isTrue(yield* at(7000, 3000))
    })
  )

  it.effect("converts the expiry to the monotonic clock if the clocks differ", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const clock = new SettableClock(yield* Effect.clock)
      clock.offset = 5000
      const expiry = yield* Effect.withClock(makeKeyExpiry(start + 10_000), clock)
      assert.deepStrictEqual(expiry, { epochMillis: start + 10_000, monotonicMillis: start + 5000 })
    })
  )
})
