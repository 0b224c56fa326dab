/**
 * Implements the rate limit gate of a process in a cluster. One process of the cluster, the owner, runs the shared
 * gate. While the owner is unreachable, this process uses a gate of its own.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Service } from "../../rateLimit/admission.js"
import { fromGate } from "../../rateLimit/admission.js"
import { Gate } from "../../rateLimit/gate.js"
import { processMetrics } from "../../rateLimit/gateMetrics.js"
import type { Permit, PermitRequest } from "../../rateLimit/permit.js"
import { type Background, makeBackground } from "./background.js"
import { GrantedPermit } from "./grantedPermit.js"
import type { OwnerCalls } from "./ownerCalls.js"
import { OwnerClient } from "./ownerClient.js"
import type { WaitingEvent, WaitingRequest } from "./waitingRequest.js"

type Attempt<A, E> = (permit: Permit) => Effect.Effect<A, E>
type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * Result of the wait for a permit. After `moved`, the request must be queued again, because the owner has changed or is
 * unreachable.
 */
type WaitResult = "granted" | "moved"

/**
 * Creates the gate that this process uses while the owner is unreachable. This gate uses only part of the limit,
 * because the other processes send requests with the same API key.
 */
const makeLocalGate = (): Gate => {
  const gate = new Gate()
  gate.limiter.others.detect()
  return gate
}

class ClusterGate {
  private local = makeLocalGate()
  private readonly owner: OwnerClient

  constructor(calls: OwnerCalls, background: Background) {
    this.owner = new OwnerClient(calls, background, () => {
      this.local = makeLocalGate()
    })
  }

  get snapshot(): Service["snapshot"] {
    return Effect.flatMap(this.owner.currentState, (state) =>
      state === undefined ? fromGate(this.local).snapshot : Effect.succeed(state.snapshot)
    )
  }

  get isScarce(): Effect.Effect<boolean> {
    return Effect.flatMap(this.owner.currentState, (state) =>
      state === undefined ? fromGate(this.local).admission.isScarce : Effect.succeed(state.isScarce)
    )
  }

  withPermit<A, E>(request: PermitRequest<E>, attempt: Attempt<A, E>): Effect.Effect<A, E> {
    return this.owner.use(
      Effect.uninterruptibleMask((restore) => {
        const run: Effect.Effect<A, E> = Effect.suspend(() =>
          this.owner.isReachable
            ? this.withSharedPermit(request, attempt, restore, run)
            : this.withLocalPermit(request, attempt, restore, run)
        )
        return run
      })
    )
  }

  private withSharedPermit<A, E>(
    request: PermitRequest<E>,
    attempt: Attempt<A, E>,
    restore: Restore,
    again: Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    const waiting = this.owner.acquire(request)
    return restore(this.waitForPermit(waiting, request)).pipe(
      Effect.onExit((exit) => Effect.sync(() => Exit.isFailure(exit) && this.owner.withdraw(waiting))),
      Effect.flatMap((result) => (result === "moved" ? again : this.runAttempt(waiting, attempt, restore)))
    )
  }

  private runAttempt<A, E>(waiting: WaitingRequest, attempt: Attempt<A, E>, restore: Restore): Effect.Effect<A, E> {
    return Effect.clockWith((clock) => {
      const permit = new GrantedPermit(this.owner, waiting, clock)
      return Effect.onExit(restore(attempt(permit)), (exit) =>
        Effect.sync(() => permit.onEnd(Exit.isFailure(exit) && Cause.isInterrupted(exit.cause)))
      )
    })
  }

  private waitForPermit<E>(waiting: WaitingRequest, request: PermitRequest<E>): Effect.Effect<WaitResult, E> {
    return Effect.flatMap(waiting.take, (event) => {
      if (event._tag === "Granted") return Effect.succeed("granted")
      const wait = this.waitInQueue(waiting, request, event)
      return Effect.acquireUseRelease(
        Effect.sync(() => processMetrics.addWaiting(1)),
        () => processMetrics.measureWait(request.operation, wait),
        () => Effect.sync(() => processMetrics.addWaiting(-1))
      )
    })
  }

  private waitInQueue<E>(
    waiting: WaitingRequest,
    request: PermitRequest<E>,
    event: WaitingEvent
  ): Effect.Effect<WaitResult, E> {
    const next = Effect.flatMap(waiting.take, (following) => this.waitInQueue(waiting, request, following))
    switch (event._tag) {
      case "Granted":
        return Effect.succeed("granted")
      case "Moved":
        return Effect.succeed("moved")
      case "Queued":
        return next
      case "Delayed": {
        const { limit, opensIn, remaining, wait } = event
        return Effect.flatMap(request.confirmWait({ limit, opensIn, remaining, wait }), (failure) =>
          Option.isSome(failure) ? Effect.fail(failure.value) : next
        )
      }
    }
  }

  /**
   * Runs the attempt with a permit of the local gate. If the owner is reachable again before the permit, moves the
   * request to the queue of the owner.
   */
  private withLocalPermit<A, E>(
    request: PermitRequest<E>,
    attempt: Attempt<A, E>,
    restore: Restore,
    again: Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    let isAdmitted = false
    let isMoved = false
    const sent = this.local.withPermit(request, (permit) => {
      // The local gate can still admit a request that has moved to the shared gate. The attempt must not run here, because
      // the attempt also runs after the shared gate admits the request.
      if (isMoved) return Effect.zipRight(permit.reportUnsent, Effect.never)
      isAdmitted = true
      return attempt(permit)
    })
    const moved = Effect.flatMap(this.owner.awaitRecovery, () => {
      if (isAdmitted) return Effect.never
      isMoved = true
      return Effect.succeed(again)
    })
    return Effect.flatten(restore(Effect.raceFirst(Effect.map(sent, Effect.succeed), moved)))
  }
}

/** @internal Creates a `RateLimitGate` service that asks the owner for permits through `calls`. */
export const makeClusterGate = (calls: OwnerCalls): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.map(makeBackground, (background) => {
    const gate = new ClusterGate(calls, background)
    return {
      snapshot: Effect.suspend(() => gate.snapshot),
      admission: {
        withPermit: (request, attempt) => gate.withPermit(request, attempt),
        isScarce: Effect.suspend(() => gate.isScarce)
      }
    }
  })
