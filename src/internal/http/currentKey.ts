/**
 * Stores the idempotency key that `IdempotencyKey.withKey` sets for an effect.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import type * as Ref from "effect/Ref"

/**
 * The idempotency key that `withKey` sets for an effect. `usedBody` contains the body of the first request with this
 * key.
 *
 * @internal
 */
export interface KeyForEffect {
  readonly key: string
  readonly usedBody: Ref.Ref<Option.Option<string>>
}

/** @internal */
export class CurrentKey extends Context.Reference<CurrentKey>()("effect-modelroute/CurrentKey", {
  defaultValue: (): Option.Option<KeyForEffect> => Option.none()
}) {}
