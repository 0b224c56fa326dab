/**
 * Implements the methods of `client.executions`.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type * as Execution from "../../Execution.js"
import type * as IdempotencyKey from "../../IdempotencyKey.js"
import {
  AwaitTimeout,
  type AwaitFailure,
  ExecutionNotReady,
  type InvalidRequest,
  type ResultFailure
} from "../../ModelRouteError.js"
import { omitUndefined } from "../data/lenient.js"
import * as monotonic from "../data/monotonic.js"
import { runCallback } from "../errors/callback.js"
import { checksOf } from "../errors/optionChecks.js"
import { isClientError } from "../errors/semantics.js"
import type { RequestSender } from "../http/requestSender.js"
import * as telemetry from "../telemetry.js"
import { cancelOnInterrupt, cancelOnInterruptedCreate, type Canceller } from "./cancelOnInterrupt.js"
import { errorFields, toResult, type WaitContext } from "./completion.js"
import * as decode from "./decode.js"
import { LatencyEstimator } from "./latencyEstimate.js"
import { lacksOutput, type Observation } from "./observation.js"
import {
  cancel,
  type ExecutionsContext,
  fetchExecution,
  fetchResult,
  inSpan,
  pollRequests,
  submit,
  type SubmittedExecution
} from "./operations.js"
import { makePoller, type Poller, type PollerContext, type PollerOptions, type WaitInfo, withPoller } from "./poller.js"
import { RecentCreates } from "./recentCreates.js"
import { SharedPolls } from "./sharedPolls.js"
import type { Executions, RunOptions } from "./types.js"
import { checkAwaitOptions, checkRunOptions, checkWatchOptions } from "./waitOptions.js"

const makeCreate =
  (context: ExecutionsContext): Executions["create"] =>
  (request, options = {}) =>
    Effect.zipRight(
      checksOf("executions.create").record("options", options),
      inSpan("executions.create", undefined, (stats) =>
        Effect.map(submit(context, request, options, stats), ({ observation }) => observation.execution)
      )
    )

const makeGet =
  (context: ExecutionsContext): Executions["get"] =>
  (id) => {
    const operation = "executions.get"
    return inSpan(operation, id, (stats) =>
      Effect.map(fetchExecution(context, operation, id, stats), ({ execution }) => execution)
    )
  }

const hasOutput = ({ execution, hasNoOutput }: Observation): boolean =>
  hasNoOutput === true || decode.outputOf(execution) !== undefined

const makeResult =
  (context: ExecutionsContext): Executions["result"] =>
  (id) => {
    const operation = "executions.result"
    return inSpan(operation, id, (stats) => {
      const waitContext: WaitContext = { sender: context.sender, operation, stats, create: {} }
      const latest = fetchExecution(context, operation, id, stats)
      const notReady = (execution: Execution.Execution) => {
        const isWithoutOutput = execution.status === "COMPLETED"
        const state = isWithoutOutput
          ? "COMPLETED, but its output is not available yet"
          : `still ${decode.describeStatus(execution.status)}`
        const message = `Execution ${id} is ${state}. Wait for the execution with executions.await.`
        return new ExecutionNotReady({ ...errorFields(waitContext, id), execution, message })
      }
      const toCompleted = (observation: Observation): Effect.Effect<Execution.Completed, ResultFailure> =>
        lacksOutput(observation)
          ? Effect.fail(notReady(observation.execution))
          : toResult(waitContext, observation.execution, notReady)
      return fetchResult(context, operation, id, stats).pipe(
        Effect.flatMap((result) => {
          const isOutdated = !hasOutput(result) && ["COMPLETED", "UNKNOWN"].includes(result.execution.status)
          // A stale replica can omit the output, so the execution itself may already contain it.
          return isOutdated ? latest : Effect.succeed(result)
        }),
        // After a 4xx response, the state of the execution determines the result or the error.
        Effect.catchIf(isClientError, (rejection) =>
          Effect.filterOrFail(
            latest,
            ({ execution }) => execution.status !== "COMPLETED" || decode.outputOf(execution) !== undefined,
            () => rejection
          )
        ),
        Effect.flatMap(toCompleted)
      )
    })
  }

const makeCancel =
  (context: ExecutionsContext): Executions["cancel"] =>
  (id) =>
    inSpan("executions.cancel", id, (stats) => cancel(context, id, stats))

const makeNotify =
  ({ poller }: ExecutionsContext): Executions["notify"] =>
  (execution) =>
    Effect.flatMap(monotonic.now, (observedAt) =>
      poller.polls.notify({ execution, observedAt, deadline: undefined })
        ? Effect.void
        : telemetry.runSafely(
            Effect.logDebug(
              `Execution ${execution.id} is ${execution.status}, and this client has no wait for the execution`
            )
          )
    )

/** Returns the validated options, or `InvalidRequest` if the id or an option is invalid. */
const checkWait = (
  operation: string,
  id: Execution.ExecutionId,
  options: Either.Either<PollerOptions, InvalidRequest>
): Either.Either<PollerOptions, InvalidRequest> => Either.flatMap(checksOf(operation).id("id", id), () => options)

const makeWatch =
  (context: ExecutionsContext): Executions["watch"] =>
  (id, options = {}) => {
    const operation = "executions.watch"
    return Stream.unwrap(
      Effect.map(checkWait(operation, id, checkWatchOptions(operation, options)), (checked) => {
        const stats: telemetry.CallStats = { attempts: 0, executionId: id }
        const createdAt = context.recentCreates.get(id)
        const info: WaitInfo = { operation, id, stats, createdAt, isOutputRequired: false }
        const requests = pollRequests(context, operation, id, stats)
        const poller = Effect.acquireRelease(makePoller(context.poller, info, requests, checked), (made) =>
          Effect.sync(() => made.close())
        )
        const executions = Stream.flatMap(Stream.scoped(poller), (made) =>
          Stream.takeUntil(Stream.repeatEffect(made.next), () => made.isEnded())
        )
        const changes = Stream.changesWith(executions, (a, b) => a.status === b.status)
        return telemetry.withOperationSpanStream(operation, stats, changes)
      })
    )
  }

/** Waits until an execution has ended. Unlike `Effect.repeat`, this loop keeps no schedule in memory during the wait. */
const untilEnded = (poller: Poller): Poller["next"] =>
  Effect.flatMap(poller.next, (execution) => (poller.isEnded() ? Effect.succeed(execution) : untilEnded(poller)))

/** Waits until an execution has ended and its output is available. Returns the result. */
const awaitEnd = (
  context: ExecutionsContext,
  id: Execution.ExecutionId,
  options: PollerOptions,
  stats: telemetry.CallStats,
  submitted?: SubmittedExecution
): Effect.Effect<Execution.Completed, AwaitFailure> => {
  const operation = "executions.await"
  const create = submitted?.create ?? {}
  const waitContext: WaitContext = { sender: context.sender, operation, stats, create }
  const info: WaitInfo = {
    operation,
    id,
    stats,
    createdAt: context.recentCreates.get(id),
    isOutputRequired: true,
    ...omitUndefined({ idempotencyKey: create.idempotencyKey })
  }
  const requests = pollRequests(context, operation, id, stats, create)
  const ended = withPoller(context.poller, info, requests, options, submitted?.observation, untilEnded)
  return Effect.flatMap(ended, (execution) =>
    toResult(waitContext, execution, () => {
      const message = `Execution ${id} is still ${decode.describeStatus(execution.status)}. Wait for the execution with executions.await.`
      return new AwaitTimeout({ ...errorFields(waitContext, id), execution, message })
    })
  )
}

const makeCanceller = (context: ExecutionsContext): Canceller => ({
  timer: context.sender.timer,
  cancel: (id, deadline) => inSpan("executions.cancel", id, (stats) => cancel(context, id, stats, deadline))
})

const makeAwait =
  (context: ExecutionsContext): Executions["await"] =>
  (id, options = {}) => {
    const operation = "executions.await"
    return Effect.flatMap(checkWait(operation, id, checkAwaitOptions(operation, options)), (checked) =>
      inSpan(operation, id, (stats) => {
        const wait = awaitEnd(context, id, checked, stats)
        return options.cancelOnInterrupt === true
          ? cancelOnInterrupt(makeCanceller(context), id, undefined, wait)
          : wait
      })
    )
  }

const makeRun =
  (context: ExecutionsContext): Executions["run"] =>
  <E = never>(request: Execution.CreateRequest, options: RunOptions<E> = {}) => {
    const operation = "executions.run"
    return Effect.flatMap(checkRunOptions(operation, options), (checked) => {
      const canceller = options.cancelOnInterrupt === true ? makeCanceller(context) : undefined
      return inSpan(operation, undefined, (stats) =>
        // Without the mask, an interruption between the create response and the wait would skip the cancel request.
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            const submitted = yield* restore(
              submit(context, request, options, stats, (create, key) =>
                canceller === undefined ? create : cancelOnInterruptedCreate(canceller, key, create)
              )
            )
            const { create, id, observation } = submitted
            const { onAccepted } = options
            const accepted =
              onAccepted === undefined
                ? Effect.void
                : runCallback(operation, "onAccepted", () => onAccepted(observation.execution), {
                    attempts: stats.attempts,
                    executionId: id,
                    ...omitUndefined({ idempotencyKey: create.idempotencyKey })
                  })
            const wait = restore(Effect.zipRight(accepted, awaitEnd(context, id, checked, stats, submitted)))
            return yield* canceller === undefined ? wait : cancelOnInterrupt(canceller, id, create.idempotencyKey, wait)
          })
        )
      )
    })
  }

/** @internal Creates the methods of `client.executions`. */
export const make = (
  sender: RequestSender,
  keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>,
  pollSchedule: PollerContext["pollSchedule"]
): Executions => {
  const poller: PollerContext = {
    polls: new SharedPolls(),
    pollSchedule,
    latency: new LatencyEstimator(),
    timer: sender.timer,
    isScarce: Effect.contextWithEffect((services: Context.Context<never>) => sender.admissionOf(services).isScarce)
  }
  const context: ExecutionsContext = { sender, keys, poller, recentCreates: new RecentCreates() }
  return {
    create: makeCreate(context),
    get: makeGet(context),
    result: makeResult(context),
    cancel: makeCancel(context),
    notify: makeNotify(context),
    watch: makeWatch(context),
    await: makeAwait(context),
    run: makeRun(context)
  }
}
