/**
 * Runs the retry policy of one call.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type { ModelRouteError, RequestFailure } from "../../ModelRouteError.js"
import { CurrentPolicy } from "./currentPolicy.js"
import { CurrentRetryFilter, type RetryFilter } from "./currentRetryFilter.js"
import { makeScheduleDriver, type ScheduleDriver } from "./scheduleDriver.js"

/** @internal Steps the retry policy of one call. */
export interface RetryDriver extends ScheduleDriver<RequestFailure> {}

/** @internal The retry options of a client. */
export interface RetryOptions {
  readonly policy: Schedule.Schedule<unknown, ModelRouteError>
  readonly retryWhile: RetryFilter
}

/**
 * Creates the driver for the retry policy of one call. A policy that `withPolicy` sets takes precedence over the policy
 * of the client. The driver returns no delay for an error that `retryWhile` rejects, so that such an error is not
 * retried. The policy starts at the first error, because most calls have no error.
 *
 * @internal
 */
export const makeRetryDriver = ({ policy, retryWhile }: RetryOptions): RetryDriver => {
  let started: ScheduleDriver<RequestFailure> | undefined
  const start = Effect.map(
    CurrentPolicy,
    (current) => (started ??= makeScheduleDriver<RequestFailure>(Option.getOrElse(current, () => policy)))
  )
  const stepWith =
    (step: "next" | "reevaluate") =>
    (error: RequestFailure): Effect.Effect<number | undefined> =>
      retryWhile(error)
        ? Effect.flatMap(start, (driver) => Effect.provideService(driver[step](error), CurrentRetryFilter, retryWhile))
        : Effect.succeed(undefined)
  return { next: stepWith("next"), reevaluate: stepWith("reevaluate") }
}
