/**
 * Permits of the rate limit: what a caller states to get one, and what it reports about the request that the permit admits.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Headers } from "../retry/rateLimitHeaders.js"
import type { RequestClass } from "./fairQueue.js"

/** @internal How long a request would have to wait for its permit. */
export interface QueueDelay {
  /** Milliseconds until the gate opens. */
  readonly opensIn: number
  /** Milliseconds that the request waits in total, including the time behind other requests. */
  readonly wait: number
  readonly limit: number | undefined
  readonly remaining: number | undefined
}

/** @internal */
export interface PermitRequest<E> {
  readonly operation: string
  readonly requestClass: RequestClass
  /** Whether the request was sent before. */
  readonly isRetry: boolean
  /**
   * Returns the failure of a caller that does not wait so long. The gate calls it before a wait for the limit begins, and again
   * if the wait turns out to be longer than accepted.
   */
  readonly confirmWait: (delay: QueueDelay) => Effect.Effect<Option.Option<E>>
}

/** @internal */
export interface Permit {
  /** Reports a response. Returns the milliseconds until the gate opens if the response is a rejection that names a moment. */
  readonly reportResponse: (status: number, headers: Headers) => Effect.Effect<number | undefined>
  /** Reports that the request was never sent. */
  readonly reportUnsent: Effect.Effect<void>
  /** Reports a rate limit that the status does not show. `opensIn` is in milliseconds, if the response names a moment. */
  readonly reportRateLimited: (opensIn: number | undefined) => Effect.Effect<void>
}
