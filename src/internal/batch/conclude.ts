/**
 * Writes the end of an item to the journal and builds its outcome.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Execution from "../../Execution.js"
import {
  type JournalError,
  type AwaitFailure,
  isExecutionEnded,
  type SubmissionOutcomeUnknown
} from "../../ModelRouteError.js"
import { present } from "../data/lenient.js"
import * as money from "../data/money.js"
import { isMissing, isPermanentRejection, stopsAccount } from "../errors/semantics.js"
import type { Run, Item, Ended } from "./item.js"
import { type JournalEntry, entryOf, isCostUnknown, committed } from "./journalEntry.js"
import type { NotAttempted } from "./outcome.js"
import { known, undecided } from "./plan.js"
import type { Stopped } from "./stopSignal.js"
import type { ItemSubmitGuard } from "./submitGuard.js"

/** Why nothing is submitted for an item. */
export type Held = Pick<NotAttempted<never>, "error" | "reason">

/** @internal */
export const finished = <A, E, R>(
  { write }: Run,
  item: Item<A, E, R>,
  last: JournalEntry,
  completed: Execution.Completed
): Effect.Effect<Ended<A, E>, JournalError> => {
  const entry = entryOf({ ...known(last), step: "Ended", completed })
  return Effect.as(write(entry), succeeded(item, completed, entry))
}

/** The wait for its execution has failed. */
export const broken = <A, E, R>(
  { id, stop, write }: Run,
  item: Item<A, E, R>,
  accepted: JournalEntry,
  error: AwaitFailure
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.gen(function* () {
    const stopped = stoppedBy(error)
    if (stopped !== undefined) yield* stop.say(stopped)
    // Where the API does not know what it has accepted, that is forgotten, or this is another account.
    if (!isExecutionEnded(error) && !isMissing(error)) return failed(item, error, accepted)
    const entry = isExecutionEnded(error) ? endedWith(accepted, error, id) : entryOf({ ...accepted, error, run: id })
    yield* write(entry)
    return failed(item, error, entry)
  })

/** Its create has failed, or was held back. */
export const unaccepted = <A, E, R>(
  { id, stop, write }: Run,
  item: Item<A, E, R>,
  last: JournalEntry,
  error: AwaitFailure,
  { blockedBy, isInDoubt }: ItemSubmitGuard
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.gen(function* () {
    if (blockedBy === "too old") return failed(item, undecided(last), last)
    const refused = stoppedBy(error)
    if (refused !== undefined) yield* stop.say(refused)
    const held = blockedBy ?? refused
    if (isInDoubt) return blockedBy === undefined ? failed(item, error, last) : notAttempted(item, blockedBy, last)
    if (isPermanentRejection(error)) {
      const entry = endedWith(last, error, id)
      yield* write(entry)
      return failed(item, error, entry)
    }
    // Nothing was executed under the key.
    const released = entryOf({
      ...known(last),
      ...present({ body: last.body, error: refused?.error }),
      step: "Refused"
    })
    yield* write(released)
    return held === undefined ? failed(item, error, released) : notAttempted(item, held, released)
  })

/** @internal */
export const endedWith = (last: JournalEntry, error: AwaitFailure, run: string): JournalEntry =>
  entryOf({ ...known(last), step: "Ended", error, run })

/** What it has cost; `undefined` if that is unknown, or if it may still hold something. */
export const costOf = (entry: JournalEntry): money.Amount | undefined => {
  if (entry.step === "Submitted" || entry.step === "Accepted" || isCostUnknown(entry)) return undefined
  return money.parse(committed(entry)) ?? money.zero
}

/** @internal */
export const stoppedBy = (error: AwaitFailure): Stopped | undefined =>
  stopsAccount(error) ? { reason: error._tag, error } : undefined

/** @internal */
export const isFinal = ({ step }: JournalEntry): boolean => step === "Ended" || step === "Delivered"

/** @internal */
export const about = <A, E, R>({ index, item, key }: Item<A, E, R>, entry?: JournalEntry) => ({
  item,
  index,
  key,
  delivered: entry?.step === "Delivered"
})

/** @internal */
export const succeeded = <A, E, R>(
  item: Item<A, E, R>,
  completed: Execution.Completed,
  entry: JournalEntry
): Ended<A, E> => ({
  outcome: { ...about(item, entry), _tag: "Succeeded", completed },
  entry
})

/** @internal */
export const failed = <A, E, R>(
  item: Item<A, E, R>,
  error: AwaitFailure | SubmissionOutcomeUnknown | E,
  entry?: JournalEntry
): Ended<A, E> => ({
  outcome: { ...about(item, entry), _tag: "Failed", error, final: entry !== undefined && isFinal(entry) },
  ...present({ entry })
})

/** @internal */
export const notAttempted = <A, E, R>(
  item: Item<A, E, R>,
  { error, reason }: Held,
  entry?: JournalEntry
): Ended<A, E> => ({
  outcome: { ...about(item), _tag: "NotAttempted", reason, ...present({ error }) },
  ...present({ entry })
})
