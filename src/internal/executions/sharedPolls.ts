/**
 * What the fibers of a client that wait for executions know together: of all that wait for the same one, only one looks at a time,
 * and what it sees, or a webhook tells, is for all.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { type ExecutionId, isTerminal } from "../../Execution.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { isTransientFault } from "../errors/semantics.js"
import { Unclaimed } from "./earlyNotifications.js"
import type { Sighting } from "./pollState.js"

interface Watched {
  watchers: number
  last: Sighting | undefined
  looking: Deferred.Deferred<Sighting, RequestFailure> | undefined
  /** What was told without a look. */
  told: Sighting | undefined
  readonly listeners: Set<(sighting: Sighting) => void>
}

/** @internal One per client. */
export class Looks {
  private readonly watched = new Map<ExecutionId, Watched>()
  private readonly unclaimed = new Unclaimed()

  /** As long as the scope is open, what is learnt of this execution is shared with whoever else waits for it. */
  share(id: ExecutionId): Effect.Effect<Shared, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        const watched = this.watched.get(id) ?? this.begin(id)
        watched.watchers += 1
        return watched
      }),
      (watched) =>
        Effect.sync(() => {
          watched.watchers -= 1
          if (watched.watchers === 0) this.watched.delete(id)
        })
    ).pipe(
      Effect.map((watched) => ({
        look: (look, since) => sharedLook(watched, look, since),
        toldBefore: (isNews) => (watched.told !== undefined && isNews(watched.told) ? watched.told : undefined),
        listen: (isNews, wake) => listen(watched, isNews, wake)
      }))
    )
  }

  /** An execution as a webhook has told of it; whoever waits for it, or begins to, hears of it. False: nobody does now. */
  tell(sighting: Sighting): boolean {
    const watched = this.watched.get(sighting.execution.id)
    if (watched === undefined) {
      this.unclaimed.keep(sighting)
      return false
    }
    // Events come in any order, and what has ended stays so.
    if (watched.told === undefined || !isTerminal(watched.told.execution)) {
      watched.told = sighting
      for (const listener of watched.listeners) listener(sighting)
    }
    return true
  }

  /** How many waiters listen now. */
  get listening(): number {
    let count = 0
    for (const { listeners } of this.watched.values()) count += listeners.size
    return count
  }

  private begin(id: ExecutionId): Watched {
    const told = this.unclaimed.take(id)
    const watched: Watched = { watchers: 0, last: undefined, looking: undefined, told, listeners: new Set() }
    this.watched.set(id, watched)
    return watched
  }
}

/** @internal What one waiter has of the others. */
export interface Shared {
  /** What another has seen after `since` (epoch milliseconds), what another is about to see, or else a look of one's own. */
  readonly look: (
    look: Effect.Effect<Sighting, RequestFailure>,
    since: number
  ) => Effect.Effect<Sighting, RequestFailure>
  /** What a webhook has told and is news to this waiter. */
  readonly toldBefore: (isNews: (sighting: Sighting) => boolean) => Sighting | undefined
  /** Hears, once, of what a webhook tells or has told and is news to this waiter, unless it stops listening before. */
  readonly listen: (isNews: (sighting: Sighting) => boolean, wake: (news: Sighting) => void) => () => void
}

const listen = (watched: Watched, isNews: (sighting: Sighting) => boolean, wake: (news: Sighting) => void) => {
  const listener = (sighting: Sighting) => {
    if (!isNews(sighting)) return
    watched.listeners.delete(listener)
    wake(sighting)
  }
  watched.listeners.add(listener)
  // It may have been told since the waiter last asked.
  if (watched.told !== undefined) listener(watched.told)
  return () => void watched.listeners.delete(listener)
}

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
  Exit.isFailure(exit) && exit.cause._tag === "Fail" && isTransientFault(exit.cause.error)

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
