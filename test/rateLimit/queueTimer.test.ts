/** Tests the timer of the queue. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, TestClock } from "effect"
import { QueueTimer } from "../../src/internal/rateLimit/queueTimer.js"
import { start } from "../utils/harness.js"

/** Schedules a timer at each time in turn. Returns the times at which the timer fires, in milliseconds after the start. */
const fireTimes = (times: ReadonlyArray<number | undefined>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const timer = new QueueTimer()
    const fired: Array<number> = []
    const onFire = Effect.map(Clock.currentTimeMillis, (now) => void fired.push(now - start))
    for (const at of times) yield* timer.schedule(at === undefined ? undefined : start + at, start, onFire)
    yield* TestClock.adjust("1 minute")
    return fired
  })

describe("QueueTimer.schedule", () => {
  const cases: ReadonlyArray<readonly [name: string, ReadonlyArray<number | undefined>, ReadonlyArray<number>]> = [
    ["fires once at the given time", [100], [100]],
    ["keeps an earlier time", [100, 200], [100]],
    ["replaces a later time", [200, 100], [100]],
    ["cancels the timer", [100, undefined], []],
    ["sets a canceled timer again", [100, undefined, 200], [200]],
    ["does nothing without a timer and a time", [undefined], []],
    ["fires after 1 ms if the time has passed", [-5], [1]]
  ]
  for (const [name, times, expected] of cases) {
    it.effect(name, () => Effect.map(fireTimes(times), (fired) => assert.deepStrictEqual(fired, expected)))
  }

  it.effect("can be set again when it fires", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const timer = new QueueTimer()
      const fired: Array<number> = []
      const onFire: Effect.Effect<void> = Effect.flatMap(Clock.currentTimeMillis, (now) => {
        fired.push(now - start)
        return fired.length < 3 ? timer.schedule(now + 100, now, onFire) : Effect.void
      })
      yield* timer.schedule(start + 100, start, onFire)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(fired, [100, 200, 300])
    })
  )

  it.effect("fires before a time that is too far in the future for a sleep", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const timer = new QueueTimer()
      const fired: Array<number> = []
      const onFire = Effect.map(Clock.currentTimeMillis, (now) => void fired.push(now - start))
      yield* timer.schedule(start + Duration.toMillis("1000 days"), start, onFire)
      yield* TestClock.adjust("100 days")
      assert.lengthOf(fired, 1)
    })
  )
})
