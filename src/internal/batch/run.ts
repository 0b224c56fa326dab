/**
 * Runs a batch. Reads the items, processes several items concurrently and delivers each outcome. Records each delivery
 * in the journal.
 *
 * @internal
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { Service } from "../../ModelRouteClient.js"
import type { InvalidRequest, JournalError } from "../../ModelRouteError.js"
import * as money from "../data/money.js"
import * as monotonic from "../data/monotonic.js"
import { runCallback } from "../errors/callback.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { CurrentAttemptInterceptor } from "../http/attemptInterceptor.js"

import { CostBudget } from "./costBudget.js"
import { sizeOf, toStream } from "./input.js"
import { canMarkDelivered, type Item, type ItemContext, type ItemResult, markDelivered } from "./item.js"
import { type ItemOptions, type QueuedItem, readEntries, type ReaderContext, readItems } from "./itemReader.js"
import type { JournalService } from "./journal.js"
import { committedAmount, type JournalEntry, toEarlierSubmission } from "./journalEntry.js"
import * as journalWriter from "./journalWriter.js"
import { mapConcurrently } from "./mapConcurrently.js"
import { checkOptions } from "./options.js"
import type { Outcome } from "./outcome.js"
import { ProgressCounter } from "./progress.js"
import { RetryBudget } from "./retryBudget.js"
import { runItem } from "./runItem.js"
import { StopSignal } from "./stopSignal.js"
import type { Batch, Options } from "./types.js"

const operation = "Batch.run"

/**
 * Maximum number of items in a group that is read from the input. One read of the journal returns the entries of a
 * group.
 */
const maxReadAhead = 64

const defaultConcurrency = 20

/** Services of one run. */
interface RunContext extends ItemContext, ReaderContext {
  readonly retryBudget: RetryBudget
}

interface DeliveryOptions<A, E, E2, R, Out> {
  readonly concurrency: number
  readonly isInOrder: boolean
  readonly deliver: ((outcome: Outcome<A, E, Out>) => Effect.Effect<unknown, E2, R>) | undefined
}

/**
 * Runs `deliver` for an outcome that was not delivered before. If `deliver` returns `false`, removes the journal entry
 * from the result, so that the outcome is not marked as delivered.
 */
const deliverResult = <A, E, E2, R, Out>(
  { progress }: RunContext,
  { deliver }: DeliveryOptions<A, E, E2, R, Out>,
  result: ItemResult<A, E, Out>
): Effect.Effect<ItemResult<A, E, Out>, E2 | InvalidRequest, R> => {
  if (deliver === undefined || result.outcome.delivered) return Effect.succeed(result)
  const delivery = runCallback(operation, "deliver", () => deliver(result.outcome))
  return Effect.map(progress.countDelivery(delivery), (isDelivered) =>
    isDelivered === false ? { outcome: result.outcome } : result
  )
}

/**
 * Decodes the output of a succeeded item. The outcome is `Failed` if the output does not match the schema of the model.
 */
const decodeResult = <A, E, R, Out>(
  { decode }: Item<A, E, R, Out>,
  result: ItemResult<A, E>
): Effect.Effect<ItemResult<A, E, Out>> => {
  const { outcome } = result
  if (outcome._tag !== "Succeeded") return Effect.succeed({ ...result, outcome })
  // The cast is safe, because `ItemRequest` allows a request without a typed model only if `Out` is `unknown`.
  if (decode === undefined) return Effect.succeed(result as ItemResult<A, E, Out>)
  const { completed, output: _, ...fields } = outcome
  return Effect.match(decode(completed), {
    onFailure: (error) => ({
      ...result,
      outcome: { ...fields, _tag: "Failed", error, final: false },
      isUndecoded: true
    }),
    onSuccess: (output) => ({ ...result, outcome: { ...outcome, output } })
  })
}

/** Returns the cost of a COMPLETED execution in dollars, or zero if the item has no COMPLETED execution. */
const costOf = ({ entry }: ItemResult<unknown, unknown>): money.Amount =>
  (entry?.completed === undefined ? undefined : money.parse(committedAmount(entry))) ?? money.zero

const runAndDeliver = <A, E, E2, R, Out>(
  context: RunContext,
  options: DeliveryOptions<A, E, E2, R, Out>,
  item: Item<A, E, R, Out>
): Effect.Effect<ItemResult<A, E, Out>, E2 | InvalidRequest | JournalError, R> =>
  Effect.flatMap(
    Effect.flatMap(runItem(context, item), (result) => decodeResult(item, result)),
    (result) =>
      Effect.map(deliverResult(context, options, result), (delivered) => {
        context.progress.addOutcome(result.outcome, costOf(result), result.isFromJournal === true)
        return result.isUndecoded === true ? { outcome: result.outcome } : delivered
      })
  )

/** Waits until the previous item with the same key is done, and then processes the item. */
const processItem = <A, E, E2, R, Out>(
  context: RunContext,
  options: DeliveryOptions<A, E, E2, R, Out>,
  { item, previousDone, release }: QueuedItem<A, E, R, Out>
): Effect.Effect<ItemResult<A, E, Out>, E2 | InvalidRequest | JournalError, R> => {
  const current =
    previousDone === undefined
      ? Effect.succeed(item)
      : Effect.map(Effect.zipRight(Deferred.await(previousDone), readEntries(context, [item.key])), (entryOf) => ({
          ...item,
          previous: entryOf(item.key)
        }))
  return Effect.ensuring(
    Effect.flatMap(current, (next) => runAndDeliver(context, options, next)),
    release
  )
}

/** Marks an outcome as delivered in the journal when the consumer requests the next outcome. */
const recordDeliveries = <A, E, E2, E3, R, Out>(
  results: Stream.Stream<ItemResult<A, E, Out>, E2, R>,
  write: (entry: JournalEntry) => Effect.Effect<void, E3>
): Stream.Stream<Outcome<A, E, Out>, E2 | E3, R> =>
  Stream.fromPull(
    Effect.map(Stream.toPull(Stream.rechunk(results, 1)), (pull) => {
      let latest: JournalEntry | undefined
      const next = Effect.map(pull, (chunk) =>
        Chunk.map(chunk, ({ entry, outcome }) => {
          latest = entry
          return outcome
        })
      )
      return Effect.suspend(() => {
        const entry = latest
        latest = undefined
        return canMarkDelivered(entry)
          ? Effect.zipRight(Effect.mapError(write(markDelivered(entry)), Option.some<E2 | E3>), next)
          : next
      })
    })
  )

const makeOutcomes = <A, E, E2, R, EI, RI, Out>(
  context: RunContext,
  itemOptions: ItemOptions<A, E, E2, R, Out>,
  deliveryOptions: DeliveryOptions<A, E, E2, R, Out>,
  input: Stream.Stream<A, EI, RI>
): Stream.Stream<Outcome<A, E, Out>, E2 | EI | InvalidRequest | JournalError, R | RI> => {
  const { concurrency, isInOrder } = deliveryOptions
  const queuedItems = readItems(context, itemOptions, Math.min(concurrency, maxReadAhead), input)
  const process = (queued: QueuedItem<A, E, R, Out>) =>
    Effect.provideService(processItem(context, deliveryOptions, queued), CurrentAttemptInterceptor, context.retryBudget)
  const results = isInOrder
    ? Stream.mapEffect(queuedItems, process, { concurrency })
    : mapConcurrently(queuedItems, concurrency, process)
  return recordDeliveries(results, context.write)
}

/**
 * Creates a cost budget that contains the costs and holds of earlier runs. Returns `undefined` if the batch has no
 * `maxCost`. Fails with `JournalError` if the journal cannot be read.
 */
const makeCostBudget = (
  limit: money.Amount | undefined,
  journal: JournalService,
  batchId: string
): Effect.Effect<CostBudget | undefined, JournalError> => {
  if (limit === undefined) return Effect.succeed(undefined)
  const budget = new CostBudget(limit)
  const count = (entry: JournalEntry) => Effect.sync(() => budget.addEarlier(toEarlierSubmission(entry)))
  return Effect.map(Stream.runForEach(journal.entries(batchId), count), () => {
    budget.assumeUnknownHolds()
    return budget
  })
}

const makeRunId: Effect.Effect<string> = Effect.zipWith(
  Clock.currentTimeMillis,
  Random.nextIntBetween(0, 2 ** 52),
  (now, random) => `${now.toString(36)}-${random.toString(36)}`
)

const toItemOptions = <A, E, E2, R, Out>(
  { beforeSubmit, hold, key, request, resubmit = () => false, version }: Options<A, E, E2, R, Out>,
  keyTtlMillis: number,
  runId: string
): ItemOptions<A, E, E2, R, Out> => ({
  key,
  request,
  version,
  hold,
  planOptions: (item) => ({ keyTtlMillis, runId, shouldResubmit: (error) => resubmit(error, item) }),
  beforeSubmit
})

/** @internal Creates a batch. The batch starts when its `outcomes` run. */
export const make = <A, E, E2, R, EI, RI, Out>(
  client: Pick<Service, "executions" | "files" | "rateLimit">,
  journal: JournalService,
  input: Iterable<A> | Stream.Stream<A, EI, RI>,
  options: Options<A, E, E2, R, Out>
): Batch<A, E, E2 | EI, R | RI, Out> => {
  const { concurrency = defaultConcurrency, id: batchId } = options
  const stop = new StopSignal(batchId)
  const retryBudget = new RetryBudget(options.retryBudget ?? {})
  const progress = new ProgressCounter(options.total ?? sizeOf(input), stop, retryBudget, client.rateLimit)
  let hasRun = false

  const outcomes = Effect.gen(function* () {
    const { keyTtlMillis, maxCost } = yield* checkOptions(options)
    if (!Predicate.isIterable(input) && !Predicate.hasProperty(input, Stream.StreamTypeId)) {
      return yield* invalidRequest(
        operation,
        "items",
        "is neither an iterable nor a Stream",
        "Pass an iterable such as an array, or a Stream."
      )
    }
    if (hasRun) {
      return yield* invalidRequest(
        operation,
        "outcomes",
        "has already run",
        "Create a batch with the same id to continue."
      )
    }
    hasRun = true
    const costBudget = yield* makeCostBudget(maxCost, journal, batchId)
    const write = yield* journalWriter.make(journal, batchId)
    const runId = yield* makeRunId
    progress.start(yield* monotonic.now)
    return makeOutcomes(
      {
        batchId,
        runId,
        executions: client.executions,
        upload: client.files.upload,
        journal,
        write,
        stop,
        retryBudget,
        progress,
        costBudget,
        waitOptions: options.wait ?? {}
      },
      toItemOptions(options, keyTtlMillis, runId),
      { concurrency, isInOrder: options.order === "input", deliver: options.deliver },
      toStream(input)
    )
  })

  return {
    outcomes: Stream.unwrapScoped(outcomes),
    progress: progress.progress,
    stop: stop.trigger({ reason: "Stopped" })
  }
}
