/**
 * Provides one timer for all waits of a client. A client can have a hundred thousand concurrent waits for attempts and
 * executions. A separate sleeping fiber for each wait would use kilobytes of memory per wait.
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
import { isolatesRequests } from "./runtime.js"

/**
 * The maximum duration of one sleep, 1 hour. JavaScript timers are limited to 31 bits of milliseconds, and a longer
 * `Effect.sleep` never ends.
 *
 * @internal
 */
export const maxSleepMillis = 3_600_000

/**
 * The number of microtasks before a fiber without timers ends. In a sequence of calls, the next call adds its timer
 * within fewer microtasks and reuses the fiber.
 */
const idleMicrotasks = 32

/**
 * The timers of one clock. One fiber sleeps until the next timer is due. A sleeping fiber keeps the process alive, so
 * the fiber ends when no timer is left. The fiber ends a few microtasks later, because the next call of a sequence can
 * reuse the fiber.
 */
class ClockTimer {
  private readonly queue = new TimerQueue()
  private fiber: Fiber.RuntimeFiber<void> | undefined
  /** The end of the current sleep in monotonic milliseconds, or `Infinity` if no fiber is sleeping. */
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

  /**
   * Fires the timers that are due. Returns the time of the next timer in monotonic milliseconds, or `undefined` if no
   * timer is left.
   */
  private fireDue(): number | undefined {
    const now = monotonic.read(this.clock)
    for (let { first } = this.queue; first !== undefined; { first } = this.queue) {
      if (first.at > now) return first.at
      this.queue.remove(first)
      first.fire()
    }
    return undefined
  }

  /** Adds a timer that calls `fire` at the monotonic time `at`. Returns a function that removes the timer. */
  add(parent: AnyFiber, at: number, fire: () => void): () => void {
    const timer = this.queue.add(at, fire)
    if (at < this.sleepingUntil) {
      this.stop()
      this.sleepingUntil = at
      // The fiber does not start immediately, because the fiber could then call `fire` before `add` returns.
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

/** Starts a timer in the request of `parent`. Returns a function that cancels the timer. */
const startTimer = (parent: AnyFiber, clock: Clock.Clock, at: number, fire: () => void): (() => void) => {
  const sleep: Effect.Effect<void> = Effect.suspend(() => {
    const millis = at - monotonic.read(clock)
    return millis > maxSleepMillis
      ? Effect.zipRight(Effect.sleep(maxSleepMillis), sleep)
      : Effect.sleep(Math.max(0, millis))
  })
  const fiber = startFiber(parent, Effect.zipRight(sleep, Effect.sync(fire)), { immediate: false })
  return () => fiber.unsafeInterruptAsFork(fiber.id())
}

/** @internal The timer for all waits of one client. On Cloudflare Workers, each wait has its own timer. */
export class SharedTimer {
  // Each clock has its own timers, because fibers of the same client can have different clocks, for example in tests.
  private readonly timers = new WeakMap<Clock.Clock, ClockTimer>()

  /**
   * Sets a timer that calls `fire` at the time `at` on the clock of `fiber`. `at` is in monotonic milliseconds. If `at`
   * is `Infinity`, `fire` is never called. Returns a function that cancels the timer. `fire` is never called before
   * `schedule` returns.
   */
  schedule(fiber: AnyFiber, at: number, fire: () => void): () => void {
    // The queue cannot order `NaN`, and the fiber would run in an endless loop without a sleep.
    if (Number.isNaN(at)) throw new Error("A timer was set to NaN")
    if (at === Infinity) return () => {}
    const clock = monotonic.clockOf(fiber)
    if (isolatesRequests()) return startTimer(fiber, clock, at, fire)
    let timer = this.timers.get(clock)
    if (timer === undefined) {
      timer = new ClockTimer(clock)
      this.timers.set(clock, timer)
    }
    return timer.add(fiber, at, fire)
  }

  /** Waits for `millis` milliseconds. */
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
   * Waits until `at`, in monotonic milliseconds, and then returns the result of `onFire`. `at` can be `Infinity`.
   * `listen` registers a listener that can end the wait earlier with another result. `listen` returns a function that
   * removes the listener.
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
