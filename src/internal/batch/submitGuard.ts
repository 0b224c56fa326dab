/**
 * Checks before each attempt whether the create request of an item may be sent. Tracks whether the API may have
 * processed the request.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import type { AttemptInfo, AttemptInterceptor } from "../http/attemptInterceptor.js"
import { isExpired, type KeyExpiry } from "../http/keyExpiry.js"
import { SubmissionTracker } from "../executions/submissionTracker.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { isDefiniteRejection } from "../errors/semantics.js"
import type { StopCause, StopSignal } from "./stopSignal.js"

/**
 * Blocks a new create request after the batch has stopped. Blocks a resend after the idempotency key has expired.
 *
 * @internal
 */
export class ItemSubmitGuard implements AttemptInterceptor {
  /** Reason why the latest attempt was not sent. `undefined` if the latest attempt was sent. */
  blockedBy: StopCause | "key expired" | undefined
  private readonly tracker = new SubmissionTracker()

  constructor(
    private readonly stop: StopSignal,
    private readonly keyExpiry: KeyExpiry,
    /** Indicates whether the API may have processed a create request of an earlier run with the same key. */
    private readonly mayBeProcessedEarlier: boolean,
    /** Indicates whether `maxCost` already counts the item. */
    private readonly isCounted: boolean
  ) {}

  /** Returns whether the API may have processed the create request in this run or an earlier run. */
  get mayHaveBeenProcessed(): boolean {
    return this.tracker.isAmbiguous || this.mayBeProcessedEarlier
  }

  readonly beforeSend = (attempt: AttemptInfo): Effect.Effect<void, InvalidRequest> =>
    attempt.isKeyed ? this.check(attempt.previousAttempts) : Effect.void

  private readonly check = (previousAttempts: number): Effect.Effect<void, InvalidRequest> =>
    Effect.flatMap(isExpired(this.keyExpiry), (hasExpired) => {
      // A stopped batch still retries a create request that the API may have accepted. The retry determines whether an
      // execution exists.
      if (!this.tracker.isAmbiguous) this.blockedBy = this.stop.blocks(this.isCounted)
      if (this.mayHaveBeenProcessed && hasExpired) this.blockedBy = "key expired"
      if (this.blockedBy !== undefined) return blockedRequest(this.blockedBy, previousAttempts)
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

const blockedRequest = (blockedBy: StopCause | "key expired", attempts: number): InvalidRequest =>
  invalidRequest(
    "executions.create",
    "idempotencyKey",
    blockedBy === "key expired"
      ? "has expired and must not be sent again"
      : "belongs to an item that was not submitted before the batch stopped",
    "Run the batch again.",
    { attempts }
  )
