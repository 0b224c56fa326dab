/** Provides the cluster of a worker that shares a rate limit. */
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Layer, Option, Redacted } from "effect"
import { settings } from "./durableEngine.js"
import type { LimitArguments } from "./limitWorkerLines.js"

export const limitEngine = ({ databaseUrl, isClientOnly, isTuned, port }: LimitArguments) => {
  const sharding = isTuned ? settings.tuned : settings.default
  const cluster = isClientOnly
    ? NodeClusterSocket.layer({ clientOnly: true, shardingConfig: sharding })
    : NodeClusterSocket.layer({
        shardingConfig: { ...sharding, runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)) }
      })
  return Layer.orDie(Layer.provide(cluster, PgClient.layer({ url: Redacted.make(databaseUrl) })))
}
