/**
 * Implements the queue of the gate. The request class `cancels` has priority. The other three classes take turns, so
 * that a long queue of one class does not block another class. `add`, `remove` and `take` run in constant time.
 *
 * @internal
 */

/**
 * Class of a request. `cancels` have priority because a late cancel request does not save costs. `submissions` create
 * executions. `polls` read executions that a caller awaits. `calls` are all other requests.
 *
 * @internal
 */
export type RequestClass = "cancels" | "submissions" | "polls" | "calls"

const priorityClass: RequestClass = "cancels"
const rotatingClasses: ReadonlyArray<RequestClass> = ["submissions", "polls", "calls"]
const allClasses: ReadonlyArray<RequestClass> = [priorityClass, ...rotatingClasses]

/** @internal Request in a fair queue. */
export interface Queued {
  readonly requestClass: RequestClass
  /** Indicates whether the request is a retry. A retry precedes the first attempts of its class. */
  readonly isRetry: boolean
}

class Link<T> {
  previous: Link<T> = this
  next: Link<T> = this
  constructor(readonly value: T | undefined) {}
}

/** First-in, first-out list. The list is a doubly linked ring because `remove` must run in constant time. */
class LinkedList<T> {
  private readonly anchor = new Link<T>(undefined)
  size = 0

  get first(): T | undefined {
    return this.anchor.next.value
  }

  add(value: T): Link<T> {
    const link = new Link(value)
    const last = this.anchor.previous
    link.previous = last
    link.next = this.anchor
    last.next = link
    this.anchor.previous = link
    this.size += 1
    return link
  }

  remove(link: Link<T>): void {
    link.previous.next = link.next
    link.next.previous = link.previous
    this.size -= 1
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let link = this.anchor.next; link.value !== undefined; link = link.next) yield link.value
  }
}

/** @internal Queue in which the request classes take turns. */
export class FairQueue<T extends Queued> {
  private readonly classes = new Map(
    allClasses.map((name) => [name, { retries: new LinkedList<T>(), firstAttempts: new LinkedList<T>() }] as const)
  )
  private readonly positions = new Map<T, { readonly list: LinkedList<T>; readonly link: Link<T> }>()
  private turn = 0

  get size(): number {
    return this.positions.size
  }

  add(value: T): void {
    const lists = this.classes.get(value.requestClass)
    if (lists === undefined) return
    const list = value.isRetry ? lists.retries : lists.firstAttempts
    this.positions.set(value, { list, link: list.add(value) })
  }

  /** Removes a value. Returns `false` if the value is not in the queue. */
  remove(value: T): boolean {
    const position = this.positions.get(value)
    if (position === undefined) return false
    position.list.remove(position.link)
    return this.positions.delete(value)
  }

  /**
   * Removes and returns the next value, or returns `undefined` if the queue is empty. The class `cancels` precedes the
   * other classes. The other classes take turns.
   */
  take(): T | undefined {
    let next = this.first(priorityClass)
    for (let i = 0; next === undefined && i < rotatingClasses.length; i++) {
      const index = (this.turn + i) % rotatingClasses.length
      next = this.first(rotatingClasses[index] ?? priorityClass)
      if (next !== undefined) this.turn = index + 1
    }
    if (next !== undefined) this.remove(next)
    return next
  }

  private first(requestClass: RequestClass): T | undefined {
    const lists = this.classes.get(requestClass)
    return lists?.retries.first ?? lists?.firstAttempts.first
  }

  /** Returns the number of values that precede a new value of this class. */
  countAhead(requestClass: RequestClass): number {
    return this.countBefore(requestClass, this.sizeOf(requestClass))
  }

  /** Iterates over all values. Returns each value with the number of preceding values. */
  *[Symbol.iterator](): Iterator<readonly [value: T, ahead: number]> {
    for (const [requestClass, { firstAttempts, retries }] of this.classes) {
      let index = 0
      for (const list of [retries, firstAttempts]) {
        for (const value of list) yield [value, this.countBefore(requestClass, index++)]
      }
    }
  }

  /** Returns the number of values of all classes that precede the value at `index` of its class. */
  private countBefore(requestClass: RequestClass, index: number): number {
    if (requestClass === priorityClass) return index
    return rotatingClasses.reduce((sum, other) => sum + Math.min(this.sizeOf(other), index), this.sizeOf(priorityClass))
  }

  private sizeOf(requestClass: RequestClass): number {
    const lists = this.classes.get(requestClass)
    return lists === undefined ? 0 : lists.retries.size + lists.firstAttempts.size
  }
}
