/**
 * Implements `executions.watch`.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Execution from "../../Execution.js"
import type { AwaitTimeout, OutputDecodeError, RequestFailure } from "../../ModelRouteError.js"
import { type AnyInput, decodeExecution, UndecodedExecution } from "../typedModels/decode.js"
import type { WatchedExecution } from "../typedModels/types.js"
import * as telemetry from "../telemetry.js"
import * as decode from "./decode.js"
import { type ExecutionsContext, pollRequests } from "./operations.js"
import { makePoller, type Poller, type PollerOptions, type WaitInfo } from "./poller.js"

const operation = "executions.watch"

/**
 * Polls an execution and returns the stream of its states from `toStates`. Omits a state that has the same status as
 * the previous state.
 */
const watchWith = <A extends { readonly status: Execution.Status }, E>(
  context: ExecutionsContext,
  id: Execution.ExecutionId,
  checked: PollerOptions,
  isOutputRequired: boolean,
  toStates: (poller: Poller, stats: telemetry.CallStats) => Stream.Stream<A, E>
): Stream.Stream<A, E> => {
  const stats: telemetry.CallStats = { attempts: 0, executionId: id }
  const createdAt = context.recentCreates.get(id)
  const info: WaitInfo = { operation, id, stats, createdAt, isOutputRequired }
  const requests = pollRequests(context, operation, id, stats)
  const poller = Effect.acquireRelease(makePoller(context.poller, info, requests, checked), (made) =>
    Effect.sync(() => made.close())
  )
  const states = Stream.flatMap(Stream.scoped(poller), (made) => toStates(made, stats))
  const changes = Stream.changesWith(states, (a, b) => a.status === b.status)
  return telemetry.withOperationSpanStream(operation, stats, changes)
}

/** @internal Returns a stream that emits the execution after each change of status. */
export const watch = (
  context: ExecutionsContext,
  id: Execution.ExecutionId,
  checked: PollerOptions
): Stream.Stream<Execution.Execution, RequestFailure | AwaitTimeout> =>
  watchWith(context, id, checked, false, (poller) =>
    Stream.takeUntil(Stream.repeatEffect(poller.next), () => poller.isEnded())
  )

/**
 * Returns a stream that emits the execution after each change of status. Decodes the output of a COMPLETED execution
 * with `model`.
 *
 * @internal
 */
export const watchDecoded = <Out>(
  context: ExecutionsContext,
  id: Execution.ExecutionId,
  checked: PollerOptions,
  model: AnyInput<Out>
): Stream.Stream<WatchedExecution<Out>, RequestFailure | AwaitTimeout | OutputDecodeError> =>
  watchWith(context, id, checked, true, (poller, stats) => {
    const next = Effect.flatMap(
      poller.next,
      (
        execution
      ): Effect.Effect<Option.Option<WatchedExecution<Out>>, RequestFailure | AwaitTimeout | OutputDecodeError> => {
        if (execution.status !== "COMPLETED") return Effect.succeedSome(UndecodedExecution.of(execution))
        // The stream emits COMPLETED only when the output is available.
        if (!poller.isEnded()) return Effect.succeedNone
        const { attempts } = stats
        return Effect.asSome(decodeExecution(model, execution, decode.toCompleted(execution), { operation, attempts }))
      }
    )
    return Stream.repeatEffect(next).pipe(
      Stream.takeUntil(() => poller.isEnded()),
      Stream.filterMap((state) => state)
    )
  })
