/**
 * Provides one timer for many waits. A client can have a hundred thousand concurrent waits for attempts and executions.
 * A sleeping fiber for each wait would use kilobytes of memory.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as monotonic from "../data/monotonic.js"
import { TimerQueue } from "../data/timerQueue.js"
import { type AnyFiber, awaitCallback } from "./awaitCallback.js"
import { startFiber } from "./childFiber.js"

/**
 * Maximum duration of a sleep. JavaScript timers are limited to 31 bits of milliseconds, and Effect never ends a longer
 * sleep.
 *
 * @internal
 */
export const maxSleepMillis = 3_600_000

/** Number of microtasks before an unused fiber ends. The next call of a sequence starts within fewer microtasks. */
const idleMicrotasks = 32

/**
 * The timers of one clock. One fiber sleeps until the next timer is due. The fiber ends when no timer is left, because
 * a sleeping fiber keeps the process alive. The fiber first waits a few microtasks, because the next call of a sequence
 * can reuse the fiber.
 */
class ClockTimer {
  private readonly queue = new TimerQueue()
  private fiber: Fiber.RuntimeFiber<void> | undefined
  /** End of the current sleep, or `Infinity` if no fiber is sleeping. */
  private sleepingUntil = Infinity
  private isEnding = false

  constructor(private readonly clock: Clock.Clock) {}

  private readonly run: Effect.Effect<void> = Effect.suspend(() => {
    const next = this.fireDue()
    this.sleepingUntil = next ?? Infinity
    if (next === undefined) return Effect.void
    const millis = Math.min(next - monotonic.read(this.clock), maxSleepMillis)
    return Effect.flatMap(Effect.sleep(millis), () => this.run)
  })

  /** Fires the timers that are due. Returns the time of the next timer in monotonic milliseconds. */
  private fireDue(): number | undefined {
    const now = monotonic.read(this.clock)
    for (let { first } = this.queue; first !== undefined; { first } = this.queue) {
      if (first.at > now) return first.at
      this.queue.remove(first)
      first.fire()
    }
    return undefined
  }

  /** Adds a timer. Returns a function that removes the timer. */
  add(parent: AnyFiber, at: number, fire: () => void): () => void {
    const timer = this.queue.add(at, fire)
    if (at < this.sleepingUntil) {
      this.stop()
      this.sleepingUntil = at
      // An immediate start could call `fire` before `add` returns.
      this.fiber = startFiber(parent, this.run, { immediate: false })
    }
    return () => {
      this.queue.remove(timer)
      if (this.queue.size > 0 || this.isEnding) return
      this.isEnding = true
      this.endWhenIdle(idleMicrotasks)
    }
  }

  private endWhenIdle(microtasks: number): void {
    if (this.queue.size === 0 && microtasks > 0) {
      queueMicrotask(() => this.endWhenIdle(microtasks - 1))
    } else {
      this.isEnding = false
      if (this.queue.size === 0) this.stop()
    }
  }

  private stop(): void {
    this.fiber?.unsafeInterruptAsFork(this.fiber.id())
    this.fiber = undefined
    this.sleepingUntil = Infinity
  }
}

/** @internal The timer for all waits of one client. */
export class SharedTimer {
  // Fibers can have different clocks, for example in two tests.
  private readonly timers = new WeakMap<Clock.Clock, ClockTimer>()

  /**
   * Calls `fire` at `at` on the clock of `fiber`. `at` is in monotonic milliseconds and can be `Infinity`. Returns a
   * function that cancels the timer. Never calls `fire` synchronously.
   */
  schedule(fiber: AnyFiber, at: number, fire: () => void): () => void {
    // `NaN` has no order in the queue, and the timer would loop without a sleep.
    if (Number.isNaN(at)) throw new Error("A timer was set to NaN")
    if (at === Infinity) return () => {}
    const clock = monotonic.clockOf(fiber)
    let timer = this.timers.get(clock)
    if (timer === undefined) {
      timer = new ClockTimer(clock)
      this.timers.set(clock, timer)
    }
    return timer.add(fiber, at, fire)
  }

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
    return awaitCallback((resume, fiber) => {
      let stop = (): void => {}
      const cancel = this.schedule(fiber, at, () => {
        stop()
        resume(Effect.suspend(onFire))
      })
      stop = listen((end) => {
        cancel()
        stop()
        resume(end)
      })
      return Effect.sync(() => {
        cancel()
        stop()
      })
    })
  }
}
