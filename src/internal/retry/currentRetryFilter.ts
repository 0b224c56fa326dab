/**
 * Makes the client's `retryWhile` option available to the schedules of `RetryPolicy`.
 *
 * @internal
 */
import * as Context from "effect/Context"
import { isRetryable, type ModelRouteError } from "../../ModelRouteError.js"

/** @internal Returns `true` if an error may be retried. */
export type RetryFilter = (error: ModelRouteError) => boolean

/** @internal The `retryWhile` option of the running call. */
export class CurrentRetryFilter extends Context.Reference<CurrentRetryFilter>()(
  "effect-modelroute/CurrentRetryFilter",
  { defaultValue: (): RetryFilter => isRetryable }
) {}
