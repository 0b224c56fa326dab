/**
 * How many retries of faults a batch may make: what an outage would cost is then not the retries of each item, but a few per
 * minute of them all.
 */
import * as Effect from "effect/Effect"
import type { AttemptInterceptor } from "../http/attemptInterceptor.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { isRateLimit } from "../errors/semantics.js"
import * as monotonic from "../data/monotonic.js"
import { safely } from "../telemetry.js"

/**
 * A bucket of retries that all items of a batch take from. Where it is empty, retries wait in line and go out at the minimum rate,
 * until requests succeed again. Waits for the rate limit take nothing from it.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryBudgetOptions {
  /** The most retries that the bucket holds; it begins full. Default 50. */
  readonly maxTokens?: number | undefined
  /** How many retries each request that succeeds puts in. Default 0.5. */
  readonly tokenRatio?: number | undefined
  /** How many retries per minute time alone puts in. Default 10. */
  readonly minPerMinute?: number | undefined
}

/** Milliseconds after which one who waits looks again whether requests succeed. */
const patience = 5000

const minute = 60_000

/** @internal The requests of a batch, and the retries that it may still make. */
export class RetryBudget implements AttemptInterceptor {
  requests = 0
  succeeded = 0
  /** How many retries wait. */
  waiting = 0

  private readonly maxTokens: number
  private readonly tokenRatio: number
  private readonly minPerMinute: number
  private readonly turn = Effect.unsafeMakeSemaphore(1)
  private tokens: number
  /** As the log has told last. */
  private isUsedUp = false
  /** When, and at how many successes, the bucket was filled last. */
  private filled: { readonly at: number; readonly succeeded: number } | undefined

  constructor(options: RetryBudgetOptions | false) {
    const {
      maxTokens = 50,
      minPerMinute = 10,
      tokenRatio = 0.5
    } = options === false ? { maxTokens: Number.POSITIVE_INFINITY } : options
    this.maxTokens = maxTokens
    this.minPerMinute = minPerMinute
    this.tokenRatio = tokenRatio
    this.tokens = maxTokens
  }

  /** How many retries are in the bucket. */
  left(now: number): number {
    this.fill(now)
    return Math.floor(this.tokens)
  }

  /** Where retries wait, when the next of them goes out at the latest (epoch milliseconds). */
  opensAt(now: number): number | undefined {
    this.fill(now)
    return this.waiting === 0 ? undefined : now + this.lacking
  }

  readonly beforeSend = (): Effect.Effect<void> =>
    Effect.sync(() => {
      this.requests += 1
    })

  readonly onTransportSend = Effect.void

  readonly onSuccess = (): Effect.Effect<void> =>
    Effect.sync(() => {
      this.succeeded += 1
    })

  readonly onFailure = (): Effect.Effect<void> => Effect.void

  /** A retry after a rate limit takes no token: it is no sign of an outage. */
  readonly beforeRetry = (error: RequestFailure): Effect.Effect<void> => (isRateLimit(error) ? Effect.void : this.retry)

  readonly retry: Effect.Effect<void> = Effect.acquireUseRelease(
    Effect.sync(() => {
      this.waiting += 1
    }),
    () => this.turn.withPermits(1)(Effect.suspend(() => this.take)),
    () =>
      Effect.sync(() => {
        this.waiting -= 1
      })
  )

  /** One after the other, so that at any time only the first in line has a timer. */
  private readonly take: Effect.Effect<void> = Effect.flatMap(monotonic.now, (now) => {
    this.fill(now)
    if (this.tokens < 1) {
      const wait = Effect.zipRight(Effect.sleep(Math.min(this.lacking, patience)), this.take)
      if (this.isUsedUp) return wait
      this.isUsedUp = true
      return Effect.zipRight(
        safely(
          Effect.logInfo(
            `The retry budget of this batch is used up: until requests succeed again, ${this.minPerMinute} retries go out per minute, and the others wait`
          )
        ),
        wait
      )
    }
    this.tokens -= 1
    if (!this.isUsedUp || this.tokens < 1) return Effect.void
    this.isUsedUp = false
    return safely(Effect.logInfo("The retry budget of this batch has been refilled: retries go out when they are due"))
  })

  private fill(now: number): void {
    const { at, succeeded } = this.filled ?? { at: now, succeeded: 0 }
    const earned = (this.succeeded - succeeded) * this.tokenRatio + (Math.max(0, now - at) * this.minPerMinute) / minute
    this.tokens = Math.min(this.maxTokens, this.tokens + earned)
    this.filled = { at: now, succeeded: this.succeeded }
  }

  /** Milliseconds until time alone has put in what is missing of one retry. */
  private get lacking(): number {
    return Math.max(0, Math.ceil(((1 - this.tokens) * minute) / this.minPerMinute))
  }
}
