/**
 * Provides hooks that run before and after each attempt within an effect. For example, a hook can count attempts, block
 * an attempt or delay a retry.
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
   * Runs before the request is sent. The gate has already admitted the attempt. If this hook fails, the request is not
   * sent and the call fails with the error of the hook.
   */
  readonly beforeSend: (attempt: AttemptInfo) => Effect.Effect<void, InvalidRequest>
  /**
   * Runs each time the transport receives a request. A transformed client can send several requests per attempt, so
   * that this hook can run several times per attempt.
   */
  readonly onTransportSend: Effect.Effect<void>
  /** Runs after the attempt has succeeded. */
  readonly onSuccess: (attempt: AttemptInfo) => Effect.Effect<void>
  /** Runs after a sent attempt has failed. Does not run if `beforeSend` fails, because the request is then not sent. */
  readonly onFailure: (attempt: AttemptInfo, error: RequestFailure) => Effect.Effect<void>
  /** Runs before each retry. The retry delay has ended, and the request has not joined the queue of the gate yet. */
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
 * Adds an interceptor to the attempts of `effect`. If `effect` runs inside an effect with another interceptor, the
 * hooks of both run. The hooks of `interceptor` run before the hooks of the outer interceptor.
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
