/**
 * The key that `IdempotencyKey.withKey` sets for an effect.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import type * as Ref from "effect/Ref"

/** @internal The key that `withKey` gave, and the body that has used it. */
export class CurrentKey extends Context.Reference<CurrentKey>()("effect-modelroute/CurrentKey", {
  defaultValue: (): Option.Option<{ readonly key: string; readonly body: Ref.Ref<Option.Option<string>> }> =>
    Option.none()
}) {}
