/**
 * Shares polls between the fibers of a client that wait for the same execution. Only one fiber polls at a time, and all
 * fibers receive the response. All fibers also receive each notification.
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

/** The group of all waits for one execution. */
interface WaitGroup {
  waitCount: number
  lastPoll: Observation | undefined
  runningPoll: Deferred.Deferred<Observation, RequestFailure> | undefined
  lastNotification: Observation | undefined
  readonly listeners: Set<(update: Observation) => void>
}

/** @internal Groups the waits of one client by execution. */
export class SharedPolls {
  private readonly groups = new Map<ExecutionId, WaitGroup>()
  private readonly earlyNotifications = new EarlyNotifications()

  /** Adds a wait for an execution. Removes the wait when the scope is closed. */
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
   * Delivers a notification to all waits for its execution. If there is no wait, keeps the notification for the next
   * wait and returns `false`.
   */
  notify(notification: Observation): boolean {
    const group = this.groups.get(notification.execution.id)
    if (group === undefined) {
      this.earlyNotifications.add(notification)
      return false
    }
    // Notifications can arrive in any order, and a terminal status never changes.
    if (group.lastNotification === undefined || !isTerminal(group.lastNotification.execution)) {
      group.lastNotification = notification
      for (const listener of group.listeners) listener(notification)
    }
    return true
  }

  /** Returns the number of waits that listen for notifications. */
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

/** @internal Connects a wait to the polls and notifications of its execution. */
export interface Subscription {
  /**
   * Returns the response of the last poll if it is newer than `since`, in monotonic milliseconds. Otherwise joins the
   * running poll or runs `request`.
   */
  readonly poll: (
    request: Effect.Effect<Observation, RequestFailure>,
    since: number
  ) => Effect.Effect<Observation, RequestFailure>
  /** Returns the last notification, or `undefined` if `isUpdate` rejects the notification. */
  readonly latestUpdate: (isUpdate: (notification: Observation) => boolean) => Observation | undefined
  /**
   * Calls `onUpdate` once, with the first notification that `isUpdate` accepts. Checks the last notification first.
   * Returns a function that removes the listener.
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
  // A notification may have arrived since the last call of `latestUpdate`.
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
    // A permanent failure, a 429 or an interruption ends only the wait that started the poll.
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
