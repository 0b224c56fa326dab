/**
 * Decides before each attempt whether the create of an item may be sent. Tracks whether the API may have processed the
 * create.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { InvalidRequest, RequestFailure } from "../../ModelRouteError.js"
import type { AttemptInfo, AttemptInterceptor } from "../http/attemptInterceptor.js"
import { SubmissionTracker } from "../executions/submissionTracker.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import * as monotonic from "../data/monotonic.js"
import { isDefiniteRejection } from "../errors/semantics.js"
import type { StopCause, StopSignal } from "./stopSignal.js"

/**
 * When an idempotency key expires, on both clocks. The journal records the wall clock only, and a user can set the wall
 * clock while the batch runs.
 *
 * @internal
 */
export interface KeyExpiry {
  readonly epochMillis: number
  readonly monotonicMillis: number
}

/** @internal */
export const makeKeyExpiry = (epochMillis: number): Effect.Effect<KeyExpiry> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => ({ epochMillis, monotonicMillis: epochMillis - monotonic.wallOffset(clock) }))
  )

/** Returns whether the key has expired on either clock. */
const isExpired = (expiry: KeyExpiry): Effect.Effect<boolean> =>
  Effect.clockWith((clock) =>
    Effect.sync(
      () => clock.unsafeCurrentTimeMillis() >= expiry.epochMillis || monotonic.read(clock) >= expiry.monotonicMillis
    )
  )

/** @internal Blocks a create after the batch has stopped, or after its idempotency key has expired. */
export class ItemSubmitGuard implements AttemptInterceptor {
  /** Why the latest attempt was not sent. */
  blockedBy: StopCause | "key expired" | undefined
  private readonly tracker = new SubmissionTracker()

  constructor(
    private readonly stop: StopSignal,
    private readonly keyExpiry: KeyExpiry,
    /** Whether the API may have processed a create of an earlier run under the same key. */
    private readonly mayBeProcessedEarlier: boolean,
    /** Whether `maxCost` has already counted the item. */
    private readonly isCounted: boolean
  ) {}

  /** Whether the API may have processed the create, in this run or an earlier one. */
  get mayHaveBeenProcessed(): boolean {
    return this.tracker.isAmbiguous || this.mayBeProcessedEarlier
  }

  readonly beforeSend = (attempt: AttemptInfo): Effect.Effect<void, InvalidRequest> =>
    attempt.isKeyed ? this.check(attempt.previousAttempts) : Effect.void

  private readonly check = (previousAttempts: number): Effect.Effect<void, InvalidRequest> =>
    Effect.flatMap(isExpired(this.keyExpiry), (hasExpired) => {
      // A stopped batch still retries a create that the API may have accepted, to learn its outcome.
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
      : "belongs to an item that its batch had not submitted when it stopped",
    "Run the batch again.",
    { attempts }
  )
