/**
 * Where a request waits: all fibers of a client pass through here, and as many go on as the limit has room for. The rules are
 * the limiter's; this is the queue, the timer and the words about it.
 *
 * @internal
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Metrics from "../../Metrics.js"
import * as limitHeaders from "../retry/rateLimitHeaders.js"
import { seconds } from "../errors/messages.js"
import * as monotonic from "../data/monotonic.js"
import { longestSleepMillis } from "../http/sharedTimer.js"
import { logWait, queued, safely } from "../telemetry.js"
import { type RequestClass, FairQueue } from "./fairQueue.js"
import { Limiter, type Sent, type Verdict } from "./limiter.js"

/** @internal Why and for how long a request would have to wait. */
export interface QueueDelay {
  /** Milliseconds until the gate opens again. */
  readonly opensIn: number
  /** Milliseconds that this request waits in all, those before it in the queue included. */
  readonly wait: number
  readonly limit: number | undefined
  readonly remaining: number | undefined
}

/** @internal One request that wants to pass. */
export interface PermitRequest<E> {
  readonly operation: string
  readonly requestClass: RequestClass
  /** Whether it was sent before and is sent again. */
  readonly isRetry: boolean
  /**
   * Asked before a wait for the limit begins, and again when it turns out longer than what was accepted: what a caller fails
   * with who does not wait so long.
   */
  readonly confirmWait: (closed: QueueDelay) => Effect.Effect<Option.Option<E>>
}

/** @internal The place of a request that has passed. */
export interface Permit {
  /** Its answer is here: returns the milliseconds until the gate opens again, if that is a refusal that says so. */
  readonly reportResponse: (status: number, headers: limitHeaders.Headers) => Effect.Effect<number | undefined>
  /** It was never sent. */
  readonly reportUnsent: Effect.Effect<void>
  /** Its answer was a refusal for the limit, though not by its status; it may say for how many milliseconds. */
  readonly reportRateLimited: (opensIn: number | undefined) => Effect.Effect<void>
}

/** Somebody in the queue. */
interface Waiter {
  readonly lane: RequestClass
  readonly returning: boolean
  /** Monotonic milliseconds. */
  since: number
  /** How many went before it when it was last asked whether it will wait. */
  ahead: number
  /** The longest time to a reset, and the longest wait in all, that it is known to accept. */
  accepted: { readonly closure: number; readonly wait: number }
  /** Set when it may pass. */
  sent?: Sent
  /** Goes on: with its place, or to be asked again. */
  wake?: () => void
}

const nothing = { closure: 0, wait: 0 }

/** What has accepted a wait is not asked again for a little more. */
const generous = (millis: number): number => millis * 1.05 + 1000

/** Milliseconds that make no difference to those who wait. */
const patience = 1000

/** It concerns all who wait: what only the fiber that happens to say it has to say does not belong there. */
const say = (millis: number, text: string): Effect.Effect<void> =>
  safely(Effect.locally(logWait(millis, text), FiberRef.currentLogAnnotations, HashMap.empty()))

const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`

/** @internal */
export class Gate {
  readonly limiter = new Limiter()
  private readonly queue = new FairQueue<Waiter>()
  private timer: { readonly fiber: Fiber.RuntimeFiber<void>; readonly at: number } | undefined
  /** Since when the gate is closed with somebody before it, and how long that was to last. */
  private closure: { readonly since: number; readonly millis: number } | undefined
  /** When the gate was to open when all who wait were last asked. */
  private askedFor = Number.NEGATIVE_INFINITY

  /** All moments are monotonic: nothing moves when the wall clock is set. */
  private now(clock: Clock.Clock): number {
    this.limiter.wallOffset = monotonic.wallOffset(clock)
    return monotonic.read(clock)
  }

  get waiting(): number {
    return this.queue.size
  }

  /** Nobody waits, and nobody has been told otherwise: there is nothing to proceed with. */
  private get isIdle(): boolean {
    return this.queue.size === 0 && this.closure === undefined
  }

  /** Waits for a place, then makes the attempt; its place is free again when the answer is here or the attempt has ended. */
  withPermit<A, E>(entry: PermitRequest<E>, attempt: (place: Permit) => Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.clockWith((clock) => {
        const waiter = this.enter(entry, this.now(clock))
        const { sent } = waiter
        if (sent !== undefined) {
          const use = this.use(sent, restore, attempt)
          return this.isIdle ? use : Effect.zipRight(this.proceed, use)
        }
        return Effect.zipRight(this.proceed, queued(entry.operation, restore(this.wait(waiter, entry)))).pipe(
          Effect.onExit((exit) => (Exit.isFailure(exit) ? this.leave(waiter) : Effect.void)),
          Effect.flatMap((granted) => this.use(granted, restore, attempt))
        )
      })
    )
  }

  private use<A, E>(
    sent: Sent,
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    attempt: (place: Permit) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    let open = true
    /** Whatever comes first tells what became of the request; then those who wait must hear of it, come what may. */
    const settle = <B>(tell: (now: number) => B): Effect.Effect<B | undefined> =>
      Effect.uninterruptible(
        Effect.clockWith((clock) => {
          if (!open) return Effect.succeed(undefined)
          open = false
          Metrics.inFlight.unsafeModify(-1, [])
          const result = tell(this.now(clock))
          return this.isIdle ? Effect.succeed(result) : Effect.as(this.proceed, result)
        })
      )
    const place: Permit = {
      reportResponse: (status, headers) => settle((now) => this.answered(sent, status, headers, now)),
      reportUnsent: settle((now) => this.limiter.unsent(sent, now)),
      reportRateLimited: (opensIn) =>
        Effect.uninterruptible(
          Effect.clockWith((clock) => {
            const now = this.now(clock)
            Metrics.rateLimited.unsafeUpdate(1, [])
            this.limiter.shut(opensIn === undefined ? undefined : now + opensIn, sent, now)
            return this.proceed
          })
        )
    }
    return Effect.onExit(restore(attempt(place)), (exit) =>
      settle((now) => (Exit.isInterrupted(exit) ? this.limiter.abandoned(sent, now) : this.limiter.lost(sent, now)))
    )
  }

  private answered(sent: Sent, status: number, headers: limitHeaders.Headers, now: number): number | undefined {
    const told = limitHeaders.read(headers, now, now + this.limiter.wallOffset)
    let opensAt: number | undefined
    if (status === 429) {
      Metrics.rateLimited.unsafeUpdate(1, [])
      opensAt = this.limiter.refused(sent, told, now)
    } else {
      this.limiter.answered(sent, told, now)
    }
    const remaining = this.limiter.window?.remaining
    if (remaining !== undefined && Number.isFinite(remaining)) Metrics.remaining.unsafeUpdate(remaining, [])
    return opensAt === undefined ? undefined : opensAt - now
  }

  /** Admitted at once where nobody waits and there is room. */
  private enter(entry: PermitRequest<unknown>, now: number): Waiter {
    const { requestClass: lane, isRetry: returning } = entry
    const ahead = returning ? 0 : this.queue.ahead(lane)
    const waiter: Waiter = { lane, returning, since: now, ahead, accepted: nothing }
    if (this.queue.size === 0) {
      this.limiter.rested(now)
      if (this.limiter.verdict(now).places > 0) {
        this.admit(waiter, now)
        return waiter
      }
    }
    this.queue.add(waiter)
    Metrics.waiting.unsafeModify(1, [])
    return waiter
  }

  private admit(waiter: Waiter, now: number): void {
    waiter.sent = this.limiter.send(now)
    Metrics.inFlight.unsafeModify(1, [])
  }

  /** Interrupted, or not willing to wait: its place in the queue, or the one that it has just been given, is free at once. */
  private leave(waiter: Waiter): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      if (this.queue.remove(waiter)) Metrics.waiting.unsafeModify(-1, [])
      if (waiter.sent !== undefined) {
        Metrics.inFlight.unsafeModify(-1, [])
        this.limiter.withdrawn(waiter.sent, this.now(clock))
      }
      return this.proceed
    })
  }

  private wait<E>(waiter: Waiter, entry: PermitRequest<E>): Effect.Effect<Sent, E> {
    return Effect.clockWith((clock) => {
      const now = this.now(clock)
      const { closed, until } = this.limiter.verdict(now)
      if (waiter.sent !== undefined || !closed || until === undefined || this.accepts(waiter, until, now)) {
        return this.parked(waiter, entry)
      }
      const asked = this.closed(waiter, until, now)
      return Effect.flatMap(entry.confirmWait(asked), (failure) => {
        if (Option.isSome(failure)) return Effect.fail(failure.value)
        waiter.accepted = { closure: generous(until - now), wait: generous(asked.wait) }
        return this.parked(waiter, entry)
      })
    })
  }

  private parked<E>(waiter: Waiter, entry: PermitRequest<E>): Effect.Effect<Sent, E> {
    return Effect.async<Sent, E>((resume) => {
      waiter.wake = () => {
        delete waiter.wake
        resume(waiter.sent === undefined ? this.wait(waiter, entry) : Effect.succeed(waiter.sent))
      }
      if (waiter.sent !== undefined) waiter.wake()
    })
  }

  private accepts(waiter: Waiter, opensAt: number, now: number): boolean {
    const { closure, wait } = waiter.accepted
    return opensAt - now <= closure && this.waitOf(waiter, opensAt) <= wait
  }

  private waitOf({ ahead, since }: Waiter, opensAt: number): number {
    const { length, window } = this.limiter
    const perWindow = (this.limiter.isShared ? window?.own : window?.limit) ?? Number.POSITIVE_INFINITY
    const windows = Math.floor(ahead / Math.max(1, perWindow))
    return opensAt - since + windows * length + this.limiter.paceOf(ahead)
  }

  private closed(waiter: Waiter, opensAt: number, now: number): QueueDelay {
    const { window } = this.limiter
    return {
      opensIn: opensAt - now,
      wait: this.waitOf(waiter, opensAt),
      limit: window?.limit,
      remaining: window === undefined || !Number.isFinite(window.remaining) ? undefined : window.remaining
    }
  }

  /** Lets as many pass as may, sees to it that the next are woken in time, and says when the gate closes and opens. */
  private readonly proceed: Effect.Effect<void> = Effect.clockWith((clock) => {
    const now = this.now(clock)
    const verdict = this.advance(now)
    this.reconsider(verdict, now)
    return Effect.zipRight(this.tell(verdict, now), this.arm(verdict, now))
  })

  private advance(now: number): Verdict {
    let verdict = this.limiter.verdict(now)
    while (verdict.places > 0) {
      const next = this.queue.take()
      if (next === undefined) break
      Metrics.waiting.unsafeModify(-1, [])
      this.admit(next, now)
      next.wake?.()
      verdict = this.limiter.verdict(now)
    }
    return verdict
  }

  /** Each time that the gate is to open later than before, those who have accepted a shorter wait are asked again. */
  private reconsider({ closed, until }: Verdict, now: number): void {
    if (!closed || until === undefined || until <= this.askedFor + patience) return
    this.askedFor = until
    for (const [waiter, ahead] of this.queue) {
      waiter.ahead = ahead
      if (!this.accepts(waiter, until, now)) waiter.wake?.()
    }
  }

  private tell(verdict: Verdict, now: number): Effect.Effect<void> {
    const { closure, queue } = this
    if (closure === undefined) {
      if (!verdict.closed || verdict.until === undefined || queue.size === 0) return Effect.void
      const millis = verdict.until - now
      this.closure = { since: now, millis }
      const { window } = this.limiter
      const size = window?.limit === undefined ? "" : ` (${window.limit} per window)`
      return say(
        millis,
        `The rate limit is used up${size} and resets in ${seconds(millis)}: ${plural(queue.size, "request")} waiting`
      )
    }
    if (verdict.closed) return Effect.void
    this.closure = undefined
    return say(
      closure.millis,
      `The rate limit has reset after ${seconds(now - closure.since)}: ${plural(queue.size, "request")} still waiting`
    )
  }

  private arm(verdict: Verdict, now: number): Effect.Effect<void> {
    const { queue, timer } = this
    const at = queue.size === 0 ? undefined : verdict.until
    if (at !== undefined && timer !== undefined && timer.at <= at) return Effect.void
    if (timer !== undefined) {
      this.timer = undefined
      timer.fiber.unsafeInterruptAsFork(timer.fiber.id())
    }
    if (at === undefined) return Effect.void
    const ring = Effect.sleep(Math.min(Math.max(1, at - now), longestSleepMillis)).pipe(
      Effect.zipRight(
        Effect.suspend(() => {
          this.timer = undefined
          return this.proceed
        })
      ),
      Effect.interruptible
    )
    return Effect.map(Effect.forkDaemon(ring), (fiber) => {
      this.timer = { fiber, at }
    })
  }
}
