/**
 * From the input of a batch to its items in line: what each wants, and what the journal knows of it.
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
import { type AwaitFailure, JournalError } from "../../ModelRouteError.js"
import { canonicalJson } from "../data/canonicalJson.js"
import { createBody } from "../executions/requests.js"
import { invalid } from "../errors/invalidRequest.js"
import { calling } from "./callback.js"
import type { JournalEntry } from "./journalEntry.js"
import * as items from "./item.js"
import type { JournalService } from "./journal.js"
import type { Body, Rules } from "./plan.js"
import type { Tally } from "./progress.js"
import { plan } from "./settle.js"
import { given } from "./costBudget.js"
import type { Stop } from "./stopSignal.js"

/** @internal What the caller wants of each item. */
export interface Wishes<A, E, E2, R> {
  readonly key: (item: A, index: number) => string
  readonly request: (item: A, index: number) => Execution.CreateRequest | Effect.Effect<Execution.CreateRequest, E, R>
  readonly version: ((item: A, index: number) => string) | undefined
  readonly hold: ((item: A, index: number) => string) | undefined
  readonly rules: (item: A) => Rules
  readonly beforeSubmit: ((count: number) => Effect.Effect<boolean, E2, R>) | undefined
}

/** @internal Where the reader looks, and whom it tells. */
export interface Desk {
  readonly batch: string
  readonly journal: JournalService
  readonly stop: Stop
  readonly tally: Tally
}

/** @internal An item in line. Of two with the same key the second waits until the first is done, and finds what that has left. */
export interface InLine<A, E, R> {
  readonly item: items.Item<A, E, R>
  readonly before: Deferred.Deferred<void> | undefined
  /** To be run when the item is done, or is not worked on any more. */
  readonly leave: Effect.Effect<void>
}

const operation = "Batch.run"

/** An item before it is looked up. */
interface Wanted<A, E, R> extends Omit<items.Item<A, E, R>, "found"> {}

/** What does not take an effect is made at once: a later run can then tell whether it is still the same. */
const wantedOf =
  <A, E, E2, R>(wishes: Wishes<A, E, E2, R>) =>
  (item: A, index: number): Effect.Effect<Wanted<A, E, R>> => {
    const rules = wishes.rules(item)
    const wanted = (key: string, body: Effect.Effect<Body, AwaitFailure | E, R>): Wanted<A, E, R> => ({
      item,
      index,
      key,
      digest: "",
      body,
      hold: undefined,
      rules
    })
    const keyed = Effect.filterOrFail(
      calling("key", () => wishes.key(item, index)),
      (key) => typeof key === "string" && key !== "",
      () => invalid(operation, "key", "is empty or no text", "Give each item a text of its own, the same in every run.")
    )
    const made = (key: string) =>
      Effect.gen(function* () {
        const { hold: holdOf, version: versionOf } = wishes
        const hold =
          holdOf &&
          (yield* Effect.flatMap(
            calling("hold", () => holdOf(item, index)),
            (text) => given("hold", text)
          ))
        const version = versionOf && (yield* calling("version", () => versionOf(item, index)))
        const request = yield* calling("request", () => wishes.request(item, index))
        if (Effect.isEffect(request)) {
          const body = Effect.flatMap(request, (made) => Effect.map(createBody(operation, made), ({ body }) => body))
          return { ...wanted(key, body), hold, digest: version === undefined ? "" : items.digestOf(version) }
        }
        const { body } = yield* createBody(operation, request)
        return { ...wanted(key, Effect.succeed(body)), hold, digest: items.digestOf(version ?? canonicalJson(body)) }
      }).pipe(Effect.catchAll((error) => Effect.succeed(wanted(key, Effect.fail(error)))))
    return Effect.matchEffect(keyed, {
      onFailure: (error) => Effect.succeed(wanted("", Effect.fail(error))),
      onSuccess: made
    })
  }

/** @internal What the journal knows of items with these keys. */
export const lookUp = (
  { batch, journal }: Pick<Desk, "batch" | "journal">,
  keys: ReadonlyArray<string>
): Effect.Effect<(key: string) => Option.Option<JournalEntry>, JournalError> => {
  const asked = Array.from(new Set(keys)).filter((key) => key !== "")
  if (asked.length === 0) return Effect.succeed(Option.none)
  return Effect.flatMap(journal.read(batch, asked), (entries) => {
    if (entries.length !== asked.length) {
      const message = `${operation}: the journal was asked for ${asked.length} items and has told of ${entries.length}.`
      return Effect.fail(new JournalError({ operation, attempts: 0, message }))
    }
    const found = new Map(asked.map((key, i) => [key, entries[i]]))
    return Effect.succeed((key: string) => found.get(key) ?? Option.none())
  })
}

/** @internal */
export const read = <A, E, E2, R, EI, RI>(
  desk: Desk,
  wishes: Wishes<A, E, E2, R>,
  /** How many items are read ahead at most. */
  ahead: number,
  input: Stream.Stream<A, EI, RI>
): Stream.Stream<InLine<A, E, R>, E2 | EI | JournalError, R | RI> => {
  const { stop, tally } = desk
  const wanted = wantedOf(wishes)
  const last = new Map<string, Deferred.Deferred<void>>()

  const enter = (key: string): Omit<InLine<A, E, R>, "item"> => {
    const end = Deferred.unsafeMake<void>(FiberId.none)
    const before = last.get(key)
    last.set(key, end)
    const leave = Effect.sync(() => {
      if (last.get(key) === end) last.delete(key)
      Deferred.unsafeDone(end, Effect.void)
    })
    return { before, leave }
  }

  const permitted = (found: ReadonlyArray<items.Item<A, E, R>>) =>
    Effect.gen(function* () {
      if (wishes.beforeSubmit === undefined || stop.current !== undefined) return
      const plans = yield* Effect.forEach(found, plan)
      const count = plans.filter(({ _tag }) => _tag === "Submit").length
      if (count === 0) return
      const answer = yield* stop.unlessStopped(wishes.beforeSubmit(count))
      if (answer === false) yield* stop.say({ reason: "BeforeSubmit" })
    })

  const group = (from: number, chunk: Chunk.Chunk<A>) =>
    Effect.gen(function* () {
      const each = yield* Effect.forEach(chunk, (item, i) => wanted(item, from + i))
      // In line before they are looked up: what another of the same key does meanwhile is then waited for.
      const line = each.map((one) => ({ one, place: enter(one.key) }))
      const entryFor = yield* lookUp(
        desk,
        each.map(({ key }) => key)
      )
      const found = line.map(({ one, place: { before, leave } }) => ({
        item: Object.assign(one, { found: entryFor(one.key) }),
        before,
        leave
      }))
      tally.taken(found.length)
      yield* permitted(found.map(({ item }) => item))
      return [from + found.length, found] as const
    })

  return input.pipe(
    Stream.chunks,
    Stream.mapConcat((chunk) => Chunk.chunksOf(chunk, ahead)),
    Stream.rechunk(1),
    Stream.mapAccumEffect(0, group),
    Stream.flattenIterables,
    Stream.onEnd(Effect.sync(() => tally.inputEnded()))
  )
}
