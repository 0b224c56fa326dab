/**
 * Models of API keys.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { lenient } from "./internal/data/lenient.js"

/**
 * Decodes the id of an API key, such as `key_abc123`. The dashboard shows it. The id is opaque and not a secret. `KeyId.make(text)` brands a stored id and
 * throws if it is empty.
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
 * The result of a rotation. The API shows the new key only once. `Redacted.value(rotated.newKey)` returns its text. API page
 * "Authentication".
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
  /** The id of the key. */
  id: KeyId,
  /** The new key. */
  newKey: Schema.Redacted(Schema.NonEmptyString),
  /** When the old key becomes invalid, if the API states it. */
  previousKeyValidUntil: lenient(Schema.DateTimeUtc)
}) {}
