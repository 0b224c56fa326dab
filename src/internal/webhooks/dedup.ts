/**
 * Each event once: what is being handled now, over a memory of what has been handled.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"

/** @internal What has been handled with success. */
export interface Handled {
  /** Before an event is handled: how to remember it afterwards, or `undefined` when it has been handled. */
  readonly open: (id: string) => Effect.Effect<Effect.Effect<void, PlatformError> | undefined, PlatformError>
}

/** @internal */
export interface Once<Id extends string> {
  /** `true`: handled now. `false`: it had been handled. */
  readonly once: <E, R>(id: Id, handle: Effect.Effect<void, E, R>) => Effect.Effect<boolean, E | PlatformError, R>
}

/** @internal */
export const make = (handled: Handled): Once<string> => {
  /** Each says, when it has ended, whether the event is dealt with. */
  const running = new Map<string, Deferred.Deferred<boolean>>()

  const once = <E, R>(id: string, handle: Effect.Effect<void, E, R>): Effect.Effect<boolean, E | PlatformError, R> =>
    Effect.uninterruptibleMask((restore) => {
      const other = running.get(id)
      if (other !== undefined) {
        return Effect.flatMap(restore(Deferred.await(other)), (dealtWith) =>
          dealtWith ? Effect.succeed(false) : restore(once(id, handle))
        )
      }
      const end = Deferred.unsafeMake<boolean>(FiberId.none)
      running.set(id, end)
      return restore(handled.open(id)).pipe(
        // What has been handled is remembered whatever happens meanwhile.
        Effect.flatMap((remember) =>
          remember === undefined ? Effect.succeed(false) : Effect.as(Effect.zipRight(restore(handle), remember), true)
        ),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            running.delete(id)
            Deferred.unsafeDone(end, Effect.succeed(Exit.isSuccess(exit)))
          })
        )
      )
    })

  return { once }
}
