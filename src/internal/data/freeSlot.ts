/**
 * Finds the first free slot in a store that cannot list its keys. Slots have numbers from 0. The slots are filled in
 * order and without gaps.
 *
 * @internal
 */
import * as Effect from "effect/Effect"

/**
 * Returns the number of the first free slot. All slots before `from` must be taken. The search begins at `from` and
 * doubles its step until a slot is free. The search then halves the interval between the last taken slot and this free
 * slot. If `from` is free, `isTaken` is called only once.
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
