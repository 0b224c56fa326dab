/**
 * Waits until the execution of a workflow has ended, and returns the result.
 *
 * The polls are not activities, so the engine stores the output only once, as the result of the workflow.
 *
 * @internal
 */
import { type WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Execution from "../../Execution.js"
import { AwaitTimeout, type ExecutionNotReady, isExecutionEnded, type ResultFailure } from "../../ModelRouteError.js"
import { isForeignResponse, isMissing, stopsAccount } from "../errors/semantics.js"
import type { DurableContext } from "./options.js"
import type { Accepted, Submission } from "./submit.js"
import { clearSuspension, reportSuspension } from "./suspension.js"
import { anyOf, delayOf, firstOpen, hasEndEvent, isWaitOver, suspend, suspendUntil } from "./wait.js"
import type { Failure } from "./workflow.js"

/**
 * Time after a submission during which a 404 does not end the wait. A stale replica of the API may return a 404 for a
 * new execution.
 */
const maxReplicaLagMillis = Duration.toMillis("10 minutes")

/** Time after the end or the expiry of an execution until a missing result fails the workflow with `AwaitTimeout`. */
const maxOverdueMillis = Duration.toMillis("24 hours")

/** Returns whether a result is still missing 24 hours after the end or the expiry of its execution. */
const isOverdue = ({ execution }: ExecutionNotReady, { submittedAt }: Accepted, now: number): boolean => {
  const end = execution.completedAt ?? execution.expiresAt
  return end !== undefined && now > Math.max(DateTime.toEpochMillis(end), submittedAt) + maxOverdueMillis
}

const timeout = ({ execution, executionId, message }: ExecutionNotReady): AwaitTimeout =>
  new AwaitTimeout({ operation: "DurableExecution", attempts: 0, executionId, execution, message })

/** Returns the error that ends the workflow, or `undefined` if a later poll can succeed. */
const toEndFailure = (error: ResultFailure, accepted: Accepted, now: number): Failure | undefined => {
  if (error._tag === "ExecutionNotReady") return isOverdue(error, accepted, now) ? timeout(error) : undefined
  if (isExecutionEnded(error)) return error
  const canPass =
    error.retryable ||
    isForeignResponse(error) ||
    stopsAccount(error) ||
    (isMissing(error) && now - accepted.submittedAt < maxReplicaLagMillis)
  return canPass ? undefined : error
}

/**
 * Fetches the result of the execution. Returns an error as a `Left` if a later poll can succeed. Fails with any other
 * error.
 */
const poll = (
  { client }: DurableContext,
  accepted: Accepted
): Effect.Effect<Either.Either<Execution.Completed, ResultFailure>, Failure> =>
  Effect.gen(function* () {
    const result = yield* Effect.either(client.executions.result(accepted.id))
    if (Either.isRight(result)) return result
    const failure = toEndFailure(result.left, accepted, yield* Clock.currentTimeMillis)
    if (failure !== undefined) return yield* failure
    return result
  })

/**
 * Waits until the execution has ended, and returns its result. Polls once after each wait, and once after an event that
 * reports the end. Suspends the workflow between two polls.
 *
 * @internal
 */
export const awaitEnd = (
  context: DurableContext,
  submission: Submission,
  accepted: Accepted
): Effect.Effect<Execution.Completed, Failure, WorkflowEngine | WorkflowInstance> =>
  Effect.gen(function* () {
    const instance = yield* WorkflowInstance
    // A cancelled workflow must not poll again. The engine ends a cancelled workflow when the workflow is suspended.
    if (instance.interrupted) yield* suspend
    const wait = yield* firstOpen(accepted.nextWait, (wait) => isWaitOver("poll", wait))
    const isOver = isWaitOver("poll", wait)
    const millis = delayOf(context.delays, wait - accepted.nextWait)
    const isEventKnown = yield* hasEndEvent
    if (wait === accepted.nextWait && !isEventKnown) {
      yield* suspendUntil("poll", wait, millis, anyOf(hasEndEvent, isOver))
    } else {
      const result = yield* poll(context, accepted)
      if (Either.isRight(result)) return result.right
      yield* result.left._tag === "ExecutionNotReady"
        ? clearSuspension(context.suspensions, submission)
        : reportSuspension(
            context.suspensions,
            submission,
            result.left,
            `Execution ${accepted.id} could not be polled`,
            millis
          )
      // If the event that reports the end arrived before the poll, this event must not end the wait. Otherwise, the
      // workflow would poll again without a delay.
      yield* suspendUntil("poll", wait, millis, isEventKnown ? isOver : anyOf(hasEndEvent, isOver))
    }
    return yield* awaitEnd(context, submission, accepted)
  })
