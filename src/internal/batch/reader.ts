/**
 * From the input of a batch to its items in line: what each wants, and what the journal knows of it.
 *
 * @internal
 */
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Execution from "../../Execution.js"
import type { AwaitFailure, InvalidRequest, JournalError } from "../../ModelRouteError.js"
import { canonicalJson } from "../canonicalJson.js"
import { createBody } from "../executionCalls.js"
import { invalid } from "../invalid.js"
import { bodyText } from "../requests.js"
import type { Entry } from "./entry.js"
import * as items from "./item.js"
import type { JournalService } from "./journal.js"
import type { Body, Rules } from "./plan.js"
import type { Tally } from "./progress.js"
import * as money from "./spending.js"
import type { Stop } from "./stop.js"

/** @internal What the caller wants of each item. */
export interface Wishes<A, E, E2, R> {
  readonly key: (item: A, index: number) => string
  readonly request: (item: A, index: number) => Execution.CreateRequest | Effect.Effect<Execution.CreateRequest, E, R>
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

/** How many items are read ahead at most. */
const ahead = 64

const operation = "Batch.run"

/** An item before it is looked up. */
interface Wanted<A, E, R> extends Omit<items.Item<A, E, R>, "found"> {}

const amountOf = (text: string): Effect.Effect<money.Amount, InvalidRequest> =>
  Effect.fromNullable(money.parse(text)).pipe(
    Effect.mapError(() =>
      invalid(operation, "hold", "is not an amount of dollars", 'Give a decimal string such as "0.048".')
    )
  )

/** What does not take an effect is made at once: a later run can then tell whether it is still the same. */
const wantedOf =
  <A, E, E2, R>(wishes: Wishes<A, E, E2, R>) =>
  (item: A, index: number): Effect.Effect<Wanted<A, E, R>> => {
    const rules = wishes.rules(item)
    const key = wishes.key(item, index)
    const unmade = (body: Effect.Effect<Body, AwaitFailure | E, R>, hold?: money.Amount): Wanted<A, E, R> => ({
      item,
      index,
      key,
      digest: "",
      body,
      hold,
      rules
    })
    const request = wishes.request(item, index)
    return Effect.gen(function* () {
      if (typeof key !== "string" || key === "") {
        return yield* invalid(operation, "key", "is empty", "Give each item a text of its own, the same in every run.")
      }
      const hold = wishes.hold && (yield* amountOf(wishes.hold(item, index)))
      if (Effect.isEffect(request)) {
        return unmade(
          Effect.flatMap(request, (made) => createBody(operation, made)),
          hold
        )
      }
      const body = yield* createBody(operation, request)
      yield* bodyText(operation, body)
      return { ...unmade(Effect.succeed(body), hold), digest: items.digestOf(canonicalJson(body)) }
    }).pipe(Effect.catchAll((error) => Effect.succeed(unmade(Effect.fail(error)))))
  }

/** @internal What the journal knows of items with these keys. */
export const lookUp = (
  { batch, journal }: Pick<Desk, "batch" | "journal">,
  keys: ReadonlyArray<string>
): Effect.Effect<(key: string) => Option.Option<Entry>, JournalError> => {
  const asked = Array.from(new Set(keys)).filter((key) => key !== "")
  if (asked.length === 0) return Effect.succeed(Option.none)
  return Effect.map(journal.read(batch, asked), (entries) => {
    const found = HashMap.fromIterable(asked.map((key, i) => [key, entries[i] ?? Option.none()] as const))
    return (key) => Option.flatten(HashMap.get(found, key))
  })
}

/** @internal */
export const read = <A, E, E2, R, EI, RI>(
  desk: Desk,
  wishes: Wishes<A, E, E2, R>,
  input: Stream.Stream<A, EI, RI>
): Stream.Stream<InLine<A, E, R>, E2 | EI | JournalError, R | RI> => {
  const { stop, tally } = desk
  const wanted = wantedOf(wishes)
  const last = new Map<string, Deferred.Deferred<void>>()

  const enter = (item: items.Item<A, E, R>): InLine<A, E, R> => {
    const end = Deferred.unsafeMake<void>(FiberId.none)
    const before = last.get(item.key)
    last.set(item.key, end)
    const leave = Effect.sync(() => {
      if (last.get(item.key) === end) last.delete(item.key)
      Deferred.unsafeDone(end, Effect.void)
    })
    return { item, before, leave }
  }

  const asked = (found: ReadonlyArray<items.Item<A, E, R>>) =>
    Effect.gen(function* () {
      if (wishes.beforeSubmit === undefined || stop.current !== undefined) return
      const plans = yield* Effect.forEach(found, items.plan)
      const count = plans.filter(({ _tag }) => _tag === "Submit").length
      if (count > 0 && !(yield* wishes.beforeSubmit(count))) yield* stop.say({ reason: "BeforeSubmit" })
    })

  const group = (from: number, chunk: Chunk.Chunk<A>) =>
    Effect.gen(function* () {
      const each = yield* Effect.forEach(chunk, (item, i) => wanted(item, from + i))
      const entryOf = yield* lookUp(
        desk,
        each.map(({ key }) => key)
      )
      const found = each.map((one): items.Item<A, E, R> => Object.assign(one, { found: entryOf(one.key) }))
      tally.taken(found.length)
      yield* asked(found)
      return [from + found.length, found.map(enter)] as const
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
