/**
 * Services that create idempotency keys. An idempotency key makes a create request safe to retry, because the API
 * creates at most one execution per key. If a response is lost, the retry returns the execution of the first attempt.
 * The client creates one key for each call and sends the key with every attempt.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { canonicalJson } from "./internal/data/canonicalJson.js"
import { CurrentKey } from "./internal/http/currentKey.js"
import { sha256Hex } from "./internal/data/sha256.js"

/**
 * A call that needs an idempotency key.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyRequest {
  /** The name of the method, such as `executions.create`. */
  readonly operation: string
  /** The body of the request, before encoding. */
  readonly body: unknown
}

/**
 * The tag of the service that creates idempotency keys. The client calls `next` once for each call that needs a key,
 * before the first attempt. A service in the context of the call has precedence over the service with which the client
 * was created.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { IdempotencyKey } from "effect-modelroute"
 *
 * // Keys with the name of the deployment as a prefix.
 * export const layer = Layer.succeed(IdempotencyKey.IdempotencyKey, {
 *   next: () => Effect.sync(() => `production-${crypto.randomUUID()}`)
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class IdempotencyKey extends Context.Tag("effect-modelroute/IdempotencyKey")<
  IdempotencyKey,
  {
    /**
     * Returns the idempotency key of a call. A key must consist of 1 to 255 printable ASCII characters. Otherwise, the
     * call fails with `InvalidRequest`.
     */
    readonly next: (call: KeyRequest) => Effect.Effect<string>
  }
>() {}

/**
 * Provides random UUIDs as idempotency keys (version 4, RFC 9562). Two calls with the same body have different keys.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 *
 * export const ModelRouteLive = ModelRouteClient.layerConfig().pipe(
 *   Layer.provide([FetchHttpClient.layer, IdempotencyKey.layer])
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<IdempotencyKey> = Layer.succeed(IdempotencyKey, {
  next: () => Effect.sync(() => globalThis.crypto.randomUUID())
})

/**
 * Provides the idempotency keys `prefix-1`, `prefix-2`, … in the order of the calls. Use this layer only in tests,
 * because a restart repeats the same keys.
 *
 * @example
 * ```ts
 * import { IdempotencyKey } from "effect-modelroute"
 *
 * // key-1, key-2, key-3 …
 * export const keys = IdempotencyKey.layerSequence("key")
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSequence = (prefix: string): Layer.Layer<IdempotencyKey> =>
  Layer.sync(IdempotencyKey, () => {
    let calls = 0
    return { next: () => Effect.sync(() => `${prefix}-${++calls}`) }
  })

/** Returns the first 128 bits of the SHA-256 hash of a text, in hexadecimal. */
const digest = (text: string): string => sha256Hex(text).slice(0, 32)

/**
 * Provides idempotency keys that stay the same after a restart. A job that is repeated after a crash creates no
 * second execution. `scope` is the name of a unit of work, such as the id of a job.
 *
 * A key consists of 128 bits of a SHA-256 hash and an ordinal. The hash covers `scope`, the operation and the canonical
 * JSON of the request body (RFC 8785). The ordinal counts the calls with the same hash. Two calls with the
 * same body therefore have different keys. Uses about 100 bytes of memory for each distinct body.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 *
 * // After a crash, the same job creates no second execution.
 * export const runJob = (jobId: string, prompt: string) =>
 *   Effect.gen(function* () {
 *     const client = yield* ModelRouteClient.ModelRouteClient
 *     return yield* client.executions.run({ model: "flux-1.1-pro", input: { prompt } })
 *   }).pipe(Effect.provide(IdempotencyKey.layerDeterministic({ scope: jobId })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerDeterministic = (options: { readonly scope: string }): Layer.Layer<IdempotencyKey> =>
  Layer.sync(IdempotencyKey, () => {
    const ordinals = new Map<string, number>()
    return {
      next: ({ body, operation }) =>
        Effect.sync(() => {
          const hash = digest(canonicalJson([options.scope, operation, body]))
          const ordinal = (ordinals.get(hash) ?? 0) + 1
          ordinals.set(hash, ordinal)
          return `${hash}-${ordinal}`
        })
    }
  })

/**
 * Sets the idempotency key of the create request inside an effect. Use this function to repeat a create request whose
 * outcome is unknown, for example after a `TransportError`. A key has 1 to 255 printable ASCII characters.
 *
 * All create requests inside the effect have this key. If a second create request has the same body, the API returns
 * the first execution. If the body is different, the second request fails with `InvalidRequest`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { IdempotencyKey, ModelRouteClient } from "effect-modelroute"
 *
 * // `key` is the `idempotencyKey` of the error of the first create.
 * export const resume = (key: string, prompt: string) =>
 *   Effect.gen(function* () {
 *     const client = yield* ModelRouteClient.ModelRouteClient
 *     return yield* client.executions.run({ model: "flux-1.1-pro", input: { prompt } })
 *   }).pipe(IdempotencyKey.withKey(key))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withKey: {
  (key: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, key: string): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, key: string): Effect.Effect<A, E, R> =>
  Effect.flatMap(Ref.make(Option.none<string>()), (usedBody) =>
    Effect.provideService(self, CurrentKey, Option.some({ key, usedBody }))
  )
)
