/**
 * Orders timers by their time in a binary heap. Each timer contains its index in the heap, so that a timer can be
 * removed without a search.
 *
 * @internal
 */

/** @internal A timer in the queue. */
export interface Timer {
  /** The time at which the timer fires, in monotonic milliseconds. */
  readonly at: number
  readonly fire: () => void
  /**
   * The number of timers that were added before this timer. Timers with the same `at` fire in the order of their
   * insertion.
   */
  readonly order: number
  /** The index of the timer in the heap, or -1 if the timer is not in the queue. */
  index: number
}

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** @internal */
export class TimerQueue {
  private readonly heap: Array<Timer> = []
  private inserted = 0

  get size(): number {
    return this.heap.length
  }

  /** Returns the timer that fires first, or `undefined` if the queue is empty. */
  get first(): Timer | undefined {
    return this.heap[0]
  }

  add(at: number, fire: () => void): Timer {
    const timer: Timer = { at, fire, order: this.inserted++, index: this.heap.length }
    this.heap.push(timer)
    this.moveUp(timer)
    return timer
  }

  /** Removes a timer. Does nothing if the timer is not in the queue. */
  remove(timer: Timer): void {
    const { index } = timer
    if (index < 0) return
    timer.index = -1
    const last = this.heap.pop()
    if (last === undefined || last === timer) return
    this.place(last, index)
    this.moveUp(last)
    this.moveDown(last)
  }

  private place(timer: Timer, index: number): void {
    this.heap[index] = timer
    timer.index = index
  }

  private moveUp(timer: Timer): void {
    for (;;) {
      const { index } = timer
      const parent = this.heap[(index - 1) >> 1]
      if (index === 0 || parent === undefined || !isBefore(timer, parent)) return
      this.place(timer, parent.index)
      this.place(parent, index)
    }
  }

  private moveDown(timer: Timer): void {
    for (;;) {
      const { index } = timer
      const left = this.heap[2 * index + 1]
      const right = this.heap[2 * index + 2]
      const child = left !== undefined && right !== undefined && isBefore(right, left) ? right : left
      if (child === undefined || !isBefore(child, timer)) return
      this.place(timer, child.index)
      this.place(child, index)
    }
  }
}
