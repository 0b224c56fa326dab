/**
 * Decodes links for uploads and downloads.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as File from "../../File.js"
import { idOf, isRecord, isHttpUrl, lenient } from "../data/lenient.js"

const decodeDownloadLink = Schema.decodeUnknownOption(File.DownloadLink)

/** @internal Requires an http(s) URL, because a stored file can be JSON, too. */
export const downloadLink = (json: unknown): File.DownloadLink | undefined =>
  isRecord(json) && isHttpUrl(json["url"]) ? Option.getOrUndefined(decodeDownloadLink(json)) : undefined

const decodeUploadLink = Schema.decodeUnknownOption(
  Schema.Struct({ fileId: File.FileId, url: Schema.String, expiresAt: lenient(Schema.DateTimeUtc, "expires_at") })
)

/** @internal */
export const uploadLink = (json: unknown) => {
  if (!isRecord(json)) return undefined
  const url = json["upload_url"] ?? json["url"]
  return isHttpUrl(url)
    ? Option.getOrUndefined(decodeUploadLink({ ...json, fileId: idOf(json["file_id"]) ?? idOf(json["id"]), url }))
    : undefined
}
