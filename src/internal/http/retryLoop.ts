/**
 * One call from the inside: pass the gate, attempt, and while it fails and the policy allows it, wait and do so again.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RequestFailure } from "../../ModelRouteError.js"
import type * as RetryPolicy from "../../RetryPolicy.js"
import type { SharedTimer } from "./sharedTimer.js"
import * as classify from "../errors/classify.js"
import { CurrentAttemptInterceptor } from "./attemptInterceptor.js"
import { CurrentPolicy } from "../retry/currentPolicy.js"
import * as attempt from "./attempt.js"
import type { Permit, PermitRequest, QueueDelay } from "../rateLimit/permit.js"
import type { RequestClass } from "../rateLimit/fairQueue.js"
import type { Admission } from "../rateLimit/admission.js"
import * as monotonic from "../data/monotonic.js"
import * as Pace from "../retry/scheduleDriver.js"
import { CurrentRetryFilter, type RetryFilter } from "../retry/retryFilter.js"
import { canRepeat, isHiddenRateLimit, wasNotSent } from "../errors/semantics.js"
import * as telemetry from "../telemetry.js"

/** @internal What all calls of one client share. */
export interface RequestSender {
  readonly client: HttpClient.HttpClient
  /** Without a slash at its end, and without `/v1`. */
  readonly baseUrl: string
  /** The gate that the requests pass: the nearest one in the context, or the client's own. */
  readonly admission: Effect.Effect<Admission>
  readonly policy: RetryPolicy.RetryPolicy
  /** Which errors are retried, whatever the policy. */
  readonly retryWhile: RetryFilter
  /** What no error may show, whatever the call: the API key. */
  readonly secrets: ReadonlyArray<string>
  readonly attemptLimits: attempt.AttemptLimits
  readonly timer: SharedTimer
}

/** @internal One run of the policy in force, begun when there is something to decide about: most calls never need one. */
export type RetryDriver = Effect.Effect<Pace.ScheduleDriver<RequestFailure>>

/** @internal */
export const makeRetryDriver = (sender: RequestSender): RetryDriver => {
  let pace: Pace.ScheduleDriver<RequestFailure> | undefined
  return Effect.map(
    CurrentPolicy,
    (current) =>
      (pace ??= withRetryFilter(
        sender,
        Pace.makeScheduleDriver<RequestFailure>(Option.getOrElse(current, () => sender.policy))
      ))
  )
}

/** Steps the policy only for errors that the client retries, whatever schedule it is. */
const withRetryFilter = (
  { retryWhile }: RequestSender,
  pace: Pace.ScheduleDriver<RequestFailure>
): Pace.ScheduleDriver<RequestFailure> => {
  const step = (take: (error: RequestFailure) => Effect.Effect<number | undefined>) => (error: RequestFailure) =>
    retryWhile(error) ? Effect.provideService(take(error), CurrentRetryFilter, retryWhile) : Effect.succeed(undefined)
  return { next: step(pace.next), reevaluate: step(pace.reevaluate) }
}

/** @internal Waits as long as the policy wants before the call is sent again, or fails as it has failed. */
export const waitForRetry = (
  sender: RequestSender,
  call: attempt.Call<unknown>,
  error: RequestFailure,
  patience: RetryDriver
): Effect.Effect<void, RequestFailure> =>
  Effect.gen(function* () {
    const millis = canRepeat(error, call.repeatable) ? yield* (yield* patience).next(error) : undefined
    if (millis === undefined) return yield* error
    yield* sleepBeforeRetry(sender, call.operation, error, millis)
    yield* (yield* CurrentAttemptInterceptor).beforeRetry(error)
  })

/** @internal Attempts, retries and their waits, without a span of its own. */
export const retryLoop = <A>(
  sender: RequestSender,
  call: attempt.Call<A>,
  stats: telemetry.CallStats,
  patience: RetryDriver = makeRetryDriver(sender)
): Effect.Effect<A, RequestFailure> => {
  const attempt = (returning: boolean) =>
    runAttempt(sender, call, stats, permitRequestOf(call, stats, patience, returning))
  const retried = (error: RequestFailure): Effect.Effect<A, RequestFailure> =>
    Effect.zipRight(waitForRetry(sender, call, error, patience), Effect.catchAll(attempt(true), retried))
  return Effect.catchAll(attempt(false), retried)
}

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
 * The policy decides on every wait for the rate limit: also on one before the first request, and instead of the last step on
 * one before a retry that it has granted. What belongs to a longer wait goes by that.
 */
const permitRequestOf = (
  call: attempt.Call<unknown>,
  stats: telemetry.CallStats,
  patience: RetryDriver,
  returning: boolean
): PermitRequest<RequestFailure> => ({
  operation: call.operation,
  requestClass: requestClassOf(call.operation),
  isRetry: returning,
  confirmWait: (delay: QueueDelay) =>
    Effect.clockWith((clock) => {
      if (call.deadline !== undefined && monotonic.read(clock) + delay.opensIn <= call.deadline) {
        return Effect.succeedNone
      }
      const failure = classify.unsent(delay, clock.unsafeCurrentTimeMillis(), { ...call, attempts: stats.attempts })
      return Effect.flatMap(patience, (pace) =>
        Effect.map(pace.reevaluate(failure), (millis) => (millis === undefined ? Option.some(failure) : Option.none()))
      )
    })
})

const runAttempt = <A>(
  { admission, client, attemptLimits, secrets }: RequestSender,
  call: attempt.Call<A>,
  stats: telemetry.CallStats,
  request: PermitRequest<RequestFailure>
): Effect.Effect<A, RequestFailure> =>
  Effect.flatMap(admission, ({ withPermit }) =>
    withPermit(request, (permit) =>
      Effect.gen(function* () {
        const interceptor = yield* CurrentAttemptInterceptor
        const info = {
          operation: call.operation,
          isKeyed: call.keyed === true,
          previousAttempts: stats.attempts
        }
        yield* Effect.tapError(interceptor.beforeSend(info), () => permit.reportUnsent)
        stats.attempts += 1
        return yield* attempt
          .runOnce(client, call, { attempts: stats.attempts, limits: attemptLimits, permit, secrets })
          .pipe(
            Effect.tapBoth({
              onSuccess: () =>
                Effect.zipRight(interceptor.onSuccess(info), telemetry.countRequest(call.operation, "ok")),
              onFailure: (error) =>
                Effect.zipRight(
                  interceptor.onFailure(info, error),
                  Effect.zipRight(reportToGate(permit, error), telemetry.countRequest(call.operation, error._tag))
                )
            })
          )
      })
    )
  )

/** What the gate cannot see in an answer's status and headers. */
const reportToGate = (permit: Permit, error: RequestFailure): Effect.Effect<void> => {
  if (wasNotSent(error)) return permit.reportUnsent
  if (!isHiddenRateLimit(error)) return Effect.void
  return permit.reportRateLimited(error.retryAfter && Duration.toMillis(error.retryAfter))
}

const detailOf = (error: RequestFailure): string | undefined =>
  error._tag === "TransportError" ? error.reason : "status" in error ? `HTTP ${error.status}` : undefined

const sleepBeforeRetry = (
  { timer }: RequestSender,
  operation: string,
  error: RequestFailure,
  millis: number
): Effect.Effect<void> => {
  const { _tag: reason, attempts: attempt, executionId, idempotencyKey } = error
  const requestId = "requestId" in error ? error.requestId : undefined
  return telemetry
    .reportWait({ operation, reason, detail: detailOf(error), attempt, millis, executionId, idempotencyKey, requestId })
    .pipe(Effect.zipRight(timer.sleep(millis)), Effect.zipRight(telemetry.countRetry(operation, reason)))
}

/** @internal A whole operation that is one call. */
export const runOperation = <A>(sender: RequestSender, fixed: attempt.Call<A>): Effect.Effect<A, RequestFailure> =>
  Effect.suspend(() => {
    const stats: telemetry.CallStats = { attempts: 0, executionId: fixed.executionId, fileId: fixed.fileId }
    return telemetry.withOperationSpan(fixed.operation, stats, retryLoop(sender, fixed, stats))
  })
