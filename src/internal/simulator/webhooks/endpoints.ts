/**
 * Stores the webhook endpoints and the results of their deliveries.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type { Ids } from "../ids.js"

/** @internal The settings that a client can change. */
export interface Settings {
  readonly url: string
  readonly description: string | undefined
  /** Subscribed event types. An empty list subscribes to all events. */
  readonly events: ReadonlyArray<string>
  /** Additional headers of each delivery. */
  readonly headers: Readonly<Record<string, string>>
  readonly active: boolean
}

/** @internal */
export interface Endpoint extends Settings {
  readonly id: string
  readonly secret: string
  readonly createdAt: number
  /** Number of consecutive failed attempts, across all deliveries. */
  readonly failures: number
  readonly lastSuccess: number | undefined
  /**
   * Completes when the endpoint becomes inactive or is removed. After that, failed deliveries to the endpoint are not
   * retried.
   */
  readonly stopped: Deferred.Deferred<void>
}

/** @internal */
export interface Endpoints {
  readonly create: (settings: Settings, now: number) => Endpoint
  readonly get: (id: string) => Endpoint | undefined
  /** Returns all endpoints in the order of creation. */
  readonly all: () => ReadonlyArray<Endpoint>
  /** Updates an endpoint. Resets the number of failures if the endpoint becomes active again. */
  readonly update: (endpoint: Endpoint, changes: Partial<Settings>) => Endpoint
  readonly remove: (endpoint: Endpoint) => void
  readonly recordSuccess: (id: string, now: number) => void
  /** Records a failed attempt, and deactivates the endpoint after 10 consecutive failed attempts. */
  readonly recordFailure: (id: string) => void
  /** Returns `true` if an active endpoint subscribes to the event type. */
  readonly hasSubscriber: (type: string) => boolean
}

const maxConsecutiveFailures = 10

/** @internal */
export const isSubscribed = ({ active, events }: Endpoint, type: string): boolean =>
  active && (events.length === 0 || events.includes(type))

const makeStopSignal = () => Deferred.unsafeMake<void>(FiberId.none)

const stop = ({ stopped }: Endpoint) => Deferred.unsafeDone(stopped, Exit.void)

const makeEndpoint = (ids: Ids, settings: Settings, now: number): Endpoint => ({
  ...settings,
  id: ids.endpoint(),
  secret: ids.webhookSecret(),
  createdAt: now,
  failures: 0,
  lastSuccess: undefined,
  stopped: makeStopSignal()
})

const applyChanges = (endpoint: Endpoint, changes: Partial<Settings>): Endpoint => {
  if (changes.active === false) {
    stop(endpoint)
  }
  const isReactivated = changes.active === true && !endpoint.active
  return { ...endpoint, ...changes, ...(isReactivated ? { failures: 0, stopped: makeStopSignal() } : {}) }
}

const addFailure = (endpoint: Endpoint): Endpoint => {
  const failures = endpoint.failures + 1
  const active = endpoint.active && failures < maxConsecutiveFailures
  if (!active) {
    stop(endpoint)
  }
  return { ...endpoint, failures, active }
}

/** @internal */
export const make = (ids: Ids): Endpoints => {
  const endpoints = new Map<string, Endpoint>()

  const set = (endpoint: Endpoint): Endpoint => {
    endpoints.set(endpoint.id, endpoint)
    return endpoint
  }

  const modify = (id: string, f: (endpoint: Endpoint) => Endpoint) => {
    const endpoint = endpoints.get(id)
    if (endpoint !== undefined) {
      set(f(endpoint))
    }
  }

  return {
    create: (settings, now) => {
      const endpoint = set(makeEndpoint(ids, settings, now))
      if (!endpoint.active) {
        stop(endpoint)
      }
      return endpoint
    },
    get: (id) => endpoints.get(id),
    all: () => [...endpoints.values()],
    update: (endpoint, changes) => set(applyChanges(endpoint, changes)),
    remove: (endpoint) => {
      stop(endpoint)
      endpoints.delete(endpoint.id)
    },
    recordSuccess: (id, now) => modify(id, (endpoint) => ({ ...endpoint, failures: 0, lastSuccess: now })),
    recordFailure: (id) => modify(id, addFailure),
    hasSubscriber: (type) => [...endpoints.values()].some((endpoint) => isSubscribed(endpoint, type))
  }
}
