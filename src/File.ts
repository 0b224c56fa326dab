/**
 * Files: what goes into an execution and what comes out of it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { tolerant } from "./internal/tolerant.js"

/**
 * The id of a file, `file_…`: opaque. `FileId.make(text)` makes one of an id that was stored as text.
 *
 * @since 0.1.0
 * @category schemas
 */
export const FileId = Schema.NonEmptyString.pipe(Schema.brand("effect-modelroute/FileId"))

/**
 * The id of a file.
 *
 * @since 0.1.0
 * @category models
 */
export type FileId = typeof FileId.Type

/**
 * Where to fetch a file for a limited time (the API gives 1 hour), without an API key. Whoever has the URL has the file, so
 * it is `Redacted`: `Redacted.value(link.url)` is the text. API page: "Downloading files".
 *
 * @since 0.1.0
 * @category models
 */
export class DownloadLink extends Schema.Class<DownloadLink>("effect-modelroute/DownloadLink")({
  url: Schema.Redacted(Schema.String),
  expiresAt: tolerant(Schema.DateTimeUtc, "expires_at"),
  contentType: tolerant(Schema.String, "content_type"),
  /** Bytes. */
  size: tolerant(Schema.NonNegativeInt, "size_bytes")
}) {}
