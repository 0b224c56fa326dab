/**
 * Deletes durable executions from the database of a cluster. Requires the packages `@effect/workflow` and
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
 * Deletes the rows that the engine stores for a durable execution. The rows contain the request, the output, the
 * signals and the clocks. The engine itself never deletes these rows. Has no effect if the durable execution does not
 * exist.
 *
 * After `forget`, `await` waits until the durable execution is started again. A new start with the same id uses the
 * same idempotency key. If the API still knows the key, the API returns the existing execution. After the key has
 * expired, the API creates a second, paid execution.
 *
 * A later `resume`, `cancel` or webhook event for the deleted execution stores a row again. Another call of `forget`
 * deletes this row.
 *
 * Fails with `InvalidRequest` if the durable execution has not ended. Fails with `PersistenceError` if the database
 * fails.
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
