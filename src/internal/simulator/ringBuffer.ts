/**
 * A list that keeps its last entries only, and lets them change as long as it does.
 *
 * @internal
 */

/** @internal */
export interface Bounded<A> {
  /** Gives the means to put something else in its place. */
  readonly append: (entry: A) => (entry: A) => void
  readonly all: () => ReadonlyArray<A>
}

/** @internal */
export const make = <A>(capacity: number): Bounded<A> => {
  const entries = new Map<number, A>()
  let next = 0
  return {
    append: (entry) => {
      const id = next++
      entries.set(id, entry)
      entries.delete(id - capacity)
      return (later) => {
        if (entries.has(id)) {
          entries.set(id, later)
        }
      }
    },
    all: () => [...entries.values()]
  }
}
