/**
 * Selects and checks the idempotency key of a call.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as IdempotencyKey from "../../IdempotencyKey.js"
import type { InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { CurrentKey, type KeyForEffect } from "./currentKey.js"

/** @internal Returns the key. Fails with `InvalidRequest` if a header cannot contain the key. */
export const checkKey = (operation: string, key: string): Effect.Effect<string, InvalidRequest> =>
  typeof key === "string" && /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key)
    ? Effect.succeed(key)
    : Effect.fail(
        invalidRequest(
          operation,
          "idempotencyKey",
          "cannot be sent in a header",
          "Use 1 to 255 printable ASCII characters."
        )
      )

/**
 * Returns the key of `withKey`. Records the first body that is sent with the key. Fails with `InvalidRequest` if the
 * key is invalid or if `body` differs from the recorded body.
 */
const useKey = (
  operation: string,
  body: string,
  { key, usedBody }: KeyForEffect
): Effect.Effect<string, InvalidRequest> =>
  Effect.flatMap(
    Ref.modify(usedBody, (used) => [Option.getOrElse(used, () => body) === body, Option.orElseSome(used, () => body)]),
    (isSame) =>
      isSame
        ? checkKey(operation, key)
        : Effect.fail(
            invalidRequest(
              operation,
              "idempotencyKey",
              "was used for another body in the same effect, and the API would return the execution of that body",
              "Use a separate withKey for each create."
            )
          )
  )

/**
 * Returns the key that `withKey` sets, or `None` without `withKey`. Fails with `InvalidRequest` if the key is invalid
 * or was used for another body.
 *
 * @internal
 */
export const takeCurrentKey = (operation: string, body: string): Effect.Effect<Option.Option<string>, InvalidRequest> =>
  Effect.flatMap(CurrentKey, (current) =>
    Option.isNone(current) ? Effect.succeedNone : Effect.asSome(useKey(operation, body, current.value))
  )

/**
 * Returns the idempotency key of a call. Uses the first key that exists in this order:
 *
 * - the `idempotencyKey` option of the call
 * - the key that `withKey` sets
 * - the next key of the `IdempotencyKey` service in the context
 * - the next key of the client's `IdempotencyKey` service
 *
 * Fails with `InvalidRequest` if the key is invalid or was used for another body.
 *
 * @internal
 */
export const chooseKey = (
  clientKeys: Context.Tag.Service<IdempotencyKey.IdempotencyKey>,
  call: IdempotencyKey.KeyRequest,
  body: string,
  keyOption: string | undefined
): Effect.Effect<string, InvalidRequest> => {
  if (keyOption !== undefined) return checkKey(call.operation, keyOption)
  return Effect.contextWithEffect((context: Context.Context<never>) => {
    const current = Context.get(context, CurrentKey)
    if (Option.isSome(current)) return useKey(call.operation, body, current.value)
    const nearest = Context.getOption(context, IdempotencyKey.IdempotencyKey)
    const keys = Option.isSome(nearest) ? nearest.value : clientKeys
    return Effect.flatMap(keys.next(call), (key) => checkKey(call.operation, key))
  })
}
