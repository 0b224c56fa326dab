/**
 * Provides one rate limit gate for all processes that use the same API key. Requires the packages `@effect/cluster` and
 * `@effect/rpc`.
 *
 * An entity of the cluster owns the gate. Each request needs two messages to the owner. The first message requests a
 * permit, and the second message reports the outcome. The database stores none of these messages. The retry policy of
 * the calling process determines whether a request waits.
 *
 * - If the owner ends, another runner becomes the owner and begins with a single request. The waiting requests move to
 *   the new owner.
 * - If a process ends, the owner releases the permits of the process after 5 seconds.
 * - If the owner does not reply for 5 seconds, each process uses its own gate and logs a warning. These gates can cause
 *   429 responses. When the owner replies again, the process logs a line. The waiting requests of the process then
 *   return to the owner.
 *
 * A cluster needs time to replace a runner that was killed. The time depends on `ShardingConfig`, and is about 40 seconds
 * by default.
 *
 * `RateLimitGate.snapshot` and `client.rateLimit` return the state of the shared gate with the requests of all
 * processes. This state can be 1 second old. The metrics `modelroute_gate_waiting`, `modelroute_gate_in_flight` and
 * `modelroute_gate_rate_limited_total` count only the requests of their own process. The owner updates
 * `modelroute_gate_remaining`. The owner also logs when the rate limit is exhausted and when the rate limit resets.
 *
 * @since 0.1.0
 */
import type { Sharding } from "@effect/cluster/Sharding"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { makeClusterGate } from "./internal/cluster/rateLimit/clusterGate.js"
import { entityIdOf, type Options } from "./internal/cluster/rateLimit/options.js"
import * as owner from "./internal/cluster/rateLimit/owner.js"
import { GateEntity } from "./internal/cluster/rateLimit/protocol.js"
import { withConfig } from "./internal/http/clientConfig.js"
import type { InvalidRequest } from "./ModelRouteError.js"
import { RateLimitGate, type Service } from "./RateLimitGate.js"

export type { Options } from "./internal/cluster/rateLimit/options.js"

/**
 * Registers the entity, so that this process can own the gates of all API keys. `layer` and `layerConfig` include this
 * layer. Every runner of the shard group `default` must register the entity. Use this layer on runners that send no
 * requests to the API. In a process without a runner address, the layer has no effect.
 *
 * @example
 * ```ts
 * import { NodeClusterSocket } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import * as ClusterRateLimitGate from "effect-modelroute/ClusterRateLimitGate"
 *
 * // Requires a `SqlClient`.
 * export const RunnerLive = ClusterRateLimitGate.layerEntity.pipe(Layer.provide(NodeClusterSocket.layer()))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerEntity: Layer.Layer<never, never, Sharding> = owner.layerEntity

const make = (options: Options): Effect.Effect<Service, InvalidRequest, Sharding | Scope.Scope> =>
  Effect.gen(function* () {
    const entityId = yield* entityIdOf(options)
    const client = (yield* GateEntity.client)(entityId)
    return yield* makeClusterGate({
      acquire: (payload) => client.acquire(payload),
      poll: (payload) => client.poll(payload),
      report: (payload) => client.report(payload)
    })
  })

/**
 * Provides the gate of the cluster for an API key. Provide the layer to the layers of the clients with this API key, in
 * every process that uses the key. A runner also registers the entity. A client-only process uses the gate of the
 * runners.
 *
 * The messages contain a hash of the API key and the base URL, but not the key. Fails with `InvalidRequest` if an option
 * is invalid.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { NodeClusterSocket } from "@effect/platform-node"
 * import { Layer, Redacted } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 * import * as ClusterRateLimitGate from "effect-modelroute/ClusterRateLimitGate"
 *
 * const apiKey = Redacted.make("my-api-key")
 *
 * // Requires a `SqlClient`.
 * export const ModelRouteLive = ModelRouteClient.layer({ apiKey }).pipe(
 *   Layer.provide([ClusterRateLimitGate.layer({ apiKey }), FetchHttpClient.layer, IdempotencyKey.layer]),
 *   Layer.provide(NodeClusterSocket.layer())
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<RateLimitGate, InvalidRequest, Sharding> =>
  Layer.provide(Layer.scoped(RateLimitGate, make(options)), layerEntity)

/**
 * Provides the gate of the cluster for the API key and the base URL in the configuration. The variables are
 * `MODELROUTE_API_KEY` and `MODELROUTE_BASE_URL`. `ModelRouteClient.layerConfig` reads the same variables. Fails with
 * `ConfigError` if a variable is missing or invalid.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { NodeClusterSocket } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 * import * as ClusterRateLimitGate from "effect-modelroute/ClusterRateLimitGate"
 *
 * // A process that sends requests, but runs no entities. Requires a `SqlClient`.
 * export const ModelRouteLive = ModelRouteClient.layerConfig().pipe(
 *   Layer.provide([ClusterRateLimitGate.layerConfig(), FetchHttpClient.layer, IdempotencyKey.layer]),
 *   Layer.provide(NodeClusterSocket.layer({ clientOnly: true }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (options: Omit<Options, "apiKey"> = {}): Layer.Layer<RateLimitGate, ConfigError, Sharding> =>
  Layer.provide(
    Layer.scoped(
      RateLimitGate,
      withConfig(({ apiKey, baseUrl }) => make({ apiKey, baseUrl: baseUrl ?? options.baseUrl }))
    ),
    layerEntity
  )
