/**
 * Provides one timer for many waits. A sleeping fiber uses kilobytes of memory. A client can have a hundred thousand
 * waits for attempts and executions.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as SortedMap from "effect/SortedMap"
import * as monotonic from "../data/monotonic.js"

type Callback = () => void

/**
 * Maximum duration of a sleep. JavaScript timers are limited to 31 bits of milliseconds, and Effect never ends a longer
 * sleep.
 *
 * @internal
 */
export const maxSleepMillis = 3_600_000

/**
 * Sleeps until the next callback is due. Runs no fiber without callbacks because a sleeping fiber keeps the process
 * alive.
 */
class ClockTimer {
  private due = SortedMap.empty<number, Set<Callback>>(Order.number)
  private fiber: Fiber.RuntimeFiber<void> | undefined
  /**
   * End of the current sleep, or `Infinity` if no fiber is sleeping. This field is set before `fiber` because other
   * fibers can run between the fork and the assignment.
   */
  private sleepingUntil = Infinity

  constructor(private readonly clock: Clock.Clock) {}

  private readonly run: Effect.Effect<void> = Effect.gen(this, function* () {
    for (let next = this.nextDue(); next !== Infinity; next = this.nextDue()) {
      const wait = next - monotonic.read(this.clock)
      this.sleepingUntil = next
      if (wait > 0) yield* Effect.sleep(Math.min(wait, maxSleepMillis))
      else this.fireDue(next)
    }
    this.sleepingUntil = Infinity
  })

  add(at: number, fire: Callback): Effect.Effect<void> {
    const callbacks = SortedMap.get(this.due, at)
    if (Option.isSome(callbacks)) {
      callbacks.value.add(fire)
    } else {
      this.due = SortedMap.set(this.due, at, new Set([fire]))
    }
    if (this.sleepingUntil <= at) return Effect.void
    this.stop()
    this.sleepingUntil = at
    return Effect.map(Effect.forkDaemon(Effect.interruptible(this.run)), (fiber) => {
      this.fiber = fiber
    })
  }

  remove(at: number, fire: Callback): void {
    const callbacks = SortedMap.get(this.due, at)
    if (Option.isNone(callbacks) || !callbacks.value.delete(fire) || callbacks.value.size > 0) return
    this.due = SortedMap.remove(this.due, at)
    if (SortedMap.size(this.due) === 0) this.stop()
  }

  private nextDue(): number {
    return Option.match(SortedMap.headOption(this.due), { onNone: () => Infinity, onSome: ([at]) => at })
  }

  private fireDue(at: number): void {
    const callbacks = Option.getOrElse(SortedMap.get(this.due, at), () => new Set<Callback>())
    this.due = SortedMap.remove(this.due, at)
    for (const fire of callbacks) fire()
  }

  private stop(): void {
    this.fiber?.unsafeInterruptAsFork(this.fiber.id())
    this.fiber = undefined
    this.sleepingUntil = Infinity
  }
}

/** @internal Timer for all waits of one client. */
export class SharedTimer {
  // Fibers can have different clocks, for example in two tests.
  private readonly timers = new WeakMap<Clock.Clock, ClockTimer>()

  /** Waits for the given number of milliseconds. */
  sleep(millis: number): Effect.Effect<void> {
    return Effect.flatMap(monotonic.now, (now) =>
      this.wait<void, never>(
        now + millis,
        () => Effect.void,
        () => () => {}
      )
    )
  }

  /**
   * Waits until `at` and then runs `onFire`. `at` is in monotonic milliseconds and can be `Infinity`. `listen` can
   * resume the wait earlier. `listen` returns a function that removes the listener.
   */
  wait<A, E>(
    at: number,
    onFire: () => Effect.Effect<A, E>,
    listen: (resume: (end: Effect.Effect<A, E>) => void) => () => void
  ): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.clockWith((clock) => {
        // `NaN` has no order in the sorted map, and the timer would loop without a sleep.
        if (Number.isNaN(at)) return Effect.dieMessage("A timer was set to NaN")
        const timer = this.timerOf(clock)
        let hasFired = false
        let onFired = (): void => {}
        const fire = (): void => {
          hasFired = true
          onFired()
        }
        let stop = (): void => {}
        const first = Effect.async<A, E>((resume) => {
          onFired = () => resume(Effect.suspend(onFire))
          stop = listen(resume)
          if (hasFired) onFired()
        })
        return Effect.zipRight(
          timer.add(at, fire),
          Effect.onExit(restore(first), () =>
            Effect.sync(() => {
              timer.remove(at, fire)
              stop()
            })
          )
        )
      })
    )
  }

  private timerOf(clock: Clock.Clock): ClockTimer {
    const timer = this.timers.get(clock) ?? new ClockTimer(clock)
    this.timers.set(clock, timer)
    return timer
  }
}
