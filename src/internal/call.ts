/**
 * One call from the inside: attempt, and while it fails and the policy allows it, wait and attempt again.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RequestFailure } from "../ModelRouteError.js"
import * as RetryPolicy from "../RetryPolicy.js"
import * as exchange from "./exchange.js"
import * as Pace from "./pace.js"
import * as telemetry from "./telemetry.js"

/** @internal What all calls of one client share. */
export interface Sender {
  readonly client: HttpClient.HttpClient
  readonly policy: RetryPolicy.RetryPolicy
  readonly timeLimit: Duration.Duration
}

/** @internal Attempts, retries and their waits, without a span of its own. */
export const send = <A>(
  sender: Sender,
  call: exchange.Call<A>,
  account: telemetry.Account
): Effect.Effect<A, RequestFailure> => {
  let attempt = 0
  const attempted = Effect.suspend(() => {
    attempt += 1
    account.attempts += 1
    return exchange.once(sender.client, call, { attempt, timeLimit: sender.timeLimit })
  }).pipe(
    Effect.tapBoth({
      onSuccess: () => telemetry.countRequest(call.operation, "ok"),
      onFailure: (error) => telemetry.countRequest(call.operation, error._tag)
    })
  )

  const again = (pace: Pace.Pace<RequestFailure>) => {
    const decide = (error: RequestFailure): Effect.Effect<A, RequestFailure> =>
      Effect.flatMap(pace(error), (millis) =>
        millis === undefined
          ? Effect.fail(error)
          : waited(call.operation, error, millis).pipe(Effect.zipRight(attempted), Effect.catchAll(decide))
      )
    return decide
  }

  return Effect.catchAll(attempted, (error) =>
    Effect.flatMap(RetryPolicy.CurrentPolicy, (current) =>
      again(Pace.start<RequestFailure>(Option.getOrElse(current, () => sender.policy)))(error)
    )
  )
}

const detailOf = (error: RequestFailure): string | undefined =>
  error._tag === "TransportError" ? error.reason : "status" in error ? `HTTP ${error.status}` : undefined

const waited = (operation: string, error: RequestFailure, millis: number): Effect.Effect<void> => {
  const { _tag: reason, attempts: attempt, executionId, idempotencyKey } = error
  const requestId = "requestId" in error ? error.requestId : undefined
  return telemetry
    .announce({ operation, reason, detail: detailOf(error), attempt, millis, executionId, idempotencyKey, requestId })
    .pipe(Effect.zipRight(Effect.sleep(millis)), Effect.zipRight(telemetry.countRetry(operation, reason)))
}

/** @internal A whole operation that is one call. */
export const call = <A>(sender: Sender, fixed: exchange.Call<A>): Effect.Effect<A, RequestFailure> =>
  Effect.suspend(() => {
    const account: telemetry.Account = { attempts: 0, executionId: fixed.executionId }
    return telemetry.spanned(fixed.operation, account, send(sender, fixed, account))
  })
