/**
 * The methods on executions, each as what it sends and waits for.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Execution from "../Execution.js"
import type * as IdempotencyKey from "../IdempotencyKey.js"
import type { AwaitOptions, Executions, RunOptions } from "../ModelRouteClient.js"
import type { AwaitFailure, RequestFailure } from "../ModelRouteError.js"
import { send, type Sender } from "./call.js"
import { conclude, type Waiter } from "./conclusion.js"
import * as decode from "./decode.js"
import { Durations } from "./durations.js"
import * as calls from "./executionCalls.js"
import { Looks } from "./looks.js"
import * as telemetry from "./telemetry.js"
import { present } from "./tolerant.js"
import * as waiting from "./waiting.js"

/** @internal */
export const make = (
  sender: Sender,
  keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>,
  pollSchedule: waiting.Common["pollSchedule"]
): Executions => {
  const common: waiting.Common = {
    looks: new Looks(),
    pollSchedule,
    durations: new Durations(),
    alarm: sender.alarm,
    isScarce: sender.passage.isScarce
  }

  const spanned = <A, E>(
    operation: string,
    executionId: string | undefined,
    use: (account: telemetry.Account) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const account: telemetry.Account = { attempts: 0, executionId }
      return telemetry.spanned(operation, account, use(account))
    })

  /** One look at an execution, as part of the operation that wants to know. */
  const look = (
    operation: string,
    id: Execution.ExecutionId,
    account: telemetry.Account,
    origin: calls.Origin = {},
    deadline?: number
  ): Effect.Effect<waiting.Sighting, RequestFailure> =>
    Effect.flatMap(calls.get(operation, id, origin), (call) =>
      send(sender, { ...call, ...present({ deadline }) }, account)
    )

  const submitted = (
    request: Execution.CreateRequest,
    options: { readonly idempotencyKey?: string | undefined },
    account: telemetry.Account
  ): Effect.Effect<Submitted, RequestFailure> =>
    Effect.gen(function* () {
      const call = yield* calls.create(keys, request, options.idempotencyKey)
      const sighting = yield* send(sender, call, account)
      account.executionId = sighting.execution.id
      return {
        sighting,
        origin: { idempotencyKey: call.idempotencyKey, ...present({ confidential: call.confidential }) }
      }
    })

  const awaited = (
    id: Execution.ExecutionId,
    options: AwaitOptions,
    account: telemetry.Account,
    known?: Submitted
  ): Effect.Effect<Execution.Completed, AwaitFailure> => {
    const origin = known?.origin ?? {}
    const waiter: Waiter = { sender, operation: "executions.await", account, origin }
    const once = (deadline?: number) => look(waiter.operation, id, account, origin, deadline)
    const about = { operation: waiter.operation, id, account, ...present({ idempotencyKey: origin.idempotencyKey }) }
    const ended = Effect.gen(function* () {
      const seen = known?.sighting.execution
      if (seen !== undefined && Execution.isTerminal(seen)) {
        // The answer to a repeated create can tell that the execution has FAILED, but not why.
        return waiting.lacksReason(seen) ? (yield* once()).execution : seen
      }
      const next = yield* waiting.watcher(common, about, once, options, known?.sighting)
      return yield* Effect.repeat(next, { until: Execution.isTerminal })
    }).pipe(Effect.scoped)
    return Effect.flatMap(ended, (execution) => conclude(waiter, execution))
  }

  const cancelled = (
    id: Execution.ExecutionId,
    account: telemetry.Account,
    deadline?: number
  ): Effect.Effect<Execution.Execution, RequestFailure> => {
    const operation = "executions.cancel"
    const now = Effect.map(look(operation, id, account, {}, deadline), ({ execution }) => execution)
    return calls.cancel(operation, id).pipe(
      Effect.flatMap((call) => send(sender, { ...call, ...present({ deadline }) }, account)),
      Effect.flatMap(Option.filter(({ status }) => status !== "UNKNOWN")),
      Effect.catchTag("NoSuchElementException", () => now),
      // The usual reason for a refusal is that it has ended already, which is what the caller wants to know.
      Effect.catchIf(isRefusal, (refusal) =>
        Effect.mapError(
          Effect.filterOrFail(now, Execution.isTerminal, () => refusal),
          () => refusal
        )
      )
    )
  }

  const cancelInTime = (id: Execution.ExecutionId): Effect.Effect<unknown> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      spanned("executions.cancel", id, (account) => cancelled(id, account, now + longestCancel))
    ).pipe(
      Effect.timeoutFail({ duration: longestCancel, onTimeout: () => ({ message: "there was no answer in time" }) }),
      Effect.catchAll(({ message }) =>
        Effect.logWarning(`Execution ${id} goes on and may be charged: it could not be cancelled (${message})`)
      ),
      Effect.annotateLogs("executionId", id)
    )

  /** The interruption is held up for 10 seconds; where the rate limit holds up the cancel for longer, that goes on alone. */
  const cancelQuietly = (id: Effect.Effect<Execution.ExecutionId, RequestFailure>): Effect.Effect<void> =>
    Effect.flatMap(Effect.forkDaemon(Effect.interruptible(Effect.ignore(Effect.flatMap(id, cancelInTime)))), (cancel) =>
      Fiber.await(cancel).pipe(Effect.interruptible, Effect.timeoutOption("10 seconds"), Effect.asVoid)
    )

  const cancelling = <A, E>(
    id: Execution.ExecutionId,
    options: AwaitOptions,
    wait: Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    options.cancelOnInterrupt ? Effect.onInterrupt(wait, () => cancelQuietly(Effect.succeed(id))) : wait

  /** Interrupted before its answer is here, a create goes on just long enough to tell which execution to cancel. */
  const submitting = (
    create: Effect.Effect<Submitted, RequestFailure>,
    options: AwaitOptions
  ): Effect.Effect<Submitted, RequestFailure> =>
    options.cancelOnInterrupt
      ? Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(Effect.forkDaemon(Effect.interruptible(create)), (running) => {
            const id = Effect.map(Fiber.join(running), ({ sighting }) => sighting.execution.id)
            return Effect.onInterrupt(restore(Fiber.join(running)), () =>
              Effect.zipRight(cancelQuietly(id), Fiber.interrupt(running))
            )
          })
        )
      : create

  const executions: Executions = {
    create: (request, options = {}) =>
      spanned("executions.create", undefined, (account) =>
        Effect.map(submitted(request, options, account), ({ sighting }) => sighting.execution)
      ),

    get: (id) =>
      spanned("executions.get", id, (account) =>
        Effect.map(look("executions.get", id, account), ({ execution }) => execution)
      ),

    result: (id) => {
      const operation = "executions.result"
      return spanned(operation, id, (account) =>
        calls.result(operation, id).pipe(
          Effect.flatMap((call) => send(sender, call, account)),
          // Too early, ended without a result, or an edition of the API without this address: the execution itself tells.
          Effect.catchIf(isRefusal, (refusal) =>
            Effect.filterOrFail(look(operation, id, account), hasSomethingToSay, () => refusal)
          ),
          Effect.flatMap(({ execution }) =>
            execution.status === "COMPLETED"
              ? Effect.succeed(decode.completed(execution))
              : conclude({ sender, operation, account, origin: {} }, execution)
          )
        )
      )
    },

    cancel: (id) => spanned("executions.cancel", id, (account) => cancelled(id, account)),

    observe: (execution) =>
      Effect.flatMap(Clock.currentTimeMillis, (seenAt) =>
        common.looks.tell({ execution, seenAt, until: undefined })
          ? Effect.void
          : Effect.logDebug(
              `Execution ${execution.id} is ${execution.status}, and nobody waits for it in this client now`
            )
      ),

    watch: (id, options = {}) =>
      Stream.suspend(() => {
        const operation = "executions.watch"
        const account: telemetry.Account = { attempts: 0, executionId: id }
        const statuses = Effect.map(
          waiting.watcher(
            common,
            { operation, id, account },
            (deadline) => look(operation, id, account, {}, deadline),
            options
          ),
          (next) => Stream.takeUntil(Stream.repeatEffect(next), Execution.isTerminal)
        )
        return telemetry.spannedStream(
          operation,
          account,
          Stream.changesWith(Stream.unwrapScoped(statuses), sameStatus)
        )
      }),

    await: (id, options = {}) =>
      spanned("executions.await", id, (account) => cancelling(id, options, awaited(id, options, account))),

    run: <E = never>(request: Execution.CreateRequest, options: RunOptions<E> = {}) =>
      spanned("executions.run", undefined, (account) =>
        // Between the answer to the create and the wait there must be no gap in which an interruption forgets the cancel.
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            const known = yield* restore(submitting(submitted(request, options, account), options))
            const { execution } = known.sighting
            const accepted = options.onAccepted?.(execution) ?? Effect.void
            const waited = Effect.zipRight(accepted, awaited(execution.id, options, account, known))
            return yield* cancelling(execution.id, options, restore(waited))
          })
        )
      )
  }
  return executions
}

/** Milliseconds. */
const longestCancel = 300_000

/** What an accepted create leaves behind for the wait that follows it. */
interface Submitted {
  readonly sighting: waiting.Sighting
  readonly origin: calls.Origin
}

const sameStatus = (a: Execution.Execution, b: Execution.Execution): boolean => a.status === b.status

const hasSomethingToSay = ({ execution }: waiting.Sighting): boolean =>
  execution.status !== "COMPLETED" || decode.output(execution) !== undefined

/** The API has understood and says no; whether the execution has ended meanwhile, it alone can tell. */
const isRefusal = (error: RequestFailure): boolean =>
  "status" in error && error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 429
