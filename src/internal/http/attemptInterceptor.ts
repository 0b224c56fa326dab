/**
 * Hooks around the attempts of the running effect. They count attempts, prevent an attempt from being sent, or delay a retry.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"

/** @internal The attempt that a hook runs for. */
export interface AttemptInfo {
  readonly operation: string
  /** Whether the request carries an idempotency key. */
  readonly isKeyed: boolean
  /** Attempts of the same call that were sent before this one. */
  readonly previousAttempts: number
}

/** @internal The hooks. A hook that has nothing to do is `Effect.void`. */
export interface AttemptInterceptor {
  /** Runs after the rate limit has admitted the attempt. A failure prevents the attempt from being sent and fails the call. */
  readonly beforeSend: (attempt: AttemptInfo) => Effect.Effect<void, InvalidRequest>
  /** Runs when a transformed client hands the request to the transport. Such a client can do so several times per attempt. */
  readonly onTransportSend: Effect.Effect<void>
  /** Runs when the attempt has succeeded. */
  readonly onSuccess: (attempt: AttemptInfo) => Effect.Effect<void>
  /** Runs when the attempt has failed. It does not run after a failure of `beforeSend`. */
  readonly onFailure: (attempt: AttemptInfo, error: RequestFailure) => Effect.Effect<void>
  /** Runs after the delay of the retry policy and before the request queues for the rate limit again. */
  readonly beforeRetry: (error: RequestFailure) => Effect.Effect<void>
}

/** @internal The interceptor without any effect. */
export const noInterceptor: AttemptInterceptor = {
  beforeSend: () => Effect.void,
  onTransportSend: Effect.void,
  onSuccess: () => Effect.void,
  onFailure: () => Effect.void,
  beforeRetry: () => Effect.void
}

/** @internal The interceptor of the running effect. */
export class CurrentAttemptInterceptor extends Context.Reference<CurrentAttemptInterceptor>()(
  "effect-modelroute/CurrentAttemptInterceptor",
  { defaultValue: (): AttemptInterceptor => noInterceptor }
) {}

const compose = (inner: AttemptInterceptor, outer: AttemptInterceptor): AttemptInterceptor => ({
  beforeSend: (attempt) => Effect.zipRight(inner.beforeSend(attempt), outer.beforeSend(attempt)),
  onTransportSend: Effect.zipRight(inner.onTransportSend, outer.onTransportSend),
  onSuccess: (attempt) => Effect.zipRight(inner.onSuccess(attempt), outer.onSuccess(attempt)),
  onFailure: (attempt, error) => Effect.zipRight(inner.onFailure(attempt, error), outer.onFailure(attempt, error)),
  beforeRetry: (error) => Effect.zipRight(inner.beforeRetry(error), outer.beforeRetry(error))
})

/** @internal Adds an interceptor to the effect. Its hooks run before those of the interceptors that the effect already has. */
export const withInterceptor = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  interceptor: AttemptInterceptor
): Effect.Effect<A, E, R> =>
  Effect.flatMap(CurrentAttemptInterceptor, (outer) =>
    Effect.provideService(
      effect,
      CurrentAttemptInterceptor,
      outer === noInterceptor ? interceptor : compose(interceptor, outer)
    )
  )

/** @internal Reports that the running attempt hands its request to the transport. */
export const reportTransportSend: Effect.Effect<void> = Effect.flatMap(
  CurrentAttemptInterceptor,
  (interceptor) => interceptor.onTransportSend
)
