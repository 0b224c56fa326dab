/**
 * Decodes the upload and download links of API responses.
 *
 * @internal
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as File from "../../File.js"
import { idOf, isRecord, isHttpUrl, lenient } from "../data/lenient.js"
import * as wireNames from "../data/wireNames.js"

const wire = wireNames.make({
  names: { url: "url", expiresAt: "expires_at", contentType: "content_type", size: "size_bytes" }
})

const decodeDownloadLink = Schema.decodeUnknownOption(File.DownloadLink)

/**
 * Decodes a download link. Returns `undefined` if the JSON contains no http(s) URL. Such JSON can be the content of a
 * stored file.
 *
 * @internal
 */
export const downloadLink = (json: unknown): File.DownloadLink | undefined =>
  isRecord(json) && isHttpUrl(json["url"]) ? Option.getOrUndefined(decodeDownloadLink(wire.toModel(json))) : undefined

const decodeUploadLink = Schema.decodeUnknownOption(
  Schema.Struct({ fileId: File.FileId, url: Schema.String, expiresAt: lenient(Schema.DateTimeUtc) })
)

/** @internal */
export const uploadLink = (json: unknown) => {
  if (!isRecord(json)) return undefined
  const url = json["upload_url"] ?? json["url"]
  return isHttpUrl(url)
    ? Option.getOrUndefined(
        decodeUploadLink({ ...wire.toModel(json), fileId: idOf(json["file_id"]) ?? idOf(json["id"]), url })
      )
    : undefined
}
