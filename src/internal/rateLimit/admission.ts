/**
 * The ways past the rate limit: through a gate, or where there is none.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { Service, Snapshot } from "../../RateLimitGate.js"
import * as Metrics from "../../Metrics.js"
import * as monotonic from "../data/monotonic.js"
import { present } from "../data/lenient.js"
import type { Entry, Gate, Place } from "./gate.js"

/** @internal */
export interface Passage {
  readonly pass: <A, E>(entry: Entry<E>, attempt: (place: Place) => Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Whether the limit is so nearly used up that whatever can wait should. */
  readonly isScarce: Effect.Effect<boolean>
}

const momentOf = (millis: number | undefined): DateTime.Utc | undefined =>
  millis === undefined || !Number.isFinite(millis) ? undefined : DateTime.unsafeMake(millis)

const finite = (n: number | undefined): number | undefined => (n !== undefined && Number.isFinite(n) ? n : undefined)

const snapshotOf = ({ limiter, waiting }: Gate, clock: Clock.Clock): Snapshot => {
  const now = monotonic.read(clock)
  const offset = monotonic.wallOffset(clock)
  const moment = (at: number | undefined) => momentOf(at === undefined ? undefined : at + offset)
  const { blockedUntil, inFlight, opensAt, refusals, skew, window } = limiter
  const isOver = opensAt !== undefined && opensAt <= now
  return {
    ...present({
      limit: window?.limit,
      remaining: isOver ? undefined : finite(window?.remaining),
      resetAt: isOver ? undefined : moment(opensAt),
      blockedUntil: moment(blockedUntil > now ? blockedUntil : undefined),
      skew: skew && { min: skew.min - offset, max: skew.max - offset }
    }),
    waiting,
    inFlight,
    refused: refusals,
    shared: limiter.isShared
  }
}

/** @internal */
export const limited = (gate: Gate): Service => ({
  snapshot: Effect.clockWith((clock) => Effect.sync(() => snapshotOf(gate, clock))),
  passage: {
    pass: (entry, attempt) => gate.pass(entry, attempt),
    isScarce: Effect.map(monotonic.now, (now) => gate.limiter.isScarce(now))
  }
})

/** @internal Lets everything pass, and counts. */
export const unlimited = (): Service => {
  let inFlight = 0
  let refused = 0
  const refusal = Effect.sync(() => {
    refused += 1
    Metrics.refused.unsafeUpdate(1, [])
  })
  const place: Place = {
    answered: (status) => Effect.as(status === 429 ? refusal : Effect.void, undefined),
    unsent: Effect.void,
    refused: () => refusal
  }
  const count = (n: number) =>
    Effect.sync(() => {
      inFlight += n
      Metrics.inFlight.unsafeModify(n, [])
    })
  return {
    snapshot: Effect.sync(() => ({ waiting: 0, inFlight, refused, shared: false })),
    passage: {
      pass: (_, attempt) =>
        Effect.acquireUseRelease(
          count(1),
          () => attempt(place),
          () => count(-1)
        ),
      isScarce: Effect.succeed(false)
    }
  }
}

/** @internal For what does not go to the API, such as bytes to storage: no limit, and nothing to count. */
export const free: Passage = {
  pass: (_, attempt) =>
    attempt({ answered: () => Effect.succeed(undefined), unsent: Effect.void, refused: () => Effect.void }),
  isScarce: Effect.succeed(false)
}
