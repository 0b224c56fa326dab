/**
 * The first free one of slots that are numbered from 0 and taken without a gap, in a store that cannot list what it holds.
 *
 * @internal
 */
import * as Effect from "effect/Effect"

/** @internal All those before `from` are taken. Doubles its steps, then halves them: one question where `from` is free. */
export const findFreeSlot = <E>(
  isTaken: (n: number) => Effect.Effect<boolean, E>,
  from = 0
): Effect.Effect<number, E> =>
  Effect.gen(function* () {
    if (!(yield* isTaken(from))) return from
    let taken = from
    let step = 1
    while (yield* isTaken(taken + step)) {
      taken += step
      step *= 2
    }
    let free = taken + step
    while (free - taken > 1) {
      const middle = Math.floor((taken + free) / 2)
      if (yield* isTaken(middle)) taken = middle
      else free = middle
    }
    return free
  })
