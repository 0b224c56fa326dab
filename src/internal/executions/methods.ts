/**
 * The methods on executions, each as what it sends and waits for.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Execution from "../../Execution.js"
import type * as IdempotencyKey from "../../IdempotencyKey.js"
import type { AwaitOptions, CreateOptions, Executions, RunOptions, WatchOptions } from "./types.js"
import {
  AwaitTimeout,
  type AwaitFailure,
  ExecutionNotReady,
  type InvalidRequest,
  type RequestFailure,
  type ResultFailure
} from "../../ModelRouteError.js"
import { send, type Sender } from "../http/retryLoop.js"
import { cancelOnInterrupt, cancelOnInterruptedCreate, type Canceller } from "./cancelOnInterrupt.js"
import { aboutExecution, conclude, type Waiter } from "./completion.js"
import * as decode from "./decode.js"
import { Durations } from "./latencyEstimate.js"
import * as calls from "./requests.js"
import { Looks } from "./sharedPolls.js"
import * as monotonic from "../data/monotonic.js"
import { all, checksOf } from "../errors/optionChecks.js"
import type { Sighting } from "./pollState.js"
import { RecentCreates } from "./recentCreates.js"
import { isClientError } from "../errors/semantics.js"
import * as telemetry from "../telemetry.js"
import { present } from "../data/lenient.js"
import * as waiting from "./poller.js"

/** What the methods of one client share. */
interface Shared {
  readonly sender: Sender
  readonly keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>
  readonly waits: waiting.Common
  readonly creates: RecentCreates
}

/** What an accepted create leaves behind for the wait that follows it. */
interface Submitted {
  readonly id: Execution.ExecutionId
  readonly sighting: Sighting
  readonly origin: calls.Origin
}

const spanned = <A, E>(
  operation: string,
  executionId: Execution.ExecutionId | undefined,
  use: (account: telemetry.Account) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const account: telemetry.Account = { attempts: 0, executionId }
    return telemetry.spanned(operation, account, use(account))
  })

const checkWatch = (
  operation: string,
  { pollImmediately, pollSchedule, timeout }: WatchOptions
): Either.Either<waiting.Options, InvalidRequest> => {
  const check = checksOf(operation)
  return Either.gen(function* () {
    yield* all([check.schedule("pollSchedule", pollSchedule), check.boolean("pollImmediately", pollImmediately)])
    const timeoutMillis = timeout === undefined ? undefined : yield* check.duration("timeout", timeout, "zero")
    return { timeoutMillis, pollSchedule, pollsImmediately: pollImmediately === true }
  })
}

const checkAwait = (operation: string, options: AwaitOptions): Either.Either<waiting.Options, InvalidRequest> =>
  Either.flatMap(checksOf(operation).boolean("cancelOnInterrupt", options.cancelOnInterrupt), () =>
    checkWatch(operation, options)
  )

/** All options of `run`, before it submits anything. */
const checkRun = (operation: string, options: RunOptions<unknown>): Either.Either<waiting.Options, InvalidRequest> =>
  Either.flatMap(checksOf(operation).function("onAccepted", options.onAccepted), () => checkAwait(operation, options))

/** One poll of an execution, as part of the operation that needs it. */
const poll = (
  { sender }: Shared,
  operation: string,
  id: Execution.ExecutionId,
  account: telemetry.Account,
  options: {
    readonly origin?: calls.Origin
    readonly deadline?: number
    readonly request?: typeof calls.get
  } = {}
): Effect.Effect<Sighting, RequestFailure> =>
  Effect.flatMap((options.request ?? calls.get)(operation, id, options.origin), (call) =>
    send(sender, { ...call, ...present({ deadline: options.deadline }) }, account)
  )

const submit = (
  shared: Shared,
  request: Execution.CreateRequest,
  options: CreateOptions,
  account: telemetry.Account,
  /** Around the request itself. */
  around: (
    idempotencyKey: string,
    create: Effect.Effect<Submitted, RequestFailure>
  ) => Effect.Effect<Submitted, RequestFailure> = (_, create) => create
): Effect.Effect<Submitted, RequestFailure> =>
  Effect.flatMap(calls.create(shared.keys, request, options.idempotencyKey), (call) => {
    const { idempotencyKey } = call
    const created = Effect.map(send(shared.sender, call, account), (sighting): Submitted => {
      const { id } = sighting.execution
      account.executionId = id
      shared.creates.add(id, sighting.seenAt)
      return { id, sighting, origin: { idempotencyKey, ...present({ confidential: call.confidential }) } }
    })
    return around(idempotencyKey, created)
  })

const cancel = (
  shared: Shared,
  id: Execution.ExecutionId,
  account: telemetry.Account,
  deadline?: number
): Effect.Effect<Execution.Execution, RequestFailure> => {
  const operation = "executions.cancel"
  const latest = Effect.map(poll(shared, operation, id, account, present({ deadline })), ({ execution }) => execution)
  return calls.cancel(operation, id).pipe(
    Effect.flatMap((call) => send(shared.sender, { ...call, ...present({ deadline }) }, account)),
    Effect.flatMap(Option.filter(({ status }) => status !== "UNKNOWN")),
    Effect.catchTag("NoSuchElementException", () => latest),
    // The usual reason for a rejection is that the execution has already ended, and that is no failure.
    Effect.catchIf(isClientError, (rejection) =>
      Effect.mapError(
        Effect.filterOrFail(latest, Execution.isTerminal, () => rejection),
        () => rejection
      )
    )
  )
}

const cancellerOf = (shared: Shared): Canceller => ({
  alarm: shared.sender.alarm,
  cancel: (id, deadline) => spanned("executions.cancel", id, (account) => cancel(shared, id, account, deadline))
})

/** Waits until the execution has ended and its output is known. */
const awaitEnd = (
  shared: Shared,
  id: Execution.ExecutionId,
  options: waiting.Options,
  account: telemetry.Account,
  submitted?: Submitted
): Effect.Effect<Execution.Completed, AwaitFailure> => {
  const origin = submitted?.origin ?? {}
  const waiter: Waiter = { sender: shared.sender, operation: "executions.await", account, origin }
  const { operation } = waiter
  const polls: waiting.Polls = {
    execution: (deadline) => poll(shared, operation, id, account, { origin, deadline }),
    result: (deadline) => poll(shared, operation, id, account, { origin, deadline, request: calls.result })
  }
  const about: waiting.About = {
    operation,
    id,
    account,
    createdAt: shared.creates.get(id),
    wantsOutput: true,
    ...present({ idempotencyKey: origin.idempotencyKey })
  }
  const ended = Effect.gen(function* () {
    const { isEnded, next } = yield* waiting.watcher(shared.waits, about, polls, options, submitted?.sighting)
    const known = submitted?.sighting.execution
    return known !== undefined && isEnded() ? known : yield* Effect.repeat(next, { until: isEnded })
  }).pipe(Effect.scoped)
  return Effect.flatMap(ended, (execution) =>
    conclude(waiter, execution, () => {
      const message = `Execution ${id} is still ${execution.status}. Wait for it with executions.await.`
      return new AwaitTimeout({ ...aboutExecution(waiter, id), execution, message })
    })
  )
}

const awaitMethod =
  (shared: Shared): Executions["await"] =>
  (id, options = {}) => {
    const operation = "executions.await"
    return Effect.flatMap(checkAwait(operation, options), (checked) =>
      spanned(operation, id, (account) => {
        const wait = awaitEnd(shared, id, checked, account)
        return options.cancelOnInterrupt === true ? cancelOnInterrupt(cancellerOf(shared), id, undefined, wait) : wait
      })
    )
  }

const runMethod =
  (shared: Shared): Executions["run"] =>
  <E = never>(request: Execution.CreateRequest, options: RunOptions<E> = {}) => {
    const operation = "executions.run"
    const canceller = cancellerOf(shared)
    const cancels = options.cancelOnInterrupt === true
    return Effect.flatMap(checkRun(operation, options), (checked) =>
      spanned(operation, undefined, (account) =>
        // Between the response to the create and the wait there is no gap in which an interruption skips the cancel.
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            const submitted = yield* restore(
              submit(shared, request, options, account, (key, create) =>
                cancels ? cancelOnInterruptedCreate(canceller, key, create) : create
              )
            )
            const { id, origin, sighting } = submitted
            const onAccepted = Effect.suspend(() => options.onAccepted?.(sighting.execution) ?? Effect.void)
            const wait = restore(Effect.zipRight(onAccepted, awaitEnd(shared, id, checked, account, submitted)))
            return yield* cancels ? cancelOnInterrupt(canceller, id, origin.idempotencyKey, wait) : wait
          })
        )
      )
    )
  }

const watchMethod =
  (shared: Shared): Executions["watch"] =>
  (id, options = {}) =>
    Stream.unwrap(
      Effect.map(checkWatch("executions.watch", options), (checked) => {
        const operation = "executions.watch"
        const account: telemetry.Account = { attempts: 0, executionId: id }
        const about = { operation, id, account, createdAt: shared.creates.get(id), wantsOutput: false }
        const polls: waiting.Polls = {
          execution: (deadline) => poll(shared, operation, id, account, { deadline }),
          result: (deadline) => poll(shared, operation, id, account, { deadline, request: calls.result })
        }
        const statuses = Effect.map(waiting.watcher(shared.waits, about, polls, checked), ({ isEnded, next }) =>
          Stream.takeUntil(Stream.repeatEffect(next), isEnded)
        )
        return telemetry.spannedStream(
          operation,
          account,
          Stream.changesWith(Stream.unwrapScoped(statuses), (a, b) => a.status === b.status)
        )
      })
    )

const resultMethod =
  (shared: Shared): Executions["result"] =>
  (id) => {
    const operation = "executions.result"
    return spanned(operation, id, (account) => {
      const latest = poll(shared, operation, id, account)
      const waiter: Waiter = { sender: shared.sender, operation, account, origin: {} }
      const notReady = (execution: Execution.Execution) => {
        const isWithoutOutput = execution.status === "COMPLETED"
        const state = isWithoutOutput ? "COMPLETED, but its output is not available yet" : `still ${execution.status}`
        const message = `Execution ${id} is ${state}. Wait for it with executions.await.`
        return new ExecutionNotReady({ ...aboutExecution(waiter, id), execution, message })
      }
      const concluded = ({ execution, hasNoOutput }: Sighting): Effect.Effect<Execution.Completed, ResultFailure> =>
        execution.status === "COMPLETED" && hasNoOutput !== true && decode.output(execution) === undefined
          ? Effect.fail(notReady(execution))
          : conclude(waiter, execution, () => notReady(execution))
      return poll(shared, operation, id, account, { request: calls.result }).pipe(
        Effect.flatMap((result) => {
          const isUsable = result.hasNoOutput === true || decode.output(result.execution) !== undefined
          // A replica can be behind: the execution itself may have the output.
          return isUsable || !["COMPLETED", "UNKNOWN"].includes(result.execution.status)
            ? Effect.succeed(result)
            : latest
        }),
        // Too early, ended without a result, or an API without this endpoint: the execution itself says which.
        Effect.catchIf(isClientError, (rejection) =>
          Effect.filterOrFail(
            latest,
            ({ execution }) => execution.status !== "COMPLETED" || decode.output(execution) !== undefined,
            () => rejection
          )
        ),
        Effect.flatMap(concluded)
      )
    })
  }

const observeMethod =
  ({ waits }: Shared): Executions["notify"] =>
  (execution) =>
    Effect.flatMap(monotonic.now, (seenAt) =>
      waits.looks.tell({ execution, seenAt, until: undefined })
        ? Effect.void
        : telemetry.safely(
            Effect.logDebug(`Execution ${execution.id} is ${execution.status}, and no wait for it runs in this client`)
          )
    )

/** @internal */
export const make = (
  sender: Sender,
  keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>,
  pollSchedule: waiting.Common["pollSchedule"]
): Executions => {
  const waits: waiting.Common = {
    looks: new Looks(),
    pollSchedule,
    durations: new Durations(),
    alarm: sender.alarm,
    isScarce: Effect.flatMap(sender.admission, ({ isScarce }) => isScarce)
  }
  const shared: Shared = { sender, keys, waits, creates: new RecentCreates() }
  return {
    create: (request, options = {}) =>
      spanned("executions.create", undefined, (account) =>
        Effect.map(submit(shared, request, options, account), ({ sighting }) => sighting.execution)
      ),
    get: (id) =>
      spanned("executions.get", id, (account) =>
        Effect.map(poll(shared, "executions.get", id, account), ({ execution }) => execution)
      ),
    result: resultMethod(shared),
    cancel: (id) => spanned("executions.cancel", id, (account) => cancel(shared, id, account)),
    notify: observeMethod(shared),
    watch: watchMethod(shared),
    await: awaitMethod(shared),
    run: runMethod(shared)
  }
}
