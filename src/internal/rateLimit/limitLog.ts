/**
 * Writes the log lines of the gate. One line reports that the limit is exhausted while requests wait. Another line
 * reports the reset.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as HashMap from "effect/HashMap"
import { formatMillis } from "../data/durationText.js"
import { logWait, runSafely } from "../telemetry.js"
import type { Capacity } from "./capacity.js"

/** Writes a log line without the annotations of the current fiber, because the line is about all queued requests. */
const log = (millis: number, text: string): Effect.Effect<void> =>
  runSafely(Effect.locally(logWait(millis, text), FiberRef.currentLogAnnotations, HashMap.empty()))

/** @internal */
export class LimitLog {
  /**
   * Time of the log line about the exhausted limit, and milliseconds from this time to the reset. `undefined` after the
   * log line about the reset.
   */
  private reached: { readonly at: number; readonly millis: number } | undefined

  /** Returns whether the exhausted limit was logged and the reset was not logged yet. */
  get isResetPending(): boolean {
    return this.reached !== undefined
  }

  update(capacity: Capacity, waiting: number, limit: number | undefined, now: number): Effect.Effect<void> {
    const { reached } = this
    if (reached === undefined) {
      if (!capacity.limited || capacity.recheckAt === undefined || waiting === 0) return Effect.void
      const millis = capacity.recheckAt - now
      this.reached = { at: now, millis }
      const size = limit === undefined ? "" : ` of ${limit} requests per window`
      return log(
        millis,
        `The rate limit${size} is exhausted and resets in ${formatMillis(millis)}. Waiting requests: ${waiting}`
      )
    }
    if (capacity.limited) return Effect.void
    this.reached = undefined
    const text = `The rate limit has reset after ${formatMillis(now - reached.at)}. Waiting requests: ${waiting}`
    return log(reached.millis, text)
  }
}
