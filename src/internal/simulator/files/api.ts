/**
 * What the API does with files; the bytes themselves go to the storage and come from there.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import type { Answer, Request } from "../http/response.js"
import * as AnswerOf from "../http/response.js"
import type { Call, Section } from "../http/apiCall.js"
import * as CallOf from "../http/apiCall.js"
import type { Content } from "./content.js"
import type { Files } from "./files.js"
import * as Presigned from "./presignedUrl.js"
import type { Refusals } from "../http/errorResponses.js"
import { iso } from "../time.js"
import * as UploadRequest from "./uploadRequest.js"
import type { Uploads } from "./uploads.js"
import * as Validation from "../http/validation.js"

/** @internal */
export const make = (options: {
  readonly files: Files
  readonly uploads: Uploads
  readonly refusals: Refusals
  readonly seed: number
  /** The server's clock less the Clock, in milliseconds. */
  readonly skew: number
  readonly download: "json" | "bytes" | "redirect"
  readonly confirm: "needed" | "absent"
  readonly storageBase: (request: Request) => string
}): Section<"files"> => {
  const { files, seed, skew, storageBase, uploads } = options
  const { invalid, noFile, nowhere } = options.refusals

  const presigned = ({ now, request }: Call, verb: Presigned.Verb, fileId: string): string =>
    Presigned.url(storageBase(request), seed, verb, fileId, now + skew)

  const presignedUntil = ({ now }: Call): string => iso(now + skew + Presigned.life * 1000)

  const upload = (call: Call): Answer =>
    Either.match(UploadRequest.decode(CallOf.bodyText(call)), {
      onLeft: invalid,
      onRight: (asked) => {
        const { id } = uploads.begin(asked, call.now)
        return AnswerOf.json(200, {
          file_id: id,
          upload_url: presigned(call, "PUT", id),
          expires_at: presignedUntil(call)
        })
      }
    })

  const confirmed = (fileId: string, now: number): Answer => {
    const content = uploads.confirm(fileId, now)
    return content === undefined
      ? noFile(fileId)
      : AnswerOf.json(200, {
          file_id: fileId,
          content_type: content.contentType,
          size_bytes: content.size,
          status: "READY"
        })
  }

  const confirm = (call: Call): Answer =>
    Either.match(Validation.body(CallOf.bodyText(call)), {
      onLeft: invalid,
      onRight: ({ file_id: fileId }) => {
        const details = Validation.required(fileId, Predicate.isString, "file_id", "a string")
        return details.length > 0 ? invalid(details) : confirmed(String(fileId), call.now)
      }
    })

  const withFile = (call: Call, answer: (content: Content) => Answer): Answer => {
    const found = files(call.id, call.now)
    return found === undefined ? noFile(call.id) : { ...answer(found.content), executionId: found.executionId }
  }

  const url = (call: Call): Answer =>
    withFile(call, ({ contentType, size }) =>
      AnswerOf.json(200, {
        url: presigned(call, "GET", call.id),
        expires_at: presignedUntil(call),
        content_type: contentType,
        size_bytes: size
      })
    )

  const download = (call: Call): Answer => {
    switch (options.download) {
      case "json":
        return url(call)
      case "bytes":
        return withFile(call, ({ contentType, read }) => AnswerOf.bytes(200, { "content-type": contentType }, read()))
      case "redirect":
        return withFile(call, () => AnswerOf.bytes(302, { location: presigned(call, "GET", call.id) }))
    }
  }

  return {
    "files.upload": upload,
    "files.confirm": options.confirm === "absent" ? nowhere : confirm,
    "files.download": download,
    "files.url": url
  }
}
