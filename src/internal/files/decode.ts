/**
 * Decoders of links.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as File from "../../File.js"
import { isRecord, isWebAddress, tolerant } from "../data/lenient.js"

/** @internal */
export const decodeLink = Schema.decodeUnknownOption(File.DownloadLink)

/** @internal An answer counts as a link only with an http(s) URL: a stored file can be JSON, too. */
export const downloadLink = (json: unknown): File.DownloadLink | undefined =>
  isRecord(json) && isWebAddress(json["url"]) ? Option.getOrUndefined(decodeLink(json)) : undefined

/** @internal */
export const decodeUpload = Schema.decodeUnknownOption(
  Schema.Struct({ fileId: File.FileId, url: Schema.String, expiresAt: tolerant(Schema.DateTimeUtc, "expires_at") })
)

/** @internal Where to put the bytes of a new file. */
export const uploadLink = (json: unknown) => {
  if (!isRecord(json)) return undefined
  const url = json["upload_url"] ?? json["url"]
  return isWebAddress(url)
    ? Option.getOrUndefined(decodeUpload({ ...json, fileId: json["file_id"] ?? json["id"], url }))
    : undefined
}
