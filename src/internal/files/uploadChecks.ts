/**
 * Checks the source and the options of an upload before the first request.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import type * as File from "../../File.js"
import { FileTooLarge, type InvalidRequest } from "../../ModelRouteError.js"
import { invalidRequest } from "../errors/invalidRequest.js"
import { checkAll, checksOf } from "../errors/optionChecks.js"
import type { UploadOptions } from "./types.js"

/** @internal */
export const uploadOperation = "files.upload"

const MiB = 1024 * 1024
const defaultMaxSize = 150 * MiB

// This pattern matches a part of a media type. Other values are rejected before the first request, because every
// attempt with an invalid header would fail. RFC 9110, 8.3.1.
const token = "[\\w!#$&^.+-]+"
const mediaType = new RegExp(
  `^${token}/${token}(?:[ \\t]*;[ \\t]*${token}=(?:${token}|"[ !\\x23-\\x5b\\x5d-\\x7e]*"))*$`
)

/** @internal */
export const checkUpload = (
  source: File.Source<unknown>,
  options: UploadOptions
): Either.Either<void, FileTooLarge | InvalidRequest> => {
  const { confirm, legacy, maxSize = defaultMaxSize, onProgress, purpose, region, ttlDays } = options
  const { size, stream } = source
  const checks = checksOf(uploadOperation)
  const fail = (field: string, problem: string, advice: string) =>
    Either.left(invalidRequest(uploadOperation, field, problem, advice))
  return Either.gen(function* () {
    if (!Number.isSafeInteger(size) || size < 0) {
      return yield* fail("size", "is not a number of bytes", "Pass the length of the source in bytes.")
    }
    if (!Predicate.hasProperty(stream, Stream.StreamTypeId)) {
      return yield* fail(
        "source",
        "has no Stream",
        "Create the source with File.fromBytes, File.fromStream or File.fromPath."
      )
    }
    yield* checkAll([
      checks.wholeNumber("ttlDays", ttlDays, 1, 365),
      checks.number("maxSize", maxSize, (bytes) => bytes >= 0, "a number of bytes"),
      checks.oneOf("confirm", confirm, [true, false, "optional"]),
      checks.function("onProgress", onProgress),
      checks.text("purpose", purpose),
      checks.text("region", region)
    ])
    if (legacy !== undefined && !(typeof legacy.contentType === "string" && mediaType.test(legacy.contentType))) {
      return yield* fail("legacy.contentType", "is not a MIME type", "Pass a MIME type such as image/png.")
    }
    const filename = legacy === undefined ? "file" : (legacy.filename ?? source.name ?? "")
    if (typeof filename !== "string" || filename === "") {
      return yield* fail("legacy.filename", "is missing", "Pass a file name such as fox.png.")
    }
    if (size <= maxSize) return
    return yield* Either.left(
      new FileTooLarge({
        operation: uploadOperation,
        attempts: 0,
        size,
        limit: maxSize,
        message: `${uploadOperation}: the file has ${size} bytes, and the limit is ${maxSize}. No request was sent. Use a smaller file, or raise maxSize if your account allows larger files.`
      })
    )
  })
}
