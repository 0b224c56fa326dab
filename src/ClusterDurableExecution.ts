/**
 * Deletes durable executions from the storage of a cluster. Requires the packages `@effect/workflow` and
 * `@effect/cluster`.
 *
 * @since 0.1.0
 */
import type { PersistenceError } from "@effect/cluster/ClusterError"
import type { MessageStorage } from "@effect/cluster/MessageStorage"
import type { Sharding } from "@effect/cluster/Sharding"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import type * as Effect from "effect/Effect"
import * as internal from "./internal/cluster/forget.js"
import type { InvalidRequest } from "./ModelRouteError.js"

/**
 * Deletes the request, the output, the signals and the clocks that the engine stores for a durable execution. The
 * engine itself never deletes these rows. Has no effect if the execution does not exist.
 *
 * After `forget`, `await` waits until the execution is started again. A new start with the same id uses the same
 * idempotency key. The API then returns the existing execution until the key expires. Later, the API creates a second
 * execution.
 *
 * A later `resume`, `cancel` or webhook event stores a row again. Another call of `forget` deletes this row.
 *
 * Fails with `InvalidRequest` if the execution has not ended. Fails with `PersistenceError` if the database fails.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as ClusterDurableExecution from "effect-modelroute/ClusterDurableExecution"
 * import * as DurableExecution from "effect-modelroute/DurableExecution"
 *
 * // The engine keeps no copy of the output after the file ids have been returned.
 * export const takeFileIds = (orderId: string) =>
 *   Effect.gen(function* () {
 *     const { fileIds } = yield* DurableExecution.await(orderId)
 *     yield* ClusterDurableExecution.forget(orderId)
 *     return fileIds
 *   })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const forget: (
  id: string
) => Effect.Effect<void, InvalidRequest | PersistenceError, WorkflowEngine | Sharding | MessageStorage> =
  internal.forget
