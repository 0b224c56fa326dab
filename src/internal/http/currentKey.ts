/**
 * Stores the idempotency key that `IdempotencyKey.withKey` sets for an effect.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import type * as Ref from "effect/Ref"

/** @internal `usedBody` contains the body of the first request with the key. */
export class CurrentKey extends Context.Reference<CurrentKey>()("effect-modelroute/CurrentKey", {
  defaultValue: (): Option.Option<{ readonly key: string; readonly usedBody: Ref.Ref<Option.Option<string>> }> =>
    Option.none()
}) {}
