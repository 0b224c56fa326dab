/**
 * When the create of an item may go out, and whether it may have been carried out.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import { hadNoEffect } from "../call.js"
import type { Leave } from "../current.js"
import { invalid } from "../invalid.js"
import type { Stop } from "./stop.js"

/** @internal */
export class ItemLeave implements Leave {
  /** Why it was not sent, or not again. */
  withheld: "stopped" | "too old" | undefined
  private wasInDoubt: boolean

  constructor(
    private readonly stop: Stop,
    /** Epoch milliseconds: from then on the API may have forgotten the key. */
    private readonly endOfKey: number,
    /** Whether what was sent under its key may have been carried out. */
    public isInDoubt: boolean
  ) {
    this.wasInDoubt = isInDoubt
  }

  readonly ask = (attempts: number): Effect.Effect<InvalidRequest | undefined> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      // Only sending it again tells what has become of it.
      if (!this.isInDoubt && this.stop.current !== undefined) this.withheld = "stopped"
      else if (this.isInDoubt && now >= this.endOfKey) this.withheld = "too old"
      if (this.withheld !== undefined) return notSent(this.withheld, attempts)
      this.wasInDoubt = this.isInDoubt
      this.isInDoubt = true
      return undefined
    })

  readonly failed = (error: RequestFailure): void => {
    if (hadNoEffect(error)) this.isInDoubt = this.wasInDoubt
  }
}

const notSent = (why: "stopped" | "too old", attempts: number): InvalidRequest =>
  invalid(
    "executions.create",
    "idempotencyKey",
    why === "stopped" ? "is of an item that its batch has not sent before it stopped" : "is too old to be sent again",
    "Run the batch again.",
    attempts
  )
