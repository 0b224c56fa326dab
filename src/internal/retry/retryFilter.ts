/**
 * The option `retryWhile` of the running call. The schedules of `RetryPolicy` read it.
 *
 * @internal
 */
import * as Context from "effect/Context"
import { isRetryable, type ModelRouteError } from "../../ModelRouteError.js"

/** @internal Returns whether an error may be retried. */
export type RetryFilter = (error: ModelRouteError) => boolean

/** @internal */
export class CurrentRetryFilter extends Context.Reference<CurrentRetryFilter>()(
  "effect-modelroute/CurrentRetryFilter",
  { defaultValue: (): RetryFilter => isRetryable }
) {}
