/**
 * Checks the options of a cluster gate and computes the id of the cluster entity that owns the gate.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { InvalidRequest } from "../../../ModelRouteError.js"
import { sha256Hex } from "../../data/sha256.js"
import * as clientOptions from "../../http/clientOptions.js"

/**
 * Options of a cluster gate. The values must be equal to the options of the client.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The API key whose rate limit the processes of the cluster share. The other processes receive only a hash of the
   * key.
   */
  readonly apiKey: Redacted.Redacted
  /** The base URL of the API. Default: `https://api.modelroute.ai`. */
  readonly baseUrl?: string | undefined
}

/**
 * Returns the id of the entity that owns the gate. The id is a hash, so that the messages and logs of the cluster do
 * not contain the API key.
 *
 * @internal
 */
export const entityIdOf = ({
  apiKey,
  baseUrl = clientOptions.defaultBaseUrl
}: Options): Either.Either<string, InvalidRequest> => {
  const operation = "ClusterRateLimitGate.layer"
  return Either.gen(function* () {
    const key = yield* clientOptions.checkApiKey(apiKey, operation)
    const url = yield* clientOptions.normalizeBaseUrl(baseUrl, operation)
    return sha256Hex(`effect-modelroute/RateLimitGate\n${url}\n${Redacted.value(key)}`)
  })
}
