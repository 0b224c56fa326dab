/**
 * When the create of an item may go out, and whether it may have been carried out.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import type { AttemptInfo, AttemptInterceptor } from "../http/attemptInterceptor.js"
import { SubmissionTracker } from "../executions/submissionTracker.js"
import { invalid } from "../errors/invalidRequest.js"
import * as monotonic from "../data/monotonic.js"
import { isDefiniteRejection } from "../errors/semantics.js"
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

/** @internal Prevents that an item is submitted after its batch has stopped, and that a key is used after its end. */
export class ItemSubmitGuard implements AttemptInterceptor {
  /** Why it was not sent, or not again. */
  blockedBy: Stopped | "too old" | undefined
  private readonly tracker = new SubmissionTracker()

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
    return this.tracker.isAmbiguous || this.wasSentEarlier
  }

  readonly beforeSend = (attempt: AttemptInfo): Effect.Effect<void, InvalidRequest> =>
    attempt.isKeyed ? this.check(attempt.previousAttempts) : Effect.void

  private readonly check = (attempts: number): Effect.Effect<void, InvalidRequest> =>
    Effect.flatMap(isOver(this.endOfKey), (isTooOld) => {
      // Whatever has stopped the batch meanwhile, what this run may have had accepted is asked for again.
      if (!this.tracker.isAmbiguous) this.blockedBy = this.stop.holdsBack(this.isCounted)
      if (this.isInDoubt && isTooOld) this.blockedBy = "too old"
      if (this.blockedBy !== undefined) return notSent(this.blockedBy, attempts)
      this.tracker.onAttempt()
      return Effect.void
    })

  readonly onTransportSend = Effect.sync(() => this.tracker.onTransportSend())

  readonly onSuccess = (): Effect.Effect<void> => Effect.void

  readonly onFailure = ({ isKeyed }: AttemptInfo, error: RequestFailure): Effect.Effect<void> =>
    Effect.sync(() => {
      if (isKeyed && isDefiniteRejection(error)) this.tracker.onNotProcessed()
    })

  readonly beforeRetry = (): Effect.Effect<void> => Effect.void
}

const notSent = (blockedBy: Stopped | "too old", attempts: number): InvalidRequest =>
  invalid(
    "executions.create",
    "idempotencyKey",
    blockedBy === "too old"
      ? "is too old to be sent again"
      : "is of an item that its batch has not sent before it stopped",
    "Run the batch again.",
    { attempts }
  )
