/**
 * Implements `Dedup`, which handles each event once. `make` tracks the events that are being handled. `HandledEvents`
 * records the events that have been handled.
 *
 * @internal
 */
import type { PlatformError } from "@effect/platform/Error"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import { isolatesRequests } from "../http/runtime.js"
import type { DedupService } from "./dedupService.js"

/** @internal Record of the events that have been handled successfully. */
export interface HandledEvents {
  /**
   * Returns `undefined` if an event has already been handled. Otherwise, returns an effect that records the event. The
   * caller runs the returned effect after the handler has succeeded.
   */
  readonly start: (id: string) => Effect.Effect<Effect.Effect<void, PlatformError> | undefined, PlatformError>
}

const recheckMillis = 100

/** Waits for the end of another delivery. On Cloudflare Workers, only a timer of the same request can resume a request. */
const awaitOther = (other: Deferred.Deferred<boolean>): Effect.Effect<boolean> =>
  Effect.suspend(() =>
    isolatesRequests()
      ? Effect.repeat(Effect.sleep(recheckMillis), { until: () => Deferred.isDone(other) }).pipe(
          Effect.zipRight(Deferred.await(other))
        )
      : Deferred.await(other)
  )

/** @internal */
export const make = (handledEvents: HandledEvents): DedupService => {
  /**
   * Events that are being handled, by event id. The value of an event completes with `true` after its handler has
   * succeeded, and with `false` after a failure.
   */
  const running = new Map<string, Deferred.Deferred<boolean>>()

  const handleOnce = <E, R>(
    id: string,
    handle: Effect.Effect<void, E, R>
  ): Effect.Effect<boolean, E | PlatformError, R> =>
    Effect.uninterruptibleMask((restore) => {
      const other = running.get(id)
      if (other !== undefined) {
        return Effect.flatMap(restore(awaitOther(other)), (isHandled) =>
          isHandled ? Effect.succeed(false) : restore(handleOnce(id, handle))
        )
      }
      const done = Deferred.unsafeMake<boolean>(FiberId.none)
      running.set(id, done)
      return restore(handledEvents.start(id)).pipe(
        Effect.flatMap((record) =>
          // `record` is uninterruptible, because every event must be recorded after its handler has succeeded.
          record === undefined ? Effect.succeed(false) : Effect.as(Effect.zipRight(restore(handle), record), true)
        ),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            running.delete(id)
            Deferred.unsafeDone(done, Effect.succeed(Exit.isSuccess(exit)))
          })
        )
      )
    })

  return { handleOnce }
}
