/**
 * Things that are due at moments to come.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as SortedMap from "effect/SortedMap"

/** @internal */
export interface Timeline<A> {
  readonly add: (at: number, thing: A) => void
  readonly remove: (at: number, isIt: (thing: A) => boolean) => void
  /** When the next is due, Infinity when there is none. */
  readonly next: () => number
  /** Takes out all that is due by now, the first first. */
  readonly take: (now: number) => ReadonlyArray<A>
}

/** @internal */
export const make = <A>(): Timeline<A> => {
  let due = SortedMap.empty<number, Array<A>>(Order.number)
  let next = Infinity
  const set = (changed: SortedMap.SortedMap<number, Array<A>>) => {
    due = changed
    next = Option.match(SortedMap.headOption(due), { onNone: () => Infinity, onSome: ([at]) => at })
  }
  const at = (moment: number) => Option.getOrElse(SortedMap.get(due, moment), (): Array<A> => [])
  return {
    add: (moment, thing) => {
      const things = at(moment)
      things.push(thing)
      if (things.length === 1) {
        set(SortedMap.set(due, moment, things))
      }
    },
    remove: (moment, isIt) => {
      const things = at(moment).filter((thing) => !isIt(thing))
      set(things.length === 0 ? SortedMap.remove(due, moment) : SortedMap.set(due, moment, things))
    },
    next: () => next,
    take: (now) => {
      const taken: Array<A> = []
      for (;;) {
        if (next > now) {
          return taken
        }
        at(next).forEach((thing) => taken.push(thing))
        set(SortedMap.remove(due, next))
      }
    }
  }
}
