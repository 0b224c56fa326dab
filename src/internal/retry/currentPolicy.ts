/**
 * Stores the retry policy that `RetryPolicy.withPolicy` sets for an effect.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type { ModelRouteError } from "../../ModelRouteError.js"

/** @internal The retry policy of the running effect. `None` means that the policy of the client applies. */
export class CurrentPolicy extends Context.Reference<CurrentPolicy>()("effect-modelroute/CurrentPolicy", {
  defaultValue: (): Option.Option<Schedule.Schedule<unknown, ModelRouteError>> => Option.none()
}) {}
