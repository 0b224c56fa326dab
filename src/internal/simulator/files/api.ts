/**
 * Handles the file operations of the API. The module `storage.ts` transfers the bytes.
 *
 * @internal
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import { type ApiCall, bodyText, type ResourceHandlers } from "../http/apiCall.js"
import type { ErrorResponses } from "../http/errorResponses.js"
import type { RequestData } from "../http/request.js"
import { bytesResponse, jsonResponse, type ResponseData } from "../http/response.js"
import * as Validation from "../http/validation.js"
import { iso } from "../time.js"
import type { Content } from "./content.js"
import type { Files } from "./files.js"
import * as PresignedUrl from "./presignedUrl.js"
import * as UploadRequest from "./uploadRequest.js"
import type { Uploads } from "./uploads.js"

interface ApiContext {
  readonly files: Files
  readonly uploads: Uploads
  readonly errorResponses: ErrorResponses
  readonly seed: number
  /** Time by which the server's clock is ahead of Effect's `Clock`, in milliseconds. */
  readonly skew: number
  readonly download: "json" | "bytes" | "redirect"
  readonly confirm: "needed" | "absent"
  readonly storageBase: (request: RequestData) => string
}

const presign = (
  { seed, skew, storageBase }: ApiContext,
  { now, request }: ApiCall,
  method: PresignedUrl.StorageMethod,
  fileId: string
): string => PresignedUrl.make(storageBase(request), seed, method, fileId, now + skew)

const presignedUrlExpiry = ({ skew }: ApiContext, { now }: ApiCall): string =>
  iso(now + skew + PresignedUrl.lifetimeSeconds * 1000)

const upload = (context: ApiContext, call: ApiCall): ResponseData =>
  Either.match(UploadRequest.decode(bodyText(call)), {
    onLeft: context.errorResponses.invalidInput,
    onRight: (request) => {
      const { id } = context.uploads.start(request, call.now)
      return jsonResponse(200, {
        file_id: id,
        upload_url: presign(context, call, "PUT", id),
        expires_at: presignedUrlExpiry(context, call)
      })
    }
  })

const confirmFile = ({ errorResponses, uploads }: ApiContext, fileId: string, now: number): ResponseData => {
  const content = uploads.confirm(fileId, now)
  return content === undefined
    ? errorResponses.fileNotFound(fileId)
    : jsonResponse(200, {
        file_id: fileId,
        content_type: content.contentType,
        size_bytes: content.size,
        status: "READY"
      })
}

const confirm = (context: ApiContext, call: ApiCall): ResponseData => {
  const { invalidInput } = context.errorResponses
  return Either.match(Validation.parseObject(bodyText(call)), {
    onLeft: invalidInput,
    onRight: ({ file_id: fileId }) => {
      const details = Validation.checkRequired(fileId, Predicate.isString, "file_id", "a string")
      return details.length > 0 ? invalidInput(details) : confirmFile(context, String(fileId), call.now)
    }
  })
}

/** Calls `respond` with the file in the path. Returns a `FILE_NOT_FOUND` error if the file does not exist. */
const withFile = (
  { errorResponses, files }: ApiContext,
  call: ApiCall,
  respond: (content: Content) => ResponseData
): ResponseData => {
  const file = files.find(call.id, call.now)
  return file === undefined
    ? errorResponses.fileNotFound(call.id)
    : { ...respond(file.content), executionId: file.executionId }
}

const url = (context: ApiContext, call: ApiCall): ResponseData =>
  withFile(context, call, ({ contentType, size }) =>
    jsonResponse(200, {
      url: presign(context, call, "GET", call.id),
      expires_at: presignedUrlExpiry(context, call),
      content_type: contentType,
      size_bytes: size
    })
  )

const download = (context: ApiContext, call: ApiCall): ResponseData => {
  switch (context.download) {
    case "json":
      return url(context, call)
    case "bytes":
      return withFile(context, call, ({ contentType, read }) =>
        bytesResponse(200, { "content-type": contentType }, read())
      )
    case "redirect":
      return withFile(context, call, () => bytesResponse(302, { location: presign(context, call, "GET", call.id) }))
  }
}

/** @internal */
export const make = (context: ApiContext): ResourceHandlers<"files"> => ({
  "files.upload": (call) => upload(context, call),
  "files.confirm": (call) =>
    context.confirm === "absent" ? context.errorResponses.pathNotFound() : confirm(context, call),
  "files.download": (call) => download(context, call),
  "files.url": (call) => url(context, call)
})
