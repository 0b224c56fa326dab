/**
 * Implements `executions.await` and `executions.run`. Both methods wait for the result of an execution.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { type Completed, type Execution, type ExecutionId, isTerminal } from "../../Execution.js"
import { type AwaitFailure, AwaitTimeout, type InvalidRequest, type RequestFailure } from "../../ModelRouteError.js"
import { omitUndefined } from "../data/lenient.js"
import { runCallback } from "../errors/callback.js"
import { costDollars, recordExecution } from "../metrics.js"
import type { CallStats } from "../telemetry.js"
import { cancelOnInterrupt, cancelOnInterruptedCreate, type Canceller } from "./cancelOnInterrupt.js"
import { errorFields, toResult, type WaitContext } from "./completion.js"
import * as decode from "./decode.js"
import {
  cancel,
  type ExecutionsContext,
  inSpan,
  pollRequests,
  type SubmittedExecution,
  type WrapCreate
} from "./operations.js"
import type { AwaitOptions, RunOptions } from "./optionTypes.js"
import { type Poller, type PollerOptions, type WaitInfo, withPoller } from "./poller.js"

/**
 * Waits until an execution has ended. Does not use `Effect.repeat`, because `Effect.repeat` would keep a schedule in
 * memory for each wait.
 */
const untilEnded = (poller: Poller): Poller["next"] =>
  Effect.flatMap(poller.next, (execution) => (poller.isEnded() ? Effect.succeed(execution) : untilEnded(poller)))

/** Waits until an execution has ended and its output is available. Returns the result. */
const awaitEnd = (
  context: ExecutionsContext,
  id: ExecutionId,
  options: PollerOptions,
  stats: CallStats,
  submitted?: SubmittedExecution
): Effect.Effect<Completed, AwaitFailure> => {
  const operation = "executions.await"
  const create = submitted?.create ?? {}
  const waitContext: WaitContext = { sender: context.sender, operation, stats, create }
  const info: WaitInfo = {
    operation,
    id,
    stats,
    createdAt: context.recentCreates.get(id),
    isOutputRequired: true,
    ...omitUndefined({ idempotencyKey: create.idempotencyKey })
  }
  const requests = pollRequests(context, operation, id, stats, create)
  const ended = withPoller(context.poller, info, requests, options, submitted?.observation, untilEnded)
  return Effect.flatMap(ended, (execution) => {
    const result = toResult(waitContext, execution, () => {
      const message = `Execution ${id} is still ${decode.describeStatus(execution.status)}. Wait for the execution with executions.await.`
      return new AwaitTimeout({ ...errorFields(waitContext, id), execution, message })
    })
    return Effect.zipRight(recordEnd(context, execution, result, stats), result)
  })
}

/**
 * Records the model and the cost of an ended execution in the span of the wait. Counts each execution only once in the
 * metrics, even if several waits return its end.
 */
const recordEnd = (
  { recordedEnds }: ExecutionsContext,
  execution: Execution,
  result: Either.Either<Completed, AwaitFailure>,
  stats: CallStats
): Effect.Effect<void> =>
  Effect.suspend(() => {
    stats.model ??= execution.model
    if (!isTerminal(execution)) return Effect.void
    stats.cost = costDollars(execution)
    if (recordedEnds.get(execution.id) === true) return Effect.void
    recordedEnds.set(execution.id, true)
    return recordExecution(execution, Either.isRight(result) ? "ok" : result.left._tag)
  })

const makeCanceller = (context: ExecutionsContext): Canceller => ({
  timer: context.sender.timer,
  cancel: (id, deadline) => inSpan("executions.cancel", id, (stats) => cancel(context, id, stats, deadline))
})

/**
 * Waits for the result of an execution. Implements `executions.await` after its options have been validated.
 *
 * @internal
 */
export const awaitResult = (
  context: ExecutionsContext,
  id: ExecutionId,
  checked: PollerOptions,
  options: AwaitOptions,
  stats: CallStats
): Effect.Effect<Completed, AwaitFailure> => {
  const wait = awaitEnd(context, id, checked, stats)
  return options.cancelOnInterrupt === true ? cancelOnInterrupt(makeCanceller(context), id, undefined, wait) : wait
}

/**
 * Submits an execution. If `wrap` is set, passes the create request to `wrap` and runs the returned effect instead of
 * the request.
 *
 * @internal
 */
export type Submit<E> = (wrap?: WrapCreate) => Effect.Effect<SubmittedExecution, RequestFailure | E>

/**
 * Submits an execution and waits for its result. Implements `executions.run` after its options have been validated.
 *
 * @internal
 */
export const runResult = <E, SE>(
  context: ExecutionsContext,
  submit: Submit<SE>,
  checked: PollerOptions,
  options: RunOptions<E>,
  stats: CallStats
): Effect.Effect<Completed, AwaitFailure | E | SE> => {
  const canceller = options.cancelOnInterrupt === true ? makeCanceller(context) : undefined
  const accept = ({ create, id, observation }: SubmittedExecution): Effect.Effect<void, E | InvalidRequest> => {
    const { onAccepted } = options
    return onAccepted === undefined
      ? Effect.void
      : runCallback("executions.run", "onAccepted", () => onAccepted(observation.execution), {
          attempts: stats.attempts,
          executionId: id,
          ...omitUndefined({ idempotencyKey: create.idempotencyKey })
        })
  }
  // Without `uninterruptibleMask`, an interruption between the create response and the wait would skip the cancel
  // request.
  return Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const submitted = yield* restore(
        submit((create, key) => (canceller === undefined ? create : cancelOnInterruptedCreate(canceller, key, create)))
      )
      const { create, id } = submitted
      const wait = restore(Effect.zipRight(accept(submitted), awaitEnd(context, id, checked, stats, submitted)))
      return yield* canceller === undefined ? wait : cancelOnInterrupt(canceller, id, create.idempotencyKey, wait)
    })
  )
}
