/**
 * A batch from the inside: items are read and looked up, as many as allowed are worked on at once, each outcome is handed out, and
 * once that was taken, the journal hears of it.
 *
 * @internal
 */
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { JournalError } from "../../ModelRouteError.js"
import { CurrentAttemptInterceptor } from "../http/attemptInterceptor.js"
import { committed } from "./journalEntry.js"
import * as items from "./item.js"
import type { Outcome } from "./outcome.js"
import * as reader from "./itemReader.js"
import type { RetryBudget } from "./retryBudget.js"
import * as money from "../data/money.js"
import { settle } from "./settle.js"

/** The most items that are read ahead, and looked up in one call. */
const mostAhead = 64

/** @internal What one run is made of. */
export interface Parts extends items.Run, reader.Desk {
  readonly budget: RetryBudget
}

/** @internal */
export interface Manner<A, E, E2, R> {
  readonly concurrency: number
  readonly inOrder: boolean
  readonly deliver: ((outcome: Outcome<A, E>) => Effect.Effect<unknown, E2, R>) | undefined
}

/** @internal */
export const outcomes = <A, E, E2, R, EI, RI>(
  parts: Parts,
  wishes: reader.Wishes<A, E, E2, R>,
  { concurrency, deliver, inOrder }: Manner<A, E, E2, R>,
  input: Stream.Stream<A, EI, RI>
): Stream.Stream<Outcome<A, E>, E2 | EI | JournalError, R | RI> => {
  const { budget, tally, write } = parts

  const delivered = (ended: items.Ended<A, E>) =>
    deliver === undefined || ended.outcome.delivered
      ? Effect.succeed(ended)
      : Effect.map(tally.delivering(deliver(ended.outcome)), (isDone): items.Ended<A, E> =>
          isDone === false ? { outcome: ended.outcome } : ended
        )

  const settled = (item: items.Item<A, E, R>) =>
    Effect.flatMap(settle(parts, item), (ended) =>
      Effect.map(delivered(ended), (handed) => {
        tally.ended(
          ended.outcome,
          money.parse(ended.entry && committed(ended.entry)) ?? money.zero,
          ended.isFromJournal === true
        )
        return handed
      })
    )

  const worked = ({ before, item, leave }: reader.InLine<A, E, R>) =>
    (before === undefined
      ? Effect.succeed(item)
      : Effect.map(Effect.zipRight(Deferred.await(before), reader.lookUp(parts, [item.key])), (entryFor) => ({
          ...item,
          found: entryFor(item.key)
        }))
    ).pipe(Effect.flatMap(settled), Effect.ensuring(leave))

  return reader.read(parts, wishes, Math.min(concurrency, mostAhead), input).pipe(
    Stream.mapEffect((inLine) => Effect.provideService(worked(inLine), CurrentAttemptInterceptor, budget), {
      concurrency,
      unordered: !inOrder
    }),
    acknowledged((entry) => write(items.delivered(entry)))
  )
}

/** Who asks for the next outcome has dealt with the one before. */
const acknowledged =
  <E2>(write: (entry: NonNullable<items.Ended<never, never>["entry"]>) => Effect.Effect<void, E2>) =>
  <A, E, E3, R>(self: Stream.Stream<items.Ended<A, E>, E3, R>): Stream.Stream<Outcome<A, E>, E2 | E3, R> =>
    Stream.fromPull(
      Effect.map(Stream.toPull(Stream.rechunk(self, 1)), (pull) => {
        let last: items.Ended<A, E>["entry"]
        const next = Effect.map(pull, (chunk) =>
          Chunk.map(chunk, ({ entry, outcome }) => {
            last = entry
            return outcome
          })
        )
        return Effect.suspend(() => {
          const entry = last
          last = undefined
          return items.isDeliverable(entry)
            ? Effect.zipRight(Effect.mapError(write(entry), Option.some<E2 | E3>), next)
            : next
        })
      })
    )
