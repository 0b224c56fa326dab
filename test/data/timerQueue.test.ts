import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { type Timer, TimerQueue } from "../../src/internal/data/timerQueue.js"
import { numRuns } from "../utils/suite.js"

/** Adds a timer at `add`, or removes the timer with the index `remove`. */
const step = FastCheck.oneof(
  FastCheck.record({ add: FastCheck.integer({ min: 0, max: 20 }) }),
  FastCheck.record({ remove: FastCheck.nat({ max: 40 }) })
)

describe("TimerQueue", () => {
  it("returns the timers that were not removed in the order of their times", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(step, { maxLength: 60 }), (steps) => {
        const queue = new TimerQueue()
        const timers: Array<Timer> = []
        const removed = new Set<Timer>()
        for (const next of steps) {
          if ("add" in next) {
            timers.push(queue.add(next.add, () => {}))
          } else {
            const timer = timers[next.remove]
            if (timer === undefined) continue
            queue.remove(timer)
            removed.add(timer)
          }
        }
        const expected = timers.filter((timer) => !removed.has(timer)).toSorted((a, b) => a.at - b.at)
        assert.strictEqual(queue.size, expected.length)
        for (const timer of expected) {
          assert.strictEqual(queue.first, timer)
          queue.remove(timer)
        }
        assert.isUndefined(queue.first)
      }),
      { numRuns: numRuns(200, 5000) }
    )
  })
})
