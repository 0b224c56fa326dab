/**
 * The queue before the gate: one lane that goes first, and three that take turns, so that none starves another. Every
 * operation takes the same time however many wait.
 *
 * @internal
 */

/**
 * `cancels` go first: what they come too late for is paid. `submissions` create executions, `polls` look at those that are
 * waited for, `calls` are all others.
 *
 * @internal
 */
export type RequestClass = "cancels" | "submissions" | "polls" | "calls"

const first: RequestClass = "cancels"
const turns: ReadonlyArray<RequestClass> = ["submissions", "polls", "calls"]
const order: ReadonlyArray<RequestClass> = [first, ...turns]

/** @internal What can stand in a lane; whose turn it is among those before it is the lane's affair. */
export interface Standing {
  readonly lane: RequestClass
  /** Was in here before: goes before those that were not. */
  readonly returning: boolean
}

class Link<T> {
  before: Link<T> = this
  after: Link<T> = this
  constructor(readonly value: T | undefined) {}
}

/** A ring around an anchor: first in, first out, and anyone can leave. */
class Line<T> {
  private readonly anchor = new Link<T>(undefined)
  size = 0

  get first(): T | undefined {
    return this.anchor.after.value
  }

  add(value: T): Link<T> {
    const link = new Link(value)
    const last = this.anchor.before
    link.before = last
    link.after = this.anchor
    last.after = link
    this.anchor.before = link
    this.size += 1
    return link
  }

  remove(link: Link<T>): void {
    link.before.after = link.after
    link.after.before = link.before
    this.size -= 1
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let link = this.anchor.after; link.value !== undefined; link = link.after) yield link.value
  }
}

/** @internal */
export class FairQueue<T extends Standing> {
  private readonly lanes = new Map(
    order.map((name) => [name, { returning: new Line<T>(), fresh: new Line<T>() }] as const)
  )
  private readonly places = new Map<T, { readonly line: Line<T>; readonly link: Link<T> }>()
  private turn = 0

  get size(): number {
    return this.places.size
  }

  add(value: T): void {
    const lane = this.lanes.get(value.lane)
    if (lane === undefined) return
    const line = value.returning ? lane.returning : lane.fresh
    this.places.set(value, { line, link: line.add(value) })
  }

  /** False when it was not in here. */
  remove(value: T): boolean {
    const place = this.places.get(value)
    if (place === undefined) return false
    place.line.remove(place.link)
    return this.places.delete(value)
  }

  /** Takes the next out of the lane whose turn it is. */
  take(): T | undefined {
    let next = this.head(first)
    for (let i = 0; next === undefined && i < turns.length; i++) {
      const at = (this.turn + i) % turns.length
      next = this.head(turns[at] ?? first)
      if (next !== undefined) this.turn = at + 1
    }
    if (next !== undefined) this.remove(next)
    return next
  }

  private head(lane: RequestClass): T | undefined {
    const lines = this.lanes.get(lane)
    return lines?.returning.first ?? lines?.fresh.first
  }

  /** How many go before one that joins this lane now, if the lanes take turns. */
  ahead(lane: RequestClass): number {
    return this.before(lane, this.length(lane))
  }

  /** All of them, each with how many go before it. */
  *[Symbol.iterator](): Iterator<readonly [value: T, ahead: number]> {
    for (const [lane, { fresh, returning }] of this.lanes) {
      let at = 0
      for (const line of [returning, fresh]) {
        for (const value of line) yield [value, this.before(lane, at++)]
      }
    }
  }

  /** How many of all lanes go before the one at this place of its own. */
  private before(lane: RequestClass, at: number): number {
    if (lane === first) return at
    return turns.reduce((sum, other) => sum + Math.min(this.length(other), at), this.length(first))
  }

  private length(lane: RequestClass): number {
    const lines = this.lanes.get(lane)
    return lines === undefined ? 0 : lines.returning.size + lines.fresh.size
  }
}
