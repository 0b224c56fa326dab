/**
 * Converts an ended execution to its result, or to the error for its status.
 *
 * @internal
 */
import * as Either from "effect/Either"
import type * as Execution from "../../Execution.js"
import { ExecutionCancelled, ExecutionExpired } from "../../ModelRouteError.js"
import type { RequestSender } from "../http/requestSender.js"
import * as classify from "../errors/classify.js"
import type { CodedError } from "../errors/codedError.js"
import * as decode from "./decode.js"
import type { CreateContext } from "./requests.js"
import { withSecrets } from "../errors/confidential.js"
import type { CallStats } from "../telemetry.js"
import { omitUndefined } from "../data/lenient.js"

/** @internal The context of an operation that returns the result of an execution. */
export interface WaitContext {
  readonly sender: RequestSender
  readonly operation: string
  readonly stats: CallStats
  readonly create: CreateContext
}

/** @internal Returns the fields that all errors about an execution contain. */
export const errorFields = ({ stats, create, operation }: WaitContext, id: Execution.ExecutionId) => ({
  operation,
  attempts: stats.attempts,
  executionId: id,
  ...omitUndefined({ idempotencyKey: create.idempotencyKey })
})

/** @internal The error of an execution that ended without a result. */
export type EndFailure = CodedError | ExecutionCancelled | ExecutionExpired

/**
 * Returns the result of a COMPLETED execution. For a FAILED execution, fails with the tagged error of the error code.
 * For CANCELLED or EXPIRED, fails with `ExecutionCancelled` or `ExecutionExpired`. For any other status, fails with the
 * error that `onNotEnded` returns.
 *
 * @internal
 */
export const toResult = <E>(
  context: WaitContext,
  execution: Execution.Execution,
  onNotEnded: (execution: Execution.Execution) => E
): Either.Either<Execution.Completed, EndFailure | E> => {
  const { id, status } = execution
  const fields = errorFields(context, id)
  switch (status) {
    case "COMPLETED":
      return Either.right(decode.toCompleted(execution))
    case "FAILED": {
      const confidential = withSecrets(context.create.confidential, context.sender.secrets)
      return Either.left(classify.fromExecution(execution, { ...fields, confidential, isRepeatable: true }))
    }
    case "CANCELLED":
      return Either.left(
        new ExecutionCancelled({ ...fields, message: `Execution ${id} was cancelled. The hold is released.` })
      )
    case "EXPIRED":
      return Either.left(
        new ExecutionExpired({
          ...fields,
          message: `Execution ${id} expired before a result arrived. The hold is released. Submit the request again as a new execution.`
        })
      )
    default:
      return Either.left(onNotEnded(execution))
  }
}
