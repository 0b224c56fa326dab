/**
 * Creates priority queues that order their items by due time.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as SortedMap from "effect/SortedMap"

/** @internal */
export interface TimeQueue<A> {
  readonly add: (at: number, item: A) => void
  /** Removes the matching items that are due at exactly `at`. */
  readonly remove: (at: number, isMatch: (item: A) => boolean) => void
  /** Returns the due time of the first item, or `Infinity` if the queue is empty. */
  readonly nextAt: () => number
  /** Removes and returns the items that are due at `now` or earlier, in the order of their due time. */
  readonly takeDue: (now: number) => ReadonlyArray<A>
}

/** @internal */
export const make = <A>(): TimeQueue<A> => {
  let itemsByTime = SortedMap.empty<number, Array<A>>(Order.number)
  let nextAt = Infinity
  const setItems = (changed: SortedMap.SortedMap<number, Array<A>>) => {
    itemsByTime = changed
    nextAt = Option.match(SortedMap.headOption(itemsByTime), { onNone: () => Infinity, onSome: ([at]) => at })
  }
  const itemsAt = (at: number) => Option.getOrElse(SortedMap.get(itemsByTime, at), (): Array<A> => [])
  return {
    add: (at, item) => {
      const items = itemsAt(at)
      items.push(item)
      if (items.length === 1) {
        setItems(SortedMap.set(itemsByTime, at, items))
      }
    },
    remove: (at, isMatch) => {
      const items = itemsAt(at).filter((item) => !isMatch(item))
      setItems(items.length === 0 ? SortedMap.remove(itemsByTime, at) : SortedMap.set(itemsByTime, at, items))
    },
    nextAt: () => nextAt,
    takeDue: (now) => {
      const due: Array<A> = []
      for (;;) {
        if (nextAt > now) return due
        itemsAt(nextAt).forEach((item) => due.push(item))
        setItems(SortedMap.remove(itemsByTime, nextAt))
      }
    }
  }
}
