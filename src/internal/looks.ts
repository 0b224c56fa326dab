/**
 * The looks at executions that are waited for: of all fibers of a client that wait for the same one, only one looks at a time,
 * and what it sees is for all.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { ExecutionId } from "../Execution.js"
import type { RequestFailure } from "../ModelRouteError.js"
import type { Sighting } from "./waiting.js"

interface Watched {
  watchers: number
  last: Sighting | undefined
  looking: Deferred.Deferred<Sighting, RequestFailure> | undefined
}

/** @internal One per client. */
export class Looks {
  private readonly watched = new Map<ExecutionId, Watched>()

  /** As long as the scope is open, looks at this execution are shared with whoever else waits for it. */
  share(id: ExecutionId): Effect.Effect<SharedLook, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        const watched = this.watched.get(id) ?? { watchers: 0, last: undefined, looking: undefined }
        this.watched.set(id, watched)
        watched.watchers += 1
        return watched
      }),
      (watched) =>
        Effect.sync(() => {
          watched.watchers -= 1
          if (watched.watchers === 0) this.watched.delete(id)
        })
    ).pipe(Effect.map((watched) => (look, since) => sharedLook(watched, look, since)))
  }
}

/**
 * What another has seen after `since` (epoch milliseconds), what another is about to see, or else a look of one's own.
 *
 * @internal
 */
export type SharedLook = (
  look: Effect.Effect<Sighting, RequestFailure>,
  since: number
) => Effect.Effect<Sighting, RequestFailure>

const sharedLook = (
  watched: Watched,
  look: Effect.Effect<Sighting, RequestFailure>,
  since: number
): Effect.Effect<Sighting, RequestFailure> =>
  Effect.suspend(() => {
    if (watched.last !== undefined && watched.last.seenAt > since) return Effect.succeed(watched.last)
    const { looking } = watched
    if (looking === undefined) return ownLook(watched, look)
    // What will not pass, and an interruption, are the other's own affair.
    return Effect.flatMap(Effect.exit(Deferred.await(looking)), (exit) =>
      Exit.isSuccess(exit) || isPassing(exit) ? exit : Effect.suspend(() => sharedLook(watched, look, since))
    )
  })

const isPassing = (exit: Exit.Exit<Sighting, RequestFailure>): boolean =>
  Exit.isFailure(exit) &&
  exit.cause._tag === "Fail" &&
  exit.cause.error.retryable &&
  exit.cause.error._tag !== "RateLimited"

const ownLook = (
  watched: Watched,
  look: Effect.Effect<Sighting, RequestFailure>
): Effect.Effect<Sighting, RequestFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Deferred.make<Sighting, RequestFailure>(), (looking) => {
      watched.looking = looking
      return Effect.onExit(restore(look), (exit) => {
        watched.looking = undefined
        if (Exit.isSuccess(exit)) watched.last = exit.value
        return Deferred.done(looking, exit)
      })
    })
  )
