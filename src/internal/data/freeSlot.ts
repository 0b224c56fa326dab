/**
 * Finds the first free slot in a store that cannot list its keys. Slots have numbers from 0 and are taken without a
 * gap.
 *
 * @internal
 */
import * as Effect from "effect/Effect"

/**
 * Searches with doubling, then halving steps. All slots before `from` are taken. If `from` is free, it asks once.
 *
 * @internal
 */
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
