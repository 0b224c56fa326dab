/**
 * Connects the processes of a cluster through PostgreSQL and sockets.
 */
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import type * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Config, Effect, Layer, Option } from "effect"

/** Moves the work of a killed process within about 10 seconds. The defaults need about 40 seconds. */
export const sharding = {
  shardLockExpiration: "9 seconds",
  shardLockRefreshInterval: "3 seconds",
  refreshAssignmentsInterval: "1 second",
  entityMessagePollInterval: "2 seconds",
  runnerHealthCheckInterval: "5 seconds"
} satisfies Partial<ShardingConfig.ShardingConfig["Type"]>

/** The database at `DATABASE_URL`. */
export const postgres = PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })

/**
 * Makes this process a runner of the cluster. The other processes connect to `RUNNER_HOST` and `RUNNER_PORT`. Use a
 * port below 32768, because Linux assigns the ports above it to outgoing connections.
 */
export const runner = Layer.unwrapEffect(
  Effect.map(
    Config.all({ host: Config.nonEmptyString("RUNNER_HOST"), port: Config.integer("RUNNER_PORT") }),
    ({ host, port }) =>
      NodeClusterSocket.layer({
        shardingConfig: { ...sharding, runnerAddress: Option.some(RunnerAddress.make(host, port)) }
      })
  )
)
