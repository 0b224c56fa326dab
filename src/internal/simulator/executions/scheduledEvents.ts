/**
 * Stores the webhook events of executions until the events are due. No event needs its own fiber, because `webhooks.ts`
 * sets one timer for the next event with a recipient.
 *
 * @internal
 */
import type { Plan, TerminalStatus } from "./plan.js"
import * as TimeQueue from "./timeQueue.js"

/** @internal */
export type EventType = "execution.started" | "execution.completed" | "execution.failed" | "execution.cancelled"

interface Schedulable {
  readonly plan: Plan
  readonly submission: { readonly webhookUrl?: string | undefined }
}

/** @internal */
export interface ScheduledEvent<E> {
  readonly type: EventType
  readonly at: number
  readonly execution: E
}

/** @internal */
export interface ScheduledEvents<E> {
  /** Schedules all events of the execution's plan. */
  readonly add: (execution: E) => void
  /** Replaces the remaining events of the execution with `execution.cancelled`. */
  readonly cancel: (execution: E, now: number) => void
  /** Removes and returns the events that are due at `now` or earlier, in the order of their time. */
  readonly takeDue: (now: number) => ReadonlyArray<ScheduledEvent<E>>
  /**
   * Returns the time of the next event with a recipient, or `undefined` if there is no such event. An event has a
   * recipient if its execution has a `webhook_url`. An event also has a recipient if `hasSubscriber` returns `true` for
   * its type.
   */
  readonly nextAt: (hasSubscriber: (type: EventType) => boolean) => number | undefined
}

/** The event type of each terminal status. The API sends no event for an execution that expires. */
const terminalEventTypes: { readonly [S in TerminalStatus]: EventType | undefined } = {
  COMPLETED: "execution.completed",
  FAILED: "execution.failed",
  CANCELLED: "execution.cancelled",
  EXPIRED: undefined
}

const toEvents = <E extends Schedulable>(execution: E): ReadonlyArray<ScheduledEvent<E>> => {
  const { endsAt, processingAt, status } = execution.plan
  const started: ScheduledEvent<E> = { type: "execution.started", at: processingAt, execution }
  const terminalType = terminalEventTypes[status]
  return [
    ...(processingAt > endsAt ? [] : [started]),
    ...(terminalType === undefined ? [] : [{ type: terminalType, at: endsAt, execution }])
  ]
}

const eventTypes = ["execution.started", "execution.completed", "execution.failed", "execution.cancelled"] as const

/** @internal */
export const make = <E extends Schedulable>(): ScheduledEvents<E> => {
  // Each combination of an event type and a kind of recipient has its own queue. `nextAt` reads only the first event of
  // each queue, so `nextAt` is fast with any number of events.
  const queues = eventTypes.flatMap((type) =>
    [true, false].map((hasOwnUrl) => ({ type, hasOwnUrl, queue: TimeQueue.make<ScheduledEvent<E>>() }))
  )

  const findQueue = ({ execution, type }: ScheduledEvent<E>) => {
    const hasOwnUrl = execution.submission.webhookUrl !== undefined
    return queues.find((entry) => entry.type === type && entry.hasOwnUrl === hasOwnUrl)?.queue
  }

  const add = (event: ScheduledEvent<E>) => findQueue(event)?.add(event.at, event)

  const remove = (event: ScheduledEvent<E>) =>
    findQueue(event)?.remove(event.at, ({ execution }) => execution === event.execution)

  return {
    add: (execution) => toEvents(execution).forEach(add),
    cancel: (execution, now) => {
      toEvents(execution).forEach(remove)
      add({ type: "execution.cancelled", at: now, execution })
    },
    takeDue: (now) => {
      const due = queues.filter(({ queue }) => queue.nextAt() <= now)
      return due.flatMap(({ queue }) => queue.takeDue(now)).sort((a, b) => a.at - b.at)
    },
    nextAt: (hasSubscriber) => {
      let nextAt = Infinity
      for (const { hasOwnUrl, queue, type } of queues) {
        if (queue.nextAt() < nextAt && (hasOwnUrl || hasSubscriber(type))) {
          nextAt = queue.nextAt()
        }
      }
      return nextAt === Infinity ? undefined : nextAt
    }
  }
}
