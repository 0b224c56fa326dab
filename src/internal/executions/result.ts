/**
 * Fetches the result of an execution that has ended.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Execution from "../../Execution.js"
import { ExecutionNotReady, type ResultFailure } from "../../ModelRouteError.js"
import { isClientError } from "../errors/semantics.js"
import type { CallStats } from "../telemetry.js"
import { errorFields, toResult, type WaitContext } from "./completion.js"
import * as decode from "./decode.js"
import { addResult, lacksOutput, type Observation } from "./observation.js"
import { type ExecutionsContext, fetchExecution, fetchResult } from "./operations.js"

const operation = "executions.result"

const hasOutput = ({ execution, hasNoOutput }: Observation): boolean =>
  hasNoOutput === true || decode.outputOf(execution) !== undefined

/**
 * Fetches the result of an execution without waiting. Fails with `ExecutionNotReady` if the execution has not ended or
 * its output is not available yet. If the execution ended without a result, fails with the error of its status.
 *
 * @internal
 */
export const fetchCompleted = (
  context: ExecutionsContext,
  id: Execution.ExecutionId,
  stats: CallStats
): Effect.Effect<Execution.Completed, ResultFailure> => {
  const waitContext: WaitContext = { sender: context.sender, operation, stats, create: {} }
  const latest = fetchExecution(context, operation, id, stats)
  const notReady = (execution: Execution.Execution) => {
    const isWithoutOutput = execution.status === "COMPLETED"
    const state = isWithoutOutput
      ? "COMPLETED, but its output is not available yet"
      : `still ${decode.describeStatus(execution.status)}`
    const message = `Execution ${id} is ${state}. Wait for the execution with executions.await.`
    return new ExecutionNotReady({ ...errorFields(waitContext, id), execution, message })
  }
  const toCompleted = (observation: Observation): Effect.Effect<Execution.Completed, ResultFailure> =>
    lacksOutput(observation)
      ? Effect.fail(notReady(observation.execution))
      : toResult(waitContext, observation.execution, notReady)
  return fetchResult(context, operation, id, stats).pipe(
    Effect.flatMap((result) => {
      switch (result.execution.status) {
        case "UNKNOWN":
          // A result without a status is not proof that the execution has ended.
          return Effect.map(latest, (known) =>
            known.execution.status === "COMPLETED" ? addResult(known, result) : known
          )
        case "COMPLETED":
          // A stale replica can omit the output from the result, although the execution already contains the output.
          return hasOutput(result) ? Effect.succeed(result) : latest
        default:
          return Effect.succeed(result)
      }
    }),
    // After a 4xx response, the latest state of the execution determines the result or the error. If the execution is
    // COMPLETED without output, the 4xx response determines the error.
    Effect.catchIf(isClientError, (rejection) =>
      Effect.filterOrFail(
        latest,
        ({ execution }) => execution.status !== "COMPLETED" || decode.outputOf(execution) !== undefined,
        () => rejection
      )
    ),
    Effect.flatMap(toCompleted)
  )
}
