/**
 * Reads the items of a batch. Makes their requests, reads their journal entries and queues items with the same key.
 *
 * @internal
 */
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Execution from "../../Execution.js"
import { type AwaitFailure, type InvalidRequest, JournalError } from "../../ModelRouteError.js"
import { canonicalJson } from "../data/canonicalJson.js"
import { encodeCreateBody } from "../executions/requests.js"
import { runCallback } from "../errors/callback.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { tryCallback } from "./callback.js"
import { parseAmount } from "./costBudget.js"
import { computeDigest, type Item } from "./item.js"
import type { JournalEntry } from "./journalEntry.js"
import type { JournalService } from "./journal.js"
import type { PlanOptions, RequestBody } from "./plan.js"
import type { ProgressCounter } from "./progress.js"
import { planItem } from "./settle.js"
import type { StopSignal } from "./stopSignal.js"

/** @internal Batch options that apply to each item. */
export interface ItemOptions<A, E, E2, R> {
  readonly key: (item: A, index: number) => string
  readonly request: (item: A, index: number) => Execution.CreateRequest | Effect.Effect<Execution.CreateRequest, E, R>
  readonly version: ((item: A, index: number) => string) | undefined
  readonly hold: ((item: A, index: number) => string) | undefined
  readonly planOptions: (item: A) => PlanOptions
  readonly beforeSubmit: ((count: number) => Effect.Effect<boolean, E2, R>) | undefined
}

/** @internal Services of the item reader. */
export interface ReaderContext {
  readonly batchId: string
  readonly journal: JournalService
  readonly stop: StopSignal
  readonly progress: ProgressCounter
}

/** @internal Item with its position in the queue of its key. */
export interface QueuedItem<A, E, R> {
  readonly item: Item<A, E, R>
  /**
   * Completes when the previous item with the same key is done. This item then continues from the journal entry of the
   * previous item.
   */
  readonly previousDone: Deferred.Deferred<void> | undefined
  /** Allows the next item with the same key to start. Must run when this item ends or is interrupted. */
  readonly release: Effect.Effect<void>
}

const operation = "Batch.run"

/** Item whose journal entry has not been read. */
interface ItemDraft<A, E, R> extends Omit<Item<A, E, R>, "previous"> {}

/**
 * Makes the draft of an item. Encodes a plain request immediately, because its digest is compared with the journal.
 * Runs an effect in `request` only if the item is submitted.
 */
const makeDraft = <A, E, E2, R>(
  options: ItemOptions<A, E, E2, R>,
  item: A,
  index: number
): Effect.Effect<ItemDraft<A, E, R>> => {
  const planOptions = options.planOptions(item)
  const toDraft = (key: string, body: Effect.Effect<RequestBody, AwaitFailure | E, R>): ItemDraft<A, E, R> => ({
    item,
    index,
    key,
    digest: "",
    body,
    hold: undefined,
    planOptions
  })
  const readKey = Effect.filterOrFail(
    tryCallback("key", () => options.key(item, index)),
    (key) => typeof key === "string" && key !== "",
    () =>
      invalidRequest(
        operation,
        "key",
        "is empty or not a string",
        "Return a string that is unique to the item and the same in every run."
      )
  )
  const makeRequest = (key: string) =>
    Effect.gen(function* () {
      const { hold: holdOf, version: versionOf } = options
      const hold =
        holdOf &&
        (yield* Effect.flatMap(
          tryCallback("hold", () => holdOf(item, index)),
          (text) => parseAmount("hold", text)
        ))
      const version =
        versionOf &&
        (yield* Effect.filterOrFail(
          tryCallback("version", () => versionOf(item, index)),
          (text) => typeof text === "string",
          () =>
            invalidRequest(operation, "version", "is not a string", "Return a string that changes with the request.")
        ))
      const request = yield* tryCallback("request", () => options.request(item, index))
      if (Effect.isEffect(request)) {
        const body = Effect.flatMap(request, (made) =>
          Effect.map(encodeCreateBody(operation, made), ({ body }) => body)
        )
        return { ...toDraft(key, body), hold, digest: version === undefined ? "" : computeDigest(version) }
      }
      const { body } = yield* encodeCreateBody(operation, request)
      return { ...toDraft(key, Effect.succeed(body)), hold, digest: computeDigest(version ?? canonicalJson(body)) }
    }).pipe(Effect.catchAll((error) => Effect.succeed(toDraft(key, Effect.fail(error)))))
  return Effect.matchEffect(readKey, {
    onFailure: (error) => Effect.succeed(toDraft("", Effect.fail(error))),
    onSuccess: makeRequest
  })
}

/**
 * Reads the journal entries of items. Returns a function from the key of an item to its entry. Fails with
 * `JournalError` if the journal cannot be read or returns the wrong number of entries.
 *
 * @internal
 */
export const readEntries = (
  { batchId, journal }: Pick<ReaderContext, "batchId" | "journal">,
  itemKeys: ReadonlyArray<string>
): Effect.Effect<(key: string) => Option.Option<JournalEntry>, JournalError> => {
  const keys = Array.from(new Set(itemKeys)).filter((key) => key !== "")
  if (keys.length === 0) return Effect.succeed(Option.none)
  return Effect.flatMap(journal.read(batchId, keys), (entries) => {
    if (entries.length !== keys.length) {
      const message = `${operation}: the journal returned ${entries.length} entries for ${keys.length} items.`
      return Effect.fail(new JournalError({ operation, attempts: 0, message }))
    }
    const byKey = new Map(keys.map((key, i) => [key, entries[i]]))
    return Effect.succeed((key: string) => byKey.get(key) ?? Option.none())
  })
}

/** Creates a queue of items by key. Each item waits for the previous item with the same key. */
const makeKeyQueue = () => {
  const lastOfKey = new Map<string, Deferred.Deferred<void>>()
  return (key: string) => {
    const done = Deferred.unsafeMake<void>(FiberId.none)
    const previousDone = lastOfKey.get(key)
    lastOfKey.set(key, done)
    const release = Effect.sync(() => {
      if (lastOfKey.get(key) === done) lastOfKey.delete(key)
      Deferred.unsafeDone(done, Effect.void)
    })
    return { previousDone, release }
  }
}

/**
 * Runs `beforeSubmit` for the items of a group that will be submitted. Stops the batch if `beforeSubmit` returns
 * `false`.
 */
const confirmSubmit = <A, E, E2, R>(
  { stop }: ReaderContext,
  { beforeSubmit }: ItemOptions<A, E, E2, R>,
  group: ReadonlyArray<Item<A, E, R>>
): Effect.Effect<void, E2 | InvalidRequest, R> =>
  Effect.gen(function* () {
    if (beforeSubmit === undefined || stop.cause !== undefined) return
    const plans = yield* Effect.forEach(group, planItem)
    const count = plans.filter(({ _tag }) => _tag === "Submit").length
    if (count === 0) return
    const isConfirmed = yield* stop.runUnlessStopped(runCallback(operation, "beforeSubmit", () => beforeSubmit(count)))
    if (isConfirmed === false) yield* stop.trigger({ reason: "BeforeSubmit" })
  })

/** @internal Reads the input in groups of at most `maxReadAhead` items. */
export const readItems = <A, E, E2, R, EI, RI>(
  context: ReaderContext,
  options: ItemOptions<A, E, E2, R>,
  maxReadAhead: number,
  input: Stream.Stream<A, EI, RI>
): Stream.Stream<QueuedItem<A, E, R>, E2 | EI | InvalidRequest | JournalError, R | RI> => {
  const { progress } = context
  const enqueue = makeKeyQueue()

  const readGroup = (from: number, chunk: Chunk.Chunk<A>) =>
    Effect.gen(function* () {
      const drafts = yield* Effect.forEach(chunk, (item, i) => makeDraft(options, item, from + i))
      // Queues the items before the journal is read. An earlier item with the same key may write its entry during the
      // read.
      const places = drafts.map((draft) => ({ draft, place: enqueue(draft.key) }))
      const entryOf = yield* readEntries(
        context,
        drafts.map(({ key }) => key)
      )
      const group = places.map(({ draft, place: { previousDone, release } }) => ({
        item: Object.assign(draft, { previous: entryOf(draft.key) }),
        previousDone,
        release
      }))
      progress.addRead(group.length)
      yield* confirmSubmit(
        context,
        options,
        group.map(({ item }) => item)
      )
      return [from + group.length, group] as const
    })

  return input.pipe(
    Stream.chunks,
    Stream.mapConcat((chunk) => Chunk.chunksOf(chunk, maxReadAhead)),
    Stream.rechunk(1),
    Stream.mapAccumEffect(0, readGroup),
    Stream.flattenIterables,
    Stream.onEnd(Effect.sync(() => progress.endInput()))
  )
}
