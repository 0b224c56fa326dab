/**
 * Implements the permit of a request that the owner of the shared gate has admitted.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { omitUndefined } from "../../data/lenient.js"
import * as monotonic from "../../data/monotonic.js"
import { processMetrics } from "../../rateLimit/gateMetrics.js"
import type { Permit } from "../../rateLimit/permit.js"
import type { Headers } from "../../retry/rateLimitHeaders.js"
import type { OwnerClient } from "./ownerClient.js"
import type { Outcome } from "./protocol.js"
import type { WaitingRequest } from "./waitingRequest.js"

/**
 * Maximum wait for the reply of the owner to a reported 429. Without the reply, the caller computes the wait from the
 * headers of the 429.
 */
const replyTimeoutMillis = 1000

/**
 * Permit from the owner. Sends the first final outcome of the request to the owner and ignores later final outcomes.
 * Sends every `reportRateLimited`, because a response body can reveal a rate limit after the first report.
 *
 * @internal
 */
export class GrantedPermit implements Permit {
  private isReleased = false
  private readonly grantedAt: number

  constructor(
    private readonly owner: OwnerClient,
    private readonly request: WaitingRequest,
    private readonly clock: Clock.Clock
  ) {
    this.grantedAt = monotonic.read(clock)
    processMetrics.addInFlight(1)
  }

  /**
   * Reports a response to the owner. After a 429, waits up to a second for the reply and returns the milliseconds until
   * the gate opens. Without a reply, returns `undefined`.
   */
  reportResponse(status: number, headers: Headers): Effect.Effect<number | undefined> {
    return Effect.suspend(() => {
      if (!this.release()) return Effect.succeed(undefined)
      const outcome: Outcome = { _tag: "Response", status, headers: rateLimitHeaders(headers) }
      if (status !== 429) {
        this.owner.report(this.request, outcome)
        return Effect.succeed(undefined)
      }
      processMetrics.countRateLimited()
      return Fiber.await(this.owner.reportAndReturn(this.request, outcome)).pipe(
        Effect.timeoutOption(replyTimeoutMillis),
        Effect.map((exit) => (Option.isSome(exit) && Exit.isSuccess(exit.value) ? exit.value.value : undefined))
      )
    })
  }

  get reportUnsent(): Effect.Effect<void> {
    return Effect.sync(() => this.end({ _tag: "Unsent" }))
  }

  reportRateLimited(opensIn: number | undefined): Effect.Effect<void> {
    return Effect.sync(() => {
      processMetrics.countRateLimited()
      const sentAgo = monotonic.read(this.clock) - this.grantedAt
      this.owner.report(this.request, { _tag: "RateLimited", sentAgo, ...omitUndefined({ opensIn }) })
    })
  }

  /** Reports that the attempt has ended. Has no effect after an earlier final outcome. */
  onEnd(isInterrupted: boolean): void {
    this.end({ _tag: isInterrupted ? "Interrupted" : "Lost" })
  }

  private end(outcome: Outcome): void {
    if (this.release()) this.owner.report(this.request, outcome)
  }

  /** Marks the permit as released. Returns `false` if the permit was already released. */
  private release(): boolean {
    if (this.isReleased) return false
    this.isReleased = true
    processMetrics.addInFlight(-1)
    return true
  }
}

const rateLimitHeaders = (headers: Headers) =>
  omitUndefined({
    date: headers["date"],
    "retry-after": headers["retry-after"],
    "x-ratelimit-limit": headers["x-ratelimit-limit"],
    "x-ratelimit-remaining": headers["x-ratelimit-remaining"],
    "x-ratelimit-reset": headers["x-ratelimit-reset"]
  })
