/**
 * Shares polls between the fibers of a client that wait for the same execution. Only one of them polls at a time, and all of
 * them receive its response. Notifications reach all of them, too.
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
import { EarlyNotifications } from "./earlyNotifications.js"
import type { Observation } from "./observation.js"

/** The waits for one execution. */
interface WaitGroup {
  waitCount: number
  lastPoll: Observation | undefined
  runningPoll: Deferred.Deferred<Observation, RequestFailure> | undefined
  lastNotification: Observation | undefined
  readonly listeners: Set<(update: Observation) => void>
}

/** @internal One per client. */
export class SharedPolls {
  private readonly groups = new Map<ExecutionId, WaitGroup>()
  private readonly earlyNotifications = new EarlyNotifications()

  /** Joins the waits for an execution until the scope is closed. */
  subscribe(id: ExecutionId): Effect.Effect<Subscription, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        const group = this.groups.get(id) ?? this.addGroup(id)
        group.waitCount += 1
        return group
      }),
      (group) =>
        Effect.sync(() => {
          group.waitCount -= 1
          if (group.waitCount === 0) this.groups.delete(id)
        })
    ).pipe(
      Effect.map((group) => ({
        poll: (request, since) => pollOnce(group, request, since),
        latestUpdate: (isUpdate) => {
          const { lastNotification } = group
          return lastNotification !== undefined && isUpdate(lastNotification) ? lastNotification : undefined
        },
        listen: (isUpdate, onUpdate) => listen(group, isUpdate, onUpdate)
      }))
    )
  }

  /**
   * Passes a notification to all waits for its execution, and returns whether there is one. A notification without a wait is
   * kept for the next wait.
   */
  notify(notification: Observation): boolean {
    const group = this.groups.get(notification.execution.id)
    if (group === undefined) {
      this.earlyNotifications.add(notification)
      return false
    }
    // Events arrive in any order, and a terminal status never changes again.
    if (group.lastNotification === undefined || !isTerminal(group.lastNotification.execution)) {
      group.lastNotification = notification
      for (const listener of group.listeners) listener(notification)
    }
    return true
  }

  /** The number of waits that listen for notifications now. */
  get listenerCount(): number {
    let count = 0
    for (const { listeners } of this.groups.values()) count += listeners.size
    return count
  }

  private addGroup(id: ExecutionId): WaitGroup {
    const group: WaitGroup = {
      waitCount: 0,
      lastPoll: undefined,
      runningPoll: undefined,
      lastNotification: this.earlyNotifications.take(id),
      listeners: new Set()
    }
    this.groups.set(id, group)
    return group
  }
}

/** @internal The access of one wait to the other waits for its execution. */
export interface Subscription {
  /**
   * Returns the last poll if it is newer than `since` (monotonic milliseconds). Otherwise joins the running poll, or runs
   * `request`.
   */
  readonly poll: (
    request: Effect.Effect<Observation, RequestFailure>,
    since: number
  ) => Effect.Effect<Observation, RequestFailure>
  /** Returns the last notification if it is an update for this wait. */
  readonly latestUpdate: (isUpdate: (notification: Observation) => boolean) => Observation | undefined
  /**
   * Calls `onUpdate` once: with the last notification or with a later one, whichever is an update for this wait first. Returns
   * a function that stops listening.
   */
  readonly listen: (
    isUpdate: (notification: Observation) => boolean,
    onUpdate: (update: Observation) => void
  ) => () => void
}

const listen = (
  group: WaitGroup,
  isUpdate: (notification: Observation) => boolean,
  onUpdate: (update: Observation) => void
): (() => void) => {
  const listener = (notification: Observation) => {
    if (!isUpdate(notification)) return
    group.listeners.delete(listener)
    onUpdate(notification)
  }
  group.listeners.add(listener)
  // A notification may have arrived since the wait last read it.
  if (group.lastNotification !== undefined) listener(group.lastNotification)
  return () => void group.listeners.delete(listener)
}

const pollOnce = (
  group: WaitGroup,
  request: Effect.Effect<Observation, RequestFailure>,
  since: number
): Effect.Effect<Observation, RequestFailure> =>
  Effect.suspend(() => {
    const { lastPoll, runningPoll } = group
    if (lastPoll !== undefined && lastPoll.observedAt > since) return Effect.succeed(lastPoll)
    if (runningPoll === undefined) return startPoll(group, request)
    // A permanent failure, a 429 or an interruption ends only the wait that has started the poll.
    return Effect.flatMap(Effect.exit(Deferred.await(runningPoll)), (exit) =>
      Exit.isSuccess(exit) || isTransientFailure(exit) ? exit : pollOnce(group, request, since)
    )
  })

const isTransientFailure = (exit: Exit.Exit<Observation, RequestFailure>): boolean =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" && isTransientFault(exit.cause.error)

const startPoll = (
  group: WaitGroup,
  request: Effect.Effect<Observation, RequestFailure>
): Effect.Effect<Observation, RequestFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Deferred.make<Observation, RequestFailure>(), (runningPoll) => {
      group.runningPoll = runningPoll
      return Effect.onExit(restore(request), (exit) => {
        group.runningPoll = undefined
        if (Exit.isSuccess(exit)) group.lastPoll = exit.value
        return Deferred.done(runningPoll, exit)
      })
    })
  )
