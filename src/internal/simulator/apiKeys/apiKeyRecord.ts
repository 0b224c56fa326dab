/**
 * Declares the records of API keys in the public API of the simulator.
 */
import * as DateTime from "effect/DateTime"
import * as Redacted from "effect/Redacted"
import type { ApiKey } from "./apiKeys.js"

/**
 * One API key. A rotation adds another record with the same id.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiKeyRecord {
  /** Id of the API key. */
  readonly id: string
  /** API key that requests send as their bearer token. */
  readonly key: Redacted.Redacted
  /** Time on Effect's `Clock` when the key expires after a rotation. `undefined` if the key has not been rotated. */
  readonly validUntil?: DateTime.Utc | undefined
}

/** @internal */
export const make = ({ id, key, validUntil }: ApiKey): ApiKeyRecord => ({
  id,
  key: Redacted.make(key),
  ...(validUntil === undefined ? {} : { validUntil: DateTime.unsafeMake(validUntil) })
})
