/**
 * Detects other clients that use the same API key, and computes this client's share of the limit.
 *
 * @internal
 */
import type { Window } from "./window.js"

/** @internal Clients that are assumed while their number is unknown. */
export const defaultClients = 8
const minClients = 4
const maxClients = 64

/** Windows for which detected clients are assumed to be there still. */
const rememberedWindows = 3

/** Time after the first response in which no response can show other clients yet. They are assumed. */
const discoveryMillis = 1000

/**
 * Estimates the number of clients from this client's part of a finished window, within bounds. A small part can also
 * mean that the other clients were faster. Slowing down would not help then.
 *
 * @internal
 */
export const estimateClients = (window: Window): number =>
  window.limit === undefined
    ? defaultClients
    : Math.min(
        defaultClients,
        Math.max(minClients, Math.ceil((window.limit - window.remaining) / Math.max(1, window.ownRequests)))
      )

/** @internal Returns `true` if more requests are used than this client can have used. */
export const isUsedByOthers = (window: Window): boolean =>
  window.limit !== undefined && window.limit - window.remaining > window.ownRequests

/** @internal Doubles the number of clients after more than one rejection in a window. Sharing costs one rejection. */
export const increaseClients = (clients: number, rejections: number): number =>
  rejections > 1 ? Math.min(maxClients, 2 * clients) : clients

/**
 * Returns how many requests of this client may be in flight. The other clients see the same `remaining` and compute the
 * same share. The share shrinks with `remaining`, so that each client sends at most one request too many per window.
 *
 * @internal
 */
export const fairShare = (remaining: number, clients: number): number =>
  clients <= 1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(remaining / Math.max(8, 2 * clients)))

/** @internal The other clients that the responses so far have shown. */
export class OtherClients {
  private clients = defaultClients
  private windowsLeft = 0
  private rejectionsInWindow = 0
  private firstResponseAt: number | undefined

  /** Whether one of the last windows has shown other clients. */
  get isDetected(): boolean {
    return this.windowsLeft > 0
  }

  get discoveryEndsAt(): number {
    return (this.firstResponseAt ?? Number.NEGATIVE_INFINITY) + discoveryMillis
  }

  isDiscovering(window: Window | undefined, now: number): boolean {
    return now < this.discoveryEndsAt && window?.limit !== undefined
  }

  /** Counts the clients that share the API key, this client included. */
  count(window: Window | undefined, now: number): number {
    if (this.isDetected) return this.clients
    return this.isDiscovering(window, now) ? defaultClients : 1
  }

  /** Assumes other clients for this window and the next two. */
  detect(): void {
    this.clients = increaseClients(this.isDetected ? this.clients : defaultClients, this.rejectionsInWindow)
    this.windowsLeft = rememberedWindows
  }

  onResponse(now: number): void {
    this.firstResponseAt ??= now
  }

  onRejected(): void {
    this.rejectionsInWindow += 1
  }

  onWindowOpened(previous: Window | undefined): void {
    if (previous !== undefined && this.isDetected && this.rejectionsInWindow < 2) {
      this.clients = estimateClients(previous)
    }
    this.rejectionsInWindow = 0
    this.windowsLeft -= 1
  }
}
