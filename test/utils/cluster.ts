/** Provides a cluster in memory whose runners can be killed. Sends only messages that are not persisted. */
import * as ClusterError from "@effect/cluster/ClusterError"
import * as MachineId from "@effect/cluster/MachineId"
import * as Message from "@effect/cluster/Message"
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as Reply from "@effect/cluster/Reply"
import type { Runner } from "@effect/cluster/Runner"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as Runners from "@effect/cluster/Runners"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import type { ShardId } from "@effect/cluster/ShardId"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as Snowflake from "@effect/cluster/Snowflake"
import type * as Rpc from "@effect/rpc/Rpc"
import { Context, Deferred, Effect, Layer, Option, Redacted, Schema, Scope, TestClock } from "effect"
import { type ModelRouteError, RateLimitGate } from "effect-modelroute"
import * as ClusterRateLimitGate from "effect-modelroute/ClusterRateLimitGate"
import { apiKey, start } from "./harness.js"

const keyOf = ({ host, port }: RunnerAddress.RunnerAddress): string => `${host}:${port}`

interface Process {
  readonly sharding: Sharding.Sharding["Type"]
  readonly killed: Deferred.Deferred<void>
}

export interface Call {
  readonly tag: string
  /** JSON of the message. */
  readonly text: string
  readonly to: RunnerAddress.RunnerAddress
}

export class MemoryCluster {
  private readonly runners = new Map<string, Runner>()
  private readonly processes = new Map<string, Process>()
  private readonly locks = new Map<string, string>()
  /** Runners whose messages are lost. */
  private readonly dead = new Set<string>()
  private port = 0
  private machines = 0
  /** Calls that were sent from one process to another. */
  readonly calls: Array<Call> = []
  /** `false` loses all messages between processes. */
  isConnected = true

  /** Kills a process. Its shards stay locked until `expire`. */
  kill(address: RunnerAddress.RunnerAddress): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.dead.add(keyOf(address))
      const process = this.processes.get(keyOf(address))
      return process === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(process.killed, undefined))
    })
  }

  /** Removes the locks of a killed runner, so that other runners acquire its shards. */
  expire(address: RunnerAddress.RunnerAddress): Effect.Effect<void> {
    return Effect.sync(() => {
      this.runners.delete(keyOf(address))
      for (const [shard, owner] of this.locks) if (owner === keyOf(address)) this.locks.delete(shard)
    })
  }

  /** Returns the address of the runner that owns the shard. */
  ownerOf(shard: ShardId): string | undefined {
    return this.locks.get(shard.toString())
  }

  /** Returns the storage for a process. A killed process waits forever. */
  private storageOf(self: RunnerAddress.RunnerAddress) {
    return RunnerStorage.RunnerStorage.of({
      getRunners: Effect.suspend(() =>
        this.dead.has(keyOf(self))
          ? Effect.never
          : Effect.succeed(Array.from(this.runners.values(), (runner) => [runner, true] as const))
      ),
      register: (runner) =>
        Effect.sync(() => {
          const key = keyOf(runner.address)
          this.runners.set(key, runner)
          return MachineId.make((this.machines += 1))
        }),
      unregister: (address) => this.expire(address),
      setRunnerHealth: () => Effect.void,
      acquire: (address, shards) =>
        Effect.sync(() => {
          const free = [...shards].filter((shard) => (this.ownerOf(shard) ?? keyOf(address)) === keyOf(address))
          for (const shard of free) this.locks.set(shard.toString(), keyOf(address))
          return free
        }),
      refresh: (address, shards) =>
        Effect.sync(() => [...shards].filter((shard) => this.ownerOf(shard) === keyOf(address))),
      release: (address, shard) =>
        Effect.sync(() => {
          if (this.ownerOf(shard) === keyOf(address)) this.locks.delete(shard.toString())
        }),
      releaseAll: (address) => this.expire(address)
    })
  }

  private send<R extends Rpc.Any>(
    from: RunnerAddress.RunnerAddress,
    address: RunnerAddress.RunnerAddress,
    message: Message.Outgoing<R>
  ): Effect.Effect<void, ClusterError.RunnerUnavailable | ClusterError.EntityNotAssignedToRunner> {
    const process = this.processes.get(keyOf(address))
    const unavailable = Effect.fail(new ClusterError.RunnerUnavailable({ address }))
    if (process === undefined || this.dead.has(keyOf(address))) return unavailable
    if (!this.isConnected || this.dead.has(keyOf(from))) return Effect.never
    const { killed, sharding } = process
    if (message._tag === "OutgoingEnvelope") {
      return Effect.orDie(sharding.send(new Message.IncomingEnvelope({ envelope: message.envelope })))
    }
    const { address: entity, payload, tag } = message.envelope
    this.calls.push({ tag, to: address, text: JSON.stringify({ entity, payload }) })
    const deliver = Effect.flatMap(Deferred.make<void>(), (replied) =>
      Effect.flatMap(Effect.orDie(Message.serializeRequest(message)), (envelope) =>
        Effect.zipRight(
          sharding.send(
            new Message.IncomingRequest<R>({
              envelope,
              lastSentReply: Option.none(),
              respond: (reply) =>
                Effect.flatMap(Effect.orDie(Reply.serialize(reply)), (encoded) =>
                  this.dead.has(keyOf(address)) || this.dead.has(keyOf(from)) || !this.isConnected
                    ? Effect.void
                    : Effect.zipRight(
                        Effect.flatMap(
                          Effect.orDie(
                            Effect.provide(Schema.decode(Reply.Reply(message.rpc))(encoded), message.context)
                          ),
                          message.respond
                        ),
                        Deferred.succeed(replied, undefined)
                      )
                )
            })
          ),
          Deferred.await(replied)
        )
      )
    )
    return Effect.raceFirst(
      Effect.catchTags(deliver, {
        MailboxFull: Effect.die,
        AlreadyProcessingMessage: Effect.die
      }),
      Effect.zipRight(Deferred.await(killed), unavailable)
    )
  }

  /** Provides the cluster to a new process. A client-only process owns no entities. */
  connect(options: { readonly clientOnly?: boolean } = {}) {
    const address = RunnerAddress.make("memory", (this.port += 1))
    const runners = Layer.scoped(
      Runners.Runners,
      Runners.make({
        ping: () => Effect.void,
        send: ({ address: target, message }) => Effect.suspend(() => this.send(address, target, message)),
        notify: () => Effect.void,
        onRunnerUnavailable: () => Effect.void
      })
    ).pipe(Layer.provide(Snowflake.layerGenerator))
    const announce = Layer.effectDiscard(
      Effect.flatMap(Sharding.Sharding, (sharding) =>
        Effect.map(Deferred.make<void>(), (killed) => this.processes.set(keyOf(address), { sharding, killed }))
      )
    )
    const sharding = announce.pipe(
      Layer.provideMerge(Sharding.layer),
      Layer.provide(runners),
      Layer.provide([
        MessageStorage.layerNoop,
        Layer.succeed(RunnerStorage.RunnerStorage, this.storageOf(address)),
        RunnerHealth.layerNoop,
        ShardingConfig.layer({ runnerAddress: options.clientOnly === true ? Option.none() : Option.some(address) })
      ])
    )
    return { address, layer: sharding }
  }
}

/** A process of the cluster with a gate. */
export interface GateProcess {
  readonly address: RunnerAddress.RunnerAddress
  readonly gate: RateLimitGate.Service
}

/** Starts a process with the gate of the cluster. The process ends when the scope closes. */
export const startProcess = (
  cluster: MemoryCluster,
  options: { readonly clientOnly?: boolean; readonly key?: string; readonly baseUrl?: string } = {}
): Effect.Effect<GateProcess, ModelRouteError.InvalidRequest, Scope.Scope> => {
  const { address, layer } = cluster.connect(options)
  return ClusterRateLimitGate.layer({ apiKey: Redacted.make(options.key ?? apiKey), baseUrl: options.baseUrl }).pipe(
    Layer.provide(layer),
    Layer.build,
    Effect.map((context) => ({ address, gate: Context.get(context, RateLimitGate.RateLimitGate) }))
  )
}

/**
 * Starts a runner and a client-only process. Waits until the runner has acquired its shards. The runner ends when the
 * scope `runnerScope` closes. Default: the scope of the effect.
 */
export const startPair = (cluster: MemoryCluster, runnerScope?: Scope.Scope) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const runner = yield* Scope.extend(startProcess(cluster), runnerScope ?? (yield* Effect.scope))
    const client = yield* startProcess(cluster, { clientOnly: true })
    yield* TestClock.adjust("4 seconds")
    return { runner, client }
  })
