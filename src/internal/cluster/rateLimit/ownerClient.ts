/**
 * Connects this process to the owner of the shared gate. While a request waits for a permit, polls the owner without
 * a pause, because the responses contain the permits. If requests are in flight but none waits, polls once per second.
 * Without these polls, the owner would release the permits of the requests in flight.
 *
 * @internal
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import { formatMillis } from "../../data/durationText.js"
import * as monotonic from "../../data/monotonic.js"
import type { PermitRequest } from "../../rateLimit/permit.js"
import type { Snapshot } from "../../rateLimit/snapshot.js"
import { runSafely } from "../../telemetry.js"
import type { Background } from "./background.js"
import { maxSilenceMillis, retryDelayMillis, type OwnerCalls } from "./ownerCalls.js"
import type { AcquireReply, Outcome, PollReply, RequestEvent } from "./protocol.js"
import { WaitingRequest } from "./waitingRequest.js"
import { fromWire } from "./wireSnapshot.js"

const pollIntervalMillis = 1000

/** Maximum age of a received gate state before the next read requests a new state. */
const stateLifetimeMillis = 1000

/** @internal State of the gate, as received from the owner at `receivedAt` (monotonic milliseconds). */
export interface GateState {
  readonly snapshot: Snapshot
  readonly isScarce: boolean
  readonly receivedAt: number
}

/** @internal */
export class OwnerClient {
  isReachable = true
  /**
   * Id under which the owner keeps the requests of this process. The id changes after an outage, so that the owner
   * releases the requests under the previous id.
   */
  client = globalThis.crypto.randomUUID()

  private epoch = ""
  /** Number of the latest event that was received in this epoch. */
  private lastEvent = 0
  private lastReplyAt = Number.NEGATIVE_INFINITY
  private lostAt = Number.NEGATIVE_INFINITY
  private nextId = 0
  private readonly waiting = new Map<number, WaitingRequest>()

  /** Number of running effects that need the polls of the owner. */
  private users = 0
  private isPolling = false
  private readonly pollNow = Effect.unsafeMakeLatch(false)
  private state: GateState | undefined
  private nextState = Deferred.unsafeMake<void>(FiberId.none)
  private recovered = Deferred.unsafeMake<void>(FiberId.none)

  constructor(
    private readonly calls: OwnerCalls,
    private readonly background: Background,
    private readonly onOutOfReach: () => void
  ) {}

  /** Waits until the owner replies again after an outage. */
  get awaitRecovery(): Effect.Effect<void> {
    return Deferred.await(this.recovered)
  }

  /** Runs an effect, and polls the owner while the effect runs. */
  use<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        this.users += 1
        this.startPolls()
      }),
      () => effect,
      () =>
        Effect.sync(() => {
          this.users -= 1
        })
    )
  }

  private startPolls(): void {
    if (this.isPolling) return
    this.isPolling = true
    this.background.run(Effect.zipRight(this.startSilence, this.pollWhileUsed))
  }

  /** Queues a request at the owner. The returned request receives events that report the permit and the delays. */
  acquire({ isRetry, requestClass }: PermitRequest<unknown>): WaitingRequest {
    const request = new WaitingRequest(this.nextId++, this.client)
    this.waiting.set(request.id, request)
    const call = this.calls.acquire({ client: request.client, request: request.id, requestClass, isRetry })
    this.background.runCall(Effect.map(this.repeatUntilReply(call), (reply) => this.onAcquireReply(request, reply)))
    return request
  }

  private onAcquireReply(request: WaitingRequest, { epoch, events }: AcquireReply): void {
    request.epoch = epoch
    // The request has ended before this reply, for example because the caller withdrew the request. The call may have
    // queued the request again, so a withdrawal is reported.
    if (request.isEnded) return this.report(request, { _tag: "Withdrawn" })
    this.adoptEpoch(epoch)
    if (events.every(({ event }) => event._tag !== "Granted")) {
      request.push({ _tag: "Queued" })
      this.pollNow.unsafeOpen()
    }
    for (const event of events) this.receive(request, event)
  }

  private receive(request: WaitingRequest, numbered: RequestEvent): void {
    request.receive(numbered)
    if (numbered.event._tag === "Granted") this.waiting.delete(request.id)
  }

  /**
   * Withdraws a request from the queue of the owner. If the owner has not replied to `acquire` yet, `onAcquireReply`
   * reports the withdrawal after the reply.
   */
  withdraw(request: WaitingRequest): void {
    this.waiting.delete(request.id)
    request.isEnded = true
    if (request.epoch !== undefined) this.report(request, { _tag: "Withdrawn" })
  }

  /** Reports the outcome of a request to the owner, and does not wait for the reply. */
  report(request: WaitingRequest, outcome: Outcome): void {
    this.reportAndReturn(request, outcome)
  }

  /**
   * Reports the outcome of a request to the owner. Returns a fiber that waits for the reply. For a 429 with a reset,
   * the result of the fiber is the milliseconds until the gate opens. Otherwise, the result is `undefined`.
   */
  reportAndReturn(request: WaitingRequest, outcome: Outcome): Fiber.RuntimeFiber<number | undefined> {
    if (outcome._tag !== "RateLimited") request.isEnded = true
    const call = this.calls.report({ client: request.client, request: request.id, outcome })
    return this.background.runCall(
      this.isReachable ? Effect.map(this.repeatUntilReply(call), ({ opensIn }) => opensIn) : Effect.succeed(undefined)
    )
  }

  /**
   * Returns the state of the shared gate, which is at most about 1 s old. Returns `undefined` if the owner is
   * unreachable.
   */
  get currentState(): Effect.Effect<GateState | undefined> {
    return Effect.flatMap(monotonic.now, (now) => {
      if (!this.isReachable) return Effect.succeed(undefined)
      const { state } = this
      if (state !== undefined && now - state.receivedAt <= stateLifetimeMillis) return Effect.succeed(state)
      return this.use(
        Effect.suspend(() => {
          this.pollNow.unsafeOpen()
          return Effect.map(Deferred.await(this.nextState), () => (this.isReachable ? this.state : undefined))
        })
      )
    })
  }

  private get startSilence(): Effect.Effect<void> {
    return Effect.map(monotonic.now, (now) => {
      this.lastReplyAt = Math.max(this.lastReplyAt, now)
    })
  }

  /** Repeats a failed call until the owner replies. If the owner becomes unreachable, the call is interrupted. */
  private repeatUntilReply<A>(call: Effect.Effect<A, unknown>): Effect.Effect<A> {
    const repeat = (startedAt: number): Effect.Effect<A> =>
      Effect.flatMap(Effect.exit(call), (exit) =>
        Effect.flatMap(monotonic.now, (now) => {
          if (Exit.isFailure(exit)) {
            return now - startedAt < maxSilenceMillis
              ? Effect.delay(repeat(startedAt), retryDelayMillis)
              : Effect.zipRight(
                  Effect.sync(() => this.endReach(now)),
                  Effect.never
                )
          }
          this.lastReplyAt = now
          return Effect.succeed(exit.value)
        })
      )
    return Effect.flatMap(monotonic.now, repeat)
  }

  private readonly pollWhileUsed: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(this.waitForPoll, () => {
      if (this.users > 0 || !this.isReachable) return Effect.zipRight(this.poll, this.pollWhileUsed)
      this.isPolling = false
      return Effect.void
    })
  )

  private get waitForPoll(): Effect.Effect<void> {
    return this.waiting.size > 0 || !this.isReachable
      ? Effect.void
      : Effect.raceFirst(this.pollNow.await, Effect.sleep(pollIntervalMillis))
  }

  private readonly poll: Effect.Effect<void> = Effect.flatMap(monotonic.now, (now) => {
    this.pollNow.unsafeClose()
    const call = this.calls.poll({
      client: this.client,
      epoch: this.epoch,
      acknowledged: this.lastEvent,
      hold: this.isReachable && this.waiting.size > 0
    })
    const limit = this.isReachable ? Math.max(0, this.lastReplyAt + maxSilenceMillis - now) : maxSilenceMillis
    return Effect.flatMap(Effect.exit(Effect.timeout(Effect.disconnect(call), limit)), (exit) =>
      Exit.isSuccess(exit) ? this.onPollReply(exit.value) : this.onPollFailure
    )
  })

  private onPollReply({ epoch, events, isScarce, last, snapshot }: PollReply): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      const now = monotonic.read(clock)
      this.lastReplyAt = now
      this.state = { isScarce, snapshot: fromWire(snapshot, clock.unsafeCurrentTimeMillis()), receivedAt: now }
      this.notifyState()
      this.adoptEpoch(epoch)
      this.lastEvent = last
      for (const event of events) {
        const request = this.waiting.get(event.request)
        if (request !== undefined) this.receive(request, event)
      }
      return this.isReachable ? Effect.void : this.recover(now)
    })
  }

  private get onPollFailure(): Effect.Effect<void> {
    return Effect.flatMap(monotonic.now, (now) => {
      if (now - this.lastReplyAt >= maxSilenceMillis) this.endReach(now)
      return Effect.sleep(retryDelayMillis)
    })
  }

  /**
   * Handles the epoch of a reply. A new epoch means that the owner has lost the waiting requests, so these requests are
   * queued again.
   */
  private adoptEpoch(epoch: string): void {
    if (epoch === this.epoch) return
    this.epoch = epoch
    this.lastEvent = 0
    for (const request of this.waiting.values()) {
      if (request.epoch === undefined || request.epoch === epoch) continue
      this.move(request)
      // The new epoch can also come from a late reply of an earlier owner. The current owner then still has the request
      // in its queue, so the request is withdrawn.
      this.report(request, { _tag: "Withdrawn" })
    }
  }

  private move(request: WaitingRequest): void {
    this.waiting.delete(request.id)
    request.push({ _tag: "Moved" })
  }

  private notifyState(): void {
    Deferred.unsafeDone(this.nextState, Effect.void)
    this.nextState = Deferred.unsafeMake(FiberId.none)
  }

  private endReach(now: number): void {
    if (!this.isReachable) return
    this.isReachable = false
    this.lostAt = now
    this.recovered = Deferred.unsafeMake(FiberId.none)
    this.client = globalThis.crypto.randomUUID()
    this.epoch = ""
    this.lastEvent = 0
    this.state = undefined
    this.onOutOfReach()
    for (const request of this.waiting.values()) this.move(request)
    this.notifyState()
    this.startPolls()
    this.background.interruptCalls()
    const silence = formatMillis(now - this.lastReplyAt)
    const text = `The owner of the rate limit gate has not replied for ${silence}. This process uses its own gate`
    this.background.run(runSafely(Effect.logWarning(text)))
  }

  private recover(now: number): Effect.Effect<void> {
    this.isReachable = true
    Deferred.unsafeDone(this.recovered, Effect.void)
    return runSafely(
      Effect.logInfo(`The owner of the rate limit gate replies again after ${formatMillis(now - this.lostAt)}`)
    )
  }
}
