/**
 * Submits an item: reserves its cost, writes its first journal entry and creates its execution.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Execution from "../../Execution.js"
import type { JournalError } from "../../ModelRouteError.js"
import { text, present } from "../data/lenient.js"
import * as money from "../data/money.js"
import { requestOf } from "../executions/requests.js"
import { withInterceptor } from "../http/attemptInterceptor.js"
import { notAttempted, failed, costOf, broken, unaccepted, finished, type Held } from "./conclude.js"
import type { Reservation } from "./costBudget.js"
import { type Run, type Item, type Ended, digestOf } from "./item.js"
import { type JournalEntry, entryOf, earlier } from "./journalEntry.js"
import { type Plan, type Body, known } from "./plan.js"
import { ItemSubmitGuard, keyEndOf } from "./submitGuard.js"

/** @internal */
export type Submit = Extract<Plan, { readonly _tag: "Submit" }>

/** What goes out for an item, and what is kept free for it. */
export interface Ready {
  readonly body: Body
  readonly room: Reservation
  readonly fixed: JournalEntry
}

/** @internal */
export const submitted = <A, E, R>(
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
export const prepared = <A, E, R>(
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
export const isCountedIn = ({ abandoned, sent }: Submit): boolean =>
  sent !== undefined || (abandoned !== undefined && costOf(abandoned) === undefined)

/** From the create to the outcome. */
export const created = <A, E, R>(
  run: Run,
  item: Item<A, E, R>,
  { body, fixed, room: reserved }: Ready,
  planned: Submit
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.flatMap(keyEndOf(fixed.submittedAt.epochMillis + item.rules.keyTtl), (endOfKey) => {
    const { executions, spending, stop, tally, wait, write } = run
    const guard = new ItemSubmitGuard(stop, endOfKey, planned.sent !== undefined, isCountedIn(planned))
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
    return withInterceptor(
      executions.run(requestOf(body), { ...wait, idempotencyKey: fixed.idempotencyKey, onAccepted }),
      guard
    ).pipe(
      Effect.matchEffect({
        onFailure: (error) => {
          if (error._tag === "JournalError") return Effect.fail(error)
          return last.step === "Accepted" ? broken(run, item, last, error) : unaccepted(run, item, last, error, guard)
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
export const reserved = <A, E, R>(
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

/** @internal */
export const firstEntry = <A, E, R>(
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
