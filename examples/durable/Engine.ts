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

/** Moves the workflows of a killed worker after about 5 seconds. The defaults need about 30 seconds. */
const sharding = {
  shardLockExpiration: "9 seconds",
  shardLockRefreshInterval: "3 seconds",
  refreshAssignmentsInterval: "1 second",
  entityMessagePollInterval: "2 seconds",
  runnerHealthCheckInterval: "5 seconds"
} satisfies Partial<ShardingConfig.ShardingConfig["Type"]>

const postgres = PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })

/** Runs workflows. The other processes reach this runner at `RUNNER_HOST` and `RUNNER_PORT`. */
export const runner = Layer.unwrapEffect(
  Effect.map(
    Config.all({ host: Config.nonEmptyString("RUNNER_HOST"), port: Config.integer("RUNNER_PORT") }),
    ({ host, port }) =>
      ClusterWorkflowEngine.layer.pipe(
        Layer.provide(
          NodeClusterSocket.layer({
            shardingConfig: { ...sharding, runnerAddress: Option.some(RunnerAddress.make(host, port)) }
          })
        )
      )
  )
).pipe(Layer.provide(postgres))

/** Starts workflows, passes events to workflows and reads results. Runs no workflow. */
export const clientOnly = ClusterWorkflowEngine.layer.pipe(
  Layer.provide(NodeClusterSocket.layer({ clientOnly: true, shardingConfig: sharding })),
  Layer.provide(postgres)
)

/** Does everything in one process. `bigint` is required, because the ids of the engine exceed 2^53. */
export const single = ClusterWorkflowEngine.layer.pipe(
  Layer.provide(SingleRunner.layer({ shardingConfig: sharding })),
  Layer.provide(LibsqlClient.layerConfig({ url: Config.string("DATABASE_URL"), intMode: Config.succeed("bigint") }))
)
