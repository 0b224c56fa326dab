/**
 * API keys, seen from the server's side.
 */
import * as DateTime from "effect/DateTime"
import * as Redacted from "effect/Redacted"
import type { ApiKey } from "./apiKeys.js"

/**
 * One API key. A rotation makes another with the same id.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiKeyRecord {
  readonly id: string
  readonly key: Redacted.Redacted
  /** On the Clock; undefined as long as it has not been rotated. */
  readonly validUntil?: DateTime.Utc | undefined
}

/** @internal */
export const make = ({ id, key, validUntil }: ApiKey): ApiKeyRecord => ({
  id,
  key: Redacted.make(key),
  ...(validUntil === undefined ? {} : { validUntil: DateTime.unsafeMake(validUntil) })
})
