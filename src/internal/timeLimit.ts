/**
 * The time limit of attempts. `Effect.timeoutFail` would cost more than all else that a call does: two fibers and a race.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Alarm } from "./alarm.js"

/** @internal Ends only when the attempt has: nothing of it runs on behind the caller's back. */
export type TimeLimit = <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) => Effect.Effect<A, E>

/** @internal One per client. */
export const make =
  (alarm: Alarm, limit: Duration.Duration): TimeLimit =>
  <A, E>(attempt: Effect.Effect<A, E>, onTimeout: () => E) =>
    Effect.uninterruptibleMask((restore) =>
      // As an `Exit`, since a fiber that fails with nobody joined to it is logged. A daemon, since it ends here anyway.
      Effect.flatMap(Effect.forkDaemon(Effect.exit(restore(attempt))), (running) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.onExit(
            restore(
              alarm.wait<A, E>(
                now + Duration.toMillis(limit),
                () => Effect.failSync(onTimeout),
                (resume) => {
                  const observer = (exit: Exit.Exit<Exit.Exit<A, E>>) => resume(Exit.flatten(exit))
                  running.addObserver(observer)
                  return () => running.removeObserver(observer)
                }
              )
            ),
            () => (running.unsafePoll() === null ? Fiber.interrupt(running) : Effect.void)
          )
        )
      )
    )
