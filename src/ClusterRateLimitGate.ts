/**
 * Provides one rate limit gate for all processes that use the same API key. Requires the packages `@effect/cluster` and
 * `@effect/rpc`.
 *
 * The gate belongs to an entity of the cluster. The owner is the runner that currently runs this entity. For each
 * request to the API, a process sends two messages to the owner. The first message requests a permit, and the second
 * message reports the outcome. The messages are not stored in the database. The retry policy of the calling process
 * determines whether a request waits for a permit.
 *
 * - If the owner ends, another runner becomes the owner. The waiting requests move to the new owner, which first admits
 *   a single request.
 * - If another process ends, the owner releases the permits of this process after 5 seconds.
 * - If the owner does not reply for 5 seconds, each process logs a warning and uses a gate of its own. Together, these
 *   gates can cause 429 responses. When the owner replies again, each process logs a line and returns its waiting
 *   requests to the owner.
 *
 * A cluster needs time to replace a runner that was killed. The time depends on `ShardingConfig`, and is about 40
 * seconds by default.
 *
 * `RateLimitGate.snapshot` and `client.rateLimit` return the state of the shared gate, which includes the requests of
 * all processes. This state can be 1 second old. The metrics `modelroute_gate_waiting`, `modelroute_gate_in_flight` and
 * `modelroute_gate_rate_limited_total` count only the requests of their own process. Only the owner updates
 * `modelroute_gate_remaining`. Only the owner logs when the rate limit is exhausted and when the rate limit resets.
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
 * Registers the entity of the gates, so that this process can own the gates of all API keys. Every runner of the shard
 * group `default` must register the entity. `layer` and `layerConfig` include this layer. Use `layerEntity` alone on
 * runners that send no requests to the API. In a process without a runner address, the layer has no effect.
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
 * Provides the shared gate of an API key. Provide the layer to the clients with this API key, in every process that
 * uses the key. On a runner, the layer also registers the entity of the gates. A client-only process uses a gate that a
 * runner owns.
 *
 * The messages contain a hash of the API key and the base URL, but not the key itself. Fails with `InvalidRequest` if
 * an option is invalid.
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
 * Provides the shared gate of the API key in the configuration. Reads the variables `MODELROUTE_API_KEY` and
 * `MODELROUTE_BASE_URL`, as `ModelRouteClient.layerConfig` does. `MODELROUTE_BASE_URL` is optional. Fails with
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
