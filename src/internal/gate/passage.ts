/**
 * The ways past the rate limit: through a gate, or where there is none.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { Service, Snapshot } from "../../RateLimitGate.js"
import { present } from "../tolerant.js"
import type { Entry, Gate, Place } from "./gate.js"

/** @internal */
export interface Passage {
  readonly pass: <A, E>(entry: Entry<E>, attempt: (place: Place) => Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Whether the limit is so nearly used up that whatever can wait should. */
  readonly isScarce: Effect.Effect<boolean>
}

const moment = (millis: number | undefined): DateTime.Utc | undefined =>
  millis === undefined || !Number.isFinite(millis) ? undefined : DateTime.unsafeMake(millis)

const finite = (n: number | undefined): number | undefined => (n !== undefined && Number.isFinite(n) ? n : undefined)

const snapshotOf = ({ limiter, waiting }: Gate, now: number): Snapshot => {
  const { blockedUntil, inFlight, opensAt, refusals, skew, window } = limiter
  return {
    ...present({
      limit: window?.limit,
      remaining: finite(window?.remaining),
      resetAt: moment(opensAt),
      blockedUntil: moment(blockedUntil > now ? blockedUntil : undefined),
      skew: skew && { min: skew.min, max: skew.max }
    }),
    waiting,
    inFlight,
    refused: refusals,
    shared: limiter.isShared
  }
}

/** @internal */
export const limited = (gate: Gate): Service => ({
  snapshot: Effect.map(Clock.currentTimeMillis, (now) => snapshotOf(gate, now)),
  passage: {
    pass: (entry, attempt) => gate.pass(entry, attempt),
    isScarce: Effect.map(Clock.currentTimeMillis, (now) => gate.limiter.isScarce(now))
  }
})

const nowhere: Place = {
  answered: () => Effect.succeed(undefined),
  unsent: Effect.void,
  refused: () => Effect.void
}

/** @internal */
export const unlimited = (): Service => ({
  snapshot: Effect.succeed({ waiting: 0, inFlight: 0, refused: 0, shared: false }),
  passage: { pass: (_, attempt) => attempt(nowhere), isScarce: Effect.succeed(false) }
})
