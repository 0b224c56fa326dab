/**
 * Submits an item. Reserves its cost, writes its first journal entry, creates its execution and awaits the result.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Execution from "../../Execution.js"
import type { JournalError } from "../../ModelRouteError.js"
import { omitUndefined, nonEmptyString } from "../data/lenient.js"
import * as money from "../data/money.js"
import { toCreateRequest } from "../executions/requests.js"
import { withInterceptor } from "../http/attemptInterceptor.js"
import { makeKeyExpiry } from "../http/keyExpiry.js"
import {
  recordCompleted,
  recordSubmitFailure,
  recordWaitFailure,
  type NotAttemptedCause,
  settledCost,
  toFailed,
  toNotAttempted
} from "./recordOutcome.js"
import type { Reservation } from "./costBudget.js"
import { computeDigest, type Item, type ItemContext, type ItemResult } from "./item.js"
import { type JournalEntry, makeEntry, toEarlierSubmission } from "./journalEntry.js"
import { permanentFields, type RequestBody, type SubmitPlan } from "./plan.js"
import { ItemSubmitGuard } from "./submitGuard.js"

/** Request of an item with its reservation and its journal entry. */
interface PreparedSubmission {
  readonly body: RequestBody
  readonly reservation: Reservation
  readonly entry: JournalEntry
}

/** @internal Submits an item, waits for its execution and returns the result. */
export const submit = <A, E, R>(
  context: ItemContext,
  item: Item<A, E, R>,
  plan: SubmitPlan
): Effect.Effect<ItemResult<A, E>, JournalError, R> =>
  Effect.flatMap(
    prepare(context, item, plan),
    Either.match({
      onLeft: (result) => Effect.succeed(result),
      onRight: (prepared) =>
        Effect.zipRight(
          plan.resent === undefined ? context.write(prepared.entry) : Effect.void,
          createAndAwait(context, item, prepared, plan)
        )
    })
  )

/**
 * Creates the body of the request and reserves the cost of the item. Returns the result of the item as a `Left` if the
 * item is not submitted.
 */
const prepare = <A, E, R>(
  context: ItemContext,
  item: Item<A, E, R>,
  plan: SubmitPlan
): Effect.Effect<Either.Either<PreparedSubmission, ItemResult<A, E>>, never, R> =>
  Effect.gen(function* () {
    const { resent, savedBody } = plan
    const isCounted = isCostCounted(plan)
    const { costBudget, stop } = context
    // `maxCost` is checked before the effect in `request` runs. Otherwise, the effect could upload a file for an item
    // that is not submitted.
    if (!isCounted && costBudget?.isExhausted === true) yield* stop.trigger({ reason: "MaxCost" })
    const blockedBefore = stop.blocks(isCounted)
    if (blockedBefore !== undefined) return Either.left(toNotAttempted(item, blockedBefore))
    // A request that may have been sent must be resent unchanged.
    const recordedBody = resent?.body ?? savedBody
    const made = recordedBody === undefined ? yield* Effect.either(item.body) : Either.right(recordedBody)
    if (Either.isLeft(made)) return Either.left(toFailed(item, made.left))
    const blockedAfter = stop.blocks(isCounted)
    if (blockedAfter !== undefined) return Either.left(toNotAttempted(item, blockedAfter))
    const body = made.right
    const reservation = yield* reserveCost(context, item, plan, nonEmptyString(body["model"]) ?? "")
    if (Either.isLeft(reservation)) return Either.left(toNotAttempted(item, reservation.left))
    const entry = resent ?? (yield* makeFirstEntry(context, item, plan, body, reservation.right))
    return Either.right({ body, reservation: reservation.right, entry })
  })

/**
 * Returns whether `maxCost` already counts an amount for the item. An amount is counted if the item is resent or
 * replaces a submission without a settled cost.
 */
const isCostCounted = ({ replaced, resent }: SubmitPlan): boolean =>
  resent !== undefined || (replaced !== undefined && settledCost(replaced) === undefined)

/** Creates the execution, writes its id to the journal and waits for its result. */
const createAndAwait = <A, E, R>(
  context: ItemContext,
  item: Item<A, E, R>,
  prepared: PreparedSubmission,
  plan: SubmitPlan
): Effect.Effect<ItemResult<A, E>, JournalError> =>
  Effect.flatMap(makeKeyExpiry(prepared.entry.submittedAt.epochMillis + item.planOptions.keyTtlMillis), (keyExpiry) => {
    const { costBudget, executions, progress, stop, waitOptions, write } = context
    const { body, entry } = prepared
    const guard = new ItemSubmitGuard(stop, keyExpiry, plan.resent !== undefined, isCostCounted(plan))
    let latest = entry
    let reservation = prepared.reservation
    const onAccepted = (execution: Execution.Execution) =>
      Effect.suspend(() => {
        latest = makeEntry({
          ...permanentFields(entry),
          ...omitUndefined({ hold: execution.holdAmount }),
          step: "Accepted",
          executionId: execution.id
        })
        progress.addExecution(money.parse(latest.hold) ?? money.zero)
        if (costBudget === undefined) return write(latest)
        const hold = money.parse(execution.holdAmount)
        reservation = costBudget.accept(reservation, hold)
        return Effect.zipRight(
          hold === undefined ? costBudget.warnOfUnknownHold(reservation, execution) : Effect.void,
          write(latest)
        )
      })
    return withInterceptor(
      executions.run(toCreateRequest(body), { ...waitOptions, idempotencyKey: entry.idempotencyKey, onAccepted }),
      guard
    ).pipe(
      Effect.matchEffect({
        onFailure: (error) => {
          if (error._tag === "JournalError") return Effect.fail(error)
          return latest.step === "Accepted"
            ? recordWaitFailure(context, item, latest, error)
            : recordSubmitFailure(context, item, latest, error, guard)
        },
        onSuccess: (completed) => recordCompleted(context, item, latest, completed)
      }),
      Effect.tap(({ entry: last = latest }) => costBudget?.endReservation(reservation, settledCost(last))),
      Effect.ensuring(
        Effect.sync(() => {
          if (latest.step === "Accepted") progress.removeExecution(money.parse(latest.hold) ?? money.zero)
        })
      )
    )
  })

/** Reserves the expected cost of an item. Returns the cause as a `Left` if the item must not be submitted. */
const reserveCost = <A, E, R>(
  { costBudget, stop }: ItemContext,
  { hold }: Item<A, E, R>,
  plan: SubmitPlan,
  model: string
): Effect.Effect<Either.Either<Reservation, NotAttemptedCause>> => {
  const { replaced, resent } = plan
  if (costBudget === undefined) {
    return Effect.succeed(Either.right({ model, amount: money.zero, isHoldUnknown: false }))
  }
  if (resent !== undefined) {
    return Effect.sync(() => Either.right(costBudget.reserveAgain(toEarlierSubmission(resent))))
  }
  const reserve = Effect.flatMap(
    costBudget.reserve(model, hold, replaced && toEarlierSubmission(replaced)),
    (reservation) =>
      Either.isLeft(reservation) && reservation.left === "MaxCost"
        ? Effect.as(stop.trigger({ reason: reservation.left }), reservation)
        : Effect.succeed(reservation)
  )
  return Effect.map(stop.runUnlessStopped(reserve, isCostCounted(plan)), (reservation) =>
    reservation === undefined
      ? Either.left(stop.cause ?? { reason: "Stopped" })
      : Either.mapLeft(reservation, (reason): NotAttemptedCause => ({ reason }))
  )
}

const makeFirstEntry = <A, E, R>(
  { batchId, costBudget, runId }: ItemContext,
  { digest, key }: Item<A, E, R>,
  { attempt, idempotencyKey }: SubmitPlan,
  body: RequestBody,
  { amount, isHoldUnknown, model }: Reservation
): Effect.Effect<JournalEntry> =>
  Effect.map(DateTime.now, (submittedAt) =>
    makeEntry({
      key,
      step: "Submitted",
      attempt,
      digest,
      model,
      body,
      // A new idempotency key is a hash instead of a random text. If the journal is lost, a later run therefore uses
      // the same key.
      idempotencyKey: idempotencyKey ?? computeDigest(JSON.stringify([batchId, key, attempt, digest])),
      submittedAt,
      run: runId,
      ...(costBudget === undefined || isHoldUnknown ? {} : { hold: money.formatDollars(amount) })
    })
  )
