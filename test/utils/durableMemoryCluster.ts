/** Provides the cluster engine with a storage in memory, so that a test can inspect and break the storage. */
import {
  ClusterWorkflowEngine,
  MessageStorage,
  Runners,
  RunnerHealth,
  RunnerStorage,
  Sharding,
  ShardingConfig,
  Snowflake
} from "@effect/cluster"
import { Effect, Layer } from "effect"
import { RetryPolicy } from "effect-modelroute"
import * as DurableExecution from "effect-modelroute/DurableExecution"
import * as harness from "./harness.js"

export interface Setup extends harness.Setup {
  readonly durable?: DurableExecution.Options
  /** Wraps the storage of the messages. Default: no wrapper */
  readonly wrapStorage?: (storage: MessageStorage.Encoded) => Partial<MessageStorage.Encoded>
}

const storage = (wrap: Setup["wrapStorage"]) =>
  Layer.effect(
    MessageStorage.MessageStorage,
    Effect.flatMap(MessageStorage.MemoryDriver, ({ encoded }) =>
      MessageStorage.makeEncoded({ ...encoded, ...wrap?.(encoded) })
    )
  ).pipe(Layer.provideMerge(MessageStorage.MemoryDriver.Default), Layer.provide(Snowflake.layerGenerator))

/** Provides a worker on a cluster of one runner. Uses the real clock. The client does not retry. */
export const layer = ({ durable, wrapStorage, ...setup }: Setup = {}) => {
  const sharding = ShardingConfig.layer({ entityMessagePollInterval: "100 millis", shardsPerGroup: 10 })
  const cluster = Sharding.layer.pipe(
    Layer.provideMerge(Runners.layerNoop),
    Layer.provideMerge(storage(wrapStorage)),
    Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop, sharding])
  )
  return DurableExecution.layer({ baseDelay: "2 seconds", maxDelay: "2 seconds", ...durable }).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        DurableExecution.layerSuspensionStoreMemory,
        harness.layer({ ...setup, client: { retry: RetryPolicy.none, ...setup.client } }),
        Layer.provideMerge(ClusterWorkflowEngine.layer, cluster)
      )
    )
  )
}
