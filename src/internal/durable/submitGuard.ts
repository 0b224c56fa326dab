/**
 * Blocks a create request if its idempotency key has expired and the API may have processed an earlier attempt. Tracks
 * whether the API may have processed the request.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { wasNotProcessed } from "../errors/semantics.js"
import { SubmissionTracker } from "../executions/submissionTracker.js"
import type { AttemptInfo, AttemptInterceptor } from "../http/attemptInterceptor.js"
import { isExpired, type KeyExpiry } from "../http/keyExpiry.js"

/** @internal Blocks each attempt that could create a second execution. */
export class SubmitGuard implements AttemptInterceptor {
  /** Indicates whether the latest attempt was not sent because the idempotency key has expired. */
  isBlocked = false
  private readonly tracker = new SubmissionTracker()

  constructor(
    private readonly expiry: KeyExpiry,
    /** Indicates whether the API may have processed an earlier submission under the same key. */
    private readonly mayBeProcessedEarlier: boolean
  ) {}

  /** Returns whether the API may have processed the create request, now or in an earlier submission. */
  get isAmbiguous(): boolean {
    return this.mayBeProcessedEarlier || this.tracker.isAmbiguous
  }

  readonly beforeSend = ({ isKeyed, previousAttempts }: AttemptInfo): Effect.Effect<void, InvalidRequest> =>
    isKeyed
      ? Effect.flatMap(isExpired(this.expiry), (hasExpired) => {
          if (hasExpired && this.isAmbiguous) {
            this.isBlocked = true
            return keyExpired(previousAttempts)
          }
          this.tracker.onAttempt()
          return Effect.void
        })
      : Effect.void

  readonly onTransportSend = Effect.sync(() => this.tracker.onTransportSend())

  readonly onSuccess = (): Effect.Effect<void> => Effect.void

  readonly onFailure = ({ isKeyed }: AttemptInfo, error: RequestFailure): Effect.Effect<void> =>
    Effect.sync(() => {
      // A failed connection counts as not processed. The workflow can therefore continue after an outage that is longer
      // than `keyTtl`.
      if (isKeyed && wasNotProcessed(error)) this.tracker.onNotProcessed()
    })

  readonly beforeRetry = (): Effect.Effect<void> => Effect.void
}

const keyExpired = (attempts: number): InvalidRequest =>
  invalidRequest(
    "executions.create",
    "idempotencyKey",
    "has expired and must not be sent again",
    "Look for the execution in the dashboard.",
    { attempts }
  )
