/**
 * The webhook endpoints that are registered, and how deliveries to them have gone.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type { Ids } from "../ids.js"

/** @internal What a client may set. */
export interface Settings {
  readonly url: string
  readonly description: string | undefined
  /** Empty: all. */
  readonly events: ReadonlyArray<string>
  /** Added to each delivery. */
  readonly headers: Readonly<Record<string, string>>
  readonly active: boolean
}

/** @internal */
export interface Endpoint extends Settings {
  readonly id: string
  readonly secret: string
  readonly createdAt: number
  /** Consecutive failures, of all its deliveries. */
  readonly failures: number
  readonly lastSuccess: number | undefined
  /** Done as soon as it is no longer active, or no longer there: no delivery is tried again. */
  readonly stopped: Deferred.Deferred<void>
}

/** @internal */
export interface Endpoints {
  readonly create: (settings: Settings, now: number) => Endpoint
  readonly get: (id: string) => Endpoint | undefined
  /** In the order of their creation. */
  readonly all: () => ReadonlyArray<Endpoint>
  /** One that is active again begins with no failures. */
  readonly update: (endpoint: Endpoint, change: Partial<Settings>) => Endpoint
  readonly remove: (endpoint: Endpoint) => void
  readonly succeeded: (id: string, now: number) => void
  /** After too many in a row it is active no longer. */
  readonly failed: (id: string) => void
  /** Whether deliveries of this type go to anybody. */
  readonly wants: (type: string) => boolean
}

const mostFailures = 10

/** @internal */
export const isFor = ({ active, events }: Endpoint, type: string): boolean =>
  active && (events.length === 0 || events.includes(type))

/** @internal */
export const make = (ids: Ids): Endpoints => {
  const endpoints = new Map<string, Endpoint>()

  const set = (endpoint: Endpoint): Endpoint => {
    endpoints.set(endpoint.id, endpoint)
    return endpoint
  }

  const stop = ({ stopped }: Endpoint) => Deferred.unsafeDone(stopped, Exit.void)

  const running = () => Deferred.unsafeMake<void>(FiberId.none)

  return {
    create: (settings, now) => {
      const endpoint = set({
        ...settings,
        id: ids.endpoint(),
        secret: ids.webhookSecret(),
        createdAt: now,
        failures: 0,
        lastSuccess: undefined,
        stopped: running()
      })
      if (!endpoint.active) {
        stop(endpoint)
      }
      return endpoint
    },
    get: (id) => endpoints.get(id),
    all: () => [...endpoints.values()],
    update: (endpoint, change) => {
      if (change.active === false) {
        stop(endpoint)
      }
      const again = change.active === true && !endpoint.active
      return set({ ...endpoint, ...change, ...(again ? { failures: 0, stopped: running() } : {}) })
    },
    remove: (endpoint) => {
      stop(endpoint)
      endpoints.delete(endpoint.id)
    },
    succeeded: (id, now) => {
      const endpoint = endpoints.get(id)
      if (endpoint !== undefined) {
        set({ ...endpoint, failures: 0, lastSuccess: now })
      }
    },
    failed: (id) => {
      const endpoint = endpoints.get(id)
      if (endpoint === undefined) {
        return
      }
      const failures = endpoint.failures + 1
      const active = endpoint.active && failures < mostFailures
      if (!active) {
        stop(endpoint)
      }
      set({ ...endpoint, failures, active })
    },
    wants: (type) => endpoints.size > 0 && [...endpoints.values()].some((endpoint) => isFor(endpoint, type))
  }
}
