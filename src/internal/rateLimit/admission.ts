/**
 * The ways past the rate limit: through a gate, or where there is none.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Metrics from "../../Metrics.js"
import * as monotonic from "../data/monotonic.js"
import type { Gate } from "./gate.js"
import type { PermitRequest, Permit } from "./permit.js"
import { makeSnapshot, type Snapshot } from "./snapshot.js"

/** @internal */
export interface Admission {
  readonly withPermit: <A, E>(
    entry: PermitRequest<E>,
    attempt: (place: Permit) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E>
  /** Whether the limit is so nearly used up that whatever can wait should. */
  readonly isScarce: Effect.Effect<boolean>
}

/** @internal */
export const fromGate = (gate: Gate): Service => ({
  snapshot: Effect.clockWith((clock) => Effect.sync(() => makeSnapshot(gate, clock))),
  admission: {
    withPermit: (entry, attempt) => gate.withPermit(entry, attempt),
    isScarce: Effect.map(monotonic.now, (now) => gate.limiter.isScarce(now))
  }
})

/** @internal Lets everything pass, and counts. */
export const makeUnlimited = (): Service => {
  let inFlight = 0
  let rateLimited = 0
  const refusal = Effect.sync(() => {
    rateLimited += 1
    Metrics.rateLimited.unsafeUpdate(1, [])
  })
  const place: Permit = {
    reportResponse: (status) => Effect.as(status === 429 ? refusal : Effect.void, undefined),
    reportUnsent: Effect.void,
    reportRateLimited: () => refusal
  }
  const count = (n: number) =>
    Effect.sync(() => {
      inFlight += n
      Metrics.inFlight.unsafeModify(n, [])
    })
  return {
    snapshot: Effect.sync(() => ({ waiting: 0, inFlight, rateLimited, hasOtherClients: false })),
    admission: {
      withPermit: (_, attempt) =>
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
export const bypass: Admission = {
  withPermit: (_, attempt) =>
    attempt({
      reportResponse: () => Effect.succeed(undefined),
      reportUnsent: Effect.void,
      reportRateLimited: () => Effect.void
    }),
  isScarce: Effect.succeed(false)
}

/**
 * The gate, seen from outside.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** What it knows and does now. */
  readonly snapshot: Effect.Effect<Snapshot>
  /** @internal */
  readonly admission: Admission
}
