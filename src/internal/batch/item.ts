/**
 * One item of a batch, from what the journal knows of it to its outcome. Every step is written down before it counts.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Execution from "../../Execution.js"
import type { Executions, WatchOptions } from "../executions/types.js"
import {
  type AwaitFailure,
  type SubmissionOutcomeUnknown,
  isExecutionEnded,
  type JournalError
} from "../../ModelRouteError.js"
import { CurrentLeave } from "../http/attemptInterceptor.js"
import { requestOf } from "../executions/requests.js"
import { sha256Hex } from "../data/sha256.js"
import { isMissing, isRefusedForGood } from "../errors/semantics.js"
import { present, text } from "../data/lenient.js"
import { calling } from "./callback.js"
import { committed, earlier, type JournalEntry, entryOf, isCostUnknown } from "./journalEntry.js"
import { ItemLeave, keyEndOf } from "./submitGuard.js"
import type { NotAttempted, Outcome } from "./outcome.js"
import { type Body, known, type Plan, planOf, type Rules, undecided } from "./plan.js"
import type { Tally } from "./progress.js"
import * as money from "../data/money.js"
import type { Reservation, Spending } from "./costBudget.js"
import type { Stop, Stopped } from "./stopSignal.js"
import type { Write } from "./journalWriter.js"

/** @internal What the items of one run share. */
export interface Run {
  readonly batch: string
  /** This run. */
  readonly id: string
  readonly executions: Executions
  readonly write: Write
  readonly stop: Stop
  readonly tally: Tally
  /** Where there is a limit. */
  readonly spending: Spending | undefined
  readonly wait: WatchOptions
}

/** @internal One item, as it was read. */
export interface Item<A, E, R> {
  readonly item: A
  readonly index: number
  readonly key: string
  readonly found: Option.Option<JournalEntry>
  /** Of the request; empty where it takes an effect to make one. */
  readonly digest: string
  readonly body: Effect.Effect<Body, AwaitFailure | E, R>
  /** What the API will hold for it, where the caller knows. */
  readonly hold: money.Amount | undefined
  readonly rules: Rules
}

/** @internal What became of an item, and what the journal holds of it now. */
export interface Ended<A, E> {
  readonly outcome: Outcome<A, E>
  readonly entry?: JournalEntry
  /** Whether the journal has told it all. */
  readonly isFromJournal?: boolean
}

/** @internal An outcome that was handed out has been delivered, if it is final. */
export const isDeliverable = (entry: JournalEntry | undefined): entry is JournalEntry => entry?.step === "Ended"

/** @internal */
export const delivered = (entry: JournalEntry): JournalEntry => entryOf({ ...entry, step: "Delivered" })

/** @internal 128 bits. */
export const digestOf = (content: string): string => sha256Hex(content).slice(0, 32)

/** @internal */
export const plan = <A, E, R>({ digest, found, rules }: Item<A, E, R>): Effect.Effect<Plan> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.catchAll(
      calling("resubmit", () => planOf(found, digest, now, rules)),
      (error): Effect.Effect<Plan> => Effect.succeed({ _tag: "Refuse", error })
    )
  )

/** @internal */
export const settle = <A, E, R>(run: Run, item: Item<A, E, R>): Effect.Effect<Ended<A, E>, JournalError, R> =>
  Effect.flatMap(plan(item), (planned) => {
    switch (planned._tag) {
      case "HandOut":
        return Effect.succeed({
          ...Either.match(planned.result, {
            onLeft: (error) => failed(item, error, planned.entry),
            onRight: (completed) => succeeded(item, completed, planned.entry)
          }),
          isFromJournal: true
        })
      case "Refuse":
        return Effect.succeed(failed(item, planned.error))
      case "Await":
        return resumed(run, item, planned.entry, planned.executionId)
      case "Submit":
        return submitted(run, item, planned)
    }
  })

const resumed = <A, E, R>(
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

type Submit = Extract<Plan, { readonly _tag: "Submit" }>

/** Why nothing is submitted for an item. */
type Held = Pick<NotAttempted<never>, "error" | "reason">

/** What goes out for an item, and what is kept free for it. */
interface Ready {
  readonly body: Body
  readonly room: Reservation
  readonly fixed: JournalEntry
}

const submitted = <A, E, R>(
  run: Run,
  item: Item<A, E, R>,
  planned: Submit
): Effect.Effect<Ended<A, E>, JournalError, R> =>
  Effect.flatMap(
    prepared(run, item, planned),
    Either.match({
      onLeft: (ended) => Effect.succeed(ended),
      onRight: (ready) =>
        Effect.zipRight(
          planned.sent === undefined ? run.write(ready.fixed) : Effect.void,
          created(run, item, ready, planned)
        )
    })
  )

/** All that comes before the first entry; an item that is not submitted has ended here. */
const prepared = <A, E, R>(
  run: Run,
  item: Item<A, E, R>,
  planned: Submit
): Effect.Effect<Either.Either<Ready, Ended<A, E>>, never, R> =>
  Effect.gen(function* () {
    const { made: kept, sent } = planned
    const isCounted = isCountedIn(planned)
    const { spending, stop } = run
    // Before an effect makes what could not be submitted anyway.
    if (!isCounted && spending?.isUsedUp === true) yield* stop.say({ reason: "MaxCost" })
    const held = () => stop.holdsBack(isCounted)
    const before = held()
    if (before !== undefined) return Either.left(notAttempted(item, before))
    // What may have been sent is sent again as it was.
    const asked = sent?.body ?? kept
    const made = asked === undefined ? yield* Effect.either(item.body) : Either.right(asked)
    if (Either.isLeft(made)) return Either.left(failed(item, made.left))
    const after = held()
    if (after !== undefined) return Either.left(notAttempted(item, after))
    const body = made.right
    const room = yield* reserved(run, item, planned, text(body["model"]) ?? "")
    if (Either.isLeft(room)) return Either.left(notAttempted(item, room.left))
    const fixed = sent ?? (yield* firstEntry(run, item, planned, body, room.right))
    return Either.right({ body, room: room.right, fixed })
  })

/** `maxCost` has counted it: it may have been accepted, or takes the place of one that may have been. */
const isCountedIn = ({ abandoned, sent }: Submit): boolean =>
  sent !== undefined || (abandoned !== undefined && costOf(abandoned) === undefined)

/** From the create to the outcome. */
const created = <A, E, R>(
  run: Run,
  item: Item<A, E, R>,
  { body, fixed, room: reserved }: Ready,
  planned: Submit
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.flatMap(keyEndOf(fixed.submittedAt.epochMillis + item.rules.keyTtl), (endOfKey) => {
    const { executions, spending, stop, tally, wait, write } = run
    const leave = new ItemLeave(stop, endOfKey, planned.sent !== undefined, isCountedIn(planned))
    let last = fixed
    let room = reserved
    const onAccepted = (execution: Execution.Execution) =>
      Effect.suspend(() => {
        last = entryOf({
          ...known(fixed),
          ...present({ hold: execution.holdAmount }),
          step: "Accepted",
          executionId: execution.id
        })
        tally.accepted(money.parse(last.hold) ?? money.zero)
        if (spending === undefined) return write(last)
        const hold = money.parse(execution.holdAmount)
        room = spending.accepted(room, hold)
        return Effect.zipRight(hold === undefined ? spending.warnOfUnknownHold(execution) : Effect.void, write(last))
      })
    return executions.run(requestOf(body), { ...wait, idempotencyKey: fixed.idempotencyKey, onAccepted }).pipe(
      Effect.provideService(CurrentLeave, Option.some(leave)),
      Effect.matchEffect({
        onFailure: (error) => {
          if (error._tag === "JournalError") return Effect.fail(error)
          return last.step === "Accepted" ? broken(run, item, last, error) : unaccepted(run, item, last, error, leave)
        },
        onSuccess: (completed) => finished(run, item, last, completed)
      }),
      Effect.tap(({ entry = last }) => spending?.settled(room, costOf(entry))),
      Effect.ensuring(
        Effect.sync(() => {
          if (last.step === "Accepted") tally.left(money.parse(last.hold) ?? money.zero)
        })
      )
    )
  })

/** Room for what it may cost. */
const reserved = <A, E, R>(
  { spending, stop }: Run,
  { hold }: Item<A, E, R>,
  planned: Submit,
  model: string
): Effect.Effect<Either.Either<Reservation, Held>> => {
  const { abandoned, sent } = planned
  if (spending === undefined) {
    return Effect.succeed(Either.right({ model, amount: money.zero, isUnknown: false }))
  }
  if (sent !== undefined) return Effect.sync(() => Either.right(spending.again(earlier(sent))))
  const taken = Effect.flatMap(spending.reserve(model, hold, abandoned && earlier(abandoned)), (room) =>
    Either.isLeft(room) && room.left === "MaxCost"
      ? Effect.as(stop.say({ reason: room.left }), room)
      : Effect.succeed(room)
  )
  return Effect.map(stop.unlessStopped(taken, isCountedIn(planned)), (room) =>
    room === undefined
      ? Either.left(stop.current ?? { reason: "Stopped" })
      : Either.mapLeft(room, (reason): Held => ({ reason }))
  )
}

const firstEntry = <A, E, R>(
  { batch, id, spending }: Run,
  { digest, key }: Item<A, E, R>,
  { attempt, key: kept }: Submit,
  body: Body,
  { amount, isUnknown, model }: Reservation
): Effect.Effect<JournalEntry> =>
  Effect.map(DateTime.now, (submittedAt) =>
    entryOf({
      key,
      step: "Submitted",
      attempt,
      digest,
      model,
      body,
      // The first is the same after a restart, also where the journal has lost what it was told.
      idempotencyKey: kept ?? digestOf(JSON.stringify([batch, key, attempt, digest])),
      submittedAt,
      run: id,
      ...(spending === undefined || isUnknown ? {} : { hold: money.formatDollars(amount) })
    })
  )

const finished = <A, E, R>(
  { write }: Run,
  item: Item<A, E, R>,
  last: JournalEntry,
  completed: Execution.Completed
): Effect.Effect<Ended<A, E>, JournalError> => {
  const entry = entryOf({ ...known(last), step: "Ended", completed })
  return Effect.as(write(entry), succeeded(item, completed, entry))
}

/** The wait for its execution has failed. */
const broken = <A, E, R>(
  { id, stop, write }: Run,
  item: Item<A, E, R>,
  accepted: JournalEntry,
  error: AwaitFailure
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.gen(function* () {
    // What an execution has FAILED with says nothing of the account.
    const stopped = isExecutionEnded(error) ? undefined : stoppedBy(error)
    if (stopped !== undefined) yield* stop.say(stopped)
    // Where the API does not know what it has accepted, that is forgotten, or this is another account.
    if (!isExecutionEnded(error) && !isMissing(error)) return failed(item, error, accepted)
    const entry = isExecutionEnded(error) ? endedWith(accepted, error, id) : entryOf({ ...accepted, error, run: id })
    yield* write(entry)
    return failed(item, error, entry)
  })

/** Its create has failed, or was held back. */
const unaccepted = <A, E, R>(
  { id, stop, write }: Run,
  item: Item<A, E, R>,
  last: JournalEntry,
  error: AwaitFailure,
  { isInDoubt, withheld }: ItemLeave
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.gen(function* () {
    if (withheld === "too old") return failed(item, undecided(last), last)
    const refused = stoppedBy(error)
    if (refused !== undefined) yield* stop.say(refused)
    const held = withheld ?? refused
    if (isInDoubt) return withheld === undefined ? failed(item, error, last) : notAttempted(item, withheld, last)
    if (isRefusedForGood(error)) {
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

const endedWith = (last: JournalEntry, error: AwaitFailure, run: string): JournalEntry =>
  entryOf({ ...known(last), step: "Ended", error, run })

/** What it has cost; `undefined` if that is unknown, or if it may still hold something. */
const costOf = (entry: JournalEntry): money.Amount | undefined => {
  if (entry.step === "Submitted" || entry.step === "Accepted" || isCostUnknown(entry)) return undefined
  return money.parse(committed(entry)) ?? money.zero
}

const stoppedBy = (error: AwaitFailure): Stopped | undefined =>
  error._tag === "InsufficientBalance" || error._tag === "Unauthorized" ? { reason: error._tag, error } : undefined

const isFinal = ({ step }: JournalEntry): boolean => step === "Ended" || step === "Delivered"

const about = <A, E, R>({ index, item, key }: Item<A, E, R>, entry?: JournalEntry) => ({
  item,
  index,
  key,
  delivered: entry?.step === "Delivered"
})

const succeeded = <A, E, R>(item: Item<A, E, R>, completed: Execution.Completed, entry: JournalEntry): Ended<A, E> => ({
  outcome: { ...about(item, entry), _tag: "Succeeded", completed },
  entry
})

const failed = <A, E, R>(
  item: Item<A, E, R>,
  error: AwaitFailure | SubmissionOutcomeUnknown | E,
  entry?: JournalEntry
): Ended<A, E> => ({
  outcome: { ...about(item, entry), _tag: "Failed", error, final: entry !== undefined && isFinal(entry) },
  ...present({ entry })
})

const notAttempted = <A, E, R>(item: Item<A, E, R>, { error, reason }: Held, entry?: JournalEntry): Ended<A, E> => ({
  outcome: { ...about(item), _tag: "NotAttempted", reason, ...present({ error }) },
  ...present({ entry })
})
