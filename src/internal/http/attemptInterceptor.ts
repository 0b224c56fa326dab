/**
 * Provides hooks around the attempts of an effect. A hook can count attempts, block an attempt or delay a retry.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"

/** @internal Information about the current attempt. */
export interface AttemptInfo {
  readonly operation: string
  /** `true` if the request has an idempotency key. */
  readonly isKeyed: boolean
  /** Number of earlier attempts of the same call. */
  readonly previousAttempts: number
}

/** @internal Hooks around an attempt. Use `Effect.void` for an unused hook. */
export interface AttemptInterceptor {
  /**
   * Runs after the gate has admitted the attempt and before the request is sent. A failure of this hook prevents the
   * request and fails the call.
   */
  readonly beforeSend: (attempt: AttemptInfo) => Effect.Effect<void, InvalidRequest>
  /**
   * Runs each time a transformed client passes the request to the transport. A transformed client can send several
   * requests per attempt.
   */
  readonly onTransportSend: Effect.Effect<void>
  /** Runs after the attempt has succeeded. */
  readonly onSuccess: (attempt: AttemptInfo) => Effect.Effect<void>
  /** Runs after the attempt has failed. Does not run after a failure of `beforeSend`. */
  readonly onFailure: (attempt: AttemptInfo, error: RequestFailure) => Effect.Effect<void>
  /** Runs after the retry delay and before the request waits for the rate limit again. */
  readonly beforeRetry: (error: RequestFailure) => Effect.Effect<void>
}

/** @internal Interceptor without hooks. */
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

/**
 * Adds an interceptor to the effect. The hooks of the inner interceptor run before the hooks of the outer interceptor.
 *
 * @internal
 */
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

/** @internal Runs the `onTransportSend` hook of the current interceptor. */
export const reportTransportSend: Effect.Effect<void> = Effect.flatMap(
  CurrentAttemptInterceptor,
  (interceptor) => interceptor.onTransportSend
)
