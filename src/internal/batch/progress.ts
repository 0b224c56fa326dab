/**
 * How far a batch is, counted along the way.
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
import { present } from "../data/lenient.js"
import type { Outcome } from "./outcome.js"
import type { RetryBudget } from "./retryBudget.js"
import * as money from "../data/money.js"
import type { StopReason, Stop } from "./stopSignal.js"

/**
 * How far a batch is at one moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  /** How many items there are: from the option `total` or the input's own length; of a stream when it has ended. */
  readonly total?: number
  /** Items that have succeeded, in earlier runs or in this one. */
  readonly succeeded: number
  /** Items that have failed. */
  readonly failed: number
  /** Items that this run reports as not attempted. */
  readonly notAttempted: number
  /** Items that were read and that the API has not accepted yet. */
  readonly waiting: number
  /** Executions that run and are waited for; none after an interruption, which leaves them running. */
  readonly inFlight: number
  /** Items that have ended and that `deliver` is at work on. */
  readonly delivering: number
  /** Outcomes that came from the journal, without a request. */
  readonly fromJournal: number
  /** Until when requests wait for the rate limit, or retries for their budget, at the latest; absent while none does. */
  readonly pausedUntil?: DateTime.Utc
  /** How many requests this run has sent. */
  readonly requests: number
  /** How many retries the budget holds. */
  readonly retriesLeft: number
  /**
   * Dollars, a decimal string: what the items that are done have cost, in earlier runs or in this one. Of items with the same key
   * each counts.
   */
  readonly cost: string
  /** Dollars, a decimal string: what is held for the executions that run. */
  readonly held: string
  /** How many items have ended per minute in this run; those from the journal do not count. */
  readonly itemsPerMinute: number
  /** When the last item ends at this rate; absent where that cannot be told. */
  readonly estimatedEnd?: DateTime.Utc
  /** Why nothing more is submitted, if so. */
  readonly stopped?: StopReason
}

const minute = 60_000

/** @internal */
export class Tally {
  /** Each holds at most one signal: who is slow sees the newest state, and holds up nobody. */
  private readonly followers = new Set<Queue.Queue<void>>()
  /** Monotonic milliseconds. */
  private startedAt: number | undefined
  private read = 0
  private succeeded = 0
  private failed = 0
  private notAttempted = 0
  private inFlight = 0
  private beingDelivered = 0
  private fromJournal = 0
  private cost = money.zero
  private held = money.zero

  constructor(
    private total: number | undefined,
    private readonly stop: Stop,
    private readonly budget: RetryBudget,
    private readonly rateLimit: Effect.Effect<Snapshot>
  ) {}

  begin(now: number): void {
    this.startedAt = now
    this.tell()
  }

  taken(items: number): void {
    this.read += items
    this.tell()
  }

  /** The input has ended: now it is known how many items there are. */
  inputEnded(): void {
    this.total = this.read
    this.tell()
  }

  accepted(hold: money.Amount): void {
    this.inFlight += 1
    this.held = BigDecimal.sum(this.held, hold)
    this.tell()
  }

  /** An execution is no longer waited for. */
  left(hold: money.Amount): void {
    this.inFlight -= 1
    this.held = BigDecimal.subtract(this.held, hold)
    this.tell()
  }

  /** As long as an outcome is being delivered. */
  delivering<A, E, R>(deliver: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const count = (by: number) =>
      Effect.sync(() => {
        this.beingDelivered += by
        this.tell()
      })
    return Effect.acquireUseRelease(
      count(1),
      () => deliver,
      () => count(-1)
    )
  }

  ended(outcome: Outcome<unknown, unknown>, cost: money.Amount, isFromJournal: boolean): void {
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
    this.tell()
  }

  /** Whoever follows the progress sees the newest state, and misses what came between. */
  readonly progress: Subscribable.Subscribable<Progress> = Subscribable.make({
    get: Effect.suspend(() => this.snapshot),
    changes: Stream.unwrapScoped(
      Effect.acquireRelease(
        Effect.tap(Queue.sliding<void>(1), (signal) => {
          this.followers.add(signal)
          signal.unsafeOffer(undefined)
        }),
        (signal) => Effect.sync(() => this.followers.delete(signal))
      ).pipe(Effect.map((signal) => Stream.repeatEffect(Effect.zipRight(Queue.take(signal), this.snapshot))))
    )
  })

  private tell(): void {
    for (const signal of this.followers) signal.unsafeOffer(undefined)
  }

  private readonly snapshot: Effect.Effect<Progress> = Effect.gen(this, function* () {
    const now = yield* Clock.currentTimeMillis
    const monotonicNow = yield* monotonic.now
    const gate = yield* this.rateLimit
    const { beingDelivered: delivering, failed, fromJournal, inFlight, notAttempted, read, succeeded, total } = this
    const out = succeeded + failed + notAttempted
    const elapsed = monotonicNow - (this.startedAt ?? monotonicNow)
    const itemsPerMinute = elapsed <= 0 ? 0 : ((succeeded + failed - fromJournal) * minute) / elapsed
    const stopped = this.stop.current?.reason
    const retriesAt = this.budget.opensAt(monotonicNow)
    const pausedUntil = latest(
      gateOpensAt(gate, now),
      retriesAt === undefined ? undefined : retriesAt - monotonicNow + now
    )
    const estimatedEnd =
      total === undefined || itemsPerMinute === 0 || stopped !== undefined || out >= total
        ? undefined
        : latest(now + ((total - out) * minute) / itemsPerMinute, pausedUntil)
    return present({
      total,
      succeeded,
      failed,
      notAttempted,
      waiting: read - out - inFlight - delivering,
      inFlight,
      delivering,
      fromJournal,
      pausedUntil: instant(pausedUntil),
      requests: this.budget.requests,
      retriesLeft: this.budget.left(monotonicNow),
      cost: money.formatDollars(this.cost),
      held: money.formatDollars(this.held),
      itemsPerMinute,
      estimatedEnd: instant(estimatedEnd),
      stopped
    })
  })
}

/** The latest moment that is a calendar date. */
const latestDate = 8.64e15

const instant = (at: number | undefined): DateTime.Utc | undefined =>
  at === undefined ? undefined : DateTime.unsafeMake(Math.min(Math.ceil(at), latestDate))

const latest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)

/** When those who wait before the gate may go on. */
const gateOpensAt = ({ blockedUntil, resetAt, waiting }: Snapshot, now: number): number | undefined => {
  if (waiting === 0) return undefined
  const at = Math.max(blockedUntil?.epochMillis ?? 0, resetAt?.epochMillis ?? 0)
  return at > now ? at : undefined
}
