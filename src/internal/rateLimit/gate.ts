/**
 * Implements the gate for all requests of a client. The gate queues requests and admits as many requests as the limiter
 * allows.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Metrics from "../../Metrics.js"
import * as monotonic from "../data/monotonic.js"
import * as rateLimitHeaders from "../retry/rateLimitHeaders.js"
import { bindToRequest, isolatesRequests } from "../http/runtime.js"
import type { Capacity } from "./capacity.js"
import { FairQueue } from "./fairQueue.js"
import { processMetrics, type GateMetrics } from "./gateMetrics.js"
import { Limiter, type SentRequest } from "./limiter.js"
import { LimitLog } from "./limitLog.js"
import type { Permit, PermitRequest } from "./permit.js"
import { QueueTimer } from "./queueTimer.js"
import { acceptDelay, hasAccepted, makeQueueEntry, toQueueDelay, type QueueEntry } from "./queueEntry.js"

/** Callers confirm their waits again only if the opening time of the gate becomes later by more than this tolerance. */
const reconfirmToleranceMillis = 1000

/** Maximum time between two updates of the queue on Cloudflare Workers. The timer also keeps a queued request alive. */
const maxRecheckMillis = 1000

/** @internal */
export class Gate {
  readonly limiter = new Limiter()
  private readonly queue = new FairQueue<QueueEntry>()
  private readonly timer = new QueueTimer()
  private readonly log = new LimitLog()
  /** Opening time of the gate at the last confirmation by the queued callers, in monotonic milliseconds. */
  private confirmedUntil = Number.NEGATIVE_INFINITY

  constructor(private readonly metrics: GateMetrics = processMetrics) {}

  /**
   * Returns the time in monotonic milliseconds. Also updates the offset of the wall clock, so that a changed wall clock
   * does not change a wait.
   */
  private now(clock: Clock.Clock): number {
    this.limiter.serverClock.wallOffset = monotonic.wallOffset(clock)
    return monotonic.read(clock)
  }

  get waiting(): number {
    return this.queue.size
  }

  private get isIdle(): boolean {
    return this.queue.size === 0 && !this.log.isResetPending
  }

  /**
   * Waits for a permit, and then runs the attempt. Releases the permit when the attempt reports its outcome, and at the
   * latest when the attempt ends. If `confirmWait` returns a failure, fails with this failure and does not run the
   * attempt.
   */
  withPermit<A, E>(request: PermitRequest<E>, attempt: (permit: Permit) => Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const waiter = this.admitOrQueue(request, this.now(monotonic.clockOf(fiber)))
        const run = (sent: SentRequest): Effect.Effect<A, E> => {
          const permit = new GatePermit(this, sent)
          return Effect.matchCauseEffect(restore(attempt(permit)), {
            onSuccess: (value) => (permit.isReleased ? Effect.succeed(value) : Effect.as(permit.onEnd(false), value)),
            onFailure: (cause) => Effect.zipRight(permit.onEnd(Cause.isInterrupted(cause)), Effect.failCause(cause))
          })
        }
        const { sent } = waiter
        if (sent !== undefined) return this.isIdle ? run(sent) : Effect.zipRight(this.processQueue, run(sent))
        const wait = this.metrics.measureWait(request.operation, restore(this.waitForPermit(waiter, request)))
        return Effect.zipRight(this.processQueue, wait).pipe(
          Effect.onExit((exit) => (Exit.isFailure(exit) ? this.leave(waiter) : Effect.void)),
          Effect.flatMap(run)
        )
      })
    )
  }

  /**
   * Applies a report about a request, and then processes the queue. The report is uninterruptible, because the report
   * can free a permit for a queued request.
   */
  report<A>(apply: (now: number) => A): Effect.Effect<A> {
    return Effect.uninterruptible(
      Effect.withFiberRuntime((fiber) => {
        const result = apply(this.now(monotonic.clockOf(fiber)))
        return this.isIdle ? Effect.succeed(result) : Effect.as(this.processQueue, result)
      })
    )
  }

  onResponse(sent: SentRequest, status: number, headers: rateLimitHeaders.Headers, now: number): number | undefined {
    const limits = rateLimitHeaders.parseRateLimitHeaders(headers, now, now + this.limiter.serverClock.wallOffset)
    let opensAt: number | undefined
    if (status === 429) {
      this.metrics.countRateLimited()
      opensAt = this.limiter.onRejected(sent, limits, now)
    } else {
      this.limiter.onResponse(sent, limits, now)
    }
    const remaining = this.limiter.window?.remaining
    if (remaining !== undefined && Number.isFinite(remaining)) Metrics.remaining.unsafeUpdate(remaining, [])
    return opensAt === undefined ? undefined : opensAt - now
  }

  /**
   * Blocks all requests after a rate limit error in a response with a status other than 429. `opensIn` is the wait that
   * the response requests, in milliseconds.
   */
  onRateLimited(opensIn: number | undefined, sentAt: number, now: number): void {
    this.metrics.countRateLimited()
    this.limiter.block(opensIn === undefined ? undefined : now + opensIn, sentAt, now)
  }

  onReleased(): void {
    this.metrics.addInFlight(-1)
  }

  /** Admits a request immediately if the queue is empty and the limit has capacity. Otherwise, queues the request. */
  private admitOrQueue(request: PermitRequest<unknown>, now: number): QueueEntry {
    const ahead = request.isRetry ? 0 : this.queue.countAhead(request.requestClass)
    const waiter = makeQueueEntry(request, ahead, now)
    if (this.queue.size === 0) {
      this.limiter.fallback.onIdle(now)
      if (this.limiter.capacity(now).permits > 0) {
        this.admit(waiter, now)
        return waiter
      }
    }
    this.queue.add(waiter)
    this.metrics.addWaiting(1)
    return waiter
  }

  private admit(waiter: QueueEntry, now: number): void {
    waiter.sent = this.limiter.register(now)
    this.metrics.addInFlight(1)
  }

  /**
   * Removes a request from the queue after an interruption or a rejected wait. If the request was already admitted,
   * releases its permit.
   */
  private leave(waiter: QueueEntry): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      if (this.queue.remove(waiter)) this.metrics.addWaiting(-1)
      if (waiter.sent !== undefined) {
        this.metrics.addInFlight(-1)
        this.limiter.onWithdrawn(waiter.sent, this.now(clock))
      }
      return this.processQueue
    })
  }

  private waitForPermit<E>(waiter: QueueEntry, request: PermitRequest<E>): Effect.Effect<SentRequest, E> {
    return Effect.clockWith((clock) => {
      const now = this.now(clock)
      const { limited, recheckAt } = this.limiter.capacity(now)
      const isWaitForLimit = waiter.sent === undefined && limited && recheckAt !== undefined
      if (!isWaitForLimit || hasAccepted(waiter, this.limiter, recheckAt, now))
        return this.suspendCaller(waiter, request)
      const delay = toQueueDelay(waiter, this.limiter, recheckAt, now)
      return Effect.flatMap(request.confirmWait(delay), (failure) => {
        if (Option.isSome(failure)) return Effect.fail(failure.value)
        acceptDelay(waiter, delay)
        return this.suspendCaller(waiter, request)
      })
    })
  }

  /** Suspends the caller until its request is admitted or a longer wait needs confirmation. */
  private suspendCaller<E>(waiter: QueueEntry, request: PermitRequest<E>): Effect.Effect<SentRequest, E> {
    const wait = Effect.async<SentRequest, E>((resume) => {
      const wake = bindToRequest(() =>
        resume(waiter.sent === undefined ? this.waitForPermit(waiter, request) : Effect.succeed(waiter.sent))
      )
      waiter.wake = () => {
        delete waiter.wake
        wake()
      }
      if (waiter.sent !== undefined) waiter.wake()
    })
    return isolatesRequests() ? Effect.scoped(Effect.zipRight(Effect.forkScoped(this.recheckQueue), wait)) : wait
  }

  /** Updates the queue when the limit can change, at least once a second. Never ends. */
  private readonly recheckQueue: Effect.Effect<never> = Effect.clockWith((clock) => {
    const now = this.now(clock)
    const { recheckAt = Number.POSITIVE_INFINITY } = this.limiter.capacity(now)
    return Effect.sleep(Math.min(Math.max(1, recheckAt - now), maxRecheckMillis))
  }).pipe(Effect.zipRight(Effect.suspend(() => this.processQueue)), Effect.forever, Effect.interruptible)

  /** Admits queued requests, reconfirms longer waits, logs the state of the limit and schedules the next update. */
  private readonly processQueue: Effect.Effect<void> = Effect.clockWith((clock) => {
    const now = this.now(clock)
    const capacity = this.admitQueued(now)
    this.reconfirmWaits(capacity, now)
    const wakeAt = this.queue.size === 0 ? undefined : capacity.recheckAt
    return Effect.zipRight(
      this.log.update(capacity, this.queue.size, this.limiter.window?.limit, now),
      this.timer.schedule(wakeAt, now, this.processQueue)
    )
  })

  private admitQueued(now: number): Capacity {
    let capacity = this.limiter.capacity(now)
    while (capacity.permits > 0) {
      const next = this.queue.take()
      if (next === undefined) break
      this.metrics.addWaiting(-1)
      this.admit(next, now)
      next.wake?.()
      capacity = this.limiter.capacity(now)
    }
    return capacity
  }

  /** If the gate opens later than confirmed, resumes the callers that must confirm the longer wait. */
  private reconfirmWaits({ limited, recheckAt }: Capacity, now: number): void {
    if (!limited || recheckAt === undefined || recheckAt <= this.confirmedUntil + reconfirmToleranceMillis) return
    this.confirmedUntil = recheckAt
    for (const [waiter, ahead] of this.queue) {
      waiter.ahead = ahead
      if (!hasAccepted(waiter, this.limiter, recheckAt, now)) waiter.wake?.()
    }
  }
}

/**
 * Permit of one request. The first report of a response, of an unsent request or of the end of the attempt releases the
 * permit. Later reports of these kinds have no effect.
 */
class GatePermit implements Permit {
  isReleased = false

  constructor(
    private readonly gate: Gate,
    private readonly sent: SentRequest
  ) {}

  reportResponse(status: number, headers: rateLimitHeaders.Headers): Effect.Effect<number | undefined> {
    return this.release((now) => this.gate.onResponse(this.sent, status, headers, now))
  }

  get reportUnsent(): Effect.Effect<void> {
    return this.release((now) => this.gate.limiter.onUnsent(this.sent, now))
  }

  reportRateLimited(opensIn: number | undefined): Effect.Effect<void> {
    return this.gate.report((now) => this.gate.onRateLimited(opensIn, this.sent.sentAt, now))
  }

  /** Releases the permit at the end of the attempt, unless an earlier report has released the permit. */
  onEnd(isInterrupted: boolean): Effect.Effect<void> {
    return this.release((now) =>
      isInterrupted ? this.gate.limiter.onAbandoned(this.sent, now) : this.gate.limiter.onLost(this.sent, now)
    )
  }

  private release<A>(report: (now: number) => A): Effect.Effect<A | undefined> {
    return this.gate.report((now) => {
      if (this.isReleased) return undefined
      this.isReleased = true
      this.gate.onReleased()
      return report(now)
    })
  }
}
