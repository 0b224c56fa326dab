/**
 * Creates the permit request of a call.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RequestFailure } from "../../ModelRouteError.js"
import * as monotonic from "../data/monotonic.js"
import * as classify from "../errors/classify.js"
import type { RequestClass } from "../rateLimit/fairQueue.js"
import type { PermitRequest, QueueDelay } from "../rateLimit/permit.js"
import type { RetryDriver } from "../retry/retryDriver.js"
import type { CallStats } from "../telemetry.js"
import type { Call } from "./attempt.js"

const requestClassOf = (operation: string): RequestClass => {
  switch (operation) {
    case "executions.create":
      return "submissions"
    case "executions.cancel":
      return "cancels"
    case "executions.await":
    case "executions.watch":
      return "polls"
    default:
      return "calls"
  }
}

/**
 * Creates the request for the gate's permit to send an attempt. If the attempt must wait for the rate limit, the retry
 * policy accepts or rejects the wait. This rule also applies before the first attempt. For the decision, the policy
 * repeats its latest step with the error of the wait. A wait that ends before the deadline of the call is always
 * accepted.
 *
 * @internal
 */
export const makePermitRequest = (
  call: Call<unknown>,
  stats: CallStats,
  driver: RetryDriver,
  isRetry: boolean
): PermitRequest<RequestFailure> => ({
  operation: call.operation,
  requestClass: requestClassOf(call.operation),
  isRetry,
  confirmWait: (delay: QueueDelay) =>
    Effect.clockWith((clock) => {
      if (call.deadline !== undefined && monotonic.read(clock) + delay.opensIn <= call.deadline) {
        return Effect.succeedNone
      }
      const error = classify.rateLimitedByGate(delay, clock.unsafeCurrentTimeMillis(), {
        ...call,
        attempts: stats.attempts
      })
      return Effect.map(driver.reevaluate(error), (millis) =>
        millis === undefined ? Option.some(error) : Option.none()
      )
    })
})
