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
import type { Executions, WatchOptions } from "../../ModelRouteClient.js"
import { type AwaitFailure, type ExecutionUndecided, hasEnded, type JournalError } from "../../ModelRouteError.js"
import { CurrentLeave, type Leave } from "../current.js"
import { requestOf } from "../executionCalls.js"
import { sha256Hex } from "../hash.js"
import { invalid } from "../invalid.js"
import { present, text } from "../tolerant.js"
import { committed, Entry } from "./entry.js"
import type { Outcome } from "./outcome.js"
import { type Body, known, type Plan, planOf, type Rules, undecided } from "./plan.js"
import type { Tally } from "./progress.js"
import * as money from "./spending.js"
import type { Stop, Stopped } from "./stop.js"
import type { Write } from "./writer.js"

/** @internal What the items of one run share. */
export interface Run {
  readonly batch: string
  readonly executions: Executions
  readonly write: Write
  readonly stop: Stop
  readonly tally: Tally
  /** Where there is a limit. */
  readonly spending: money.Spending | undefined
  readonly wait: WatchOptions
}

/** @internal One item, as it was read. */
export interface Item<A, E, R> {
  readonly item: A
  readonly index: number
  readonly key: string
  readonly found: Option.Option<Entry>
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
  readonly entry?: Entry
  /** Whether the journal has told it all. */
  readonly isFromJournal?: boolean
}

/** @internal An outcome that was handed out has been delivered, if it is final. */
export const isDeliverable = (entry: Entry | undefined): entry is Entry => entry?.step === "Ended"

/** @internal */
export const delivered = (entry: Entry): Entry =>
  new Entry({ ...entry, step: "Delivered" }, { disableValidation: true })

/** @internal 128 bits. */
export const digestOf = (content: string): string => sha256Hex(content).slice(0, 32)

/** @internal */
export const plan = <A, E, R>({ digest, found, rules }: Item<A, E, R>): Effect.Effect<Plan> =>
  Effect.map(Clock.currentTimeMillis, (now) => planOf(found, digest, now, rules))

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
  entry: Entry,
  executionId: Execution.ExecutionId
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.suspend(() => {
    const held = money.amount(entry.hold)
    run.spending?.resumed()
    run.tally.accepted(held)
    return run.executions.await(executionId, { ...run.wait, lookFirst: true }).pipe(
      Effect.matchEffect({
        onFailure: (error) => broken(run, item, entry, error),
        onSuccess: (completed) => finished(run, item, entry, completed)
      }),
      Effect.tap(({ entry: last = entry }) => {
        run.spending?.ended(held, money.amount(committed(last)))
      }),
      Effect.ensuring(Effect.sync(() => run.tally.left(held)))
    )
  })

const submitted = <A, E, R>(
  run: Run,
  item: Item<A, E, R>,
  { attempt, made: kept, sent }: Extract<Plan, { readonly _tag: "Submit" }>
): Effect.Effect<Ended<A, E>, JournalError, R> =>
  Effect.gen(function* () {
    const { executions, spending, stop, tally, wait, write } = run
    // Before an effect makes what could not be submitted anyway.
    if (sent === undefined && spending?.isUsedUp === true) yield* stop.say({ reason: "MaxCost" })
    if (stop.current !== undefined) return notAttempted(item, stop.current)
    // What may have been sent is sent again as it was.
    const before = sent?.body ?? kept
    const made = before === undefined ? yield* Effect.either(item.body) : Either.right(before)
    if (Either.isLeft(made)) return failed(item, made.left)
    if (stop.current !== undefined) return notAttempted(item, stop.current)
    const body = made.right
    const room = yield* reserved(run, item, text(body["model"]) ?? "", sent)
    if (room === undefined) return notAttempted(item, stop.current ?? { reason: "MaxCost" })

    const fixed = sent ?? (yield* firstEntry(run, item, attempt, body, room))
    if (sent === undefined) yield* write(fixed)
    let last = fixed
    const onAccepted = (execution: Execution.Execution) =>
      Effect.suspend(() => {
        last = new Entry(
          { ...known(fixed), ...present({ hold: execution.holdAmount }), step: "Accepted", executionId: execution.id },
          { disableValidation: true }
        )
        const held = money.amount(last.hold)
        spending?.accepted(room, held)
        tally.accepted(held)
        return write(last)
      })
    let withheld: "stopped" | "too old" | undefined
    const leave: Leave = (attempts) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const mayBeSent = sent !== undefined || attempts > 0
        const isTooOld = mayBeSent && now - fixed.submittedAt.epochMillis >= item.rules.keyLife
        if (!mayBeSent && stop.current !== undefined) withheld = "stopped"
        else if (isTooOld) withheld = "too old"
        return withheld === undefined ? undefined : notSent(withheld, attempts)
      })
    return yield* executions.run(requestOf(body), { ...wait, idempotencyKey: fixed.idempotencyKey, onAccepted }).pipe(
      Effect.provideService(CurrentLeave, Option.some(leave)),
      Effect.matchEffect({
        onFailure: (error) => {
          if (error._tag === "JournalError") return Effect.fail(error)
          if (withheld === "too old") return Effect.succeed(failed<A, E, R>(item, undecided(fixed), last))
          return withheld === "stopped"
            ? released<A, E>(run, last, (entry) => notAttempted(item, stop.current ?? { reason: "Stopped" }, entry))
            : broken(run, item, last, error, sent === undefined)
        },
        onSuccess: (completed) => finished(run, item, last, completed)
      }),
      Effect.tap(({ entry = last }) => {
        if (last.step === "Accepted") spending?.ended(money.amount(last.hold), money.amount(committed(entry)))
        else spending?.refused(room, entry.step !== "Submitted")
      }),
      Effect.ensuring(
        Effect.sync(() => {
          if (last.step === "Accepted") tally.left(money.amount(last.hold))
        })
      )
    )
  })

/** Room for what it may cost, or nothing when the batch has stopped. */
const reserved = <A, E, R>(
  { spending, stop }: Run,
  { hold }: Item<A, E, R>,
  model: string,
  sent: Entry | undefined
): Effect.Effect<money.Reservation | undefined> => {
  if (spending === undefined) return Effect.succeed({ model, amount: money.amount(sent?.hold), isProbe: false })
  if (sent !== undefined) {
    return Effect.succeed(spending.again(model, sent.hold === undefined ? undefined : money.amount(sent.hold)))
  }
  return Effect.flatMap(stop.unlessStopped(spending.reserve(model, hold)), (room) =>
    room !== undefined && Option.isNone(room)
      ? Effect.as(stop.say({ reason: "MaxCost" }), undefined)
      : Effect.succeed(room?.value)
  )
}

const firstEntry = <A, E, R>(
  { batch, spending }: Run,
  { digest, key }: Item<A, E, R>,
  attempt: number,
  body: Body,
  { amount, isProbe, model }: money.Reservation
): Effect.Effect<Entry> =>
  Effect.map(
    DateTime.now,
    (submittedAt) =>
      new Entry(
        {
          key,
          step: "Submitted",
          attempt,
          digest,
          model,
          body,
          // The same after a restart, also where the journal has lost what it was told last.
          idempotencyKey: digestOf(JSON.stringify([batch, key, attempt, digest])),
          submittedAt,
          ...(spending === undefined || isProbe ? {} : { hold: money.format(amount) })
        },
        { disableValidation: true }
      )
  )

const finished = <A, E, R>(
  { write }: Run,
  item: Item<A, E, R>,
  last: Entry,
  completed: Execution.Completed
): Effect.Effect<Ended<A, E>, JournalError> => {
  const entry = new Entry({ ...known(last), step: "Ended", completed }, { disableValidation: true })
  return Effect.as(write(entry), succeeded(item, completed, entry))
}

/** `isFirst`: nothing was sent under its key before this call. */
const broken = <A, E, R>(
  run: Run,
  item: Item<A, E, R>,
  last: Entry,
  error: AwaitFailure,
  isFirst = false
): Effect.Effect<Ended<A, E>, JournalError> =>
  Effect.gen(function* () {
    const { stop, write } = run
    const isAccepted = last.step === "Accepted"
    // What an execution has FAILED with says nothing of the account.
    const stopped = hasEnded(error) ? undefined : stoppedBy(error)
    if (stopped !== undefined) yield* stop.say(stopped)
    if (hasEnded(error) || (!isAccepted && isRefusedForGood(error))) {
      const entry = new Entry({ ...known(last), step: "Ended", error }, { disableValidation: true })
      yield* write(entry)
      return failed(item, error, entry)
    }
    if (isAccepted || !isFirst || !isUnspent(error)) return failed(item, error, last)
    return yield* released<A, E>(run, last, (entry) =>
      stopped === undefined ? failed(item, error, entry) : notAttempted(item, stopped, entry)
    )
  })

/** Nothing was executed under the key: a later run takes another. */
const released = <A, E>(
  { write }: Run,
  last: Entry,
  ended: (entry: Entry) => Ended<A, E>
): Effect.Effect<Ended<A, E>, JournalError> => {
  const entry = new Entry(
    { ...known(last), ...present({ body: last.body }), step: "Refused" },
    { disableValidation: true }
  )
  return Effect.as(write(entry), ended(entry))
}

const notSent = (why: "stopped" | "too old", attempts: number) =>
  invalid(
    "executions.create",
    "idempotencyKey",
    why === "stopped" ? "is of an item that was not sent before its batch stopped" : "is too old to be sent again",
    "Run the batch again.",
    attempts
  )

const stoppedBy = (error: AwaitFailure): Stopped | undefined =>
  error._tag === "InsufficientBalance" || error._tag === "Unauthorized" ? { reason: error._tag, error } : undefined

/** The API has looked at the request and will never take it: nothing was executed for it. */
const isRefusedForGood = (error: AwaitFailure): boolean => {
  switch (error._tag) {
    case "InputValidationError":
    case "ContentModerationRejected":
    case "FileNotFound":
    case "FileFormatUnsupported":
      return !error.retryable
    default:
      return false
  }
}

/** Certain to have had no effect: it was not sent at all, or once, and refused before anybody looked at it. */
const isUnspent = (error: AwaitFailure): boolean =>
  error.attempts === 0 || (error.attempts === 1 && (stoppedBy(error) !== undefined || error._tag === "RateLimited"))

const isFinal = ({ step }: Entry): boolean => step === "Ended" || step === "Delivered"

const about = <A, E, R>({ index, item, key }: Item<A, E, R>, entry?: Entry) => ({
  item,
  index,
  key,
  delivered: entry?.step === "Delivered"
})

const succeeded = <A, E, R>(item: Item<A, E, R>, completed: Execution.Completed, entry: Entry): Ended<A, E> => ({
  outcome: { ...about(item, entry), _tag: "Succeeded", completed },
  entry
})

const failed = <A, E, R>(
  item: Item<A, E, R>,
  error: AwaitFailure | ExecutionUndecided | E,
  entry?: Entry
): Ended<A, E> => ({
  outcome: { ...about(item, entry), _tag: "Failed", error, final: entry !== undefined && isFinal(entry) },
  ...present({ entry })
})

const notAttempted = <A, E, R>(item: Item<A, E, R>, { error, reason }: Stopped, entry?: Entry): Ended<A, E> => ({
  outcome: { ...about(item), _tag: "NotAttempted", reason, ...present({ error }) },
  ...present({ entry })
})
