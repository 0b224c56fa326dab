/**
 * Implements three ways to admit requests: with a gate, without a limit, and for hosts other than the API.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Metrics from "../../Metrics.js"
import * as monotonic from "../data/monotonic.js"
import type { Gate } from "./gate.js"
import type { Permit, PermitRequest } from "./permit.js"
import { makeSnapshot, type Snapshot } from "./snapshot.js"

/** @internal Admits requests under a rate limit. */
export interface Admission {
  /**
   * Waits for a permit, and then runs the attempt. If `confirmWait` of the request returns a failure, fails with this
   * failure and does not run the attempt.
   */
  readonly withPermit: <A, E>(
    request: PermitRequest<E>,
    attempt: (permit: Permit) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E>
  /** Returns whether the rate limit is nearly exhausted. Requests that are not urgent should then wait. */
  readonly isScarce: Effect.Effect<boolean>
}

/**
 * Service of the tag `RateLimitGate`. Use `make`, `layer` or `layerUnlimited` to create a service.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * Returns the current state of the gate.
   *
   * @example
   * ```ts
   * import { Console, Effect } from "effect"
   * import { RateLimitGate } from "effect-modelroute"
   *
   * export const report = (gate: RateLimitGate.Service) =>
   *   Effect.flatMap(gate.snapshot, ({ waiting }) => Console.log(`${waiting} requests wait`))
   * ```
   */
  readonly snapshot: Effect.Effect<Snapshot>
  /** @internal */
  readonly admission: Admission
}

/** @internal Creates a service that admits requests through a gate. */
export const fromGate = (gate: Gate): Service => ({
  snapshot: Effect.clockWith((clock) => Effect.sync(() => makeSnapshot(gate, clock))),
  admission: {
    withPermit: (request, attempt) => gate.withPermit(request, attempt),
    isScarce: Effect.map(monotonic.now, (now) => gate.limiter.isScarce(now))
  }
})

/**
 * Creates a service that admits every request immediately. The service counts requests and rejections for the snapshot
 * and the metrics.
 *
 * @internal
 */
export const makeUnlimited = (): Service => {
  let inFlight = 0
  let rateLimited = 0
  const countRejection = Effect.sync(() => {
    rateLimited += 1
    Metrics.rateLimited.unsafeUpdate(1, [])
  })
  const permit: Permit = {
    reportResponse: (status) => Effect.as(status === 429 ? countRejection : Effect.void, undefined),
    reportUnsent: Effect.void,
    reportRateLimited: () => countRejection
  }
  const addInFlight = (n: number) =>
    Effect.sync(() => {
      inFlight += n
      Metrics.inFlight.unsafeModify(n, [])
    })
  return {
    snapshot: Effect.sync(() => ({ waiting: 0, inFlight, rateLimited, hasOtherClients: false })),
    admission: {
      withPermit: (_, attempt) =>
        Effect.acquireUseRelease(
          addInFlight(1),
          () => attempt(permit),
          () => addInFlight(-1)
        ),
      isScarce: Effect.succeed(false)
    }
  }
}

/** @internal Admits requests to hosts other than the API without a limit, for example uploads to storage. */
export const bypass: Admission = {
  withPermit: (_, attempt) =>
    attempt({
      reportResponse: () => Effect.succeed(undefined),
      reportUnsent: Effect.void,
      reportRateLimited: () => Effect.void
    }),
  isScarce: Effect.succeed(false)
}
