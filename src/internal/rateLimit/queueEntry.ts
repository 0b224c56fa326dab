/**
 * Defines the entries of the gate's queue, with their estimated and accepted waits.
 *
 * @internal
 */
import type { Queued } from "./fairQueue.js"
import type { Limiter, SentRequest } from "./limiter.js"
import type { PermitRequest, QueueDelay } from "./permit.js"

/** @internal Request in the queue of the gate. */
export interface QueueEntry extends Queued {
  /** Start of the wait in monotonic milliseconds. */
  readonly queuedAt: number
  /** Number of requests ahead of this request at the last confirmation of the wait. */
  ahead: number
  /** Maximum delay that the caller has accepted, in milliseconds. */
  accepted: Pick<QueueDelay, "opensIn" | "wait">
  /** Sent request. Absent until the request is admitted. */
  sent?: SentRequest
  /** Resumes the caller. The caller then uses its permit or confirms a longer wait. */
  wake?: () => void
}

/** @internal Creates an entry for a request that has not accepted a delay yet. */
export const makeQueueEntry = (
  { isRetry, requestClass }: PermitRequest<unknown>,
  ahead: number,
  queuedAt: number
): QueueEntry => ({ requestClass, isRetry, queuedAt, ahead, accepted: { opensIn: 0, wait: 0 } })

const estimateWait = ({ ahead, queuedAt }: QueueEntry, limiter: Limiter, opensAt: number): number => {
  const { hasOtherClients, window, windowLength } = limiter
  const perWindow = (hasOtherClients ? window?.ownRequests : window?.limit) ?? Number.POSITIVE_INFINITY
  const windows = Math.floor(ahead / Math.max(1, perWindow))
  return opensAt - queuedAt + windows * windowLength + limiter.fallback.estimatePacedWait(ahead)
}

/** @internal Returns the delay of a request if the gate opens at `opensAt`. */
export const toQueueDelay = (waiter: QueueEntry, limiter: Limiter, opensAt: number, now: number): QueueDelay => {
  const { window } = limiter
  return {
    opensIn: opensAt - now,
    wait: estimateWait(waiter, limiter, opensAt),
    limit: window?.limit,
    remaining: window === undefined || !Number.isFinite(window.remaining) ? undefined : window.remaining
  }
}

/** Adds a tolerance of 5 % and 1 s to a delay. The tolerance prevents a new confirmation after every small change. */
const addTolerance = (millis: number): number => millis * 1.05 + 1000

/** @internal Records that the caller has accepted a delay. */
export const acceptDelay = (waiter: QueueEntry, { opensIn, wait }: QueueDelay): void => {
  waiter.accepted = { opensIn: addTolerance(opensIn), wait: addTolerance(wait) }
}

/** @internal Returns whether the caller has accepted the delay until `opensAt`. */
export const hasAccepted = (waiter: QueueEntry, limiter: Limiter, opensAt: number, now: number): boolean =>
  opensAt - now <= waiter.accepted.opensIn && estimateWait(waiter, limiter, opensAt) <= waiter.accepted.wait
