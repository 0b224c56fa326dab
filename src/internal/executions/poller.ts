/**
 * Polls an execution until the execution has ended or the wait has timed out. A notification interrupts the delay
 * before a poll or the running poll. `pollTransitions.ts` schedules the polls, and `pollState.ts` computes the next
 * step.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type * as Schedule from "effect/Schedule"
import { AwaitTimeout, type RequestFailure } from "../../ModelRouteError.js"
import * as Execution from "../../Execution.js"
import { describeStatus } from "./decode.js"
import type { SharedTimer } from "../http/sharedTimer.js"
import type { LatencyEstimator } from "./latencyEstimate.js"
import type { Observation } from "./observation.js"
import type { SharedPolls, Subscription } from "./sharedPolls.js"
import { formatMillis } from "../data/durationText.js"
import * as monotonic from "../data/monotonic.js"
import { omitUndefined } from "../data/lenient.js"
import * as ScheduleDriver from "../retry/scheduleDriver.js"
import * as PollState from "./pollState.js"
import * as transitions from "./pollTransitions.js"
import { isRateLimit } from "../errors/semantics.js"
import { reportWait, type CallStats } from "../telemetry.js"
import { withDeadline } from "../http/attemptTimeout.js"
import { runInChild } from "../http/childFiber.js"

/** @internal The services that all waits of one client share. */
export interface PollerContext {
  readonly polls: SharedPolls
  readonly pollSchedule: Schedule.Schedule<unknown, Execution.Execution>
  readonly latency: LatencyEstimator
  readonly timer: SharedTimer
  /** Returns `true` if few requests are left under the rate limit. */
  readonly isScarce: Effect.Effect<boolean>
}

/** @internal The validated options of a wait. */
export interface PollerOptions {
  readonly timeoutMillis: number | undefined
  readonly pollSchedule: Schedule.Schedule<unknown, Execution.Execution> | undefined
  readonly pollImmediately: boolean
}

/** @internal The operation of a wait and the execution to wait for. */
export interface WaitInfo {
  readonly operation: string
  readonly id: Execution.ExecutionId
  readonly stats: CallStats
  readonly idempotencyKey?: string
  /**
   * Time of the create response in monotonic milliseconds. `undefined` if the client has no record of the create
   * request.
   */
  readonly createdAt: number | undefined
  /** Indicates that a COMPLETED execution does not end the wait before its output is available. */
  readonly isOutputRequired: boolean
}

/**
 * The poll requests of a wait. The rate limit can delay a request until `deadline`, in monotonic milliseconds.
 *
 * @internal
 */
export interface PollRequests {
  readonly execution: (deadline: number) => Effect.Effect<Observation, RequestFailure>
  readonly result: (deadline: number) => Effect.Effect<Observation, RequestFailure>
}

/** @internal A wait for one execution. */
export interface Poller {
  /** Waits for the next poll or notification and returns the execution. Returns immediately if the execution has ended. */
  readonly next: Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout>
  /** Returns `true` if the execution has ended and the wait needs no further data. */
  readonly isEnded: () => boolean
  /** Ends the wait. */
  readonly close: () => void
}

const timeoutError = (state: PollState.PollState, info: WaitInfo, now: number): AwaitTimeout => {
  const { latest, pollFailure } = state
  const { stats, id, idempotencyKey, operation } = info
  const isWithoutOutput = PollState.phaseOf(state) === "needsOutput"
  const status =
    latest === undefined
      ? "has no known state yet"
      : `is ${describeStatus(latest.execution.status)}${isWithoutOutput ? ", but the API has not returned its output" : ""}`
  const reason = pollFailure === undefined ? "" : ` The last poll failed: ${pollFailure.message}`
  const continues = isWithoutOutput ? "" : " The execution continues."
  return new AwaitTimeout({
    operation,
    attempts: stats.attempts,
    executionId: id,
    ...omitUndefined({ idempotencyKey, execution: latest?.execution }),
    message: `${operation} ended after ${formatMillis(now - state.startedAt)}: execution ${id} ${status}.${reason}${continues} Wait for the execution again with executions.await.`
  })
}

/** Interrupts a poll at its deadline, because retries and the rate limit can delay the poll. */
const withinDeadline = (
  timer: SharedTimer,
  { pollDeadline }: PollState.PollState,
  poll: Effect.Effect<Observation, RequestFailure>
): Effect.Effect<Observation, RequestFailure | "timeout"> =>
  pollDeadline === undefined
    ? poll
    : withDeadline(
        timer,
        poll,
        () => pollDeadline,
        () => "timeout" as const
      )

/**
 * Maximum delay before the next poll that a `Retry-After` header can cause. The reset time of a 429 has no such limit.
 */
const maxRetryAfterMillis = Duration.toMillis("30 seconds")

/**
 * Returns the delay before the next poll that the response to a failed poll requires, in milliseconds. `wallMillis` is
 * the current time of the wall clock.
 */
const retryAfterMillis = (error: RequestFailure, wallMillis: number): number => {
  if (isRateLimit(error) && error.resetAt !== undefined) return error.resetAt.epochMillis - wallMillis
  if (!("retryAfter" in error) || error.retryAfter === undefined) return 0
  return Math.min(Duration.toMillis(error.retryAfter), maxRetryAfterMillis)
}

/**
 * A function that updates the state of a wait. A poll and a notification can arrive at the same time, and only the
 * first update is applied.
 */
type Transition = (state: PollState.PollState) => PollState.PollState

/** Runs a poll and returns the resulting update of the state. */
const toTransition = (poll: Effect.Effect<Observation, RequestFailure | "timeout">): Effect.Effect<Transition> =>
  Effect.matchEffect(poll, {
    onSuccess: (observation) => Effect.succeed<Transition>((state) => transitions.onPolled(state, observation)),
    onFailure: (error) =>
      Effect.clockWith((clock) => {
        if (error === "timeout") return Effect.succeed<Transition>(transitions.onPollTimedOut)
        const now = monotonic.read(clock)
        const resumesInMillis = retryAfterMillis(error, clock.unsafeCurrentTimeMillis())
        return Effect.succeed<Transition>((state) => transitions.onPollFailed(state, error, now, resumesInMillis))
      })
  })

class ExecutionPoller implements Poller {
  private state: PollState.PollState
  private readonly driver: ScheduleDriver.ScheduleDriver<Execution.Execution>
  private readonly subscription: Subscription

  constructor(
    private readonly context: PollerContext,
    private readonly info: WaitInfo,
    private readonly requests: PollRequests,
    options: PollerOptions,
    created: Observation | undefined,
    now: number
  ) {
    this.driver = ScheduleDriver.makeScheduleDriver(options.pollSchedule ?? context.pollSchedule)
    this.subscription = context.polls.join(info.id)
    this.state = transitions.start({ ...info, ...options, created, now })
  }

  readonly next: Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout> = Effect.suspend(() => this.step())

  isEnded(): boolean {
    return PollState.phaseOf(this.state) === "ended"
  }

  close(): void {
    this.subscription.leave()
  }

  private readonly isUpdate = (update: Observation): boolean => PollState.isUpdate(this.state, update)

  private readonly listen = (resume: (transition: Effect.Effect<Transition>) => void): (() => void) =>
    this.subscription.listen(this.isUpdate, (update) =>
      resume(Effect.succeed((state) => transitions.onNotified(state, update)))
    )

  private step(): Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout> {
    const update = this.subscription.latestUpdate(this.isUpdate)
    if (update !== undefined) return this.continueWith(transitions.onNotified(this.state, update))
    return Effect.clockWith((clock) => {
      const now = monotonic.read(clock)
      if (PollState.needsSchedule(this.state)) return this.schedulePoll(now)
      const next = PollState.next(this.state, now)
      switch (next._tag) {
        case "Done":
          return Effect.succeed(next.execution)
        case "Fail":
          return Effect.fail(next.error === "timeout" ? timeoutError(this.state, this.info, now) : next.error)
        case "Wait":
          return this.apply(
            this.context.timer.wait<Transition, never>(next.until, () => Effect.succeed(identity), this.listen)
          )
        case "Poll":
          return this.apply(this.poll(next, now))
      }
    })
  }

  private apply(
    transition: Effect.Effect<Transition>
  ): Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout> {
    return Effect.flatMap(transition, (change) => this.continueWith(change(this.state)))
  }

  /**
   * Sets the state of the wait. Returns the execution if the state contains a new observation. Otherwise, continues
   * with the next step of the wait.
   */
  private continueWith(state: PollState.PollState): Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout> {
    const before = this.state.latest
    this.state = state
    if (state.latest === undefined || state.latest === before) return this.next
    this.context.latency.record(state.latest.execution)
    return Effect.succeed(state.latest.execution)
  }

  private poll({ deadline, since, target }: PollState.PollStep, now: number): Effect.Effect<Transition> {
    this.state = transitions.onPollStarted(this.state, now)
    const request = this.subscription.poll(this.requests[target](deadline), since)
    return runInChild(toTransition(withinDeadline(this.context.timer, this.state, request)), this.listen)
  }

  /** Schedules the next poll. Reports the delay as a log line, a span event and a metric. */
  private schedulePoll(now: number): Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout> {
    const { isScarce, latency } = this.context
    const { id, operation } = this.info
    const execution = this.state.latest?.execution ?? new Execution.Execution({ id, status: "UNKNOWN" })
    return Effect.flatMap(this.driver.next(execution), (scheduledMillis) =>
      Effect.flatMap(isScarce, (scarce) => {
        const state = transitions.onScheduled(this.state, now, {
          scheduledMillis,
          isScarce: scarce,
          expectedMillis: latency.expectedMillis(execution.model)
        })
        if (state.scheduledPoll === undefined) return this.continueWith(state)
        const millis = state.scheduledPoll.at - now
        return Effect.flatMap(
          reportWait({ operation, reason: "poll", millis, executionId: id, model: execution.model }),
          () => this.continueWith(state)
        )
      })
    )
  }
}

/**
 * Starts a wait for an execution, and ends the wait when `use` has ended. `created` is the execution in the create
 * response.
 *
 * @internal
 */
export const withPoller = <A, E>(
  context: PollerContext,
  info: WaitInfo,
  requests: PollRequests,
  options: PollerOptions,
  created: Observation | undefined,
  use: (poller: Poller) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(makePoller(context, info, requests, options, created), use, (poller) =>
    Effect.sync(() => poller.close())
  )

/** @internal Starts a wait for an execution. The caller must close the poller. */
export const makePoller = (
  context: PollerContext,
  info: WaitInfo,
  requests: PollRequests,
  options: PollerOptions,
  created?: Observation
): Effect.Effect<Poller> =>
  Effect.map(monotonic.now, (now) => new ExecutionPoller(context, info, requests, options, created, now))
