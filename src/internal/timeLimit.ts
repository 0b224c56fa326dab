/**
 * The time limit of attempts. `Effect.timeoutFail` would cost more than all else that a call does: two fibers and a race. As
 * all attempts of a client have the same limit, the one that began first is due first, and one timer serves them all.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

interface Deadline {
  readonly at: number
  readonly expire: () => void
}

/** Sleeps until the next deadline while there is any; gone when there is none, so that it keeps nothing alive. */
class Timer {
  /** In the order in which they are due. */
  private readonly deadlines = new Set<Deadline>()
  private fiber: Fiber.RuntimeFiber<void> | undefined

  private readonly watch: Effect.Effect<void> = Effect.gen(this, function* () {
    for (const deadline of this.deadlines) {
      const wait = deadline.at - (yield* Effect.clock).unsafeCurrentTimeMillis()
      if (wait > 0) yield* Effect.sleep(wait)
      // It may have been met meanwhile.
      if (this.deadlines.delete(deadline)) deadline.expire()
    }
    this.fiber = undefined
  })

  add(deadline: Deadline): Effect.Effect<void> {
    this.deadlines.add(deadline)
    if (this.fiber !== undefined) return Effect.void
    return Effect.map(Effect.forkDaemon(Effect.interruptible(this.watch)), (fiber) => {
      this.fiber = fiber
    })
  }

  remove(deadline: Deadline): void {
    this.deadlines.delete(deadline)
    if (this.deadlines.size > 0 || this.fiber === undefined) return
    this.fiber.unsafeInterruptAsFork(this.fiber.id())
    this.fiber = undefined
  }
}

/** @internal Ends only when the attempt has: nothing of it runs on behind the caller's back. */
export type TimeLimit = <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) => Effect.Effect<A, E>

/** @internal One per client. */
export const make = (limit: Duration.Duration): TimeLimit => {
  const millis = Duration.toMillis(limit)
  // Fibers can differ in their clock, as those of a test do from those of another.
  const timers = new WeakMap<Clock.Clock, Timer>()
  const timerOf = (clock: Clock.Clock): Timer => {
    const timer = timers.get(clock) ?? new Timer()
    timers.set(clock, timer)
    return timer
  }

  return <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) =>
    Effect.uninterruptibleMask((restore) =>
      // As an `Exit`, since a fiber that fails with nobody joined to it is logged. A daemon, since it ends here anyway.
      Effect.flatMap(Effect.forkDaemon(Effect.exit(restore(attempt))), (running) =>
        Effect.clockWith((clock) => {
          const timer = timerOf(clock)
          let expire = (): void => {}
          const deadline = { at: clock.unsafeCurrentTimeMillis() + millis, expire: () => expire() }
          const first = Effect.async<A, E>((resume) => {
            running.addObserver((exit) => resume(Exit.flatten(exit)))
            expire = () => resume(Effect.failSync(onTimeout))
          })
          return Effect.zipRight(
            timer.add(deadline),
            Effect.onExit(restore(first), () => {
              timer.remove(deadline)
              return running.unsafePoll() === null ? Fiber.interrupt(running) : Effect.void
            })
          )
        })
      )
    )
}
