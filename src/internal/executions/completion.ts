/**
 * What the end of an execution means to the caller: its output, or the error of its code.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Execution from "../../Execution.js"
import { ExecutionCancelled, ExecutionExpired } from "../../ModelRouteError.js"
import type { Sender } from "../http/retryLoop.js"
import * as classify from "../errors/classify.js"
import * as decode from "./decode.js"
import type * as calls from "./requests.js"
import { withSecrets } from "../errors/redact.js"
import type { Account } from "../telemetry.js"
import { present } from "../data/lenient.js"

/** @internal The call that asks, and what it still knows of the create. */
export interface Waiter {
  readonly sender: Sender
  readonly operation: string
  readonly account: Account
  readonly origin: calls.Origin
}

/** @internal What every error about an execution says. */
export const aboutExecution = ({ account, operation, origin }: Waiter, id: Execution.ExecutionId) => ({
  operation,
  attempts: account.attempts,
  executionId: id,
  ...present({ idempotencyKey: origin.idempotencyKey })
})

/** @internal The error of an execution that has ended without a result. */
export type EndFailure = classify.CodedError | ExecutionCancelled | ExecutionExpired

/** @internal `notEnded` is the failure if the execution has not ended. */
export const conclude = <E>(
  waiter: Waiter,
  execution: Execution.Execution,
  notEnded: () => E
): Effect.Effect<Execution.Completed, EndFailure | E> => {
  const { id, status } = execution
  const about = aboutExecution(waiter, id)
  switch (status) {
    case "COMPLETED":
      return Effect.succeed(decode.completed(execution))
    case "FAILED": {
      const confidential = withSecrets(waiter.origin.confidential, waiter.sender.secrets)
      return Effect.fail(classify.fromExecution(execution, { ...about, confidential, repeatable: true }))
    }
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
      return Effect.fail(notEnded())
  }
}
