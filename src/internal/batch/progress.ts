/**
 * Counts the progress of a batch.
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
 * The progress of a batch at one moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /** Number of items: the option `total`, or the size of the input. For a stream, known when it has ended. */
  readonly total?: number
  /** Items that have succeeded in this run or an earlier one. */
  readonly succeeded: number
  /** Items that have failed. */
  readonly failed: number
  /** Items that this run did not attempt. */
  readonly notAttempted: number
  /** Items that were read and that the API has not accepted yet. */
  readonly waiting: number
  /** Executions that run and are awaited. Zero after an interruption, which leaves them running. */
  readonly inFlight: number
  /** Items that have ended and whose `deliver` runs. */
  readonly delivering: number
  /** Outcomes that came from the journal, without a request. */
  readonly fromJournal: number
  /**
   * Latest time until which requests wait for the rate limit, or retries wait for the retry budget. Absent if none
   * waits.
   */
  readonly pausedUntil?: DateTime.Utc
  /** Number of requests that this run has sent. */
  readonly requests: number
  /** Number of retries that the retry budget has left. */
  readonly retriesLeft: number
  /**
   * Cost of the finished items, in this run and earlier ones. Dollars, as a decimal string. Items with the same key
   * count once each.
   */
  readonly cost: string
  /** Sum of the holds of the running executions. Dollars, as a decimal string. */
  readonly held: string
  /** Number of items per minute that have ended in this run. Items from the journal do not count. */
  readonly itemsPerMinute: number
  /** When the last item ends at the current rate. Absent if that is unknown. */
  readonly estimatedEnd?: DateTime.Utc
  /** Why the batch submits nothing more. Absent if it has not stopped. */
  readonly stopped?: StopReason
}

const minuteMillis = 60_000

/** @internal */
export class ProgressCounter {
  /** Each queue holds at most one signal. A slow subscriber gets the newest state and does not delay the batch. */
  private readonly subscribers = new Set<Queue.Queue<void>>()
  /** Monotonic milliseconds. */
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

  /** `now` is in monotonic milliseconds. */
  start(now: number): void {
    this.startedAt = now
    this.notifySubscribers()
  }

  addRead(items: number): void {
    this.read += items
    this.notifySubscribers()
  }

  /** Sets the total to the number of items that were read. */
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

  /** Counts an outcome as being delivered while `deliver` runs. */
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

  addOutcome(outcome: Outcome<unknown, unknown>, cost: money.Amount, isFromJournal: boolean): void {
    switch (outcome._tag) {
      case "Succeeded":
        this.succeeded += 1
        this.cost = BigDecimal.sum(this.cost, cost)
        break
      case "Failed":
        this.failed += 1
        break
      case "NotAttempted":
        this.notAttempted += 1
        break
    }
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

/** The latest time that `Date` can represent. */
const maxDateMillis = 8.64e15

const toUtc = (epochMillis: number | undefined): DateTime.Utc | undefined =>
  epochMillis === undefined ? undefined : DateTime.unsafeMake(Math.min(Math.ceil(epochMillis), maxDateMillis))

const latest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)

/** Returns when the gate admits the requests that wait, if any wait. */
const gateResumesAt = ({ blockedUntil, resetAt, waiting }: Snapshot, now: number): number | undefined => {
  if (waiting === 0) return undefined
  const at = Math.max(blockedUntil?.epochMillis ?? 0, resetAt?.epochMillis ?? 0)
  return at > now ? at : undefined
}
