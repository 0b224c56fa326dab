/**
 * Submits the execution of a workflow. Each submission is an activity, and all submissions have the same idempotency
 * key.
 *
 * @internal
 */
import * as Activity from "@effect/workflow/Activity"
import { type WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Execution from "../../Execution.js"
import { RequestFailure, SubmissionOutcomeUnknown } from "../../ModelRouteError.js"
import { omitUndefined } from "../data/lenient.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { isForeignResponse, stopsAccount } from "../errors/semantics.js"
import { withInterceptor } from "../http/attemptInterceptor.js"
import { makeKeyExpiry } from "../http/keyExpiry.js"
import type { DurableContext } from "./options.js"
import { SubmitGuard } from "./submitGuard.js"
import { clearSuspension, reportSuspension } from "./suspension.js"
import { delayOf, firstOpen, hasClockEnded, isWaitOver, suspend, suspendUntil } from "./wait.js"
import { type Failure, idempotencyKeyOf } from "./workflow.js"

/** @internal An execution that the API has accepted. */
export interface Accepted {
  readonly id: Execution.ExecutionId
  /** Time of the accepted submission, in epoch milliseconds. */
  readonly submittedAt: number
  /** Number of the first wait that a poll can use. The rejected submissions have used all earlier waits. */
  readonly nextWait: number
}

const SubmitError = Schema.Union(...RequestFailure.members, SubmissionOutcomeUnknown)

/**
 * The result of a submission, which the engine stores. A rejection is a value instead of an error, so that the engine
 * stores `ambiguousSince` with the error.
 */
const SubmitResult = Schema.Union(
  Schema.TaggedStruct("Accepted", { id: Execution.ExecutionId }),
  Schema.TaggedStruct("Rejected", {
    error: SubmitError,
    /** Time of the first submission that the API may have processed, in epoch milliseconds. */
    ambiguousSince: Schema.optional(Schema.Number)
  })
)

type SubmitResult = typeof SubmitResult.Type

/**
 * The create request of a workflow, with the state of its submission. The finalizer of the workflow reads this state to
 * cancel the execution.
 *
 * @internal
 */
export class Submission {
  executionId: Execution.ExecutionId | undefined
  /** Time of the first submission that the API may have processed, in epoch milliseconds. */
  ambiguousSince: number | undefined
  readonly idempotencyKey: string

  constructor(
    /** The id of the durable execution. */
    readonly id: string,
    readonly workflowId: string,
    readonly request: Execution.CreateRequest
  ) {
    this.idempotencyKey = idempotencyKeyOf(workflowId)
  }
}

const outcomeUnknown = ({ idempotencyKey }: Submission, since: number): SubmissionOutcomeUnknown => {
  const submittedAt = DateTime.unsafeMake(since)
  return new SubmissionOutcomeUnknown({
    operation: "DurableExecution",
    attempts: 0,
    idempotencyKey,
    submittedAt,
    message: `The request was submitted at ${DateTime.formatIso(submittedAt)} under the idempotency key ${idempotencyKey}. It is unknown whether the API accepted the request. The key has expired, so another submission could create a second execution. Look for the execution in the dashboard. If the execution does not exist, start the request with a new id.`
  })
}

/**
 * Sends the create request. `mayBeProcessed` indicates whether the API may have processed an earlier submission.
 * `since` is the time of the first submission that the API may have processed, in epoch milliseconds.
 *
 * @internal
 */
export const send = (
  { client, keyTtlMillis }: DurableContext,
  submission: Submission,
  since: number,
  mayBeProcessed: boolean
): Effect.Effect<SubmitResult> =>
  Effect.flatMap(makeKeyExpiry(since + keyTtlMillis), (expiry) => {
    const guard = new SubmitGuard(expiry, mayBeProcessed)
    const { idempotencyKey, request } = submission
    return withInterceptor(client.executions.create(request, { idempotencyKey }), guard).pipe(
      Effect.match({
        onSuccess: ({ id }): SubmitResult => ({ _tag: "Accepted", id }),
        onFailure: (error): SubmitResult => ({
          _tag: "Rejected",
          error: guard.isBlocked ? outcomeUnknown(submission, since) : error,
          ...omitUndefined({ ambiguousSince: guard.isAmbiguous ? since : undefined })
        })
      })
    )
  })

/** Returns the result of a submission that was cancelled before it was sent. */
const notSent = (ambiguousSince: number | undefined): SubmitResult => ({
  _tag: "Rejected",
  error: invalidRequest(
    "executions.create",
    "request",
    "was cancelled before it was sent",
    "Start the request with a new id."
  ),
  ...omitUndefined({ ambiguousSince })
})

type Services = WorkflowEngine | WorkflowInstance

interface Submitted {
  readonly result: SubmitResult
  /** Time of the submission, in epoch milliseconds. */
  readonly submittedAt: number
  /** Whether this run of the workflow sent the request. Otherwise, an earlier run has stored the result. */
  readonly isNew: boolean
}

/** Returns the time of a submission. The engine stores the time before the request is sent. */
const readSubmittedAt = (index: number, onNew: () => void): Effect.Effect<number, never, Services> =>
  Activity.make({
    name: `submittedAt/${index}`,
    success: Schema.Number,
    execute: Effect.clockWith((clock) =>
      Effect.sync(() => {
        onNew()
        return clock.unsafeCurrentTimeMillis()
      })
    )
  })

/**
 * Runs the submission with the number `index` as an activity. The engine stores the time before the request is sent,
 * because the idempotency key expires `keyTtl` after this time.
 */
const submitOnce = (
  context: DurableContext,
  submission: Submission,
  index: number
): Effect.Effect<Submitted, never, Services> =>
  Effect.gen(function* () {
    const instance = yield* WorkflowInstance
    // `isFirstRun` stays `false` if the engine already contains the time of the submission. An earlier run of the
    // workflow may then have sent the request without recording the result.
    let isFirstRun = false
    let isNew = false
    const submittedAt = yield* readSubmittedAt(index, () => {
      isFirstRun = true
    })
    const earlier = submission.ambiguousSince
    const since = earlier ?? submittedAt
    // `ambiguousSince` is set before the activity. If the workflow is interrupted during the activity, the finalizer
    // then treats the request as possibly sent.
    submission.ambiguousSince = since
    const result = yield* Activity.make({
      name: `submit/${index}`,
      success: SubmitResult,
      execute: Effect.suspend(() => {
        const mayBeProcessed = earlier !== undefined || !isFirstRun
        // The engine may run this activity again after an interruption. The next run must then treat the request as
        // possibly sent.
        isFirstRun = false
        isNew = true
        return instance.interrupted
          ? Effect.succeed(notSent(mayBeProcessed ? since : undefined))
          : Effect.tap(send(context, submission, since, mayBeProcessed), ({ _tag }) =>
              _tag === "Accepted" && index > 0 ? clearSuspension(context.suspensions, submission) : Effect.void
            )
      })
    })
    return { result, submittedAt, isNew }
  })

/** Returns whether a later submission with the same idempotency key can succeed. */
const canSucceedLater = (error: typeof SubmitError.Type): boolean =>
  error._tag !== "SubmissionOutcomeUnknown" && (error.retryable || stopsAccount(error) || isForeignResponse(error))

/**
 * Sends the submission with the number `index`, or reads its stored result. After an error that can pass, waits and
 * continues with the next submission. Fails with any other error.
 */
const submitFrom = (
  context: DurableContext,
  submission: Submission,
  index: number
): Effect.Effect<Accepted, Failure, Services> =>
  Effect.gen(function* () {
    const instance = yield* WorkflowInstance
    const { isNew, result, submittedAt } = yield* submitOnce(context, submission, index)
    if (result._tag === "Accepted") {
      submission.executionId = result.id
      return { id: result.id, submittedAt, nextWait: index }
    }
    const { ambiguousSince, error } = result
    submission.ambiguousSince = ambiguousSince
    if (!instance.interrupted && !canSucceedLater(error)) return yield* error
    if (!isNew && (yield* isWaitOver("submit", index))) return yield* submitFrom(context, submission, index + 1)
    // The workflow was cancelled. The engine ends a cancelled workflow when the workflow is suspended.
    if (instance.interrupted) yield* suspend
    const millis = delayOf(context.delays, index)
    if (isNew) {
      yield* reportSuspension(context.suspensions, submission, error, "The execution could not be submitted", millis)
    }
    yield* suspendUntil("submit", index, millis, isWaitOver("submit", index))
    return yield* submitFrom(context, submission, index + 1)
  })

/**
 * Submits the execution until the API accepts the request. Suspends the workflow after a temporary error, such as an
 * outage or an insufficient balance.
 *
 * Continues with a submission that was rejected, because only the wait after a rejection has a clock of the kind
 * `submit`. Usually, this is the latest rejected submission. If `resume` has ended a wait before its clock, this can be
 * an earlier submission. The stored results of the later submissions are then read in order.
 *
 * A deferred that counts the rejections would be simpler, but a workflow must not send signals to itself. A cluster
 * engine delivers such a signal after the workflow is suspended, and then runs the workflow again.
 *
 * @internal
 */
export const submit = (context: DurableContext, submission: Submission): Effect.Effect<Accepted, Failure, Services> =>
  Effect.gen(function* () {
    const firstOpenClock = yield* firstOpen(0, (index) => hasClockEnded("submit", index))
    const latest = Math.max(0, firstOpenClock - 1)
    // The stored result of the latest submission contains the time of the first ambiguous submission. If the engine has
    // lost the result, the request is sent again. The time of the first submission is then the earliest possible time.
    if (latest > 0) submission.ambiguousSince = yield* readSubmittedAt(0, () => {})
    return yield* submitFrom(context, submission, latest)
  })
