/**
 * Limits the retries of a batch. During an outage, the whole batch sends a few retries per minute instead of several
 * retries per item.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { AttemptInterceptor } from "../http/attemptInterceptor.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { isRateLimit } from "../errors/semantics.js"
import * as monotonic from "../data/monotonic.js"
import { runSafely } from "../telemetry.js"

/**
 * Options of the token bucket that limits the retries of a batch. Each retry takes one token. If the bucket is empty,
 * retries wait in a queue. Queued retries are sent at the rate `minPerMinute` until requests succeed again. A retry
 * after a rate limit takes no token.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryBudgetOptions {
  /** Capacity of the bucket. The bucket starts full. Default: 50 tokens. */
  readonly maxTokens?: number | undefined
  /**
   * Number of tokens that each successful request adds to the bucket. Default: 0.5 tokens, so two successful requests
   * allow one retry.
   */
  readonly tokenRatio?: number | undefined
  /**
   * Number of tokens that are added to the bucket per minute, regardless of successful requests. Default: 10 tokens.
   */
  readonly minPerMinute?: number | undefined
}

/**
 * Maximum delay before a queued retry checks the bucket again. A successful request can add a token before the next
 * token of `minPerMinute` is due.
 */
const recheckMillis = 5000

const minuteMillis = 60_000

/** @internal Counts the requests of a batch and delays its retries. */
export class RetryBudget implements AttemptInterceptor {
  requests = 0
  succeeded = 0
  /** Number of retries that wait for a token. */
  waiting = 0

  private readonly maxTokens: number
  private readonly tokenRatio: number
  private readonly minPerMinute: number
  /**
   * Semaphore that allows only the first queued retry to run a timer. All other queued retries wait for the semaphore.
   */
  private readonly queue = Effect.unsafeMakeSemaphore(1)
  private tokens: number
  /** Indicates whether the latest log line reported an exhausted budget. */
  private isExhausted = false
  /** Time of the latest refill in monotonic milliseconds, and the number of successful requests at that time. */
  private lastRefill: { readonly at: number; readonly succeeded: number } | undefined

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

  /** Returns the number of available tokens. `now` is in monotonic milliseconds. */
  tokensLeft(now: number): number {
    this.refill(now)
    return Math.floor(this.tokens)
  }

  /**
   * Returns the latest time at which the next queued retry is sent. Returns `undefined` if no retry is queued. `now`
   * and the result are in monotonic milliseconds.
   */
  nextRetryAt(now: number): number | undefined {
    this.refill(now)
    return this.waiting === 0 ? undefined : now + this.millisToNextToken
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

  /** Waits for a token. A retry after a rate limit takes no token, because a rate limit does not indicate an outage. */
  readonly beforeRetry = (error: RequestFailure): Effect.Effect<void> =>
    isRateLimit(error) ? Effect.void : this.waitForToken

  /** Takes a token, or waits in the queue until a token is available. */
  readonly waitForToken: Effect.Effect<void> = Effect.acquireUseRelease(
    Effect.sync(() => {
      this.waiting += 1
    }),
    () => this.queue.withPermits(1)(Effect.suspend(() => this.takeToken)),
    () =>
      Effect.sync(() => {
        this.waiting -= 1
      })
  )

  private readonly takeToken: Effect.Effect<void> = Effect.flatMap(monotonic.now, (now) => {
    this.refill(now)
    if (this.tokens < 1) {
      const wait = Effect.zipRight(Effect.sleep(Math.min(this.millisToNextToken, recheckMillis)), this.takeToken)
      if (this.isExhausted) return wait
      this.isExhausted = true
      return Effect.zipRight(
        runSafely(
          Effect.logInfo(
            `The retry budget of this batch is exhausted. Until requests succeed again, the batch sends ${this.minPerMinute} retries per minute. All other retries wait`
          )
        ),
        wait
      )
    }
    this.tokens -= 1
    if (!this.isExhausted || this.tokens < 1) return Effect.void
    this.isExhausted = false
    return runSafely(
      Effect.logInfo("The retry budget of this batch has tokens again. Retries no longer wait for tokens")
    )
  })

  private refill(now: number): void {
    const { at, succeeded } = this.lastRefill ?? { at: now, succeeded: 0 }
    const earned =
      (this.succeeded - succeeded) * this.tokenRatio + (Math.max(0, now - at) * this.minPerMinute) / minuteMillis
    this.tokens = Math.min(this.maxTokens, this.tokens + earned)
    this.lastRefill = { at: now, succeeded: this.succeeded }
  }

  /** Returns the milliseconds until the next token is complete if no further request succeeds. */
  private get millisToNextToken(): number {
    return Math.max(0, Math.ceil(((1 - this.tokens) * minuteMillis) / this.minPerMinute))
  }
}
