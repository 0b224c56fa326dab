/**
 * Polls an execution until it has ended: waits as the schedule says, polls, and starts again, within a bound. A notification ends the
 * delay or the poll. What a poll or a notification means is decided in `pollState.ts`.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { AwaitTimeout, type RequestFailure } from "../../ModelRouteError.js"
import * as Execution from "../../Execution.js"
import type { Alarm } from "../http/sharedTimer.js"
import type { Durations } from "./latencyEstimate.js"
import type { Arrival } from "../http/attempt.js"
import { serverTime } from "../retry/rateLimitHeaders.js"
import type { Looks } from "./sharedPolls.js"
import { seconds } from "../errors/messages.js"
import * as monotonic from "../data/monotonic.js"
import * as Pace from "../retry/scheduleDriver.js"
import * as PollState from "./pollState.js"
import { announce, type Account } from "../telemetry.js"
import { unlessFirst, within } from "../http/attemptTimeout.js"

type Sighting = PollState.Sighting

/** @internal What all waits of one client share. */
export interface Common {
  readonly looks: Looks
  readonly pollSchedule: Schedule.Schedule<unknown, Execution.Execution>
  readonly durations: Durations
  readonly alarm: Alarm
  /** Whether requests are so scarce that polls should leave them to others. */
  readonly isScarce: Effect.Effect<boolean>
}

/** @internal `expires_at` is on the server's clock; its `Date` header cancels the difference to ours. */
export const sight = (execution: Execution.Execution, { received, response }: Arrival): Sighting => {
  const { monotonic: seenAt, wall } = received
  const { expiresAt } = execution
  const until =
    expiresAt &&
    PollState.untilOf(seenAt, DateTime.toEpochMillis(expiresAt) - (serverTime(response.headers, wall) ?? wall))
  return { execution, seenAt, until }
}

/** @internal The options of a wait, checked. */
export interface Options {
  readonly timeoutMillis: number | undefined
  readonly pollSchedule: Schedule.Schedule<unknown, Execution.Execution> | undefined
  readonly pollsImmediately: boolean
}

/** @internal What the wait is about. */
export interface About {
  readonly operation: string
  readonly id: Execution.ExecutionId
  readonly account: Account
  readonly idempotencyKey?: string
  /** When this client created the execution (monotonic milliseconds), if it did so lately. */
  readonly createdAt: number | undefined
  /** Whether the wait ends only with the output. */
  readonly wantsOutput: boolean
}

/** @internal The two requests that a wait makes. `deadline` is for the rate limit, in monotonic milliseconds. */
export interface Polls {
  readonly execution: (deadline: number) => Effect.Effect<Sighting, RequestFailure>
  readonly result: (deadline: number) => Effect.Effect<Sighting, RequestFailure>
}

const timeoutError = (state: PollState.PollState, about: About, now: number): AwaitTimeout => {
  const { failure, seen } = state
  const { account, id, idempotencyKey, operation } = about
  const isWithoutOutput = PollState.phaseOf(state) === "needsOutput"
  const status =
    seen === undefined
      ? "has not been seen"
      : `is ${seen.execution.status}${isWithoutOutput ? ", but the API has not returned its output" : ""}`
  const last = failure === undefined ? "" : ` The last poll failed: ${failure.message}`
  const next = isWithoutOutput ? "" : " It continues:"
  return new AwaitTimeout({
    operation,
    attempts: account.attempts,
    executionId: id,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(seen === undefined ? {} : { execution: seen.execution }),
    message: `${operation} ended after ${seconds(now - state.startedAt)}: execution ${id} ${status}.${last}${next} Wait for it again with executions.await.`
  })
}

/**
 * Each run of the effect waits, polls once and returns the execution; `isEnded` tells whether there is more to come. A poll is
 * shared with other fibers that wait for the same execution.
 *
 * @internal
 */
export interface Watcher {
  readonly next: Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout>
  readonly isEnded: () => boolean
}

/** @internal */
export const watcher = (
  common: Common,
  about: About,
  polls: Polls,
  options: Options,
  known?: Sighting
): Effect.Effect<Watcher, never, Scope.Scope> =>
  Effect.zipWith(monotonic.now, common.looks.share(about.id), (startedAt, shared) => {
    const { id, operation } = about
    const pace = Pace.start(options.pollSchedule ?? common.pollSchedule)
    let state = PollState.start({ ...about, now: startedAt, timeoutMillis: options.timeoutMillis })
    if (known !== undefined) state = PollState.onKnown(state, known)
    /** When the next poll is due, until it has begun, and since when it has been waited for. */
    let due = options.pollsImmediately ? { at: startedAt, since: startedAt } : undefined

    const isUpdate = (sighting: Sighting): boolean => PollState.isUpdate(state, sighting)

    const seen = (next: PollState.PollState): Effect.Effect<Execution.Execution> => {
      state = next
      const execution = next.seen?.execution ?? new Execution.Execution({ id, status: "UNKNOWN" })
      common.durations.learn(execution)
      return Effect.succeed(execution)
    }

    const timeout = Effect.flatMap(monotonic.now, (now) => Effect.fail(timeoutError(state, about, now)))

    const schedule = Effect.gen(function* () {
      const execution = state.seen?.execution ?? new Execution.Execution({ id, status: "UNKNOWN" })
      const isDue = PollState.isPollDue(state)
      const scheduled = isDue ? 0 : yield* pace.next(execution)
      const now = yield* monotonic.now
      if (isDue) return { at: now, since: now }
      const expectedMillis = known && common.durations.expected(execution.model)
      const millis = PollState.delayOf(state, now, { scheduled, isScarce: yield* common.isScarce, expectedMillis })
      if (millis === undefined) return yield* timeout
      yield* announce({ operation, reason: "poll", millis, executionId: id })
      return { at: now + millis, since: now }
    })

    /**
     * Retries and the rate limit can delay a poll beyond the caller's time limit. If it is the execution's own time that is up, a
     * late poll still finds how it has ended.
     */
    const inTime = (poll: Effect.Effect<Sighting, RequestFailure>) =>
      Effect.flatMap(monotonic.now, (now) => {
        if (state.limit === undefined) return poll
        const deadline = Math.max(now, state.limit) + PollState.pollGraceMillis
        return within(
          common.alarm,
          poll,
          () => deadline,
          () => "late" as const
        )
      })

    const late = Effect.suspend(() => {
      const after = PollState.onPollLate(state)
      return PollState.phaseOf(after) === "ended" ? seen(after) : timeout
    })

    type Step = Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout>

    /** Returns what to do next, so that nothing is decided before the poll or a notification has come first. */
    const poll = (since: number): Effect.Effect<Step> => {
      const ask = PollState.phaseOf(state) === "needsOutput" ? polls.result : polls.execution
      return Effect.match(inTime(shared.look(ask(PollState.boundOf(state)), since)), {
        onSuccess: (sighting) => Effect.suspend(() => seen(PollState.onPolled(state, sighting))),
        onFailure: (error): Step => (error === "late" ? late : failed(error))
      })
    }

    const failed = (error: RequestFailure): Step =>
      Effect.clockWith((clock): Step => {
        const resumesIn = PollState.resumesIn(error, clock.unsafeCurrentTimeMillis())
        const after = PollState.onPollFailed(state, error, monotonic.read(clock), resumesIn)
        if (after === undefined) return Effect.fail(error)
        state = after
        return PollState.phaseOf(state) === "ended" ? seen(state) : next
      })

    const notified = (update: Sighting): Step => Effect.suspend(() => seen(PollState.onNotified(state, update)))

    const next: Step = Effect.gen(function* () {
      const update = shared.toldBefore(isUpdate)
      if (update !== undefined) return yield* notified(update)
      if (PollState.isPollDue(state)) due = undefined
      const { at, since } = (due ??= yield* schedule)
      const meanwhile: Option.Option<Sighting> = yield* common.alarm.wait<Option.Option<Sighting>, never>(
        at,
        () => Effect.succeedNone,
        (resume) => shared.listen(isUpdate, (update) => resume(Effect.succeedSome(update)))
      )
      if (Option.isSome(meanwhile)) return yield* notified(meanwhile.value)
      due = undefined
      const step = yield* unlessFirst<Step, never, Step, never>(poll(since), (resume) =>
        shared.listen(isUpdate, (update) => resume(Effect.succeed(notified(update))))
      )
      return yield* step
    })

    return { next, isEnded: () => PollState.phaseOf(state) === "ended" }
  })
