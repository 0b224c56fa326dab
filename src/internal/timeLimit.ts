/**
 * A time limit for one attempt, cheaper than `Effect.timeoutFail`: two fibers and no race between them.
 *
 * @internal
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** @internal Ends only when the attempt has: nothing of it runs on behind the caller's back. */
export const timeLimit = <A, E>(
  attempt: Effect.Effect<A, E>,
  limit: Duration.Duration,
  onTimeout: () => E
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    // As an `Exit`, since a fiber that fails with nobody joined to it is logged. Daemons, since both end here anyway.
    Effect.flatMap(Effect.forkDaemon(Effect.exit(restore(attempt))), (running) =>
      Effect.flatMap(Effect.forkDaemon(Effect.interruptible(Effect.sleep(limit))), (timer) => {
        const first = Effect.async<A, E>((resume) => {
          running.addObserver((exit) => resume(Exit.flatten(exit)))
          timer.addObserver((exit) => {
            if (Exit.isSuccess(exit)) resume(Effect.failSync(onTimeout))
          })
        })
        return Effect.onExit(restore(first), () => {
          timer.unsafeInterruptAsFork(timer.id())
          return running.unsafePoll() === null ? Fiber.interrupt(running) : Effect.void
        })
      })
    )
  )
