/**
 * One timer for very many waits: a fiber that does nothing but sleep takes kilobytes, and a client may have a hundred thousand
 * attempts and executions to wait for.
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

/** @internal JavaScript's timers hold 31 bits of milliseconds, and Effect never ends a longer sleep. */
export const longestSleepMillis = 3_600_000

/** Sleeps until the next moment that somebody waits for; gone when there is none, so that it keeps nothing alive. */
class ClockTimer {
  private due = SortedMap.empty<number, Set<Callback>>(Order.number)
  private fiber: Fiber.RuntimeFiber<void> | undefined
  /** Infinity when no fiber is at it: known before the fiber is, since between its fork and its name other fibers can run. */
  private sleepsUntil = Infinity

  constructor(private readonly clock: Clock.Clock) {}

  private readonly watch: Effect.Effect<void> = Effect.gen(this, function* () {
    for (let next = this.next(); next !== Infinity; next = this.next()) {
      const wait = next - monotonic.read(this.clock)
      this.sleepsUntil = next
      if (wait > 0) yield* Effect.sleep(Math.min(wait, longestSleepMillis))
      else this.fireDue(next)
    }
    this.sleepsUntil = Infinity
  })

  add(at: number, ring: Callback): Effect.Effect<void> {
    const rings = SortedMap.get(this.due, at)
    if (Option.isSome(rings)) {
      rings.value.add(ring)
    } else {
      this.due = SortedMap.set(this.due, at, new Set([ring]))
    }
    if (this.sleepsUntil <= at) return Effect.void
    this.stop()
    this.sleepsUntil = at
    return Effect.map(Effect.forkDaemon(Effect.interruptible(this.watch)), (fiber) => {
      this.fiber = fiber
    })
  }

  remove(at: number, ring: Callback): void {
    const rings = SortedMap.get(this.due, at)
    if (Option.isNone(rings) || !rings.value.delete(ring) || rings.value.size > 0) return
    this.due = SortedMap.remove(this.due, at)
    if (SortedMap.size(this.due) === 0) this.stop()
  }

  private next(): number {
    return Option.match(SortedMap.headOption(this.due), { onNone: () => Infinity, onSome: ([at]) => at })
  }

  private fireDue(at: number): void {
    const rings = Option.getOrElse(SortedMap.get(this.due, at), () => new Set<Callback>())
    this.due = SortedMap.remove(this.due, at)
    for (const ring of rings) ring()
  }

  private stop(): void {
    this.fiber?.unsafeInterruptAsFork(this.fiber.id())
    this.fiber = undefined
    this.sleepsUntil = Infinity
  }
}

/** @internal One per client. */
export class SharedTimer {
  // Fibers can differ in their clock, as those of a test do from those of another.
  private readonly timers = new WeakMap<Clock.Clock, ClockTimer>()

  /** Waits for so many milliseconds. */
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
   * Waits until `at` (monotonic milliseconds, at most infinity) and continues with `onRing`, unless `listen` resumes it before.
   * `listen` returns a function that stops listening.
   */
  wait<A, E>(
    at: number,
    onRing: () => Effect.Effect<A, E>,
    listen: (resume: (end: Effect.Effect<A, E>) => void) => () => void
  ): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.clockWith((clock) => {
        // A NaN would be sorted nowhere, and the timer would spin.
        if (Number.isNaN(at)) return Effect.dieMessage("A timer was set to NaN")
        const timer = this.timerOf(clock)
        let rung = false
        let onRung = (): void => {}
        const ring = (): void => {
          rung = true
          onRung()
        }
        let stop = (): void => {}
        const first = Effect.async<A, E>((resume) => {
          onRung = () => resume(Effect.suspend(onRing))
          stop = listen(resume)
          if (rung) onRung()
        })
        return Effect.zipRight(
          timer.add(at, ring),
          Effect.onExit(restore(first), () =>
            Effect.sync(() => {
              timer.remove(at, ring)
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
