/**
 * One call from the inside: attempt, and while it fails and the policy allows it, wait and attempt again.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RequestFailure } from "../ModelRouteError.js"
import type * as RetryPolicy from "../RetryPolicy.js"
import { CurrentPolicy } from "./current.js"
import * as exchange from "./exchange.js"
import * as Pace from "./pace.js"
import * as telemetry from "./telemetry.js"

/** @internal What all calls of one client share. */
export interface Sender {
  readonly client: HttpClient.HttpClient
  readonly policy: RetryPolicy.RetryPolicy
  readonly limits: exchange.Limits
}

/** @internal Attempts, retries and their waits, without a span of its own. */
export const send = <A>(
  sender: Sender,
  call: exchange.Call<A>,
  account: telemetry.Account
): Effect.Effect<A, RequestFailure> => {
  const attempt = attempted(sender, call, account)
  // The policy is looked at only when there is a failure to decide about: most calls never need one.
  return Effect.catchAll(attempt, (error) =>
    Effect.flatMap(CurrentPolicy, (current) => {
      const pace = Pace.start<RequestFailure>(Option.getOrElse(current, () => sender.policy))
      return retried(call, attempt, pace, error)
    })
  )
}

/** Whatever the policy: without a key a write is sent again only when it was certainly not carried out. */
const mayRepeat = (call: exchange.Call<unknown>, error: RequestFailure): boolean =>
  call.repeatable ||
  (error._tag === "TransportError" && error.reason === "connect") ||
  ("status" in error && error.status === 429)

const attempted = <A>(
  sender: Sender,
  call: exchange.Call<A>,
  account: telemetry.Account
): Effect.Effect<A, RequestFailure> =>
  Effect.suspend(() => {
    account.attempts += 1
    return exchange.once(sender.client, call, { attempts: account.attempts, limits: sender.limits })
  }).pipe(
    Effect.tapBoth({
      onSuccess: () => telemetry.countRequest(call.operation, "ok"),
      onFailure: (error) => telemetry.countRequest(call.operation, error._tag)
    })
  )

const retried = <A>(
  call: exchange.Call<A>,
  attempt: Effect.Effect<A, RequestFailure>,
  pace: Pace.Pace<RequestFailure>,
  error: RequestFailure
): Effect.Effect<A, RequestFailure> =>
  Effect.gen(function* () {
    const millis = mayRepeat(call, error) ? yield* pace(error) : undefined
    if (millis === undefined) return yield* error
    yield* waited(call.operation, error, millis)
    return yield* Effect.catchAll(attempt, (next) => retried(call, attempt, pace, next))
  })

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
    const account: telemetry.Account = { attempts: 0, executionId: fixed.executionId, fileId: fixed.fileId }
    return telemetry.spanned(fixed.operation, account, send(sender, fixed, account))
  })
