/**
 * Deletes the messages that the workflow engine stores for a workflow and for its clocks.
 *
 * @internal
 */
import type { PersistenceError } from "@effect/cluster/ClusterError"
import * as ClusterSchema from "@effect/cluster/ClusterSchema"
import { EntityAddress } from "@effect/cluster/EntityAddress"
import { EntityId } from "@effect/cluster/EntityId"
import { EntityType } from "@effect/cluster/EntityType"
import { MessageStorage } from "@effect/cluster/MessageStorage"
import { Sharding } from "@effect/cluster/Sharding"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { hasEnded, retryDefects } from "../durable/signals.js"
import { workflow, workflowIdOf } from "../durable/workflow.js"
import { invalidRequest } from "../errors/invalidRequest.js"

/** Entity type under which the cluster engine stores the messages of a workflow. */
const workflowEntity = EntityType.make(`Workflow/${workflow.name}`)
const clockEntity = EntityType.make("Workflow/-/DurableClock")

const notEnded = invalidRequest(
  "ClusterDurableExecution.forget",
  "id",
  "belongs to an execution that has not ended",
  "Wait for its end with DurableExecution.await, or call DurableExecution.cancel first."
)

/**
 * Deletes all rows that the cluster engine stores for the durable execution `id`. Fails with `InvalidRequest` if the
 * durable execution has not ended. Fails with `PersistenceError` if the database fails.
 *
 * @internal
 */
export const forget = (
  id: string
): Effect.Effect<void, InvalidRequest | PersistenceError, WorkflowEngine | Sharding | MessageStorage> =>
  Effect.gen(function* () {
    const sharding = yield* Sharding
    const storage = yield* MessageStorage
    const workflowId = workflowIdOf(id)
    const entityId = EntityId.make(workflowId)
    const shardGroup = Context.get(workflow.annotations, ClusterSchema.ShardGroup)(entityId)
    const addressOf = (entityType: EntityType): EntityAddress =>
      new EntityAddress({ entityType, entityId, shardId: sharding.getShardId(entityId, shardGroup) })
    const run = yield* storage.requestIdForPrimaryKey({ address: addressOf(workflowEntity), tag: "run", id: "" })
    if (Option.isSome(run) && !(yield* retryDefects(hasEnded(id)))) return yield* notEnded
    yield* storage.clearAddress(addressOf(workflowEntity))
    yield* storage.clearAddress(addressOf(clockEntity))
  })
