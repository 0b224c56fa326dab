/**
 * What is to be done with an item, by what the journal knows of it.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Completed, ExecutionId } from "../../Execution.js"
import { type AwaitFailure, SubmissionOutcomeUnknown, type InvalidRequest } from "../../ModelRouteError.js"
import { invalid } from "../errors/invalidRequest.js"
import { present } from "../data/lenient.js"
import type { JournalEntry } from "./journalEntry.js"

/** @internal The body of a create, as JSON. */
export type Body = { readonly [field: string]: unknown }

/** @internal */
export type Plan =
  /**
   * `sent` may have gone out before, and goes out as it was. Otherwise under an idempotency key of its own, or under `key`; `made` is
   * a body that may have taken an effect to make, and was refused. `abandoned` is what it takes the place of.
   */
  | {
      readonly _tag: "Submit"
      readonly attempt: number
      readonly sent?: JournalEntry
      readonly key?: string | undefined
      readonly made?: Body
      readonly abandoned?: JournalEntry
    }
  /** Its execution runs, or has ended meanwhile. */
  | { readonly _tag: "Await"; readonly entry: JournalEntry; readonly executionId: ExecutionId }
  /** It has ended. */
  | { readonly _tag: "HandOut"; readonly entry: JournalEntry; readonly result: Either.Either<Completed, AwaitFailure> }
  /** Nothing may be sent for it. */
  | { readonly _tag: "Refuse"; readonly error: InvalidRequest | SubmissionOutcomeUnknown }

/** @internal */
export interface Rules {
  /** Milliseconds. */
  readonly keyTtl: number
  /** The run: what it has left itself is not submitted anew. */
  readonly run: string
  /** Whether an item that has failed for good is submitted again, as a new execution. */
  readonly resubmits: (error: AwaitFailure | SubmissionOutcomeUnknown) => boolean
}

const operation = "Batch.run"

const changedRequest = (entry: JournalEntry): InvalidRequest =>
  invalid(
    operation,
    "request",
    `is not the one that this batch has submitted under the same key before (idempotency key ${entry.idempotencyKey}${entry.executionId === undefined ? "" : `, execution ${entry.executionId}`})`,
    "Give the item that has changed, or the one of two with the same key, another key, or the batch another id; with the request as it was the batch goes on."
  )

/** @internal The key of what may have been accepted has come to the end of its life. */
export const undecided = (entry: JournalEntry): SubmissionOutcomeUnknown =>
  new SubmissionOutcomeUnknown({
    operation,
    attempts: 0,
    idempotencyKey: entry.idempotencyKey,
    submittedAt: entry.submittedAt,
    message: `This item was submitted at ${DateTime.formatIso(entry.submittedAt)} under the idempotency key ${entry.idempotencyKey}, and nothing tells whether it was accepted. The key is too old to be sent again without the risk of a second execution. Look for the execution in the dashboard; if there is none, let resubmit say so.`
  })

/** @internal `digest` is empty where it takes an effect to make the request. */
export const planOf = (found: Option.Option<JournalEntry>, digest: string, now: number, rules: Rules): Plan => {
  if (Option.isNone(found)) return { _tag: "Submit", attempt: 1 }
  const entry = found.value
  const again: Plan = { _tag: "Submit", attempt: entry.attempt + 1, abandoned: entry }
  const isOfThisRun = entry.run === rules.run
  const isChanged = digest !== "" && entry.digest !== "" && digest !== entry.digest
  switch (entry.step) {
    case "Refused":
      if (isChanged || entry.body === undefined) return again
      // The API may answer the same refusal of the account for as long as it knows the key.
      return { ...again, made: entry.body, key: entry.error === undefined ? entry.idempotencyKey : undefined }
    case "Submitted": {
      if (isChanged) return { _tag: "Refuse", error: changedRequest(entry) }
      if (now - entry.submittedAt.epochMillis < rules.keyTtl) {
        return { _tag: "Submit", attempt: entry.attempt, sent: entry }
      }
      const error = undecided(entry)
      return !isOfThisRun && rules.resubmits(error) ? again : { _tag: "Refuse", error }
    }
    case "Accepted":
    case "Ended":
    case "Delivered": {
      if (entry.error !== undefined) {
        const hasFailed = entry.step !== "Accepted"
        // What has failed may run again when it has changed: nothing of it is running or was paid for.
        if (!isOfThisRun && ((isChanged && hasFailed) || rules.resubmits(entry.error))) return again
        if (!isChanged && hasFailed) return { _tag: "HandOut", entry, result: Either.left(entry.error) }
      }
      if (isChanged) return { _tag: "Refuse", error: changedRequest(entry) }
      if (entry.completed !== undefined) return { _tag: "HandOut", entry, result: Either.right(entry.completed) }
      return entry.executionId === undefined
        ? { _tag: "Refuse", error: undecided(entry) }
        : { _tag: "Await", entry, executionId: entry.executionId }
    }
  }
}

/** @internal What holds of an item whatever its next step. */
export const known = ({ attempt, digest, executionId, hold, idempotencyKey, key, model, submittedAt }: JournalEntry) =>
  present({ key, attempt, digest, idempotencyKey, submittedAt, executionId, model, hold })
