/**
 * Why a batch submits nothing more: said once, heard by all its items.
 */
import * as Effect from "effect/Effect"
import { safely } from "../telemetry.js"
import { unlessFirst } from "../http/attemptTimeout.js"
import type { InsufficientBalance, Unauthorized } from "../../ModelRouteError.js"

/**
 * Why a batch submits nothing more: the balance does not cover another hold (402); the API key is not accepted (401); `maxCost` has
 * no room for another hold; `beforeSubmit` has said no; `stop` was run.
 *
 * @since 0.1.0
 * @category models
 */
export type StopReason = "InsufficientBalance" | "Unauthorized" | "MaxCost" | "BeforeSubmit" | "Stopped"

/** @internal */
export interface Stopped {
  readonly reason: StopReason
  /** Where the API has said so. */
  readonly error?: InsufficientBalance | Unauthorized
}

const words: { readonly [R in StopReason]: string } = {
  InsufficientBalance: "the balance does not cover another execution: top it up, then run the batch again",
  Unauthorized: "the API key is not accepted: set one that is, then run the batch again",
  MaxCost: "maxCost has no room for another execution",
  BeforeSubmit: "beforeSubmit has said no",
  Stopped: "it was told to stop"
}

/** @internal */
export class Stop {
  private readonly listeners = new Set<() => void>()
  /** What has stopped it. */
  current: Stopped | undefined

  constructor(private readonly batch: string) {}

  /** The first reason counts. */
  say(stopped: Stopped): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.current !== undefined) return Effect.void
      this.current = stopped
      for (const listener of Array.from(this.listeners)) listener()
      const text = `Batch ${this.batch} submits nothing more: ${words[stopped.reason]}. What runs is waited for`
      const log = stopped.reason === "Stopped" ? Effect.logInfo(text) : Effect.logWarning(text)
      return safely(Effect.annotateLogs(log, { batch: this.batch, reason: stopped.reason }))
    })
  }

  /** What keeps an item back. What `maxCost` has counted before takes no more room. */
  holdsBack(isCounted: boolean): Stopped | undefined {
    return isCounted && this.current?.reason === "MaxCost" ? undefined : this.current
  }

  /** Ends a wait that has become pointless, with `undefined`. */
  unlessStopped<A, E, R>(wait: Effect.Effect<A, E, R>, isCounted = false): Effect.Effect<A | undefined, E, R> {
    const untilStopped = Effect.flatMap(Effect.context<R>(), (context) =>
      unlessFirst(Effect.provide(wait, context), (resume: (end: Effect.Effect<undefined>) => void) => {
        const listener = () => {
          if (this.holdsBack(isCounted) !== undefined) resume(Effect.succeed(undefined))
        }
        this.listeners.add(listener)
        listener()
        return () => void this.listeners.delete(listener)
      })
    )
    return Effect.suspend(() => (this.holdsBack(isCounted) === undefined ? untilStopped : Effect.succeed(undefined)))
  }
}
