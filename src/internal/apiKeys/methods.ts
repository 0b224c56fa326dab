/**
 * The methods for API keys.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ApiKey from "../../ApiKey.js"
import type { RequestFailure } from "../../ModelRouteError.js"
import { isRecord, nonEmptyString } from "../data/lenient.js"
import * as wireNames from "../data/wireNames.js"
import * as attempt from "../http/attempt.js"
import * as requests from "../http/requests.js"
import type { RequestSender } from "../http/requestSender.js"
import { runOperation } from "../http/retryLoop.js"

const operation = "apiKeys.rotate"

/** @internal Creates the methods of a client for API keys. */
export const make = (sender: RequestSender): ApiKeys => ({
  rotate: (id) =>
    Effect.flatMap(requests.encodeSegment(operation, "id", id), (segment) =>
      runOperation(sender, {
        operation,
        request: requests.make("POST", `/v1/api-keys/${segment}/rotate`),
        decode: attempt.decodeJson("the new key", (json) => decodeRotatedKey(json, id)),
        // A repeated rotation would create a second new key. The first new key was in the lost response and cannot be
        // read again.
        isRepeatable: false
      })
    )
})

/**
 * The methods for API keys. The client must use an API key with full access. No method requires an Effect service. The
 * error type of each method contains all its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiKeys {
  /**
   * Replaces an API key and returns the new key. The old key stays valid for 1 hour. An existing client does not switch
   * to the new key. Create a client with the new key within 1 hour.
   *
   * A rotation is not retried after an ambiguous failure, because the API may already have created the new key. A
   * failure is ambiguous if the API may have processed the request.
   *
   * Fails with `InvalidRequest` if the id cannot be part of a URL path. `RequestFailure` lists the failures of the
   * request. See the API page "Authentication".
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ApiKey, ModelRouteClient } from "effect-modelroute"
   *
   * export const program = Effect.gen(function* () {
   *   const client = yield* ModelRouteClient.ModelRouteClient
   *   const { newKey } = yield* client.apiKeys.rotate(ApiKey.KeyId.make("key_1"))
   *   return newKey
   * })
   * ```
   */
  readonly rotate: (id: ApiKey.KeyId) => Effect.Effect<ApiKey.RotatedKey, RequestFailure>
}

const wire = wireNames.make({
  names: { id: "id", newKey: "new_key", previousKeyValidUntil: "previous_key_valid_until" }
})

const decodeFields = Schema.decodeUnknownOption(ApiKey.RotatedKey)

/** Decodes a rotated key. If the response contains no id, the result contains the requested id. */
const decodeRotatedKey = (json: unknown, id: ApiKey.KeyId): ApiKey.RotatedKey | undefined => {
  if (!isRecord(json)) return undefined
  const fields = wire.toModel(json)
  return Option.getOrUndefined(
    decodeFields({ ...fields, id: nonEmptyString(fields["id"]) ?? id, newKey: fields["newKey"] ?? json["key"] })
  )
}
