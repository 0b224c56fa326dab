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
import type {
  AwaitFailure,
  AwaitTimeout,
  InvalidRequest,
  OutputDecodeError,
  RequestFailure,
  ResultFailure
} from "../../ModelRouteError.js"
import * as monotonic from "../data/monotonic.js"
import { RecentMap } from "../data/recentMap.js"
import { checksOf } from "../errors/optionChecks.js"
import type { RequestSender } from "../http/requestSender.js"
import { decodeCompleted } from "../typedModels/decode.js"
import { type AnyTyped, fromTyped, isTyped } from "../typedModels/request.js"
import { type Completed, RequestTypeId, type UploadSource, type WatchedExecution } from "../typedModels/types.js"
import * as telemetry from "../telemetry.js"
import { awaitResult, runResult, type Submit } from "./awaitEnd.js"
import { LatencyEstimator } from "./latencyEstimate.js"
import {
  cancel,
  type ExecutionsContext,
  fetchExecution,
  inSpan,
  submit,
  type SubmittedExecution
} from "./operations.js"
import type { AwaitOptions, CreateOptions, ModelOption, RunOptions, WatchOptions } from "./optionTypes.js"
import type { PollerContext, PollerOptions } from "./poller.js"
import { fetchCompleted } from "./result.js"
import { SharedPolls } from "./sharedPolls.js"
import { submitTyped } from "./typed.js"
import type { Executions } from "./types.js"
import { checkAwaitOptions, checkModel, checkRunOptions, checkWatchOptions, hasModel } from "./waitOptions.js"
import { watch, watchDecoded } from "./watch.js"

const makeCreate = (context: ExecutionsContext): Executions["create"] => {
  const operation = "executions.create"
  const create = <E>(
    options: CreateOptions,
    submitWith: (stats: telemetry.CallStats) => Effect.Effect<SubmittedExecution, E>
  ) =>
    Effect.zipRight(
      checksOf(operation).record("options", options),
      inSpan(operation, undefined, (stats) => Effect.map(submitWith(stats), ({ observation }) => observation.execution))
    )
  return <Out, E = never>(request: Execution.CreateRequest | AnyTyped<Out, E>, options: CreateOptions = {}) =>
    isTyped(request)
      ? create(options, (stats) => submitTyped(context, fromTyped(request), options, stats))
      : create(options, (stats) => submit(context, request, options, stats))
}
const makeGet =
  (context: ExecutionsContext): Executions["get"] =>
  (id) => {
    const operation = "executions.get"
    return inSpan(operation, id, (stats) =>
      Effect.map(fetchExecution(context, operation, id, stats), ({ execution }) => execution)
    )
  }

const makeResult = (context: ExecutionsContext): Executions["result"] => {
  const operation = "executions.result"
  function result<Out>(
    id: Execution.ExecutionId,
    options: ModelOption<Out>
  ): Effect.Effect<Completed<Out>, ResultFailure | OutputDecodeError>
  function result(id: Execution.ExecutionId): Effect.Effect<Execution.Completed, ResultFailure>
  function result(
    id: Execution.ExecutionId,
    options?: ModelOption<unknown>
  ): Effect.Effect<Execution.Completed, ResultFailure | OutputDecodeError> {
    if (!hasModel(options)) return inSpan(operation, id, (stats) => fetchCompleted(context, id, stats))
    return Effect.flatMap(checkModel(operation, options), (model) =>
      inSpan(operation, id, (stats) =>
        Effect.flatMap(fetchCompleted(context, id, stats), (completed) =>
          decodeCompleted(model, completed, { operation, attempts: stats.attempts })
        )
      )
    )
  }
  return result
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

const checkWait = (
  operation: string,
  id: Execution.ExecutionId,
  options: Either.Either<PollerOptions, InvalidRequest>
): Either.Either<PollerOptions, InvalidRequest> => Either.flatMap(checksOf(operation).id("id", id), () => options)

const makeWatch = (context: ExecutionsContext): Executions["watch"] => {
  const operation = "executions.watch"
  function watchExecution<Out>(
    id: Execution.ExecutionId,
    options: WatchOptions & ModelOption<Out>
  ): Stream.Stream<WatchedExecution<Out>, RequestFailure | AwaitTimeout | OutputDecodeError>
  function watchExecution(
    id: Execution.ExecutionId,
    options?: WatchOptions
  ): Stream.Stream<Execution.Execution, RequestFailure | AwaitTimeout>
  function watchExecution(
    id: Execution.ExecutionId,
    options: WatchOptions | (WatchOptions & ModelOption<unknown>) = {}
  ): Stream.Stream<Execution.Execution, RequestFailure | AwaitTimeout | OutputDecodeError> {
    const checks = checkWait(operation, id, checkWatchOptions(operation, options))
    if (!hasModel(options)) {
      return Stream.unwrap(Effect.map(checks, (checked) => watch(context, id, checked)))
    }
    return Stream.unwrap(
      Effect.zipWith(checks, checkModel(operation, options), (checked, model) =>
        watchDecoded(context, id, checked, model)
      )
    )
  }
  return watchExecution
}

const makeAwait = (context: ExecutionsContext): Executions["await"] => {
  const operation = "executions.await"
  function awaitExecution<Out>(
    id: Execution.ExecutionId,
    options: AwaitOptions & ModelOption<Out>
  ): Effect.Effect<Completed<Out>, AwaitFailure | OutputDecodeError>
  function awaitExecution(
    id: Execution.ExecutionId,
    options?: AwaitOptions
  ): Effect.Effect<Execution.Completed, AwaitFailure>
  function awaitExecution(
    id: Execution.ExecutionId,
    options: AwaitOptions | (AwaitOptions & ModelOption<unknown>) = {}
  ): Effect.Effect<Execution.Completed, AwaitFailure | OutputDecodeError> {
    const checks = checkWait(operation, id, checkAwaitOptions(operation, options))
    if (!hasModel(options)) {
      return Effect.flatMap(checks, (checked) =>
        inSpan(operation, id, (stats) => awaitResult(context, id, checked, options, stats))
      )
    }
    return Effect.flatMap(Either.all([checks, checkModel(operation, options)]), ([checked, model]) =>
      inSpan(operation, id, (stats) =>
        Effect.flatMap(awaitResult(context, id, checked, options, stats), (completed) =>
          decodeCompleted(model, completed, { operation, attempts: stats.attempts })
        )
      )
    )
  }
  return awaitExecution
}

const makeRun = (context: ExecutionsContext): Executions["run"] => {
  const operation = "executions.run"
  function run<Out, SE = never, E = never>(
    request: AnyTyped<Out, SE>,
    options?: RunOptions<E>
  ): Effect.Effect<Completed<Out>, AwaitFailure | OutputDecodeError | E | SE>
  function run<E = never>(
    request: Execution.CreateRequest,
    options?: RunOptions<E>
  ): Effect.Effect<Execution.Completed, AwaitFailure | E>
  function run<Out, SE, E>(
    request: Execution.CreateRequest | AnyTyped<Out, SE>,
    options: RunOptions<E> = {}
  ): Effect.Effect<Execution.Completed, AwaitFailure | OutputDecodeError | E | SE> {
    return Effect.flatMap(checkRunOptions(operation, options), (checked) =>
      inSpan(operation, undefined, (stats) => {
        if (!isTyped(request)) {
          const submitPlain: Submit<never> = (wrap) => submit(context, request, options, stats, wrap)
          return runResult(context, submitPlain, checked, options, stats)
        }
        const typed = fromTyped(request)
        const submitEncoded: Submit<SE> = (wrap) => submitTyped(context, typed, options, stats, wrap)
        return Effect.flatMap(runResult(context, submitEncoded, checked, options, stats), (completed) =>
          decodeCompleted(typed[RequestTypeId].model, completed, { operation, attempts: stats.attempts })
        )
      })
    )
  }
  return run
}

/** @internal Creates the methods of `client.executions`. */
export const make = (
  sender: RequestSender,
  keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>,
  pollSchedule: PollerContext["pollSchedule"],
  upload: UploadSource
): Executions => {
  const poller: PollerContext = {
    polls: new SharedPolls(),
    pollSchedule,
    latency: new LatencyEstimator(),
    timer: sender.timer,
    isScarce: Effect.contextWithEffect((services: Context.Context<never>) => sender.admissionOf(services).isScarce)
  }
  const context: ExecutionsContext = {
    sender,
    keys,
    poller,
    recentCreates: new RecentMap(),
    recordedEnds: new RecentMap(),
    upload
  }
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
