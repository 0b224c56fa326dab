/**
 * Provides virtual time for tests with many thousand waits. Virtual time advances when no fiber can run.
 *
 * An advance takes microseconds. `TestClock` takes milliseconds, because it checks all fibers several times.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { valueOf } from "./exit.js"
import { silent, start } from "./harness.js"

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
      // `Effect.async` does not run its finalizer after an early interruption, before the finalizer is installed.
      return Effect.ensuring(
        Effect.async<void>((resume) => {
          sleeper.wake = () => resume(Effect.void)
          this.sleepers.add(sleeper)
        }),
        Effect.sync(() => this.sleepers.delete(sleeper))
      )
    })
  }

  /** Resumes the sleepers with the earliest time. Returns `false` if no sleeper is left. */
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

/** Waits for one turn of the event loop. All promises that need no timer or I/O then settle. */
const nextTurn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Counter of Effect operations while `isCounting` is `true`. The operation `interruptAt` interrupts the main fiber. */
export interface OperationCounter {
  isCounting: boolean
  count: number
  readonly interruptAt?: number
}

/**
 * Runs an effect in virtual time that begins at `start` (epoch milliseconds). Virtual time does not advance while
 * `needsRealTime` returns `true`. The effect must not need real time otherwise. Dies if a sleeper remains at the end, or
 * if all fibers wait without a timer.
 */
export const runInVirtualTime = <A, E>(
  effect: Effect.Effect<A, E>,
  start: number,
  operations: OperationCounter = { isCounting: false, count: 0 },
  needsRealTime: () => boolean = () => false
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
        if (!operations.isCounting) return Scheduler.defaultShouldYield(fiber)
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
      yield* nextTurn
      if (tasks > 0 || needsRealTime()) continue
      const [exit] = ended
      if (exit !== undefined) {
        return clock.size === 0
          ? exit
          : yield* Effect.dieMessage(`${clock.size} sleepers remain after the end of the effect`)
      }
      if (!clock.advance()) return yield* Effect.dieMessage("all fibers are waiting, but no timer is pending")
    }
  })

/** Runs an effect in virtual time from `start` without log lines. Returns its value. */
export const inVirtualTime = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A> =>
  Effect.map(runInVirtualTime(silent(effect), start), valueOf)
