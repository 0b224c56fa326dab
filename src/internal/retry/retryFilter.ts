/**
 * Which errors the running call retries. The schedules of `RetryPolicy` read it, so that the option `retryWhile` of a client holds for
 * them as well.
 *
 * @internal
 */
import * as Context from "effect/Context"
import { isRetryable, type ModelRouteError } from "../../ModelRouteError.js"

/** @internal */
export type RetryFilter = (error: ModelRouteError) => boolean

/** @internal */
export class CurrentRetryFilter extends Context.Reference<CurrentRetryFilter>()(
  "effect-modelroute/CurrentRetryFilter",
  {
    defaultValue: (): RetryFilter => isRetryable
  }
) {}
