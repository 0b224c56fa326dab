/**
 * Defines permits and the requests for permits. A permit receives the outcome of the request.
 *
 * @internal
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Headers } from "../retry/rateLimitHeaders.js"
import type { RequestClass } from "./fairQueue.js"

/** @internal Delay of a request before its permit is available. */
export interface QueueDelay {
  /** Milliseconds until the gate opens. */
  readonly opensIn: number
  /**
   * Estimated total time of the request in the queue, in milliseconds. The time includes the wait behind other
   * requests.
   */
  readonly wait: number
  readonly limit: number | undefined
  readonly remaining: number | undefined
}

/** @internal Request for a permit to send one request to the API. */
export interface PermitRequest<E> {
  readonly operation: string
  readonly requestClass: RequestClass
  /** Indicates whether the request is a retry. */
  readonly isRetry: boolean
  /**
   * Returns `None` if the caller accepts a wait for the rate limit. Returns a failure if the caller rejects the wait.
   * The gate calls this function before the wait, and again if the wait becomes longer than accepted.
   */
  readonly confirmWait: (delay: QueueDelay) => Effect.Effect<Option.Option<E>>
}

/** @internal Permit to send one request. Receives the outcome of the request. */
export interface Permit {
  /** Reports a response. Returns the milliseconds until the gate opens if the response is a 429 with a reset. */
  readonly reportResponse: (status: number, headers: Headers) => Effect.Effect<number | undefined>
  /** Reports that the request was not sent. */
  readonly reportUnsent: Effect.Effect<void>
  /**
   * Reports a rate limit error in a response with a status other than 429. `opensIn` is the wait that the response
   * requests, in milliseconds.
   */
  readonly reportRateLimited: (opensIn: number | undefined) => Effect.Effect<void>
}
