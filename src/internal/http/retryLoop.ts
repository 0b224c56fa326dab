/**
 * Sends a request with retries. Each attempt passes these steps:
 *
 * operation → retryLoop → admission.withPermit → attempt → decode or classify → policy → sleep.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RequestFailure } from "../../ModelRouteError.js"
import { canRepeat, isHiddenRateLimit, wasNotSent } from "../errors/semantics.js"
import type { Permit, PermitRequest } from "../rateLimit/permit.js"
import { makeRetryDriver, type RetryDriver } from "../retry/retryDriver.js"
import * as metrics from "../metrics.js"
import * as telemetry from "../telemetry.js"
import { type Call, runOnce } from "./attempt.js"
import { CurrentAttemptInterceptor, noInterceptor } from "./attemptInterceptor.js"
import { makePermitRequest } from "./makePermitRequest.js"
import type { RequestSender } from "./requestSender.js"

/** @internal Sends the request of a call with retries, inside one span. Fails with the error of the last attempt. */
export const runOperation = <A>(sender: RequestSender, call: Call<A>): Effect.Effect<A, RequestFailure> =>
  Effect.suspend(() => {
    const stats: telemetry.CallStats = { attempts: 0, executionId: call.executionId, fileId: call.fileId }
    return telemetry.withOperationSpan(call.operation, stats, retryLoop(sender, call, stats))
  })

/**
 * Sends the request of a call until an attempt succeeds or the retry policy ends. Does not create a span. Fails with
 * the error of the last attempt.
 *
 * @internal
 */
export const retryLoop = <A>(
  sender: RequestSender,
  call: Call<A>,
  stats: telemetry.CallStats,
  driver: RetryDriver = makeRetryDriver(sender)
): Effect.Effect<A, RequestFailure> => {
  const run = (isRetry: boolean): Effect.Effect<A, RequestFailure> =>
    Effect.catchAll(runAttempt(sender, call, stats, makePermitRequest(call, stats, driver, isRetry)), (error) =>
      Effect.zipRight(waitForRetry(sender, call, error, driver, stats), run(true))
    )
  return run(false)
}

/** Waits for a permit of the gate and sends the request once. */
const runAttempt = <A>(
  sender: RequestSender,
  call: Call<A>,
  stats: telemetry.CallStats,
  request: PermitRequest<RequestFailure>
): Effect.Effect<A, RequestFailure> =>
  Effect.contextWithEffect((context: Context.Context<never>) => {
    const interceptor = Context.get(context, CurrentAttemptInterceptor)
    return sender.admissionOf(context).withPermit(request, (permit) => {
      const send = Effect.suspend(() => {
        stats.attempts += 1
        return runOnce(sender, call, stats.attempts, permit)
      })
      if (interceptor === noInterceptor) return countAndReport(call.operation, stats, permit, send)
      const info = { operation: call.operation, isKeyed: call.isKeyed === true, previousAttempts: stats.attempts }
      const intercepted = Effect.tapBoth(send, {
        onSuccess: () => interceptor.onSuccess(info),
        onFailure: (error) => interceptor.onFailure(info, error)
      })
      return Effect.zipRight(
        Effect.tapError(interceptor.beforeSend(info), () => permit.reportUnsent),
        countAndReport(call.operation, stats, permit, intercepted)
      )
    })
  })

/** Runs an attempt and counts the attempt in the metrics. If the attempt fails, reports the failure to the gate. */
const countAndReport = <A>(
  operation: string,
  stats: telemetry.CallStats,
  permit: Permit,
  attempt: Effect.Effect<A, RequestFailure>
): Effect.Effect<A, RequestFailure> =>
  Effect.matchEffect(attempt, {
    onSuccess: (value) => Effect.as(metrics.countRequest(operation, "ok", stats.model), value),
    onFailure: (error) =>
      reportToGate(permit, error).pipe(
        Effect.zipRight(metrics.countRequest(operation, error._tag, stats.model)),
        Effect.zipRight(Effect.fail(error))
      )
  })

/**
 * Reports a failure that the gate cannot detect from the status of a response. Such a failure is a request that was not
 * sent, or a rate limit with a status other than 429.
 */
const reportToGate = (permit: Permit, error: RequestFailure): Effect.Effect<void> => {
  if (wasNotSent(error)) return permit.reportUnsent
  if (!isHiddenRateLimit(error)) return Effect.void
  return permit.reportRateLimited(error.retryAfter && Duration.toMillis(error.retryAfter))
}

/**
 * Waits until the delay of the retry policy has passed. Fails with `error` if the call must not be repeated or if the
 * policy has ended.
 *
 * @internal
 */
export const waitForRetry = (
  sender: RequestSender,
  call: Call<unknown>,
  error: RequestFailure,
  driver: RetryDriver,
  stats: telemetry.CallStats
): Effect.Effect<void, RequestFailure> =>
  Effect.gen(function* () {
    const millis = canRepeat(error, call.isRepeatable) ? yield* driver.next(error) : undefined
    if (millis === undefined) return yield* error
    yield* sleepBeforeRetry(sender, call.operation, error, millis, stats.model)
    yield* (yield* CurrentAttemptInterceptor).beforeRetry(error)
  })

const sleepBeforeRetry = (
  { timer }: RequestSender,
  operation: string,
  error: RequestFailure,
  millis: number,
  model: string | undefined
): Effect.Effect<void> => {
  const { _tag: reason, attempts: attempt, executionId, idempotencyKey } = error
  const requestId = "requestId" in error ? error.requestId : undefined
  const ids = { executionId, idempotencyKey, requestId }
  return telemetry
    .reportWait({ operation, reason, detail: detailOf(error), attempt, millis, model, ...ids })
    .pipe(Effect.zipRight(timer.sleep(millis)), Effect.zipRight(metrics.countRetry(operation, reason, model)))
}

const detailOf = (error: RequestFailure): string | undefined =>
  error._tag === "TransportError" ? error.reason : "status" in error ? `HTTP ${error.status}` : undefined
