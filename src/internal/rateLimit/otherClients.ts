/**
 * Detects other clients with the same API key and computes the share of this client.
 *
 * @internal
 */
import type { Window } from "./window.js"

/** @internal Assumed number of clients while other clients are possible and their number is unknown. */
export const defaultClients = 8
const minClients = 4
const maxClients = 64

/** Number of windows in which the share of this client stays reduced after other clients were detected. */
const rememberedWindows = 3

/**
 * Duration of the discovery phase after the first response. During this phase, the share of this client is reduced,
 * because the first responses cannot reveal other clients.
 */
const discoveryMillis = 1000

/**
 * Estimates the number of clients from this client's share of the requests in a finished window. The estimate is from 4
 * to 8. A higher estimate would be unreliable, because a small share can also mean that the other clients were faster.
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

/** @internal Returns whether the server has counted more requests than this client can have sent. */
export const isUsedByOthers = (window: Window): boolean =>
  window.limit !== undefined && window.limit - window.remaining > window.ownRequests

/**
 * Doubles the estimated number of clients after more than one rejection in a window. If other clients share the limit,
 * one rejection per window is normal.
 *
 * @internal
 */
export const increaseClients = (clients: number, rejections: number): number =>
  rejections > 1 ? Math.min(maxClients, 2 * clients) : clients

/**
 * Returns the maximum number of requests that this client may have in flight. The other clients receive the same
 * `remaining` and compute the same share. The share decreases with `remaining`, so that each client sends at most one
 * excess request per window.
 *
 * @internal
 */
export const fairShare = (remaining: number, clients: number): number =>
  clients <= 1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(remaining / Math.max(8, 2 * clients)))

/** @internal Tracks whether responses indicate other clients, and estimates the number of clients. */
export class OtherClients {
  private clients = defaultClients
  private windowsLeft = 0
  private rejectionsInWindow = 0
  private firstResponseAt: number | undefined

  /** Returns whether other clients were detected in this window or the two previous windows. */
  get isDetected(): boolean {
    return this.windowsLeft > 0
  }

  get discoveryEndsAt(): number {
    return (this.firstResponseAt ?? Number.NEGATIVE_INFINITY) + discoveryMillis
  }

  isDiscovering(window: Window | undefined, now: number): boolean {
    return now < this.discoveryEndsAt && window?.limit !== undefined
  }

  /** Returns the estimated number of clients that share the API key, including this client. */
  count(window: Window | undefined, now: number): number {
    if (this.isDetected) return this.clients
    return this.isDiscovering(window, now) ? defaultClients : 1
  }

  /** Reduces the share of this client for this window and the next two windows. */
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
