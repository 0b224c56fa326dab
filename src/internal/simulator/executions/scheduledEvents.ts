/**
 * What will happen to executions that somebody may want to hear of. An entry costs nothing: whoever wants to be woken for one
 * asks when the next is due.
 *
 * @internal
 */
import type { FinalStatus, Plan } from "./plan.js"
import * as Timeline from "./timeQueue.js"

/** @internal */
export type EventType = "execution.started" | "execution.completed" | "execution.failed" | "execution.cancelled"

interface Planned {
  readonly plan: Plan
  readonly submission: { readonly webhookUrl?: string | undefined }
}

/** @internal */
export interface Occurrence<E> {
  readonly type: EventType
  readonly at: number
  readonly execution: E
}

/** @internal */
export interface Upcoming<E> {
  /** All that its plan holds. */
  readonly add: (execution: E) => void
  /** Instead of what its plan still holds. */
  readonly cancel: (execution: E, now: number) => void
  /** Takes out what has happened up to this moment, the first first. */
  readonly take: (now: number) => ReadonlyArray<Occurrence<E>>
  /** When the next is due that somebody will hear of: `wants` speaks for those who listen to all executions. */
  readonly next: (wants: (type: EventType) => boolean) => number | undefined
}

/** Of an execution that expires nobody hears. */
const endings: { readonly [S in FinalStatus]: EventType | undefined } = {
  COMPLETED: "execution.completed",
  FAILED: "execution.failed",
  CANCELLED: "execution.cancelled",
  EXPIRED: undefined
}

const planned = <E extends Planned>(execution: E): ReadonlyArray<Occurrence<E>> => {
  const { endsAt, processingAt, status } = execution.plan
  const started: Occurrence<E> = { type: "execution.started", at: processingAt, execution }
  const ending = endings[status]
  return [
    ...(processingAt > endsAt ? [] : [started]),
    ...(ending === undefined ? [] : [{ type: ending, at: endsAt, execution }])
  ]
}

const types = ["execution.started", "execution.completed", "execution.failed", "execution.cancelled"] as const

/** @internal */
export const make = <E extends Planned>(): Upcoming<E> => {
  /** By type, of executions that have a receiver of their own and of those that have none. */
  const queues = types.flatMap((type) =>
    [true, false].map((own) => ({ type, own, timeline: Timeline.make<Occurrence<E>>() }))
  )

  const timelineOf = ({ execution, type }: Occurrence<E>) =>
    queues.find((queue) => queue.type === type && queue.own === (execution.submission.webhookUrl !== undefined))
      ?.timeline

  const add = (occurrence: Occurrence<E>) => timelineOf(occurrence)?.add(occurrence.at, occurrence)

  const remove = (occurrence: Occurrence<E>) =>
    timelineOf(occurrence)?.remove(occurrence.at, ({ execution }) => execution === occurrence.execution)

  return {
    add: (execution) => planned(execution).forEach(add),
    cancel: (execution, now) => {
      planned(execution).forEach(remove)
      add({ type: "execution.cancelled", at: now, execution })
    },
    take: (now) => {
      const due = queues.filter(({ timeline }) => timeline.next() <= now)
      return due.flatMap(({ timeline }) => timeline.take(now)).sort((a, b) => a.at - b.at)
    },
    next: (wants) => {
      let next = Infinity
      for (const { own, timeline, type } of queues) {
        if (timeline.next() < next && (own || wants(type))) {
          next = timeline.next()
        }
      }
      return next === Infinity ? undefined : next
    }
  }
}
