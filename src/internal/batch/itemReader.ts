/**
 * Reads the items of a batch. Creates the request of each item and reads its journal entry. Queues items with the same
 * key, because these items must run one after the other.
 *
 * @internal
 */
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Execution from "../../Execution.js"
import { type InvalidRequest, JournalError } from "../../ModelRouteError.js"
import { canonicalJson } from "../data/canonicalJson.js"
import { encodeCreateBody } from "../executions/requests.js"
import { runCallback } from "../errors/callback.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { decodeCompleted } from "../typedModels/decode.js"
import { isRequest, toCreateRequest } from "../typedModels/request.js"
import { type PreparedInput, type Request, RequestTypeId, type UploadSource } from "../typedModels/types.js"
import { tryCallback } from "./callback.js"
import { parseAmount } from "./costBudget.js"
import { computeDigest, type Item } from "./item.js"
import type { JournalEntry } from "./journalEntry.js"
import type { JournalService } from "./journal.js"
import type { PlanOptions, RequestBody } from "./plan.js"
import type { ProgressCounter } from "./progress.js"
import { planItem } from "./runItem.js"
import type { StopSignal } from "./stopSignal.js"

/** @internal Batch options that apply to each item. */
export interface ItemOptions<A, E, E2, R, Out> {
  readonly key: (item: A, index: number) => string
  readonly request: (
    item: A,
    index: number
  ) => Execution.CreateRequest | Effect.Effect<Execution.CreateRequest, E, R> | Request<Out, E, R>
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
  /** Uploads a source from the input of a typed model. */
  readonly upload: UploadSource
}

/** @internal Item with its position in the queue of its key. */
export interface QueuedItem<A, E, R, Out> {
  readonly item: Item<A, E, R, Out>
  /**
   * Completes when the previous item with the same key is done. This item then continues from the journal entry of the
   * previous item. The field is `undefined` if all earlier items with the same key are done.
   */
  readonly previousDone: Deferred.Deferred<void> | undefined
  /**
   * Allows the next item with the same key to start. The caller must run `release` when this item ends or is
   * interrupted.
   */
  readonly release: Effect.Effect<void>
}

const operation = "Batch.run"

/** Item whose journal entry has not been read. */
interface ItemDraft<A, E, R, Out> extends Omit<Item<A, E, R, Out>, "previous"> {}

/**
 * Request of an item. The digest of the item is the hash of `content`. `content` is `undefined` if the body is unknown
 * before the submission.
 */
interface DraftRequest<E, R, Out> extends Pick<Item<unknown, E, R, Out>, "body" | "decode"> {
  readonly content: string | undefined
}

const encodeBody = (request: Execution.CreateRequest): Either.Either<RequestBody, InvalidRequest> =>
  Either.map(encodeCreateBody(operation, request), ({ body }) => body)

/**
 * Encodes a request for a typed model. The effect `body` uploads the files and runs only if the item is submitted. If
 * the input cannot be encoded, only `body` fails, so `decode` can still decode an output from the journal.
 */
const encodeTyped = <E, R, Out>(
  { upload }: ReaderContext,
  request: Request<Out, E, R>
): Effect.Effect<DraftRequest<E, R, Out>, never, R> => {
  const { isEffect, model, prepareInput } = request[RequestTypeId]
  const decode = (completed: Execution.Completed) =>
    Effect.map(decodeCompleted(model, completed, { operation, attempts: 0 }), ({ output }) => output)
  const finish = ({ finish, input }: PreparedInput<E>): Effect.Effect<RequestBody, E | InvalidRequest> => {
    // The request is encoded before the first upload, so that an invalid field causes no upload.
    const body = encodeBody(toCreateRequest(request, input))
    return finish === undefined || Either.isLeft(body)
      ? body
      : Effect.flatMap(finish(upload), (uploaded) => encodeBody(toCreateRequest(request, uploaded)))
  }
  const prepared = prepareInput(operation)
  if (isEffect) return Effect.succeed({ body: Effect.flatMap(prepared, finish), content: undefined, decode })
  return Effect.match(prepared, {
    onFailure: (error) => ({ body: Effect.fail(error), content: undefined, decode }),
    onSuccess: (input) => {
      const body = encodeBody(toCreateRequest(request, input.input))
      const isKnown = input.finish === undefined && Either.isRight(body)
      return { body: finish(input), content: isKnown ? canonicalJson(body.right) : undefined, decode }
    }
  })
}

/**
 * Encodes the request of an item. Encodes a plain request immediately, because its digest is compared with the digest
 * in the journal. If `request` returns an effect, the effect runs only if the item is submitted. Fails with
 * `InvalidRequest` if `request` throws an exception or returns an invalid plain request.
 */
const encodeItemRequest = <A, E, E2, R, Out>(
  context: ReaderContext,
  options: ItemOptions<A, E, E2, R, Out>,
  item: A,
  index: number
): Effect.Effect<DraftRequest<E, R, Out>, InvalidRequest, R> =>
  Effect.flatMap(
    tryCallback("request", () => options.request(item, index)),
    (request): Effect.Effect<DraftRequest<E, R, Out>, InvalidRequest, R> => {
      if (isRequest(request)) return encodeTyped(context, request)
      if (!Effect.isEffect(request)) {
        return Effect.map(encodeBody(request), (body) => ({
          body: Effect.succeed(body),
          content: canonicalJson(body),
          decode: undefined
        }))
      }
      return Effect.succeed({ body: Effect.flatMap(request, encodeBody), content: undefined, decode: undefined })
    }
  )

const readKey = <A, E, E2, R, Out>(options: ItemOptions<A, E, E2, R, Out>, item: A, index: number) =>
  Effect.filterOrFail(
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

const readVersion = <A>(version: (item: A, index: number) => string, item: A, index: number) =>
  Effect.filterOrFail(
    tryCallback("version", () => version(item, index)),
    (text) => typeof text === "string",
    () => invalidRequest(operation, "version", "is not a string", "Return a string that changes with the request.")
  )

/** Creates the draft of an item. An invalid key, request, `hold` or `version` fails the item, but not the batch. */
const makeDraft = <A, E, E2, R, Out>(
  context: ReaderContext,
  options: ItemOptions<A, E, E2, R, Out>,
  item: A,
  index: number
): Effect.Effect<ItemDraft<A, E, R, Out>, never, R> => {
  const { hold: holdOf, version: versionOf } = options
  const common = { item, index, planOptions: options.planOptions(item) }
  const makeRequest = (key: string): Effect.Effect<ItemDraft<A, E, R, Out>, InvalidRequest, R> =>
    Effect.gen(function* () {
      const hold =
        holdOf &&
        (yield* Effect.flatMap(
          tryCallback("hold", () => holdOf(item, index)),
          (text) => parseAmount("hold", text)
        ))
      const version = versionOf && (yield* readVersion(versionOf, item, index))
      const { body, content, decode } = yield* encodeItemRequest(context, options, item, index)
      const digested = version ?? content
      return { ...common, key, digest: digested === undefined ? "" : computeDigest(digested), body, decode, hold }
    })
  const toInvalid = (key: string, error: InvalidRequest): ItemDraft<A, E, R, Out> => {
    const failure = Effect.fail(error)
    return { ...common, key, digest: "", body: failure, decode: () => failure, hold: undefined }
  }
  return Effect.matchEffect(readKey(options, item, index), {
    onFailure: (error) => Effect.succeed(toInvalid("", error)),
    onSuccess: (key) => Effect.catchAll(makeRequest(key), (error) => Effect.succeed(toInvalid(key, error)))
  })
}

/**
 * Reads the journal entries of the items with `itemKeys`. Returns a function that looks up the entry of a key. Fails
 * with `JournalError` if the journal cannot be read or returns the wrong number of entries.
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

/**
 * Returns a function that appends an item to the queue of its key. `previousDone` completes when the previous item in
 * this queue runs `release`.
 */
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
 * Runs `beforeSubmit` with the number of items in `group` that need a submission. Stops the submissions of the batch if
 * the effect returns `false`.
 */
const confirmSubmit = <A, E, E2, R, Out>(
  { stop }: ReaderContext,
  { beforeSubmit }: ItemOptions<A, E, E2, R, Out>,
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
export const readItems = <A, E, E2, R, EI, RI, Out>(
  context: ReaderContext,
  options: ItemOptions<A, E, E2, R, Out>,
  maxReadAhead: number,
  input: Stream.Stream<A, EI, RI>
): Stream.Stream<QueuedItem<A, E, R, Out>, E2 | EI | InvalidRequest | JournalError, R | RI> => {
  const { progress } = context
  const enqueue = makeKeyQueue()

  const readGroup = (from: number, chunk: Chunk.Chunk<A>) =>
    Effect.gen(function* () {
      const drafts = yield* Effect.forEach(chunk, (item, i) => makeDraft(context, options, item, from + i))
      // An earlier item with the same key may write a journal entry while this group is read. Each item therefore joins
      // the queue of its key before the read. An item that waits in this queue reads its entry again after the wait.
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
