/**
 * Records handled events in the memory of the process.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as MutableList from "effect/MutableList"
import * as monotonic from "../data/monotonic.js"
import type { HandledEvents } from "./dedup.js"

/**
 * Record of handled events in the memory of the process. Each new record removes the records that are older than
 * `ttlMillis`.
 *
 * @internal
 */
export class InMemoryEvents implements HandledEvents {
  private readonly handledAt = new Map<string, number>()
  /**
   * Handled events, oldest first. Expired events are found in this list, because repeated removal of a large `Map`'s
   * first entry becomes slower over time.
   */
  private readonly byAge = MutableList.empty<{ readonly id: string; readonly at: number }>()

  constructor(private readonly ttlMillis: number) {}

  readonly start = (id: string): Effect.Effect<Effect.Effect<void> | undefined> =>
    Effect.map(monotonic.now, (now) =>
      (this.handledAt.get(id) ?? Number.NEGATIVE_INFINITY) + this.ttlMillis > now ? undefined : this.record(id)
    )

  private record(id: string): Effect.Effect<void> {
    return Effect.map(monotonic.now, (now) => {
      this.removeExpired(now)
      this.handledAt.set(id, now)
      MutableList.append(this.byAge, { id, at: now })
    })
  }

  private removeExpired(now: number): void {
    for (;;) {
      const oldest = MutableList.head(this.byAge)
      if (oldest === undefined || oldest.at + this.ttlMillis > now) return
      MutableList.shift(this.byAge)
      this.handledAt.delete(oldest.id)
    }
  }

  get size(): number {
    return this.handledAt.size
  }
}
