/**
 * The log lines of the gate: one when the limit is reached while requests wait, one when it has reset.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as HashMap from "effect/HashMap"
import { formatMillis } from "../data/durationText.js"
import { logWait, runSafely } from "../telemetry.js"
import type { Capacity } from "./capacity.js"

/** Logs without annotations. The line concerns all queued requests, not only that of the fiber that logs it. */
const log = (millis: number, text: string): Effect.Effect<void> =>
  runSafely(Effect.locally(logWait(millis, text), FiberRef.currentLogAnnotations, HashMap.empty()))

/** @internal */
export class LimitLog {
  /** The time at which the limit was logged as reached, and the milliseconds until its reset. */
  private reached: { readonly at: number; readonly millis: number } | undefined

  /** Whether the limit was logged as reached and its reset was not. */
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
