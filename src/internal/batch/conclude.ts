/**
 * Concludes an item. Writes its end to the journal and builds its outcome.
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
import { committedAmount, isCostUnknown, type JournalEntry, makeEntry } from "./journalEntry.js"
import type { NotAttempted } from "./outcome.js"
import { carryOver, submissionOutcomeUnknown } from "./plan.js"
import type { StopCause } from "./stopSignal.js"
import type { ItemSubmitGuard } from "./submitGuard.js"

/** @internal Why an item is not submitted. */
export type NotAttemptedCause = Pick<NotAttempted<never>, "error" | "reason">

/** @internal Concludes an item whose execution is COMPLETED. */
export const concludeCompleted = <A, E, R>(
  { write }: ItemContext,
  item: Item<A, E, R>,
  latest: JournalEntry,
  completed: Execution.Completed
): Effect.Effect<ItemResult<A, E>, JournalError> => {
  const entry = makeEntry({ ...carryOver(latest), step: "Ended", completed })
  return Effect.as(write(entry), toSucceeded(item, completed, entry))
}

/** @internal Concludes an item whose wait for the execution failed. */
export const concludeWaitFailure = <A, E, R>(
  { runId, stop, write }: ItemContext,
  item: Item<A, E, R>,
  accepted: JournalEntry,
  error: AwaitFailure
): Effect.Effect<ItemResult<A, E>, JournalError> =>
  Effect.gen(function* () {
    const hasEnded = isExecutionEnded(error)
    const stopCause = toStopCause(error)
    if (stopCause !== undefined) yield* stop.trigger(stopCause)
    // A 404 for an accepted execution is recorded, because the API has deleted it or the API key belongs to another
    // account.
    if (!hasEnded && !isMissing(error)) return toFailed(item, error, accepted)
    const entry = hasEnded ? toFailedEntry(accepted, error, runId) : makeEntry({ ...accepted, error, run: runId })
    yield* write(entry)
    return toFailed(item, error, entry)
  })

/** @internal Concludes an item whose create failed or was blocked. */
export const concludeSubmitFailure = <A, E, R>(
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
    // The API executed nothing under the key, so a later run may submit the item again.
    const released = makeEntry({
      ...carryOver(latest),
      ...omitUndefined({ body: latest.body, error: stopCause?.error }),
      step: "Refused"
    })
    yield* write(released)
    const cause = blockedBy ?? stopCause
    return cause === undefined ? toFailed(item, error, released) : toNotAttempted(item, cause, released)
  })

const toFailedEntry = (latest: JournalEntry, error: AwaitFailure, runId: string): JournalEntry =>
  makeEntry({ ...carryOver(latest), step: "Ended", error, run: runId })

/**
 * Returns the cost of an item, or `undefined` if the cost is unknown or the execution may still have a hold.
 *
 * @internal
 */
export const settledCost = (entry: JournalEntry): money.Amount | undefined => {
  if (entry.step === "Submitted" || entry.step === "Accepted" || isCostUnknown(entry)) return undefined
  return money.parse(committedAmount(entry)) ?? money.zero
}

/** Returns why an error stops all submissions of the account, if it does. */
const toStopCause = (error: AwaitFailure): StopCause | undefined =>
  stopsAccount(error) ? { reason: error._tag, error } : undefined

const isFinal = ({ step }: JournalEntry): boolean => step === "Ended" || step === "Delivered"

const outcomeFields = <A, E, R>({ index, item, key }: Item<A, E, R>, entry?: JournalEntry) => ({
  item,
  index,
  key,
  delivered: entry?.step === "Delivered"
})

/** @internal */
export const toSucceeded = <A, E, R>(
  item: Item<A, E, R>,
  completed: Execution.Completed,
  entry: JournalEntry
): ItemResult<A, E> => ({
  outcome: { ...outcomeFields(item, entry), _tag: "Succeeded", completed },
  entry
})

/** @internal */
export const toFailed = <A, E, R>(
  item: Item<A, E, R>,
  error: AwaitFailure | SubmissionOutcomeUnknown | E,
  entry?: JournalEntry
): ItemResult<A, E> => ({
  outcome: { ...outcomeFields(item, entry), _tag: "Failed", error, final: entry !== undefined && isFinal(entry) },
  ...omitUndefined({ entry })
})

/** @internal */
export const toNotAttempted = <A, E, R>(
  item: Item<A, E, R>,
  { error, reason }: NotAttemptedCause,
  entry?: JournalEntry
): ItemResult<A, E> => ({
  outcome: { ...outcomeFields(item), _tag: "NotAttempted", reason, ...omitUndefined({ error }) },
  ...omitUndefined({ entry })
})
