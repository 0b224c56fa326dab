/** Tests the check before each attempt of a create request. The error of a blocked attempt is visible in its span. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { ItemSubmitGuard } from "../../src/internal/batch/submitGuard.js"
import { StopSignal } from "../../src/internal/batch/stopSignal.js"
import { makeKeyExpiry } from "../../src/internal/http/keyExpiry.js"
import { silent, start } from "../utils/harness.js"

const attempt = { operation: "executions.create", isKeyed: true, previousAttempts: 2 }

const makeGuard = Effect.gen(function* () {
  yield* TestClock.setTime(start)
  const stop = new StopSignal("catalogue")
  return { stop, guard: new ItemSubmitGuard(stop, yield* makeKeyExpiry(start + 5000), true, false) }
})

describe("ItemSubmitGuard.beforeSend", () => {
  for (const [cause, expected, block] of [
    ["the batch has stopped", "stopped", (stop: StopSignal) => stop.trigger({ reason: "Stopped" })],
    ["the idempotency key has expired", "expired", () => TestClock.adjust("5 seconds")]
  ] as const) {
    it.effect(`fails if ${cause}`, () =>
      Effect.gen(function* () {
        const { guard, stop } = yield* makeGuard
        yield* block(stop)
        const error = yield* Effect.flip(guard.beforeSend(attempt))
        const { attempts, field, message, operation } = error
        assert.deepStrictEqual([operation, field, attempts], ["executions.create", "idempotencyKey", 2])
        assert.include(message, expected)
        // Requests without an idempotency key, for example polls, are still sent.
        yield* guard.beforeSend({ ...attempt, isKeyed: false })
      }).pipe(silent)
    )
  }
})
