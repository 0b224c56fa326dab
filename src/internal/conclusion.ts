/**
 * What the end of an execution means to the one who waited for it: its output, or the error of its code.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Execution from "../Execution.js"
import {
  AwaitTimeout,
  ExecutionCancelled,
  ExecutionExpired,
  type AwaitFailure,
  type RequestFailure
} from "../ModelRouteError.js"
import { send, type Sender } from "./call.js"
import * as classify from "./classify.js"
import * as decode from "./decode.js"
import * as calls from "./executionCalls.js"
import { withSecrets } from "./redact.js"
import type { Account } from "./telemetry.js"
import { present } from "./tolerant.js"

/** @internal Who waited, and what is known of the create before. */
export interface Waiter {
  readonly sender: Sender
  readonly operation: string
  readonly account: Account
  readonly origin: calls.Origin
}

/** @internal The API knows no such execution or result, or not any more. */
export const isMissing = (error: AwaitFailure): boolean =>
  "status" in error && (error.status === 404 || error.status === 410)

/** The output, embedded or fetched; that there is none to fetch must not hide that the execution is finished. */
const completed = (
  { account, operation, origin, sender }: Waiter,
  ended: Execution.Execution
): Effect.Effect<Execution.Completed, RequestFailure> => {
  if (decode.output(ended) !== undefined) return Effect.succeed(decode.completed(ended))
  return calls.result(operation, ended.id, origin).pipe(
    Effect.flatMap((call) => send(sender, call, account)),
    Effect.map(({ execution }) => decode.completed(ended, execution)),
    Effect.catchIf(isMissing, () => Effect.succeed(decode.completed(ended)))
  )
}

/** @internal */
export const conclude = (
  waiter: Waiter,
  ended: Execution.Execution
): Effect.Effect<Execution.Completed, AwaitFailure> => {
  const { account, operation, origin } = waiter
  const { id, status } = ended
  const about = {
    operation,
    attempts: account.attempts,
    executionId: id,
    ...present({ idempotencyKey: origin.idempotencyKey })
  }
  switch (status) {
    case "COMPLETED":
      return completed(waiter, ended)
    case "FAILED":
      return Effect.fail(
        classify.fromExecution(ended, {
          ...about,
          confidential: withSecrets(origin.confidential, waiter.sender.secrets),
          repeatable: true
        })
      )
    case "CANCELLED":
      return Effect.fail(
        new ExecutionCancelled({ ...about, message: `Execution ${id} was cancelled; its hold is released.` })
      )
    case "EXPIRED":
      return Effect.fail(
        new ExecutionExpired({
          ...about,
          message: `Execution ${id} expired before a result arrived; its hold is released. Submit it again as a new execution.`
        })
      )
    default:
      return Effect.fail(
        new AwaitTimeout({
          ...about,
          execution: ended,
          message: `Execution ${id} is still ${status}. Wait for it with executions.await.`
        })
      )
  }
}
