/**
 * Writes the final entry of an item to the journal and builds its outcome.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Execution from "../../Execution.js"
import {
  type AwaitFailure,
  isExecutionEnded,
  type JournalError,
  type SubmissionOutcomeUnknown
} from "../../ModelRouteError.js"
import { omitUndefined } from "../data/lenient.js"
import * as money from "../data/money.js"
import { isMissing, isPermanentRejection, stopsAccount } from "../errors/semantics.js"
import type { Item, ItemContext, ItemResult } from "./item.js"
import { committedAmount, isCostUnknown, type JournalEntry, makeEntry, mayRun } from "./journalEntry.js"
import type { NotAttempted } from "./outcome.js"
import { permanentFields, submissionOutcomeUnknown } from "./plan.js"
import type { StopCause } from "./stopSignal.js"
import type { ItemSubmitGuard } from "./submitGuard.js"

/** @internal Reason why an item was not submitted. */
export type NotAttemptedCause = Pick<NotAttempted<never>, "error" | "reason">

/** @internal Records a COMPLETED execution in the journal and returns the result of its item. */
export const recordCompleted = <A, E, R>(
  { write }: ItemContext,
  item: Item<A, E, R>,
  latest: JournalEntry,
  completed: Execution.Completed
): Effect.Effect<ItemResult<A, E>, JournalError> => {
  const entry = makeEntry({ ...permanentFields(latest), step: "Ended", completed })
  return Effect.as(write(entry), toSucceeded(item, completed, entry))
}

/**
 * Returns the result of an item after the wait for its execution has failed. Records the error in the journal if the
 * execution has ended or was not found (404 or 410). Stops the batch after a 401 or 402.
 *
 * @internal
 */
export const recordWaitFailure = <A, E, R>(
  { runId, stop, write }: ItemContext,
  item: Item<A, E, R>,
  accepted: JournalEntry,
  error: AwaitFailure
): Effect.Effect<ItemResult<A, E>, JournalError> =>
  Effect.gen(function* () {
    const hasEnded = isExecutionEnded(error)
    const stopCause = toStopCause(error)
    if (stopCause !== undefined) yield* stop.trigger(stopCause)
    // A 404 or 410 means that the execution was deleted or belongs to another account. The error is recorded, so that a
    // later run can pass the error to `resubmit`.
    if (!hasEnded && !isMissing(error)) return toFailed(item, error, accepted)
    const entry = hasEnded ? toFailedEntry(accepted, error, runId) : makeEntry({ ...accepted, error, run: runId })
    yield* write(entry)
    return toFailed(item, error, entry)
  })

/**
 * Returns the result of an item whose create request failed or was blocked. Records the failure in the journal if the
 * API has certainly not processed the request.
 *
 * @internal
 */
export const recordSubmitFailure = <A, E, R>(
  { runId, stop, write }: ItemContext,
  item: Item<A, E, R>,
  latest: JournalEntry,
  error: AwaitFailure,
  { blockedBy, mayHaveBeenProcessed }: ItemSubmitGuard
): Effect.Effect<ItemResult<A, E>, JournalError> =>
  Effect.gen(function* () {
    if (blockedBy === "key expired") return toFailed(item, submissionOutcomeUnknown(latest), latest)
    const stopCause = toStopCause(error)
    if (stopCause !== undefined) yield* stop.trigger(stopCause)
    if (mayHaveBeenProcessed) {
      return blockedBy === undefined ? toFailed(item, error, latest) : toNotAttempted(item, blockedBy, latest)
    }
    if (isPermanentRejection(error)) {
      const entry = toFailedEntry(latest, error, runId)
      yield* write(entry)
      return toFailed(item, error, entry)
    }
    // The API did not process the create request. The step `Refused` allows a later run to submit the item again.
    const released = makeEntry({
      ...permanentFields(latest),
      ...omitUndefined({ body: latest.body, error: stopCause?.error }),
      step: "Refused"
    })
    yield* write(released)
    const cause = blockedBy ?? stopCause
    return cause === undefined ? toFailed(item, error, released) : toNotAttempted(item, cause, released)
  })

const toFailedEntry = (latest: JournalEntry, error: AwaitFailure, runId: string): JournalEntry =>
  makeEntry({ ...permanentFields(latest), step: "Ended", error, run: runId })

/**
 * Returns the settled cost of an item. Returns `undefined` if the cost is unknown or the execution may still have a
 * hold.
 *
 * @internal
 */
export const settledCost = (entry: JournalEntry): money.Amount | undefined => {
  if (mayRun(entry) || isCostUnknown(entry)) return undefined
  return money.parse(committedAmount(entry)) ?? money.zero
}

/** Returns the cause for a stop of the batch if the error applies to the whole account (401 or 402). */
const toStopCause = (error: AwaitFailure): StopCause | undefined =>
  stopsAccount(error) ? { reason: error._tag, error } : undefined

const isFinal = ({ step }: JournalEntry): boolean => step === "Ended" || step === "Delivered"

const outcomeFields = <A, E, R>({ index, item, key }: Item<A, E, R>, entry?: JournalEntry) => ({
  item,
  index,
  key,
  delivered: entry?.step === "Delivered"
})

/** @internal Builds the result of an item with a COMPLETED execution. */
export const toSucceeded = <A, E, R>(
  item: Item<A, E, R>,
  completed: Execution.Completed,
  entry: JournalEntry
): ItemResult<A, E> => ({
  outcome: { ...outcomeFields(item, entry), _tag: "Succeeded", completed, output: completed.output },
  entry
})

/** @internal Builds the result of a failed item. */
export const toFailed = <A, E, R>(
  item: Item<A, E, R>,
  error: AwaitFailure | SubmissionOutcomeUnknown | E,
  entry?: JournalEntry
): ItemResult<A, E> => ({
  outcome: { ...outcomeFields(item, entry), _tag: "Failed", error, final: entry !== undefined && isFinal(entry) },
  ...omitUndefined({ entry })
})

/** @internal Builds the result of an item that was not submitted. */
export const toNotAttempted = <A, E, R>(
  item: Item<A, E, R>,
  { error, reason }: NotAttemptedCause,
  entry?: JournalEntry
): ItemResult<A, E> => ({
  outcome: { ...outcomeFields(item), _tag: "NotAttempted", reason, ...omitUndefined({ error }) },
  ...omitUndefined({ entry })
})
