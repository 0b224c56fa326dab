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

/** Queued requests of one class. */
class ClassQueue<T> {
  readonly retries = new LinkedList<T>()
  readonly firstAttempts = new LinkedList<T>()

  get size(): number {
    return this.retries.size + this.firstAttempts.size
  }
}

/** @internal Queue in which the request classes take turns. */
export class FairQueue<T extends Queued> {
  private readonly classes: { readonly [C in RequestClass]: ClassQueue<T> } = {
    cancels: new ClassQueue(),
    submissions: new ClassQueue(),
    polls: new ClassQueue(),
    calls: new ClassQueue()
  }
  private readonly positions = new Map<T, { readonly list: LinkedList<T>; readonly link: Link<T> }>()
  /** The rotating classes. The class whose last turn is longest ago is first. */
  private turns = rotatingClasses

  get size(): number {
    return this.positions.size
  }

  add(value: T): void {
    const { firstAttempts, retries } = this.classes[value.requestClass]
    const list = value.isRetry ? retries : firstAttempts
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
    const next = this.first(priorityClass) ?? this.firstInTurn()
    if (next !== undefined) this.remove(next)
    return next
  }

  /** Returns the first value of the next rotating class with a value. This class is then the last class. */
  private firstInTurn(): T | undefined {
    for (const requestClass of this.turns) {
      const next = this.first(requestClass)
      if (next !== undefined) {
        this.turns = [...this.turns.filter((other) => other !== requestClass), requestClass]
        return next
      }
    }
    return undefined
  }

  private first(requestClass: RequestClass): T | undefined {
    const { firstAttempts, retries } = this.classes[requestClass]
    return retries.first ?? firstAttempts.first
  }

  /** Returns the number of values that precede a new value of this class. */
  countAhead(requestClass: RequestClass): number {
    return this.countBefore(requestClass, this.classes[requestClass].size)
  }

  /** Iterates over all values. Returns each value with the number of preceding values. */
  *[Symbol.iterator](): Iterator<readonly [value: T, ahead: number]> {
    for (const requestClass of allClasses) {
      const { firstAttempts, retries } = this.classes[requestClass]
      let index = 0
      for (const list of [retries, firstAttempts]) {
        for (const value of list) yield [value, this.countBefore(requestClass, index++)]
      }
    }
  }

  /** Returns the number of values of all classes that precede the value at `index` of its class. */
  private countBefore(requestClass: RequestClass, index: number): number {
    if (requestClass === priorityClass) return index
    return rotatingClasses.reduce(
      (sum, other) => sum + Math.min(this.classes[other].size, index),
      this.classes[priorityClass].size
    )
  }
}
