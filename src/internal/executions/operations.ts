/**
 * Sends the requests for executions. The methods of `client.executions` combine these operations.
 *
 * @internal
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Execution from "../../Execution.js"
import type * as IdempotencyKey from "../../IdempotencyKey.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { omitUndefined } from "../data/lenient.js"
import type { RecentMap } from "../data/recentMap.js"
import { isClientError } from "../errors/semantics.js"
import type { RequestSender } from "../http/requestSender.js"
import { retryLoop } from "../http/retryLoop.js"
import type { UploadSource } from "../typedModels/types.js"
import * as telemetry from "../telemetry.js"
import type { Observation } from "./observation.js"
import type { PollerContext, PollRequests } from "./poller.js"
import * as requests from "./requests.js"

/** @internal The services that the methods of one client share. */
export interface ExecutionsContext {
  readonly sender: RequestSender
  readonly keys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>
  readonly poller: PollerContext
  /**
   * The time of the create response for each of the last 1000 executions of this client, in monotonic milliseconds.
   * During the 60 seconds after this time, a 404 does not end a wait. A stale replica of the API may not contain the
   * new execution.
   */
  readonly recentCreates: RecentMap<Execution.ExecutionId, number>
  /**
   * The executions whose end the metrics already contain. A second wait for one of these executions must not count its
   * end again.
   */
  readonly recordedEnds: RecentMap<Execution.ExecutionId, true>
  /** Uploads a file source in the input of a typed model and returns the id of the file. */
  readonly upload: UploadSource
}

/** @internal A submitted execution and the context of its create request. */
export interface SubmittedExecution {
  readonly id: Execution.ExecutionId
  readonly observation: Observation
  readonly create: requests.CreateContext
}

/** @internal Runs an operation in a tracing span. */
export const inSpan = <A, E>(
  operation: string,
  executionId: Execution.ExecutionId | undefined,
  run: (stats: telemetry.CallStats) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const stats: telemetry.CallStats = { attempts: 0, executionId }
    return telemetry.withOperationSpan(operation, stats, run(stats))
  })

interface FetchOptions {
  readonly create?: requests.CreateContext
  /** The rate limit may delay the request until this time, in monotonic milliseconds. */
  readonly deadline?: number
}

const makeFetch =
  (makeCall: typeof requests.get) =>
  (
    { sender }: ExecutionsContext,
    operation: string,
    id: Execution.ExecutionId,
    stats: telemetry.CallStats,
    { create, deadline }: FetchOptions = {}
  ): Effect.Effect<Observation, RequestFailure> =>
    Effect.flatMap(makeCall(operation, id, create), (call) =>
      Effect.map(retryLoop(sender, { ...call, ...omitUndefined({ deadline }) }, stats), (observation) => {
        stats.model ??= observation.execution.model
        return observation
      })
    )

/** @internal Fetches the latest state of an execution. */
export const fetchExecution = makeFetch(requests.get)

/** @internal Fetches the result of an execution. */
export const fetchResult = makeFetch(requests.result)

/** @internal */
export const pollRequests = (
  context: ExecutionsContext,
  operation: string,
  id: Execution.ExecutionId,
  stats: telemetry.CallStats,
  create: requests.CreateContext = {}
): PollRequests => ({
  execution: (deadline) => fetchExecution(context, operation, id, stats, { create, deadline }),
  result: (deadline) => fetchResult(context, operation, id, stats, { create, deadline })
})

/**
 * Receives the create request and its idempotency key. Returns the effect that runs instead of the create request.
 *
 * @internal
 */
export type WrapCreate = (
  create: Effect.Effect<SubmittedExecution, RequestFailure>,
  idempotencyKey: string
) => Effect.Effect<SubmittedExecution, RequestFailure>

/** @internal */
export const submit = (
  context: ExecutionsContext,
  request: Execution.CreateRequest,
  options: { readonly idempotencyKey?: string | undefined },
  stats: telemetry.CallStats,
  wrap: WrapCreate = identity
): Effect.Effect<SubmittedExecution, RequestFailure> =>
  Effect.flatMap(requests.create(context.keys, request, options.idempotencyKey), (call) => {
    const { confidential, idempotencyKey } = call
    stats.model = request.model
    const create = Effect.map(retryLoop(context.sender, call, stats), (observation): SubmittedExecution => {
      const { id } = observation.execution
      stats.executionId = id
      context.recentCreates.set(id, observation.observedAt)
      return { id, observation, create: { idempotencyKey, ...omitUndefined({ confidential }) } }
    })
    return wrap(create, idempotencyKey)
  })

/** @internal Cancels an execution and returns its latest state. Succeeds if the execution had already ended. */
export const cancel = (
  context: ExecutionsContext,
  id: Execution.ExecutionId,
  stats: telemetry.CallStats,
  deadline?: number
): Effect.Effect<Execution.Execution, RequestFailure> => {
  const operation = "executions.cancel"
  const latest = Effect.map(
    fetchExecution(context, operation, id, stats, omitUndefined({ deadline })),
    ({ execution }) => execution
  )
  return requests.cancel(operation, id).pipe(
    Effect.flatMap((call) => retryLoop(context.sender, { ...call, ...omitUndefined({ deadline }) }, stats)),
    Effect.flatMap(Option.filter(({ status }) => status !== "UNKNOWN")),
    Effect.catchTag("NoSuchElementException", () => latest),
    // A 4xx response usually means that the execution has already ended. If the latest state is terminal, returns this
    // state. Otherwise, fails with the 4xx response.
    Effect.catchIf(isClientError, (rejection) =>
      Effect.mapError(Effect.filterOrFail(latest, Execution.isTerminal), () => rejection)
    )
  )
}
