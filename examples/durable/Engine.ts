/**
 * The workflow engines of the example. PostgreSQL serves several machines. SQLite serves one process.
 */
import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import type * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SingleRunner from "@effect/cluster/SingleRunner"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Config, Effect, Layer, Option } from "effect"
import * as SqlSuspensionStore from "effect-modelroute/SqlSuspensionStore"

/** Moves the workflows of a killed worker after a few seconds. The defaults need about 30 seconds. */
const sharding = {
  shardLockExpiration: "9 seconds",
  shardLockRefreshInterval: "3 seconds",
  refreshAssignmentsInterval: "1 second",
  entityMessagePollInterval: "2 seconds",
  runnerHealthCheckInterval: "5 seconds"
} satisfies Partial<ShardingConfig.ShardingConfig["Type"]>

/**
 * The other processes reach this runner at `RUNNER_HOST` and `RUNNER_PORT`. Use a port below 32768, because Linux
 * assigns the ports above it to outgoing connections.
 */
const runnerAddress = Effect.map(
  Config.all({ host: Config.nonEmptyString("RUNNER_HOST"), port: Config.integer("RUNNER_PORT") }),
  ({ host, port }) => Option.some(RunnerAddress.make(host, port))
)

const sockets = Layer.unwrapEffect(
  Effect.map(runnerAddress, (address) =>
    NodeClusterSocket.layer({ shardingConfig: { ...sharding, runnerAddress: address } })
  )
)

const postgres = PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })

/** Runs workflows. All workers of a database share the workflows. */
export const worker = Layer.merge(Layer.provide(ClusterWorkflowEngine.layer, sockets), SqlSuspensionStore.layer()).pipe(
  Layer.provide(postgres)
)

/** Starts workflows, passes events to workflows and reads results. Runs no workflow. */
export const clientOnly = ClusterWorkflowEngine.layer.pipe(
  Layer.provide(NodeClusterSocket.layer({ clientOnly: true, shardingConfig: sharding })),
  Layer.provide(postgres)
)

/** The ids of the engine exceed 2^53, so `bigint` is required. */
const sqlite = LibsqlClient.layerConfig({ url: Config.string("DATABASE_URL"), intMode: Config.succeed("bigint") })

/** Runs all workflows in one process. */
export const single = Layer.merge(
  Layer.provide(ClusterWorkflowEngine.layer, SingleRunner.layer({ shardingConfig: sharding })),
  SqlSuspensionStore.layer()
).pipe(Layer.provide(sqlite))
