/**
 * Resumes the wait for an execution that an earlier run submitted.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Execution from "../../Execution.js"
import type { JournalError } from "../../ModelRouteError.js"
import * as money from "../data/money.js"
import { recordCompleted, recordWaitFailure, settledCost } from "./recordOutcome.js"
import type { Item, ItemContext, ItemResult } from "./item.js"
import { type JournalEntry, makeEntry, toEarlierSubmission } from "./journalEntry.js"
import { permanentFields } from "./plan.js"

/** @internal Waits for the execution of an accepted item and returns the result of the item. */
export const resume = <A, E, R>(
  context: ItemContext,
  item: Item<A, E, R>,
  entry: JournalEntry,
  executionId: Execution.ExecutionId
): Effect.Effect<ItemResult<A, E>, JournalError> =>
  Effect.suspend(() => {
    const { costBudget, executions, progress, waitOptions, write } = context
    const hold = money.parse(entry.hold) ?? money.zero
    const reservation = costBudget?.reserveAgain(toEarlierSubmission(entry))
    progress.addExecution(hold)
    let latest = entry
    const clearMissing = Effect.flatMap(executions.get(executionId), () => {
      latest = makeEntry({ ...permanentFields(entry), step: "Accepted" })
      return write(latest)
    })
    // An earlier run may have recorded a 404 or 410 for the execution. If the API returns the execution now, the
    // recorded error is removed. Otherwise, a later run could submit the item again and pay for a second execution.
    return Effect.zipRight(
      entry.error === undefined ? Effect.void : clearMissing,
      executions.await(executionId, { ...waitOptions, pollImmediately: true })
    ).pipe(
      Effect.matchEffect({
        onFailure: (error) =>
          error._tag === "JournalError" ? Effect.fail(error) : recordWaitFailure(context, item, latest, error),
        onSuccess: (completed) => recordCompleted(context, item, latest, completed)
      }),
      Effect.tap(({ entry: last = latest }) => {
        if (reservation !== undefined) costBudget?.endReservation(reservation, settledCost(last))
      }),
      Effect.ensuring(Effect.sync(() => progress.removeExecution(hold)))
    )
  })
