/**
 * Determines the next step of an item from its journal entry.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Completed, ExecutionId } from "../../Execution.js"
import { type AwaitFailure, SubmissionOutcomeUnknown, type InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { omitUndefined } from "../data/lenient.js"
import type { JournalEntry } from "./journalEntry.js"

/** @internal JSON body of a create request. */
export type RequestBody = { readonly [field: string]: unknown }

/** @internal Plan to submit the item. */
export interface SubmitPlan {
  readonly _tag: "Submit"
  readonly attempt: number
  /** Journal entry of a submission that may have been sent. The submission is resent with the same key and body. */
  readonly resent?: JournalEntry
  /** Idempotency key of the submission. Default: a new key. */
  readonly idempotencyKey?: string | undefined
  /**
   * Body of a rejected submission. The next submission uses the same body, so that an effect in `request` does not run
   * again.
   */
  readonly savedBody?: RequestBody
  /** Journal entry of the submission that this submission replaces. */
  readonly replaced?: JournalEntry
}

/** @internal */
export type Plan =
  | SubmitPlan
  /** Waits for an execution that is running or has ended. */
  | { readonly _tag: "Await"; readonly entry: JournalEntry; readonly executionId: ExecutionId }
  /** Returns the recorded outcome without a request. */
  | { readonly _tag: "Replay"; readonly entry: JournalEntry; readonly result: Either.Either<Completed, AwaitFailure> }
  /** Fails the item without a request. */
  | { readonly _tag: "Reject"; readonly error: InvalidRequest | SubmissionOutcomeUnknown }

/** @internal */
export interface PlanOptions {
  readonly keyTtlMillis: number
  /** Id of the current run. An item that failed in this run is not submitted again in the same run. */
  readonly runId: string
  /** Returns whether a failed item should be submitted again as a new execution. */
  readonly shouldResubmit: (error: AwaitFailure | SubmissionOutcomeUnknown) => boolean
}

const operation = "Batch.run"

const changedRequest = (entry: JournalEntry): InvalidRequest =>
  invalidRequest(
    operation,
    "request",
    `differs from the request that this batch submitted earlier for the same item key (idempotency key ${entry.idempotencyKey}${entry.executionId === undefined ? "" : `, execution ${entry.executionId}`})`,
    "Restore the earlier request to continue. For a new request, change the item key or the batch id."
  )

/** @internal Builds the error for a possibly accepted submission with an expired idempotency key. */
export const submissionOutcomeUnknown = (entry: JournalEntry): SubmissionOutcomeUnknown =>
  new SubmissionOutcomeUnknown({
    operation,
    attempts: 0,
    idempotencyKey: entry.idempotencyKey,
    submittedAt: entry.submittedAt,
    message: `This item was submitted at ${DateTime.formatIso(entry.submittedAt)} under the idempotency key ${entry.idempotencyKey}. It is unknown whether the API accepted the request. The key has expired, so another submission could create a second execution. Look for the execution in the dashboard. If the execution does not exist, return true from resubmit.`
  })

/**
 * Returns the next step of an item after the journal entry `previous`. `digest` is the digest of the current request,
 * or empty if the request is not known before the submission.
 *
 * @internal
 */
export const makePlan = (
  previous: Option.Option<JournalEntry>,
  digest: string,
  now: number,
  options: PlanOptions
): Plan => {
  if (Option.isNone(previous)) return { _tag: "Submit", attempt: 1 }
  const entry = previous.value
  const resubmission: Plan = { _tag: "Submit", attempt: entry.attempt + 1, replaced: entry }
  const isOfThisRun = entry.run === options.runId
  const isChanged = digest !== "" && entry.digest !== "" && digest !== entry.digest
  switch (entry.step) {
    case "Refused":
      if (isChanged || entry.body === undefined) return resubmission
      // The API may return a 401 or 402 again for the same idempotency key. After a recorded 401 or 402, the item
      // therefore needs a new key.
      return {
        ...resubmission,
        savedBody: entry.body,
        idempotencyKey: entry.error === undefined ? entry.idempotencyKey : undefined
      }
    case "Submitted": {
      if (isChanged) return { _tag: "Reject", error: changedRequest(entry) }
      if (now - entry.submittedAt.epochMillis < options.keyTtlMillis) {
        return { _tag: "Submit", attempt: entry.attempt, resent: entry }
      }
      const error = submissionOutcomeUnknown(entry)
      return !isOfThisRun && options.shouldResubmit(error) ? resubmission : { _tag: "Reject", error }
    }
    case "Accepted":
    case "Ended":
    case "Delivered": {
      if (entry.error !== undefined) {
        const hasFailed = entry.step !== "Accepted"
        // A changed request can replace a failed execution, because the failed execution has ended without a charge.
        if (!isOfThisRun && ((isChanged && hasFailed) || options.shouldResubmit(entry.error))) return resubmission
        if (!isChanged && hasFailed) return { _tag: "Replay", entry, result: Either.left(entry.error) }
      }
      if (isChanged) return { _tag: "Reject", error: changedRequest(entry) }
      if (entry.completed !== undefined) return { _tag: "Replay", entry, result: Either.right(entry.completed) }
      return entry.executionId === undefined
        ? { _tag: "Reject", error: submissionOutcomeUnknown(entry) }
        : { _tag: "Await", entry, executionId: entry.executionId }
    }
  }
}

/** @internal Returns the fields that all later entries of an item contain. */
export const permanentFields = ({
  attempt,
  digest,
  executionId,
  hold,
  idempotencyKey,
  key,
  model,
  submittedAt
}: JournalEntry) => omitUndefined({ key, attempt, digest, idempotencyKey, submittedAt, executionId, model, hold })
