/**
 * Updates the metrics of a gate.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import * as Metrics from "../../Metrics.js"
import { measureQueueWait } from "../telemetry.js"

/** @internal */
export interface GateMetrics {
  readonly addWaiting: (n: number) => void
  readonly addInFlight: (n: number) => void
  readonly countRateLimited: () => void
  /** Runs a wait in the queue and records its duration. */
  readonly measureWait: <A, E, R>(operation: string, wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** @internal Updates the metrics of this process. Used by a gate whose requests this process sends. */
export const processMetrics: GateMetrics = {
  addWaiting: (n) => Metrics.waiting.unsafeModify(n, []),
  addInFlight: (n) => Metrics.inFlight.unsafeModify(n, []),
  countRateLimited: () => Metrics.rateLimited.unsafeUpdate(1, []),
  measureWait: measureQueueWait
}

/**
 * Updates no metrics. The owner of a shared gate uses this value, because the processes that send the requests update
 * the metrics.
 *
 * @internal
 */
export const noMetrics: GateMetrics = {
  addWaiting: () => {},
  addInFlight: () => {},
  countRateLimited: () => {},
  measureWait: (_, wait) => wait
}
