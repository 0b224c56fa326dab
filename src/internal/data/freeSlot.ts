/**
 * Finds the first free slot in a store that cannot list its keys. Slots are numbered from 0 and are filled without
 * gaps.
 *
 * @internal
 */
import * as Effect from "effect/Effect"

/**
 * Returns the number of the first free slot. Doubles the step until a slot is free, then halves the step. All slots
 * before `from` must be taken. If `from` is free, calls `isTaken` only once.
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
