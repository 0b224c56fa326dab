/**
 * Which events have been handled, as long as the process lives.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as MutableList from "effect/MutableList"
import * as monotonic from "../data/monotonic.js"
import type { Handled } from "./dedup.js"

/** @internal Forgets what is older than `ttl` milliseconds with the next event that it is told of. */
export class Memory implements Handled {
  private readonly times = new Map<string, number>()
  /** By age, beside the map: to take the oldest out of a large map again and again costs more each time. */
  private readonly order = MutableList.empty<{ readonly id: string; readonly at: number }>()

  constructor(private readonly ttl: number) {}

  readonly open = (id: string): Effect.Effect<Effect.Effect<void> | undefined> =>
    Effect.map(monotonic.now, (now) =>
      (this.times.get(id) ?? Number.NEGATIVE_INFINITY) + this.ttl > now ? undefined : this.add(id)
    )

  private add(id: string): Effect.Effect<void> {
    return Effect.map(monotonic.now, (now) => {
      this.forget(now)
      this.times.set(id, now)
      MutableList.append(this.order, { id, at: now })
    })
  }

  private forget(now: number): void {
    for (;;) {
      const oldest = MutableList.head(this.order)
      if (oldest === undefined || oldest.at + this.ttl > now) return
      MutableList.shift(this.order)
      if (this.times.get(oldest.id) === oldest.at) this.times.delete(oldest.id)
    }
  }

  get size(): number {
    return Math.max(this.times.size, MutableList.length(this.order))
  }
}
