/**
 * Shares polls between all waits of a client for the same execution. Only one wait polls at a time, and its response
 * also reaches the other waits. Each notification reaches all waits for its execution.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type ExecutionId, isTerminal } from "../../Execution.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { isTransientFault } from "../errors/semantics.js"
import { isolatesRequests } from "../http/runtime.js"
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

  /** Adds a wait for an execution. At the end of the wait, the caller calls `leave` of the returned subscription. */
  join(id: ExecutionId): Subscription {
    const group = this.groups.get(id) ?? this.addGroup(id)
    group.waitCount += 1
    return new Subscription(group, () => {
      group.waitCount -= 1
      if (group.waitCount === 0) this.groups.delete(id)
    })
  }

  /**
   * Delivers a notification to all waits for its execution and returns `true`. If there is no wait, keeps the
   * notification for the next wait and returns `false`.
   */
  notify(notification: Observation): boolean {
    const group = this.groups.get(notification.execution.id)
    if (group === undefined) {
      this.earlyNotifications.add(notification)
      return false
    }
    // Notifications can arrive in any order. After a terminal status, other notifications are ignored, because a
    // terminal status never changes.
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
export class Subscription {
  constructor(
    private readonly group: WaitGroup,
    /** Removes the wait from the group. */
    readonly leave: () => void
  ) {}

  /**
   * Returns the response of the last poll if this response arrived after `since`, in monotonic milliseconds. Otherwise,
   * waits for the running poll of another wait. If no poll is running, runs `request`.
   */
  poll(request: Effect.Effect<Observation, RequestFailure>, since: number): Effect.Effect<Observation, RequestFailure> {
    return Effect.suspend(() => {
      const { lastPoll, runningPoll } = this.group
      if (lastPoll !== undefined && lastPoll.observedAt > since) return Effect.succeed(lastPoll)
      // On Cloudflare Workers, a fiber must not wait for a poll of another request.
      if (runningPoll === undefined || isolatesRequests()) return startPoll(this.group, request)
      // All waits share a response or a transient failure. A permanent failure, a 429 or an interruption applies only
      // to the wait that started the poll. The other waits poll again.
      return Effect.flatMap(Effect.exit(Deferred.await(runningPoll)), (exit) =>
        Exit.isSuccess(exit) || isTransientFailure(exit) ? exit : this.poll(request, since)
      )
    })
  }

  /** Returns the last notification if `isUpdate` accepts the notification, otherwise `undefined`. */
  latestUpdate(isUpdate: (notification: Observation) => boolean): Observation | undefined {
    const { lastNotification } = this.group
    return lastNotification !== undefined && isUpdate(lastNotification) ? lastNotification : undefined
  }

  /**
   * Calls `onUpdate` once, with the first notification that `isUpdate` accepts. Checks the last notification first.
   * Returns a function that removes the listener.
   */
  listen(isUpdate: (notification: Observation) => boolean, onUpdate: (update: Observation) => void): () => void {
    const { lastNotification, listeners } = this.group
    const listener = (notification: Observation) => {
      if (!isUpdate(notification)) return
      listeners.delete(listener)
      onUpdate(notification)
    }
    listeners.add(listener)
    // A notification may have arrived between the last call of `latestUpdate` and this call.
    if (lastNotification !== undefined) listener(lastNotification)
    return () => void listeners.delete(listener)
  }
}

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
