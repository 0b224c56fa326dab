/**
 * The request for a permit, and the permit, by which its caller reports the outcome.
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
   * Returns a failure if the caller does not accept the wait. The gate calls it before a wait for the limit, and again
   * if the wait becomes longer than accepted.
   */
  readonly confirmWait: (delay: QueueDelay) => Effect.Effect<Option.Option<E>>
}

/** @internal */
export interface Permit {
  /** Reports a response. Returns the milliseconds until the gate opens if the response is a 429 with a reset. */
  readonly reportResponse: (status: number, headers: Headers) => Effect.Effect<number | undefined>
  /** Reports that the request was never sent. */
  readonly reportUnsent: Effect.Effect<void>
  /** Reports a rate limit that the status does not show. `opensIn` is the requested wait in milliseconds. */
  readonly reportRateLimited: (opensIn: number | undefined) => Effect.Effect<void>
}
