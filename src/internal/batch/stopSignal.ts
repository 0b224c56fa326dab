/**
 * Stops the submissions of a batch. All items of the batch share one signal.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Metrics from "../../Metrics.js"
import { runSafely } from "../telemetry.js"
import { runInChild } from "../http/childFiber.js"
import type { InsufficientBalance, Unauthorized } from "../../ModelRouteError.js"

/**
 * Reason why a batch stops its submissions:
 *
 * - `InsufficientBalance`: the balance does not cover another hold (402).
 * - `Unauthorized`: the API rejects the API key (401).
 * - `MaxCost`: another hold would exceed `maxCost`.
 * - `BeforeSubmit`: `beforeSubmit` returned `false`.
 * - `Stopped`: the effect `stop` ran.
 *
 * @since 0.1.0
 * @category models
 */
export type StopReason = "InsufficientBalance" | "Unauthorized" | "MaxCost" | "BeforeSubmit" | "Stopped"

/** @internal */
export interface StopCause {
  readonly reason: StopReason
  /** Error response of the API that caused the stop. Absent if there was another cause. */
  readonly error?: InsufficientBalance | Unauthorized
}

const reasonTexts: { readonly [R in StopReason]: string } = {
  InsufficientBalance: "the balance does not cover another execution. Top up the balance, then run the batch again",
  Unauthorized: "the API rejects the API key. Set a valid key, then run the batch again",
  MaxCost: "another execution would exceed maxCost",
  BeforeSubmit: "beforeSubmit returned false",
  Stopped: "the stop effect of the batch ran"
}

/** @internal */
export class StopSignal {
  private readonly listeners = new Set<() => void>()
  /** First cause of the stop. `undefined` if the batch has not stopped. */
  cause: StopCause | undefined

  constructor(private readonly batchId: string) {}

  /** Stops the submissions and logs the reason. Only the first call has an effect. */
  trigger(cause: StopCause): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.cause !== undefined) return Effect.void
      this.cause = cause
      for (const listener of Array.from(this.listeners)) listener()
      const text = `Batch ${this.batchId} submits no more items and waits for its running executions. Reason: ${reasonTexts[cause.reason]}`
      const log = cause.reason === "Stopped" ? Effect.logInfo(text) : Effect.logWarning(text)
      if (cause.reason === "InsufficientBalance") Metrics.balanceStops.unsafeUpdate(1, [])
      return runSafely(Effect.annotateLogs(log, { batch: this.batchId, reason: cause.reason }))
    })
  }

  /**
   * Returns the cause that blocks the submission of an item, or `undefined` if the item can be submitted. `MaxCost`
   * does not block an item if `isCounted` is `true`, because `maxCost` already counts the amount of the item.
   */
  blocks(isCounted: boolean): StopCause | undefined {
    return isCounted && this.cause?.reason === "MaxCost" ? undefined : this.cause
  }

  /**
   * Runs an effect for an item. If the signal blocks the item before the effect ends, interrupts the effect and returns
   * `undefined`.
   */
  runUnlessStopped<A, E, R>(effect: Effect.Effect<A, E, R>, isCounted = false): Effect.Effect<A | undefined, E, R> {
    return Effect.flatMap(Effect.context<R>(), (context) =>
      runInChild(Effect.provide(effect, context), (resume: (end: Effect.Effect<undefined>) => void) => {
        const listener = () => {
          if (this.blocks(isCounted) !== undefined) resume(Effect.succeed(undefined))
        }
        this.listeners.add(listener)
        listener()
        return () => void this.listeners.delete(listener)
      })
    )
  }
}
