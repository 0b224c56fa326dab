/**
 * When the create of an item may go out, and whether it may have been carried out.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import type { Leave } from "../http/attemptInterceptor.js"
import { invalid } from "../errors/invalidRequest.js"
import * as monotonic from "../data/monotonic.js"
import { isRefusedForGood, wasTurnedAway } from "../errors/semantics.js"
import type { Stop, Stopped } from "./stopSignal.js"

/**
 * The end of a key's life on both clocks: the journal knows only the wall clock, which can be set while this run waits.
 *
 * @internal
 */
export interface KeyEnd {
  readonly wall: number
  readonly monotonic: number
}

/** @internal `at` is in epoch milliseconds. */
export const keyEndOf = (at: number): Effect.Effect<KeyEnd> =>
  Effect.clockWith((clock) => Effect.sync(() => ({ wall: at, monotonic: at - monotonic.wallOffset(clock) })))

const isOver = (end: KeyEnd): Effect.Effect<boolean> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => clock.unsafeCurrentTimeMillis() >= end.wall || monotonic.read(clock) >= end.monotonic)
  )

/** @internal */
export class ItemLeave implements Leave {
  /** Why it was not sent, or not again. */
  withheld: Stopped | "too old" | undefined
  /** Whether what this run has sent may have been carried out; and so before the newest attempt. */
  private isSent = false
  private wasSent = false

  constructor(
    private readonly stop: Stop,
    /** When the API may have forgotten the key. */
    private readonly endOfKey: KeyEnd,
    /** Whether what an earlier run has sent under its key may have been carried out. */
    private readonly wasSentEarlier: boolean,
    /** Whether `maxCost` has counted it before. */
    private readonly isCounted: boolean
  ) {}

  /** Whether it may have been carried out. */
  get isInDoubt(): boolean {
    return this.isSent || this.wasSentEarlier
  }

  readonly ask = (attempts: number): Effect.Effect<InvalidRequest | undefined> =>
    Effect.map(isOver(this.endOfKey), (isTooOld) => {
      // Whatever has stopped the batch meanwhile, what this run may have had accepted is asked for again.
      if (!this.isSent) this.withheld = this.stop.holdsBack(this.isCounted)
      if (this.isInDoubt && isTooOld) this.withheld = "too old"
      if (this.withheld !== undefined) return notSent(this.withheld, attempts)
      this.wasSent = this.isSent
      this.isSent = true
      return undefined
    })

  /** A refusal says nothing of what was sent before it, nor does a connection that could not be made. */
  readonly failed = (error: RequestFailure, sends: number): void => {
    const isRefused = error._tag === "InvalidRequest" || wasTurnedAway(error) || isRefusedForGood(error)
    if (isRefused && sends <= 1) this.isSent = this.wasSent
  }
}

const notSent = (withheld: Stopped | "too old", attempts: number): InvalidRequest =>
  invalid(
    "executions.create",
    "idempotencyKey",
    withheld === "too old"
      ? "is too old to be sent again"
      : "is of an item that its batch has not sent before it stopped",
    "Run the batch again.",
    { attempts }
  )
