/**
 * The object storage behind presigned URLs.
 *
 * @internal
 */
import type { Answer, Request } from "../http/response.js"
import * as AnswerOf from "../http/response.js"
import type { Files } from "./files.js"
import type { Place } from "./presignedUrl.js"
import * as Presigned from "./presignedUrl.js"
import * as Ranges from "./ranges.js"
import type { Upload, Uploads } from "./uploads.js"
import * as Whole from "../http/fixedLength.js"

/** @internal */
export interface Storage {
  /** `now` is on the Clock. */
  readonly serve: (request: Request, place: Place, now: number) => Answer
}

const wrongLength = (request: Request, largest: number): Answer | undefined => {
  const length = Whole.announcedLength(request.headers)
  if (length === undefined) {
    return AnswerOf.storageError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
  }
  if (length > largest) {
    return AnswerOf.storageError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
  }
  return length === request.body.length
    ? undefined
    : AnswerOf.storageError(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header"
      )
}

/** What the older edition has declared is part of what was signed. */
const notAsDeclared = ({ asked }: Upload, { body, headers }: Request): Answer | undefined => {
  if (asked.edition === "newer") {
    return undefined
  }
  if (headers["content-type"] !== asked.contentType) {
    return AnswerOf.wrongSignature()
  }
  return body.length === asked.size
    ? undefined
    : AnswerOf.storageError(
        400,
        body.length > asked.size ? "EntityTooLarge" : "EntityTooSmall",
        `The body has ${body.length} bytes and not the ${asked.size} that were declared`
      )
}

/** @internal `skew` is the server's clock less the Clock, in milliseconds; `maxUpload` is in bytes. */
export const make = (options: {
  readonly files: Files
  readonly uploads: Uploads
  readonly seed: number
  readonly skew: number
  readonly ranges: boolean
  readonly maxUpload: number
}): Storage => {
  const { files, maxUpload, ranges, seed, skew, uploads } = options

  const noSuchKey = () => AnswerOf.storageError(404, "NoSuchKey", "The specified key does not exist.")

  const get = (request: Request, fileId: string, now: number): Answer => {
    const content = files(fileId, now)?.content
    if (content === undefined) {
      return noSuchKey()
    }
    return ranges ? Ranges.answer(request, content) : Ranges.whole(content)
  }

  const put = (request: Request, fileId: string): Answer => {
    const upload = uploads.get(fileId)
    if (upload === undefined) {
      return noSuchKey()
    }
    return (
      wrongLength(request, maxUpload) ??
      notAsDeclared(upload, request) ??
      AnswerOf.bytes(200, { etag: uploads.store(upload, request.body).etag() })
    )
  }

  return {
    serve: (request, { verb, fileId }, now) => {
      if (verb === undefined) {
        return noSuchKey()
      }
      if (request.method !== verb) {
        return AnswerOf.storageError(
          405,
          "MethodNotAllowed",
          "The specified method is not allowed against this resource."
        )
      }
      return (
        Presigned.refuse(request, seed, verb, fileId, now + skew) ??
        (verb === "GET" ? get(request, fileId, now) : put(request, fileId))
      )
    }
  }
}
