/**
 * Models of API keys.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { lenient } from "./internal/data/lenient.js"

/**
 * Schema of the id of an API key, such as `key_abc123`. The dashboard shows the id. The id has no documented format and
 * is not a secret. `KeyId.make(text)` returns a stored id as a `KeyId`, and throws if the text is empty.
 *
 * @example
 * ```ts
 * import { ApiKey } from "effect-modelroute"
 *
 * export const id: ApiKey.KeyId = ApiKey.KeyId.make("key_abc123")
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const KeyId = Schema.NonEmptyString.pipe(Schema.brand("effect-modelroute/KeyId"))

/**
 * The id of an API key.
 *
 * @since 0.1.0
 * @category models
 */
export type KeyId = typeof KeyId.Type

/**
 * The result of `apiKeys.rotate`. The API returns the new key only once. `Redacted.value(rotated.newKey)` returns the
 * text of the key. See the API page "Authentication".
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import type { ApiKey } from "effect-modelroute"
 *
 * export const textOf = (rotated: ApiKey.RotatedKey): string => Redacted.value(rotated.newKey)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class RotatedKey extends Schema.Class<RotatedKey>("effect-modelroute/RotatedKey")({
  /** The id of the rotated key. */
  id: KeyId,
  /** The new API key. */
  newKey: Schema.Redacted(Schema.NonEmptyString),
  /** The time when the old key becomes invalid. Absent if the response does not contain a valid time. */
  previousKeyValidUntil: lenient(Schema.DateTimeUtc)
}) {}
