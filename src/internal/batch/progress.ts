/**
 * Tracks the progress of a batch.
 *
 * @internal
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Subscribable from "effect/Subscribable"
import type { Snapshot } from "../rateLimit/snapshot.js"
import * as monotonic from "../data/monotonic.js"
import { omitUndefined } from "../data/lenient.js"
import type { Outcome } from "./outcome.js"
import type { RetryBudget } from "./retryBudget.js"
import * as money from "../data/money.js"
import type { StopReason, StopSignal } from "./stopSignal.js"

/**
 * Snapshot of the progress of a batch.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /**
   * Number of items, from the option `total` or the size of the input. If both are missing, the field is absent until
   * the input has ended.
   */
  readonly total?: number
  /** Number of items that have succeeded in this run or an earlier run. */
  readonly succeeded: number
  /** Number of items that have failed. */
  readonly failed: number
  /** Number of items that this run did not attempt. */
  readonly notAttempted: number
  /** Number of read items that have neither an accepted create request nor an outcome yet. */
  readonly waiting: number
  /**
   * Number of running executions that the batch awaits. The number is zero after an interruption, even if executions
   * are still running.
   */
  readonly inFlight: number
  /** Number of ended items whose `deliver` is running. */
  readonly delivering: number
  /** Number of outcomes that came from the journal, without a request. */
  readonly fromJournal: number
  /** Time when the waits for the rate limit and the retry budget end. Absent if no request waits. */
  readonly pausedUntil?: DateTime.Utc
  /** Number of requests that this run has sent. */
  readonly requests: number
  /** Number of retries that the retry budget still allows. Infinite if `retryBudget` is `false`. */
  readonly retriesLeft: number
  /**
   * Total cost of the COMPLETED executions of this run and earlier runs. Decimal string in dollars. If several items
   * have the same key, the cost of their execution counts once for each of these items.
   */
  readonly cost: string
  /** Sum of the holds of the running executions. Decimal string in dollars. */
  readonly held: string
  /**
   * Average number of items per minute that have succeeded or failed in this run. Outcomes from the journal do not
   * count.
   */
  readonly itemsPerMinute: number
  /**
   * Estimated end of the last item at the rate `itemsPerMinute`. The field is absent if `total` is unknown or no item
   * has ended in this run. The field is also absent if the batch has stopped or all items have ended.
   */
  readonly estimatedEnd?: DateTime.Utc
  /** Reason why the batch has stopped its submissions. Absent if the batch has not stopped. */
  readonly stopped?: StopReason
}

const minuteMillis = 60_000

/** @internal */
export class ProgressCounter {
  /**
   * Queues that signal a new state, one queue per subscriber. Each queue holds at most one signal. A slow subscriber
   * therefore skips older states and does not delay the batch.
   */
  private readonly subscribers = new Set<Queue.Queue<void>>()
  /** Start time in monotonic milliseconds. */
  private startedAt: number | undefined
  private read = 0
  private succeeded = 0
  private failed = 0
  private notAttempted = 0
  private inFlight = 0
  private delivering = 0
  private fromJournal = 0
  private cost = money.zero
  private held = money.zero

  constructor(
    private total: number | undefined,
    private readonly stop: StopSignal,
    private readonly retryBudget: RetryBudget,
    private readonly rateLimit: Effect.Effect<Snapshot>
  ) {}

  /** Records the start of the run. `now` is in monotonic milliseconds. */
  start(now: number): void {
    this.startedAt = now
    this.notifySubscribers()
  }

  addRead(items: number): void {
    this.read += items
    this.notifySubscribers()
  }

  /** Sets `total` to the number of items that were read, because the input has ended. */
  endInput(): void {
    this.total = this.read
    this.notifySubscribers()
  }

  addExecution(hold: money.Amount): void {
    this.inFlight += 1
    this.held = BigDecimal.sum(this.held, hold)
    this.notifySubscribers()
  }

  removeExecution(hold: money.Amount): void {
    this.inFlight -= 1
    this.held = BigDecimal.subtract(this.held, hold)
    this.notifySubscribers()
  }

  /** Runs `deliver` and counts the outcome in `delivering` until `deliver` ends. */
  countDelivery<A, E, R>(deliver: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const count = (by: number) =>
      Effect.sync(() => {
        this.delivering += by
        this.notifySubscribers()
      })
    return Effect.acquireUseRelease(
      count(1),
      () => deliver,
      () => count(-1)
    )
  }

  /**
   * Counts an outcome. `cost` is the cost of the COMPLETED execution in dollars, or zero if no execution is COMPLETED.
   */
  addOutcome(outcome: Outcome<unknown, unknown>, cost: money.Amount, isFromJournal: boolean): void {
    switch (outcome._tag) {
      case "Succeeded":
        this.succeeded += 1
        break
      case "Failed":
        this.failed += 1
        break
      case "NotAttempted":
        this.notAttempted += 1
        break
    }
    this.cost = BigDecimal.sum(this.cost, cost)
    if (isFromJournal) this.fromJournal += 1
    this.notifySubscribers()
  }

  readonly progress: Subscribable.Subscribable<Progress> = Subscribable.make({
    get: Effect.suspend(() => this.snapshot),
    changes: Stream.unwrapScoped(
      Effect.acquireRelease(
        Effect.tap(Queue.sliding<void>(1), (signal) => {
          this.subscribers.add(signal)
          signal.unsafeOffer(undefined)
        }),
        (signal) => Effect.sync(() => this.subscribers.delete(signal))
      ).pipe(Effect.map((signal) => Stream.repeatEffect(Effect.zipRight(Queue.take(signal), this.snapshot))))
    )
  })

  private notifySubscribers(): void {
    for (const signal of this.subscribers) signal.unsafeOffer(undefined)
  }

  private readonly snapshot: Effect.Effect<Progress> = Effect.gen(this, function* () {
    const now = yield* Clock.currentTimeMillis
    const monotonicNow = yield* monotonic.now
    const gate = yield* this.rateLimit
    const { delivering, failed, fromJournal, inFlight, notAttempted, read, succeeded, total } = this
    const ended = succeeded + failed + notAttempted
    const elapsedMillis = monotonicNow - (this.startedAt ?? monotonicNow)
    const itemsPerMinute = elapsedMillis <= 0 ? 0 : ((succeeded + failed - fromJournal) * minuteMillis) / elapsedMillis
    const stopped = this.stop.cause?.reason
    const nextRetryAt = this.retryBudget.nextRetryAt(monotonicNow)
    const pausedUntil = latest(
      gateResumesAt(gate, now),
      nextRetryAt === undefined ? undefined : nextRetryAt - monotonicNow + now
    )
    const estimatedEnd =
      total === undefined || itemsPerMinute === 0 || stopped !== undefined || ended >= total
        ? undefined
        : latest(now + ((total - ended) * minuteMillis) / itemsPerMinute, pausedUntil)
    return omitUndefined({
      total,
      succeeded,
      failed,
      notAttempted,
      waiting: read - ended - inFlight - delivering,
      inFlight,
      delivering,
      fromJournal,
      pausedUntil: toUtc(pausedUntil),
      requests: this.retryBudget.requests,
      retriesLeft: this.retryBudget.tokensLeft(monotonicNow),
      cost: money.formatDollars(this.cost),
      held: money.formatDollars(this.held),
      itemsPerMinute,
      estimatedEnd: toUtc(estimatedEnd),
      stopped
    })
  })
}

/** Latest time that `Date` can represent. */
const maxDateMillis = 8.64e15

const toUtc = (epochMillis: number | undefined): DateTime.Utc | undefined =>
  epochMillis === undefined ? undefined : DateTime.unsafeMake(Math.min(Math.ceil(epochMillis), maxDateMillis))

const latest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)

/**
 * Returns the time when the gate admits the waiting requests, in epoch milliseconds. Returns `undefined` if no request
 * waits or the gate is open.
 */
const gateResumesAt = ({ blockedUntil, resetAt, waiting }: Snapshot, now: number): number | undefined => {
  if (waiting === 0) return undefined
  const at = Math.max(blockedUntil?.epochMillis ?? 0, resetAt?.epochMillis ?? 0)
  return at > now ? at : undefined
}
