/**
 * API keys, as far as the API lets them be managed.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { lenient } from "./internal/data/lenient.js"

/**
 * The id of an API key, `key_…`: opaque, and no secret. `KeyId.make(text)` makes one of an id that was stored as text.
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
 * What a rotation gives: the new key, which the API shows this once. `Redacted.value(rotated.newKey)` is its text. API page
 * "Authentication".
 *
 * @since 0.1.0
 * @category models
 */
export class RotatedKey extends Schema.Class<RotatedKey>("effect-modelroute/RotatedKey")({
  id: KeyId,
  newKey: Schema.Redacted(Schema.NonEmptyString),
  /** Until when the old key works, too. */
  previousKeyValidUntil: lenient(Schema.DateTimeUtc, "previous_key_valid_until")
}) {}
