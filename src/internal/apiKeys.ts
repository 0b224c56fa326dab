/**
 * The methods on API keys.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ApiKey from "../ApiKey.js"
import type { RequestFailure } from "../ModelRouteError.js"
import { isRecord, nonEmptyString } from "./data/lenient.js"
import * as attempt from "./http/attempt.js"
import * as requests from "./http/requests.js"
import type { RequestSender } from "./http/requestSender.js"
import { runOperation } from "./http/retryLoop.js"

const operation = "apiKeys.rotate"

/** @internal */
export const make = (sender: RequestSender): ApiKeys => ({
  rotate: (id) =>
    Effect.flatMap(requests.encodeSegment(operation, "id", id), (segment) =>
      runOperation(sender, {
        operation,
        request: requests.make("POST", `/v1/api-keys/${segment}/rotate`),
        decode: attempt.decodeJson("the new key", (json) => rotated(json, id)),
        // The second one would make a second key, and the first be lost.
        isRepeatable: false
      })
    )
})

/**
 * The methods on API keys. They need an API key with full access. None has a requirement; each lists its failures.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiKeys {
  /**
   * Makes a new key in place of one, which keeps working for 1 hour; also of the client's own, which goes on with the old one.
   * Never sent again after a failure that leaves open whether it was carried out: a second rotation would make a second key.
   * API page "Authentication".
   */
  readonly rotate: (id: ApiKey.KeyId) => Effect.Effect<ApiKey.RotatedKey, RequestFailure>
}

/** @internal */
export const decodeRotated = Schema.decodeUnknownOption(ApiKey.RotatedKey)

/** @internal The id is the one that was asked for, where the answer leaves it out. */
export const rotated = (json: unknown, id: ApiKey.KeyId): ApiKey.RotatedKey | undefined =>
  isRecord(json)
    ? Option.getOrUndefined(
        decodeRotated({ ...json, id: nonEmptyString(json["id"]) ?? id, newKey: json["new_key"] ?? json["key"] })
      )
    : undefined
