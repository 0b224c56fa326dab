/**
 * Waits for an execution to end: look, and while it is not ready, wait as the schedule says and look again, within a bound.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { AwaitTimeout, type RequestFailure } from "../ModelRouteError.js"
import * as Execution from "../Execution.js"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Alarm } from "./alarm.js"
import type { Durations } from "./durations.js"
import type { Arrival } from "./exchange.js"
import { serverTime } from "./limitHeaders.js"
import type { Looks } from "./looks.js"
import { seconds } from "./messages.js"
import * as Pace from "./pace.js"
import { announce, type Account } from "./telemetry.js"

/** @internal An execution as an answer showed it, and until when a wait for it makes sense (epoch milliseconds, local clock). */
export interface Sighting {
  readonly execution: Execution.Execution
  readonly seenAt: number
  readonly until: number | undefined
}

/** @internal What all waits of one client share. */
export interface Common {
  readonly looks: Looks
  readonly pollSchedule: Schedule.Schedule<unknown, Execution.Execution>
  readonly durations: Durations
  readonly alarm: Alarm
  /** Whether requests are so scarce that looks should leave them to others. */
  readonly isScarce: Effect.Effect<boolean>
}

/** What an execution, and a look at it, may take longer than its time. */
const margin = Duration.toMillis("30 seconds")
const longest = Duration.toMillis("24 hours")
const withoutExpiry = Duration.toMillis("10 minutes")

/** @internal `expires_at` is on the server's clock; its `Date` header cancels the difference to ours. */
export const sight = (execution: Execution.Execution, { receivedAt, response }: Arrival): Sighting => {
  if (execution.expiresAt === undefined) return { execution, seenAt: receivedAt, until: undefined }
  const left = DateTime.toEpochMillis(execution.expiresAt) - (serverTime(response.headers, receivedAt) ?? receivedAt)
  return { execution, seenAt: receivedAt, until: receivedAt + left + margin }
}

const sameExpiry = (a: Execution.Execution, b: Execution.Execution | undefined): boolean =>
  a.expiresAt?.epochMillis === b?.expiresAt?.epochMillis

/** Some executions take a little longer than the last ones did. */
const allowance = 1.1

/** Where requests are scarce: at half the pace, and not before the end can be expected, `remaining` milliseconds from now. */
const stretched = (delay: number, remaining: number | undefined): number => Math.max(2 * delay, remaining ?? 0)

/** @internal */
export interface Options {
  readonly timeout?: Duration.DurationInput | undefined
  readonly pollSchedule?: Schedule.Schedule<unknown, Execution.Execution> | undefined
  readonly lookFirst?: boolean | undefined
}

const running = ["PENDING", "PROCESSING", "AWAITING_WEBHOOK"]

/** Events come late, twice and in any order: only one that leads on is news. */
const leadsOn = (told: Execution.Execution, seen: Execution.Execution | undefined): boolean =>
  Execution.isTerminal(told) || running.indexOf(told.status) > running.indexOf(seen?.status ?? "")

/** @internal That it has FAILED, and not why. */
export const lacksReason = ({ error, status }: Execution.Execution): boolean =>
  status === "FAILED" && error === undefined

/** An event need not repeat everything. */
const joined = (seen: Execution.Execution, told: Execution.Execution): Execution.Execution =>
  new Execution.Execution({ ...seen, ...told, extra: { ...seen.extra, ...told.extra } }, { disableValidation: true })

/** @internal What the error of a wait tells of it. */
export interface About {
  readonly operation: string
  readonly id: Execution.ExecutionId
  readonly account: Account
  readonly idempotencyKey?: string
}

/**
 * Each run of the effect waits and looks once (or takes what another fiber has seen, or a webhook told, meanwhile), and gives the
 * execution as it then is. A look that fails with what may pass is not the end of the wait, nor is a rate limit that resets before that.
 *
 * @internal
 */
export const watcher = (
  common: Common,
  about: About,
  look: (deadline: number) => Effect.Effect<Sighting, RequestFailure>,
  options: Options,
  known?: Sighting
): Effect.Effect<Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout>, never, Scope.Scope> =>
  Effect.zipWith(Clock.currentTimeMillis, common.looks.share(about.id), (startedAt, shared) => {
    const { account, id, operation, ...rest } = about
    const pace = Pace.start(options.pollSchedule ?? common.pollSchedule)
    const limit = options.timeout === undefined ? undefined : startedAt + Duration.toMillis(options.timeout)
    let seen: Sighting | undefined
    let trouble: RequestFailure | undefined
    /** Before that, the API wants no more requests. */
    let resumesAt = 0
    /** When the next look is due, as long as it has not begun, and since when it has been waited for. */
    let due = options.lookFirst === true ? { at: startedAt, since: startedAt } : undefined

    // A `Date` that stands still, or an expiry that is put off again and again, must not make the wait endless.
    let latest = startedAt + longest
    const note = (sighting: Sighting): void => {
      if (sighting.until !== undefined && !sameExpiry(sighting.execution, seen?.execution)) {
        latest = Math.min(startedAt + longest, sighting.until + margin)
      }
      seen = sighting
      common.durations.learn(sighting.execution)
    }
    if (known !== undefined) note(known)

    const bound = (): number => limit ?? Math.min(seen?.until ?? startedAt + withoutExpiry, latest)

    /** Of an execution whose beginning was seen. */
    const remaining = (now: number): number | undefined => {
      const expected = known && common.durations.expected(seen?.execution.model)
      return expected === undefined ? undefined : startedAt + expected * allowance - now
    }

    const timeout = (now: number): AwaitTimeout => {
      const status = seen === undefined ? "has not been seen" : `is ${seen.execution.status}`
      const last = trouble === undefined ? "" : ` The last look failed: ${trouble.message}`
      return new AwaitTimeout({
        ...rest,
        operation,
        attempts: account.attempts,
        executionId: id,
        ...(seen === undefined ? {} : { execution: seen.execution }),
        message: `${operation} ended after ${seconds(now - startedAt)}: execution ${id} ${status}.${last} It goes on: wait for it again with executions.await.`
      })
    }

    /**
     * Retries and the rate limit can hold a look up for longer than the caller wants to wait. Where it is the execution's own
     * time that is up, a late look still finds how it has ended.
     */
    const within = <A, E>(looking: Effect.Effect<A, E>): Effect.Effect<Option.Option<A>, E> =>
      limit === undefined
        ? Effect.asSome(looking)
        : Effect.flatMap(Clock.currentTimeMillis, (now) =>
            Effect.timeoutOption(looking, Math.max(0, limit - now) + margin)
          )

    const scheduled = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const delay = yield* pace.next(seen?.execution ?? new Execution.Execution({ id, status: "UNKNOWN" }))
      if (delay === undefined || now >= bound()) return yield* timeout(now)
      const wanted = (yield* common.isScarce) ? stretched(delay, remaining(now)) : delay
      const millis = Math.min(Math.max(wanted, resumesAt - now), bound() - now)
      yield* announce({ operation, reason: "poll", millis, executionId: id })
      return { at: now + millis, since: now }
    })

    const isNews = ({ execution }: Sighting): boolean => leadsOn(execution, seen?.execution)

    const looked = (since: number) =>
      Effect.match(within(shared.look(look(bound()), since)), { onFailure: goneWrong, onSuccess: seenThere })

    const lookedUnlessTold = (since: number) =>
      Effect.async<Sighting>((resume) => {
        const stop = shared.listen(isNews, (news) => resume(Effect.succeed(news)))
        return Effect.sync(stop)
      }).pipe(Effect.interruptible, Effect.map(heard), Effect.raceFirst(looked(since)), Effect.flatten)

    const next: Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout> = Effect.gen(function* () {
      const known = shared.toldBefore(isNews)
      if (known !== undefined) return yield* heard(known)
      const { at, since } = (due ??= yield* scheduled)
      const news = yield* common.alarm.wait<Option.Option<Sighting>, never>(
        at,
        () => Effect.succeedNone,
        (resume) => shared.listen(isNews, (news) => resume(Effect.succeedSome(news)))
      )
      if (Option.isSome(news)) return yield* heard(news.value)
      due = undefined
      return yield* lookedUnlessTold(since)
    })

    const goneWrong = (
      error: RequestFailure | AwaitTimeout
    ): Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout> => {
      if (error._tag === "AwaitTimeout" || !error.retryable) return Effect.fail(error)
      if (error._tag === "RateLimited") {
        resumesAt = error.resetAt?.epochMillis ?? 0
        if (resumesAt > bound()) return Effect.fail(error)
      }
      trouble = error
      return next
    }

    const seenThere = (
      sighting: Option.Option<Sighting>
    ): Effect.Effect<Execution.Execution, RequestFailure | AwaitTimeout> => {
      if (Option.isNone(sighting)) return Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(timeout(now)))
      note(sighting.value)
      trouble = undefined
      return Effect.succeed(sighting.value.execution)
    }

    const heard = (sighting: Sighting): Effect.Effect<Execution.Execution> =>
      Effect.gen(function* () {
        const before = seen
        const told = before === undefined ? sighting.execution : joined(before.execution, sighting.execution)
        const execution = lacksReason(told) ? yield* withReason(told, sighting.seenAt) : told
        note({ execution, seenAt: sighting.seenAt, until: sighting.until ?? before?.until })
        trouble = undefined
        return execution
      })

    /** No page says that the event of a failure tells why; the execution itself does. */
    const withReason = (told: Execution.Execution, toldAt: number): Effect.Effect<Execution.Execution> =>
      within(shared.look(look(bound()), toldAt)).pipe(
        Effect.option,
        Effect.map(Option.flatten),
        Effect.map(Option.map(({ execution }) => execution)),
        Effect.map(Option.filter(Execution.isTerminal)),
        Effect.map(Option.getOrElse(() => told))
      )
    return next
  })
