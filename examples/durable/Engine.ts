/**
 * The workflow engines of the example. PostgreSQL serves several machines. SQLite serves one process.
 */
import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import * as SingleRunner from "@effect/cluster/SingleRunner"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { Config, Layer } from "effect"
import * as SqlSuspensionStore from "effect-modelroute/SqlSuspensionStore"
import * as Cluster from "../support/Cluster.js"

/** Runs workflows. All workers of a database share the workflows. */
export const worker = Layer.merge(
  Layer.provide(ClusterWorkflowEngine.layer, Cluster.runner),
  SqlSuspensionStore.layer()
).pipe(Layer.provide(Cluster.postgres))

/** Starts workflows, passes events to workflows and reads results. Runs no workflow. */
export const clientOnly = ClusterWorkflowEngine.layer.pipe(
  Layer.provide(NodeClusterSocket.layer({ clientOnly: true, shardingConfig: Cluster.sharding })),
  Layer.provide(Cluster.postgres)
)

/** The ids of the engine exceed 2^53, so `bigint` is required. */
const sqlite = LibsqlClient.layerConfig({ url: Config.string("DATABASE_URL"), intMode: Config.succeed("bigint") })

/** Runs all workflows in one process. */
export const single = Layer.merge(
  Layer.provide(ClusterWorkflowEngine.layer, SingleRunner.layer({ shardingConfig: Cluster.sharding })),
  SqlSuspensionStore.layer()
).pipe(Layer.provide(sqlite))
