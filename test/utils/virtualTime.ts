/**
 * Virtual time for tests that run many thousand waits. `TestClock` looks at every fiber several times before each single
 * wake-up, which takes milliseconds; this clock goes on as soon as nothing is left to run, which takes microseconds.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private readonly sleepers = new Set<Sleeper>()

  constructor(private now: number) {}

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.now * 1_000_000))
  }

  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      const at = this.now + Duration.toMillis(duration)
      const sleeper = { at, wake: () => {} }
      // `Effect.async` forgets its finalizer if it is interrupted before it has installed it.
      return Effect.ensuring(
        Effect.async<void>((resume) => {
          sleeper.wake = () => resume(Effect.void)
          this.sleepers.add(sleeper)
        }),
        Effect.sync(() => this.sleepers.delete(sleeper))
      )
    })
  }

  /** Wakes whoever is due next; false when nobody sleeps. */
  advance(): boolean {
    let next = Infinity
    for (const { at } of this.sleepers) next = Math.min(next, at)
    if (next === Infinity) return false
    this.now = next
    for (const sleeper of this.sleepers) {
      if (sleeper.at > next) continue
      this.sleepers.delete(sleeper)
      sleeper.wake()
    }
    return true
  }

  get size(): number {
    return this.sleepers.size
  }
}

/** Between two of these every promise that can settle by itself has settled. */
const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** How many operations of Effect a run has taken while it was `counting`, and at which of them its fiber is interrupted. */
export interface Operations {
  counting: boolean
  count: number
  readonly interruptAt?: number
}

/**
 * Runs an effect to its end in virtual time that begins at `start` (epoch milliseconds). Nothing in it may need real time. A
 * sleeper that is left behind when it has ended is a defect, and so is a wait for nothing.
 */
export const run = <A, E>(
  effect: Effect.Effect<A, E>,
  start: number,
  operations: Operations = { counting: false, count: 0 }
): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.gen(function* () {
    const clock = new VirtualClock(start)
    let tasks = 0
    let main: Fiber.RuntimeFiber<unknown, unknown> | undefined
    const scheduler = Scheduler.make(
      (task) => {
        tasks += 1
        queueMicrotask(() => {
          tasks -= 1
          task()
        })
      },
      (fiber) => {
        main ??= fiber
        if (!operations.counting) return Scheduler.defaultShouldYield(fiber)
        operations.count += 1
        if (operations.count !== operations.interruptAt) return Scheduler.defaultShouldYield(fiber)
        main.unsafeInterruptAsFork(main.id())
        return 0
      }
    )
    const ended: Array<Exit.Exit<A, E>> = []
    const fiber = Effect.runFork(Effect.withClock(effect, clock), { scheduler })
    fiber.addObserver((exit) => ended.push(exit))
    for (;;) {
      yield* turn
      if (tasks > 0) continue
      const [exit] = ended
      if (exit !== undefined) {
        return clock.size === 0 ? exit : yield* Effect.dieMessage(`${clock.size} sleepers left behind`)
      }
      if (!clock.advance()) return yield* Effect.dieMessage("everything waits, and for no point in time")
    }
  })
