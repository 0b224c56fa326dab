/**
 * Batches: thousands of executions that are safe to start, watch, stop, kill and start again. A journal holds every step of every
 * item, so that a later run goes on where an earlier one has stopped, submits nothing twice and loses nothing.
 *
 * @since 0.1.0
 */
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type * as Subscribable from "effect/Subscribable"
import type * as Execution from "./Execution.js"
import * as engine from "./internal/batch/run.js"
import { earlier, JournalEntry, revision, JournalStep } from "./internal/batch/journalEntry.js"
import { Journal, type JournalService } from "./internal/batch/journal.js"
import * as journalMemory from "./internal/batch/journalMemory.js"
import * as journalStore from "./internal/batch/journalKeyValueStore.js"
import type { Failed, NotAttempted, Outcome, Succeeded } from "./internal/batch/outcome.js"
import { type Progress, Tally } from "./internal/batch/progress.js"
import { RetryBudget, type RetryBudgetOptions } from "./internal/batch/retryBudget.js"
import * as spendings from "./internal/batch/costBudget.js"
import { type StopReason, Stop } from "./internal/batch/stopSignal.js"
import * as writer from "./internal/batch/journalWriter.js"
import { invalid } from "./internal/errors/invalidRequest.js"
import type * as money from "./internal/data/money.js"
import * as monotonic from "./internal/data/monotonic.js"
import { all, checksOf } from "./internal/errors/optionChecks.js"
import { ModelRouteClient, type Service } from "./ModelRouteClient.js"
import { type WatchOptions } from "./internal/executions/types.js"
import type { AwaitFailure, SubmissionOutcomeUnknown, InvalidRequest, JournalError } from "./ModelRouteError.js"

export {
  JournalEntry,
  type Failed,
  Journal,
  type JournalService,
  type NotAttempted,
  type Outcome,
  type Progress,
  type StopReason,
  type RetryBudgetOptions,
  revision,
  JournalStep,
  type Succeeded
}

/**
 * What a batch is. `E` are the failures of single items, from an effect that makes their request; `E2` and `R` belong to the effects
 * that are run along the way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A, E = never, E2 = never, R = never> {
  /**
   * Names the batch: a later run with the same id goes on with it. The idempotency keys are made of it, so that a new piece of work
   * takes a new id.
   */
  readonly id: string
  /**
   * Names an item within the batch, the same in every run: a number in a catalogue, a line of a file. Items with the same key are
   * the same item: it runs once, and each has its outcome, one after the other; `deliver` may be run for each, or once.
   */
  readonly key: (item: A, index: number) => string
  /**
   * What to run for an item. An effect, such as one that uploads its input, is run only for an item that has to be submitted; if it
   * fails, so does the item. For a request that takes no effect, or with `version`, a later run finds out when it has changed. What
   * throws makes its item fail with `InvalidRequest`; a defect of the effect ends the batch. What an effect has made is kept as long
   * as nothing was accepted, and goes out again as it was, until `version` changes.
   */
  readonly request: (item: A, index: number) => Execution.CreateRequest | Effect.Effect<Execution.CreateRequest, E, R>
  /**
   * A text that changes when an item's request does, such as a hash of its input, where it takes an effect to make the request: for a
   * later run to find out. Default: the request itself; nothing where it takes an effect.
   */
  readonly version?: ((item: A, index: number) => string) | undefined
  /** How many items are worked on at once, from the submission to the end of `deliver`. Default 20. */
  readonly concurrency?: number | undefined
  /** Outcomes come out as items end, or in the order of the input. Default `completion`. */
  readonly order?: "completion" | "input" | undefined
  /** How many items there are, where the input cannot tell: for `Progress.estimatedEnd`. */
  readonly total?: number | undefined
  /**
   * How long the API remembers an idempotency key; its pages do not say. A submission whose answer was lost is repeated under its
   * key within this time; later, the item fails with `SubmissionOutcomeUnknown`. Default 24 hours.
   */
  readonly keyTtl?: Duration.DurationInput | undefined
  /**
   * Dollars, as a decimal string: nothing is submitted that would take what the batch has cost, plus what is held for executions
   * that run or may run, over it; earlier runs count. The API holds more than an execution costs, so that a little may be left.
   * Until it is known what one execution of a model holds, only one of that model is submitted, which itself may take more than
   * there is, unless `hold` tells. What an earlier run has submitted without learning its fate is submitted again whatever the limit.
   */
  readonly maxCost?: string | undefined
  /**
   * What the API will hold for an item, in dollars as a decimal string, where you can tell: for `maxCost`. Default: the most that it
   * has held for the model.
   */
  readonly hold?: ((item: A, index: number) => string) | undefined
  /**
   * Asked before each group of submissions, with how many there are in it (at most `concurrency`, and 64): for a look at the
   * balance, since no page of the API tells how to ask for it. It may take its time; on `false` nothing more is submitted. Default:
   * nothing is asked.
   */
  readonly beforeSubmit?: ((count: number) => Effect.Effect<boolean, E2, R>) | undefined
  /**
   * What is to be done with each outcome, such as saving the result: run for many items at once, before the outcome comes out of the
   * stream, and not again in a later run for one that counts as delivered. With `false` the batch goes on and the outcome does not
   * count as delivered: a later run tries again. A failure ends the batch. Default: nothing.
   */
  readonly deliver?: ((outcome: Outcome<A, E>) => Effect.Effect<unknown, E2, R>) | undefined
  /**
   * Whether an item is submitted again as a new execution: one that is undecided, or that has failed for good in an earlier run, or
   * whose execution the API did not know then (HTTP 404 or 410); such as `({ _tag, retryable }) => retryable || _tag ===
   * "ExecutionExpired"`. At most once per run. `maxCost` does not count any more what has been given up for it. Default: never,
   * unless it has failed for good and its request has changed.
   */
  readonly resubmit?: ((error: AwaitFailure | SubmissionOutcomeUnknown, item: A) => boolean) | undefined
  /** How long and how often to look at each execution. Default: as the client does. */
  readonly wait?: Pick<WatchOptions, "pollSchedule" | "timeout"> | undefined
  /** How many retries of faults the items may make together. `false`: no bound but that of the client's policy. */
  readonly retryBudget?: RetryBudgetOptions | false | undefined
}

/**
 * A batch that is ready to run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batch<A, E = never, E2 = never, R = never> {
  /**
   * One outcome per item. Works as far as it is consumed: who does not ask for the next outcome holds the items back. An outcome
   * counts as delivered when the next one is asked for. An interruption waits for the journal's write that has begun. Can be run once;
   * a second time fails with `InvalidRequest`.
   */
  readonly outcomes: Stream.Stream<Outcome<A, E>, E2 | InvalidRequest | JournalError, R>
  /** How far it is. `changes` gives the newest state each time that an item has taken a step; it has no end. */
  readonly progress: Subscribable.Subscribable<Progress>
  /**
   * Submits nothing more: what runs is waited for, what this run has sent without learning its fate is asked for again under its
   * key, the rest of the input is read and not attempted.
   */
  readonly stop: Effect.Effect<void>
}

const operation = "Batch.run"

/** The options, checked before anything is read or submitted. */
const checked = <A, E, E2, R>(options: Options<A, E, E2, R>): Either.Either<Checked, InvalidRequest> => {
  const check = checksOf(operation)
  const { beforeSubmit, concurrency = 20, deliver, hold, id, key, keyTtl = "24 hours", maxCost, order } = options
  const { request, resubmit, retryBudget, total, version, wait } = options
  return Either.gen(function* () {
    if (typeof id !== "string" || id.trim() === "") {
      return yield* Either.left(
        invalid(operation, "id", "is empty", "Give the batch a name that each of its runs has.")
      )
    }
    yield* all([
      check.function("key", key ?? "missing"),
      check.function("request", request ?? "missing"),
      check.function("version", version),
      check.function("hold", hold),
      check.function("beforeSubmit", beforeSubmit),
      check.function("deliver", deliver),
      check.function("resubmit", resubmit),
      check.wholeNumber("concurrency", concurrency, 1),
      check.wholeNumber("total", total, 0),
      check.oneOf("order", order, ["completion", "input"]),
      check.schedule("wait.pollSchedule", wait?.pollSchedule),
      wait?.timeout === undefined ? Either.void : check.duration("wait.timeout", wait.timeout, "zero")
    ])
    const { maxTokens = 1, minPerMinute = 1, tokenRatio = 0 } = retryBudget || {}
    if (!(
      maxTokens >= 1 &&
      tokenRatio >= 0 &&
      Number.isFinite(tokenRatio) &&
      minPerMinute > 0 &&
      Number.isFinite(minPerMinute)
    )) {
      return yield* Either.left(
        invalid(
          operation,
          "retryBudget",
          "would let no retry through",
          "Pass maxTokens of at least 1, tokenRatio of at least 0 and minPerMinute above 0, or false for no budget."
        )
      )
    }
    const keyTtlMillis = yield* check.duration("keyTtl", keyTtl, "above zero")
    return { keyTtlMillis, limit: maxCost === undefined ? undefined : yield* spendings.given("maxCost", maxCost) }
  })
}

interface Checked {
  readonly keyTtlMillis: number
  readonly limit: money.Amount | undefined
}

const isStream = <A, E, R>(items: Iterable<A> | Stream.Stream<A, E, R>): items is Stream.Stream<A, E, R> =>
  Predicate.hasProperty(items, Stream.StreamTypeId)

const sizeOf = (items: Iterable<unknown>): number | undefined => {
  const size = Predicate.hasProperty(items, "size")
    ? items.size
    : Predicate.hasProperty(items, "length") && items.length
  return typeof size === "number" ? size : undefined
}

function* iterate<A>(items: Iterable<A>): Generator<A> {
  yield* items
}

/** Items are taken from an iterable a few at a time. */
const inputOf = <A, E, R>(items: Iterable<A> | Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  isStream(items) ? items : Stream.suspend(() => Stream.fromIteratorSucceed(iterate(items), 64))

/** With what the executions of earlier runs have cost and hold. */
const spendingOf = (
  limit: money.Amount | undefined,
  journal: JournalService,
  id: string
): Effect.Effect<spendings.Spending | undefined, JournalError> => {
  if (limit === undefined) return Effect.succeed(undefined)
  const spending = new spendings.Spending(limit)
  const recall = (entry: JournalEntry) => Effect.sync(() => spending.recall(earlier(entry)))
  return Effect.map(Stream.runForEach(journal.entries(id), recall), () => {
    spending.recalled()
    return spending
  })
}

const makeWith = <A, E, E2, R, EI, RI>(
  client: Service,
  journal: JournalService,
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R>
): Batch<A, E, E2 | EI, R | RI> => {
  const { id, resubmit = () => false } = options
  const stop = new Stop(id)
  const budget = new RetryBudget(options.retryBudget ?? {})
  const total = options.total ?? (isStream(items) ? undefined : sizeOf(items))
  const tally = new Tally(total, stop, budget, client.rateLimit)
  let hasRun = false

  const outcomes = Effect.gen(function* () {
    const { keyTtlMillis, limit } = yield* checked(options)
    if (hasRun) return yield* invalid(operation, "outcomes", "has been run", "Make the batch anew: it goes on.")
    hasRun = true
    const spending = yield* spendingOf(limit, journal, id)
    const write = yield* writer.make(journal, id)
    const now = yield* Clock.currentTimeMillis
    const run = `${now.toString(36)}-${(yield* Random.nextIntBetween(0, 2 ** 52)).toString(36)}`
    tally.begin(yield* monotonic.now)
    return engine.outcomes(
      {
        batch: id,
        id: run,
        executions: client.executions,
        journal,
        write,
        stop,
        budget,
        tally,
        spending,
        wait: options.wait ?? {}
      },
      {
        key: options.key,
        request: options.request,
        version: options.version,
        hold: options.hold,
        rules: (item) => ({
          keyTtl: keyTtlMillis,
          run,
          resubmits: (error) => resubmit(error, item)
        }),
        beforeSubmit: options.beforeSubmit
      },
      { concurrency: options.concurrency ?? 20, inOrder: options.order === "input", deliver: options.deliver },
      inputOf(items)
    )
  })

  return { outcomes: Stream.unwrapScoped(outcomes), progress: tally.progress, stop: stop.say({ reason: "Stopped" }) }
}

/**
 * A batch with its progress and a way to stop it. Nothing happens before its `outcomes` are run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, EI = never, RI = never, E = never, E2 = never, R = never>(
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R>
): Effect.Effect<Batch<A, E, E2 | EI, R | RI>, never, ModelRouteClient | Journal> =>
  Effect.zipWith(ModelRouteClient, Journal, (client, journal) => makeWith(client, journal, items, options))

/**
 * Runs a batch, or goes on with it where an earlier run has stopped: submits each item once, waits for it, and gives one outcome per
 * item. Items are read as they are needed. One that fails does not end the batch; the first `InsufficientBalance` or `Unauthorized`
 * stops submissions: what runs is waited for, and the rest is `NotAttempted`, until the batch is run again. Interrupted or killed, it
 * leaves the executions running; the next run waits for them. Fails with `InvalidRequest` for an option that cannot work, with
 * `JournalError` when a step cannot be written down, and as the input and the effects in its options fail. One run of a batch at a
 * time: two gain nothing, and where the account is refused to one of them (402, 401), the other may pay for an item once more.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = <A, EI = never, RI = never, E = never, E2 = never, R = never>(
  items: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R>
): Stream.Stream<Outcome<A, E>, E2 | EI | InvalidRequest | JournalError, R | RI | ModelRouteClient | Journal> =>
  Stream.unwrap(Effect.map(make(items, options), ({ outcomes }) => outcomes))

/**
 * Keeps the journal in the memory of this process: a batch goes on after a failure or an interruption, not after a restart. It grows
 * with each item, by its output and about 1 KB.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerJournalMemory: Layer.Layer<Journal> = Layer.effect(Journal, journalMemory.make)

/**
 * Where in the store.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredJournalOptions {
  /** What every key in the store begins with. Default `modelroute-batch-`. */
  readonly prefix?: string | undefined
}

/**
 * Keeps the journal in a `KeyValueStore`, such as a directory (`KeyValueStore.layerFileSystem`): two values per item, written in
 * turn, so that a process that is killed while it writes leaves the one before. Against a power cut it is as safe as the store;
 * `SqlJournal` waits for the disk.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerJournal = (
  options: StoredJournalOptions = {}
): Layer.Layer<Journal, never, KeyValueStore.KeyValueStore> =>
  Layer.effect(
    Journal,
    Effect.flatMap(KeyValueStore.KeyValueStore, (store) =>
      journalStore.make(store, { prefix: options.prefix ?? "modelroute-batch-" })
    )
  )
