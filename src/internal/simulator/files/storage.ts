/**
 * Simulates the object storage that presigned URLs lead to.
 *
 * @internal
 */
import * as FixedLength from "../http/fixedLength.js"
import type { RequestData } from "../http/request.js"
import { bytesResponse, type ResponseData, signatureMismatch, storageError } from "../http/response.js"
import type { Files } from "./files.js"
import * as PresignedUrl from "./presignedUrl.js"
import * as Ranges from "./ranges.js"
import type { Upload, Uploads } from "./uploads.js"

/** @internal */
export interface Storage {
  /** Serves a storage request. `now` is in milliseconds on Effect's `Clock`. */
  readonly serve: (request: RequestData, path: PresignedUrl.StoragePath, now: number) => ResponseData
}

interface StorageContext {
  readonly files: Files
  readonly uploads: Uploads
  readonly seed: number
  /** Time by which the server's clock is ahead of Effect's `Clock`, in milliseconds. */
  readonly skew: number
  readonly ranges: boolean
  /** Maximum size of an upload, in bytes. */
  readonly maxUpload: number
}

const noSuchKey = (): ResponseData => storageError(404, "NoSuchKey", "The specified key does not exist.")

/** Returns the storage's error response for an invalid Content-Length, or `undefined` if the length is valid. */
const checkLength = (request: RequestData, maxUpload: number): ResponseData | undefined => {
  const length = FixedLength.contentLength(request.headers)
  if (length === undefined) {
    return storageError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
  }
  if (length > maxUpload) {
    return storageError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
  }
  return length === request.body.length
    ? undefined
    : storageError(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header"
      )
}

/**
 * Checks that a legacy upload has the type and the size that its upload request declared. Returns the storage's error
 * response if not, and `undefined` otherwise. A different type causes a signature error, because the type is part of
 * the signature.
 */
const checkDeclaration = ({ request: declared }: Upload, { body, headers }: RequestData): ResponseData | undefined => {
  if (declared.edition === "current") {
    return undefined
  }
  if (headers["content-type"] !== declared.contentType) {
    return signatureMismatch()
  }
  return body.length === declared.size
    ? undefined
    : storageError(
        400,
        body.length > declared.size ? "EntityTooLarge" : "EntityTooSmall",
        `The body has ${body.length} bytes, but ${declared.size} bytes were declared`
      )
}

const get = ({ files, ranges }: StorageContext, request: RequestData, fileId: string, now: number): ResponseData => {
  const content = files.find(fileId, now)?.content
  if (content === undefined) {
    return noSuchKey()
  }
  return ranges ? Ranges.rangeResponse(request, content) : Ranges.fullResponse(content)
}

const put = ({ maxUpload, uploads }: StorageContext, request: RequestData, fileId: string): ResponseData => {
  const upload = uploads.get(fileId)
  if (upload === undefined) {
    return noSuchKey()
  }
  return (
    checkLength(request, maxUpload) ??
    checkDeclaration(upload, request) ??
    bytesResponse(200, { etag: uploads.store(upload, request.body).etag() })
  )
}

/** @internal */
export const make = (context: StorageContext): Storage => ({
  serve: (request, { fileId, method }, now) => {
    if (method === undefined) {
      return noSuchKey()
    }
    if (request.method !== method) {
      return storageError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    }
    return (
      PresignedUrl.check(request, context.seed, method, fileId, now + context.skew) ??
      (method === "GET" ? get(context, request, fileId, now) : put(context, request, fileId))
    )
  }
})
