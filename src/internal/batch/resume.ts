/**
 * Resumes the wait for an execution that an earlier run has submitted.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Execution from "../../Execution.js"
import type { JournalError } from "../../ModelRouteError.js"
import * as money from "../data/money.js"
import { broken, finished, costOf } from "./conclude.js"
import type { Run, Item, Ended } from "./item.js"
import { type JournalEntry, earlier, entryOf } from "./journalEntry.js"
import { known } from "./plan.js"

/** @internal */
export const resumed = <A, E, R>(
  run: Run,
  item: Item<A, E, R>,
  entry: JournalEntry,
  executionId: Execution.ExecutionId
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.suspend(() => {
    const { executions, spending, tally, wait, write } = run
    const held = money.parse(entry.hold) ?? money.zero
    const room = spending?.again(earlier(entry))
    tally.accepted(held)
    let last = entry
    const isThere = Effect.flatMap(executions.get(executionId), () => {
      last = entryOf({ ...known(entry), step: "Accepted" })
      return write(last)
    })
    // One that the API did not know is no longer unknown as soon as it was seen, whatever comes then.
    return Effect.zipRight(
      entry.error === undefined ? Effect.void : isThere,
      executions.await(executionId, { ...wait, pollImmediately: true })
    ).pipe(
      Effect.matchEffect({
        onFailure: (error) => (error._tag === "JournalError" ? Effect.fail(error) : broken(run, item, last, error)),
        onSuccess: (completed) => finished(run, item, last, completed)
      }),
      Effect.tap(({ entry: end = last }) => {
        if (room !== undefined) spending?.settled(room, costOf(end))
      }),
      Effect.ensuring(Effect.sync(() => tally.left(held)))
    )
  })
