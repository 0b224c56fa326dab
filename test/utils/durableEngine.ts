/** Provides the cluster engines of the tests of durable executions. */
import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import type * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SingleRunner from "@effect/cluster/SingleRunner"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

type Sharding = Partial<ShardingConfig.ShardingConfig["Type"]>

/** Another worker detects a killed worker within seconds. */
const detection: Sharding = {
  refreshAssignmentsInterval: "1 second",
  entityMessagePollInterval: "2 seconds",
  runnerHealthCheckInterval: "5 seconds"
}

/** The settings of a cluster. `tuned` also has short locks. */
export const settings = {
  default: {},
  detection,
  tuned: { ...detection, shardLockExpiration: "9 seconds", shardLockRefreshInterval: "3 seconds" }
} satisfies Record<string, Sharding>

export type Settings = keyof typeof settings

const postgres = (url: string) => PgClient.layer({ url: Redacted.make(url) })

/** Provides the engine of a worker of a PostgreSQL cluster, and its SQL client. */
export const postgresWorker = (url: string, port: number, name: Settings = "tuned") =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(
      NodeClusterSocket.layer({
        shardingConfig: { ...settings[name], runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)) }
      })
    ),
    Layer.provideMerge(postgres(url)),
    Layer.orDie
  )

/** Provides the engine of a process that runs no workflows, and its SQL client. */
export const postgresClient = (url: string) =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(NodeClusterSocket.layer({ clientOnly: true, shardingConfig: settings.tuned })),
    Layer.provideMerge(postgres(url)),
    Layer.orDie
  )

/** Provides the engine of a single process with an SQLite file, and its SQL client. */
export const sqlite = (path: string) =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(SingleRunner.layer()),
    // Without bigint values, the identifiers of the engine lose precision.
    Layer.provideMerge(LibsqlClient.layer({ url: `file:${path}`, intMode: "bigint" })),
    Layer.orDie
  )
