import { assert, describe, it } from "@effect/vitest"
import { SubmissionTracker } from "../../src/internal/executions/submissionTracker.js"

describe("SubmissionTracker.isAmbiguous", () => {
  for (const [name, steps, expected] of [
    ["false before the first attempt", "", false],
    ["false if the request was rejected before its first attempt", "notProcessed", false],
    ["true after an attempt has started", "attempt", true],
    ["true after an attempt was sent", "attempt send", true],
    ["false if the only attempt was not processed", "attempt send notProcessed", false],
    ["false if an attempt failed before it was sent", "attempt notProcessed", false],
    ["true if the transport sent the attempt twice", "attempt send send notProcessed", true],
    [
      "false if each of two attempts was sent once and not processed",
      "attempt send notProcessed attempt send notProcessed",
      false
    ],
    ["true if only the second attempt was not processed", "attempt send attempt send notProcessed", true],
    [
      "true if the transport sent an earlier attempt twice",
      "attempt send send notProcessed attempt send notProcessed",
      true
    ]
  ] as const) {
    it(`is ${name}`, () => {
      const tracker = new SubmissionTracker()
      const calls: Readonly<Record<string, () => void>> = {
        attempt: () => tracker.onAttempt(),
        send: () => tracker.onTransportSend(),
        notProcessed: () => tracker.onNotProcessed()
      }
      for (const step of steps.split(" ")) calls[step]?.()
      assert.strictEqual(tracker.isAmbiguous, expected)
    })
  }
})
