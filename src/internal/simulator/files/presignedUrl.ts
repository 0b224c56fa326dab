/**
 * Creates and checks presigned URLs. Each URL allows one method on one file for one hour.
 *
 * @internal
 */
import type { RequestData } from "../http/request.js"
import { type ResponseData, signatureMismatch, storageError } from "../http/response.js"
import * as Ids from "../ids.js"
import { amzDate, parseAmzDate } from "../time.js"

/** @internal Lifetime of a presigned URL. */
export const lifetimeSeconds = 3600

/** @internal */
export type StorageMethod = "GET" | "PUT"

/** @internal The path of a file in the storage. */
export interface StoragePath {
  /** The only method that the path allows. `undefined` if the path does not exist. */
  readonly method: StorageMethod | undefined
  readonly fileId: string
}

/** @internal The folder of each method in the path of a presigned URL. */
export const folders: { readonly [Method in StorageMethod]: string } = { GET: "files", PUT: "uploads" }

const sign = (seed: number, method: StorageMethod, fileId: string, date: string, expires: string): string =>
  Ids.fakeSignature(seed, `${method} ${fileId} ${date} ${expires}`)

/** @internal Returns a presigned URL that is valid for one hour after `now`, on the server's clock. */
export const make = (base: string, seed: number, method: StorageMethod, fileId: string, now: number): string => {
  const date = amzDate(now)
  const query = new URLSearchParams({
    "X-Amz-Date": date,
    "X-Amz-Expires": String(lifetimeSeconds),
    "X-Amz-Signature": sign(seed, method, fileId, date, String(lifetimeSeconds))
  })
  return `${base}/${folders[method]}/${fileId}?${query}`
}

/**
 * Checks the signature and the expiry of a presigned URL. Rejects a request with an Authorization header, because the
 * URL already contains a signature. Returns the storage's error response, or `undefined` if the request is valid.
 *
 * @internal
 */
export const check = (
  request: RequestData,
  seed: number,
  method: StorageMethod,
  fileId: string,
  now: number
): ResponseData | undefined => {
  if (request.headers["authorization"] !== undefined) {
    return storageError(
      400,
      "InvalidArgument",
      "Only one auth mechanism allowed; only the Signature query string parameter or the Authorization header should be specified"
    )
  }
  const query = new URL(request.url, request.origin).searchParams
  const date = query.get("X-Amz-Date") ?? ""
  const expires = query.get("X-Amz-Expires") ?? ""
  if (query.get("X-Amz-Signature") !== sign(seed, method, fileId, date, expires)) {
    return signatureMismatch()
  }
  return now >= parseAmzDate(date) + Number(expires) * 1000
    ? storageError(403, "AccessDenied", "Request has expired")
    : undefined
}
