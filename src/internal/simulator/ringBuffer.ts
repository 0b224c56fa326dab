/**
 * Creates buffers that keep only their latest entries.
 *
 * @internal
 */

/** @internal */
export interface RingBuffer<A> {
  /** Appends an entry. Returns a function that replaces the entry if the buffer still contains the entry. */
  readonly append: (entry: A) => (replacement: A) => void
  readonly all: () => ReadonlyArray<A>
}

/** @internal Returns a buffer of at most `capacity` entries. */
export const make = <A>(capacity: number): RingBuffer<A> => {
  const entries = new Map<number, A>()
  let nextId = 0
  return {
    append: (entry) => {
      const id = nextId++
      entries.set(id, entry)
      entries.delete(id - capacity)
      return (replacement) => {
        if (entries.has(id)) {
          entries.set(id, replacement)
        }
      }
    },
    all: () => [...entries.values()]
  }
}
