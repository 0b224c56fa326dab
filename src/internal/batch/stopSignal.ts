/**
 * Stops the submissions of a batch. All its items share one signal.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import { runSafely } from "../telemetry.js"
import { raceListener } from "../http/attemptTimeout.js"
import type { InsufficientBalance, Unauthorized } from "../../ModelRouteError.js"

/**
 * Why a batch submits nothing more:
 *
 * - `InsufficientBalance`: the balance does not cover another hold (402).
 * - `Unauthorized`: the API rejects the API key (401).
 * - `MaxCost`: `maxCost` has no room for another hold.
 * - `BeforeSubmit`: `beforeSubmit` returned `false`.
 * - `Stopped`: the effect `stop` was run.
 *
 * @since 0.1.0
 * @category models
 */
export type StopReason = "InsufficientBalance" | "Unauthorized" | "MaxCost" | "BeforeSubmit" | "Stopped"

/** @internal */
export interface StopCause {
  readonly reason: StopReason
  /** The response of the API, if it is the reason. */
  readonly error?: InsufficientBalance | Unauthorized
}

const reasonTexts: { readonly [R in StopReason]: string } = {
  InsufficientBalance: "the balance does not cover another execution. Top up the balance, then run the batch again",
  Unauthorized: "the API rejects the API key. Set a valid key, then run the batch again",
  MaxCost: "maxCost has no room for another execution",
  BeforeSubmit: "beforeSubmit returned false",
  Stopped: "its stop effect was run"
}

/** @internal */
export class StopSignal {
  private readonly listeners = new Set<() => void>()
  /** The first cause, once the batch has stopped. */
  cause: StopCause | undefined

  constructor(private readonly batchId: string) {}

  /** Stops the submissions and logs the reason. Only the first call has an effect. */
  trigger(cause: StopCause): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.cause !== undefined) return Effect.void
      this.cause = cause
      for (const listener of Array.from(this.listeners)) listener()
      const text = `Batch ${this.batchId} waits for its running executions and submits nothing more: ${reasonTexts[cause.reason]}`
      const log = cause.reason === "Stopped" ? Effect.logInfo(text) : Effect.logWarning(text)
      return runSafely(Effect.annotateLogs(log, { batch: this.batchId, reason: cause.reason }))
    })
  }

  /**
   * Returns the cause that blocks an item, if any. `MaxCost` does not block an item whose cost `maxCost` has counted
   * before, because it needs no more room.
   */
  blocks(isCounted: boolean): StopCause | undefined {
    return isCounted && this.cause?.reason === "MaxCost" ? undefined : this.cause
  }

  /** Runs an effect until the signal blocks the item. Returns `undefined` if the signal came first. */
  runUnlessStopped<A, E, R>(effect: Effect.Effect<A, E, R>, isCounted = false): Effect.Effect<A | undefined, E, R> {
    const untilStopped = Effect.flatMap(Effect.context<R>(), (context) =>
      raceListener(Effect.provide(effect, context), (resume: (end: Effect.Effect<undefined>) => void) => {
        const listener = () => {
          if (this.blocks(isCounted) !== undefined) resume(Effect.succeed(undefined))
        }
        this.listeners.add(listener)
        listener()
        return () => void this.listeners.delete(listener)
      })
    )
    return Effect.suspend(() => (this.blocks(isCounted) === undefined ? untilStopped : Effect.succeed(undefined)))
  }
}
