/**
 * Assigns events to recipients and starts their deliveries. Two kinds of fibers run in the background:
 *
 * - the timer for the next event with a recipient
 * - the current deliveries
 *
 * Each of these fibers inherits the `Clock` of its parent fiber.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import * as monotonic from "../../data/monotonic.js"
import type { Execution, Executions } from "../executions/executions.js"
import type { ScheduledEvent, ScheduledEvents } from "../executions/scheduledEvents.js"
import type { Ids } from "../ids.js"
import { sleepUntil } from "./cancellableSleep.js"
import * as Delivery from "./delivery.js"
import * as Endpoints from "./endpoints.js"
import * as Event from "./event.js"

/** @internal */
export interface Webhooks {
  /** Assigns the events that are due at `now` to their current recipients. `flush` starts the deliveries. */
  readonly advance: (now: number) => void
  /** Assigns a test event to the endpoint and returns the event id. `flush` starts the delivery. */
  readonly sendTest: (endpoint: Endpoints.Endpoint, now: number) => string
  /**
   * Calls `advance`, starts the deliveries, and sets the timer for the next event. Does not wait for the deliveries.
   */
  readonly flush: (now: number) => Effect.Effect<void>
}

interface WebhooksContext {
  readonly executions: Executions
  readonly scheduledEvents: ScheduledEvents<Execution>
  readonly endpoints: Endpoints.Endpoints
  readonly ids: Ids
  readonly delivery: Delivery.DeliveryContext
  readonly style: Event.Style
  /** Secret that signs deliveries to the `webhook_url` of an execution. */
  readonly secret: string
  /** Scope of the background fibers. */
  readonly scope: Scope.Scope
}

interface Timer {
  readonly at: number
  readonly cancelled: Deferred.Deferred<void>
}

interface PendingDelivery {
  readonly event: Event.Event
  readonly recipient: Delivery.Recipient
}

const neverStopped = Deferred.unsafeMake<void>(FiberId.none)

const toEndpointRecipient = (endpoints: Endpoints.Endpoints, endpoint: Endpoints.Endpoint): Delivery.Recipient => ({
  endpointId: endpoint.id,
  destination: () => endpoints.get(endpoint.id) ?? endpoint,
  stopped: endpoint.stopped,
  onSuccess: (now) => endpoints.recordSuccess(endpoint.id, now),
  onFailure: () => endpoints.recordFailure(endpoint.id)
})

const toUrlRecipient = (url: string, secret: string): Delivery.Recipient => ({
  endpointId: undefined,
  destination: () => ({ url, headers: {}, secret }),
  stopped: neverStopped,
  onSuccess: () => {},
  onFailure: () => {}
})

const findRecipients = (
  { endpoints, secret }: WebhooksContext,
  { execution, type }: ScheduledEvent<Execution>
): ReadonlyArray<Delivery.Recipient> => {
  const { webhookUrl } = execution.submission
  const subscribed = endpoints.all().filter((endpoint) => Endpoints.isSubscribed(endpoint, type))
  return [
    ...subscribed.map((endpoint) => toEndpointRecipient(endpoints, endpoint)),
    ...(webhookUrl === undefined ? [] : [toUrlRecipient(webhookUrl, secret)])
  ]
}

/** Returns one delivery for each recipient. Creates no event id if the event has no recipient. */
const toDeliveries = (
  context: WebhooksContext,
  scheduled: ScheduledEvent<Execution>
): ReadonlyArray<PendingDelivery> => {
  const recipients = findRecipients(context, scheduled)
  if (recipients.length === 0) return []
  const terminalState = context.executions.terminalState(scheduled.execution)
  const event = Event.fromExecution(context.ids.event(), scheduled, terminalState, context.style)
  return recipients.map((recipient) => ({ event, recipient }))
}

const startFiber = ({ scope }: WebhooksContext, work: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.asVoid(Effect.forkIn(Effect.interruptible(work), scope))

/** Returns a function that sets one timer for the next event with a recipient. The timer calls `onTimer`. */
const makeTimer = (context: WebhooksContext, onTimer: (now: number) => Effect.Effect<void>) => {
  let current: Timer | undefined

  const fire = (timer: Timer) =>
    Effect.flatMap(monotonic.now, (now) => {
      // Another timer may have replaced this timer before this fiber resumed. In this case, only the other timer calls
      // `onTimer`.
      if (current !== timer) return Effect.void
      current = undefined
      return onTimer(now)
    }).pipe(Effect.uninterruptible)

  return (): Effect.Effect<void> => {
    const at = context.scheduledEvents.nextAt(context.endpoints.hasSubscriber)
    if (at === current?.at) return Effect.void
    if (current !== undefined) {
      Deferred.unsafeDone(current.cancelled, Exit.void)
    }
    current = at === undefined ? undefined : { at, cancelled: Deferred.unsafeMake<void>(FiberId.none) }
    return current === undefined
      ? Effect.void
      : startFiber(context, Effect.zipRight(sleepUntil(current.at, current.cancelled), fire(current)))
  }
}

/** @internal */
export const make = (context: WebhooksContext): Webhooks => {
  const outbox: Array<PendingDelivery> = []

  const advance = (now: number) => {
    context.executions.settle(now)
    for (const scheduled of context.scheduledEvents.takeDue(now)) {
      outbox.push(...toDeliveries(context, scheduled))
    }
  }

  const flush = (now: number): Effect.Effect<void> => {
    advance(now)
    const deliveries = outbox.splice(0)
    if (deliveries.length === 0) return updateTimer()
    return Effect.forEach(
      deliveries,
      ({ event, recipient }) => startFiber(context, Delivery.deliver(context.delivery, event, recipient)),
      { discard: true }
    ).pipe(Effect.zipRight(Effect.suspend(updateTimer)))
  }

  const updateTimer = makeTimer(context, flush)

  return {
    advance,
    sendTest: (endpoint, now) => {
      const event = Event.makeTest(context.ids.event(), now, context.style)
      outbox.push({ event, recipient: toEndpointRecipient(context.endpoints, endpoint) })
      return event.id
    },
    flush
  }
}
