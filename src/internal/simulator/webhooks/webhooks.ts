/**
 * Who hears of what, and when. Nothing runs in the background but what is due: the alarm for the next event that somebody will
 * hear of, and the deliveries under way. Both run on the Clock of whoever has made them due.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import * as monotonic from "../../data/monotonic.js"
import { until } from "./cancellableSleep.js"
import * as Delivery from "./delivery.js"
import type { Endpoint, Endpoints } from "./endpoints.js"
import * as EndpointsOf from "./endpoints.js"
import type { Event } from "./event.js"
import * as EventOf from "./event.js"
import type { Execution, Executions } from "../executions/executions.js"
import type { Ids } from "../ids.js"
import type { Occurrence, Upcoming } from "../executions/scheduledEvents.js"

/** @internal */
export interface Webhooks {
  /** Tells what has happened up to this moment to those who are there now; their deliveries wait for `flush`. */
  readonly advance: (now: number) => void
  /** Sends a test event on its way, as `advance` does, and gives its id. */
  readonly test: (endpoint: Endpoint, now: number) => string
  /** After `advance`, begins the deliveries, and sets the alarm for what is due next. Does not wait for either. */
  readonly flush: (now: number) => Effect.Effect<void>
}

interface Alarm {
  readonly at: number
  readonly calledOff: Deferred.Deferred<void>
}

/** @internal */
export const make = (options: {
  readonly executions: Executions
  readonly upcoming: Upcoming<Execution>
  readonly endpoints: Endpoints
  readonly ids: Ids
  readonly courier: Delivery.Courier
  readonly style: EventOf.Style
  /** Signs what goes to an execution's own `webhook_url`. */
  readonly secret: string
  /** What is under way ends with it. */
  readonly scope: Scope.Scope
}): Webhooks => {
  const { courier, endpoints, executions, ids, scope, style, upcoming } = options
  const never = Deferred.unsafeMake<void>(FiberId.none)
  const outbox: Array<{ readonly event: Event; readonly recipient: Delivery.Recipient }> = []
  let alarm: Alarm | undefined

  const toEndpoint = (endpoint: Endpoint): Delivery.Recipient => ({
    endpointId: endpoint.id,
    target: () => endpoints.get(endpoint.id) ?? endpoint,
    stopped: endpoint.stopped,
    succeeded: (now) => endpoints.succeeded(endpoint.id, now),
    failed: () => endpoints.failed(endpoint.id)
  })

  const toUrl = (url: string): Delivery.Recipient => ({
    endpointId: undefined,
    target: () => ({ url, headers: {}, secret: options.secret }),
    stopped: never,
    succeeded: () => {},
    failed: () => {}
  })

  const recipients = ({ execution, type }: Occurrence<Execution>): ReadonlyArray<Delivery.Recipient> => {
    const { webhookUrl } = execution.submission
    const listening = endpoints.all().filter((endpoint) => EndpointsOf.isFor(endpoint, type))
    return [...listening.map(toEndpoint), ...(webhookUrl === undefined ? [] : [toUrl(webhookUrl)])]
  }

  const tell = (occurrence: Occurrence<Execution>) => {
    const all = recipients(occurrence)
    if (all.length > 0) {
      const event = EventOf.ofExecution(ids.event(), occurrence, executions.final(occurrence.execution), style)
      outbox.push(...all.map((recipient) => ({ event, recipient })))
    }
  }

  const advance = (now: number) => {
    executions.settle(now)
    upcoming.take(now).forEach(tell)
  }

  const begin = (work: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.asVoid(Effect.forkIn(Effect.interruptible(work), scope))

  /** Of the moment in which it rings another may have been set already. */
  const ring = (mine: Alarm) =>
    Effect.flatMap(monotonic.now, (now) => {
      if (alarm !== mine) return Effect.void
      alarm = undefined
      return flush(now)
    }).pipe(Effect.uninterruptible)

  const setAlarm = (): Effect.Effect<void> => {
    const at = upcoming.next(endpoints.wants)
    if (at === alarm?.at) return Effect.void
    if (alarm !== undefined) {
      Deferred.unsafeDone(alarm.calledOff, Exit.void)
    }
    alarm = at === undefined ? undefined : { at, calledOff: Deferred.unsafeMake<void>(FiberId.none) }
    return alarm === undefined ? Effect.void : begin(Effect.zipRight(until(alarm.at, alarm.calledOff), ring(alarm)))
  }

  const flush = (now: number): Effect.Effect<void> => {
    advance(now)
    const deliveries = outbox.splice(0)
    return deliveries.length === 0
      ? setAlarm()
      : Effect.forEach(deliveries, ({ event, recipient }) => begin(Delivery.deliver(courier, event, recipient)), {
          discard: true
        }).pipe(Effect.zipRight(Effect.suspend(setAlarm)))
  }

  return {
    advance,
    test: (endpoint, now) => {
      const event = EventOf.ofTest(ids.event(), now, style)
      outbox.push({ event, recipient: toEndpoint(endpoint) })
      return event.id
    },
    flush
  }
}
