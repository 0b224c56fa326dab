/**
 * The key that makes a create safe to repeat: the API gives the same execution for the same key, so a lost answer never
 * costs a second one. Taken once per call, before its first attempt; every attempt repeats it.
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
 * What a key is wanted for.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyRequest {
  /** The method, such as `executions.create`. */
  readonly operation: string
  /** The request body, before it becomes bytes. */
  readonly body: unknown
}

/**
 * `next` gives the key of one logical call; the client asks once per call and repeats the key on every attempt. A client
 * takes the service that it was built with, unless the calling effect is provided with another one.
 *
 * @since 0.1.0
 * @category tags
 */
export class IdempotencyKey extends Context.Tag("effect-modelroute/IdempotencyKey")<
  IdempotencyKey,
  { readonly next: (call: KeyRequest) => Effect.Effect<string> }
>() {}

/**
 * Random UUIDs (RFC 9562, version 4): every call is a new one, also with the same body.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<IdempotencyKey> = Layer.succeed(IdempotencyKey, {
  next: () => Effect.sync(() => globalThis.crypto.randomUUID())
})

/**
 * `prefix-1`, `prefix-2`, … in the order of the calls: for tests.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSequence = (prefix: string): Layer.Layer<IdempotencyKey> =>
  Layer.sync(IdempotencyKey, () => {
    let calls = 0
    return { next: () => Effect.sync(() => `${prefix}-${++calls}`) }
  })

/** 128 bits. */
const digest = (text: string): string => sha256Hex(text).slice(0, 32)

/**
 * Keys that come out the same after a restart: 128 bits of the SHA-256 of scope, operation and canonical body (RFC 8785),
 * then the ordinal of this body within the scope, so that two wanted runs of the same prompt stay two. `scope` names the
 * piece of work, such as a job's id; a new piece of work takes a new scope. Remembers about 100 bytes per distinct body.
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
 * Gives the create inside one effect this key, in place of one from the service: to take up a call whose outcome is not
 * known. A second create inside the same effect with another body fails with `InvalidRequest`, since the API would answer it
 * with the first one's execution. 1 to 255 printable ASCII characters.
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
