/**
 * Tracks the received bytes of a download and creates the headers of its range requests.
 *
 * @internal
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { isEncoded } from "../http/contentEncoding.js"
import { parseContentLength } from "../http/responseBody.js"

/** @internal */
export interface DownloadState {
  receivedBytes: number
  /** Size of the file in bytes. */
  size: number | undefined
  /** Strong `ETag` of the file. A weak `ETag` does not guarantee identical bytes. */
  etag: string | undefined
  /** Indicates whether requests can contain a `Range` header. */
  canResume: boolean
  /** Indicates whether the API returns the bytes instead of a link. */
  isFromApi: boolean
}

/** @internal */
export const initialState = (): DownloadState => ({
  receivedBytes: 0,
  size: undefined,
  etag: undefined,
  canResume: true,
  isFromApi: false
})

/** @internal */
export const parseWholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

/**
 * Returns the `ETag` of a response if it is strong and valid in `If-Range`. Ignores an encoded response, because its
 * `ETag` applies to the encoded bytes.
 *
 * @internal
 */
export const strongEtag = (response: HttpClientResponse.HttpClientResponse): string | undefined => {
  const etag = response.headers["etag"]
  return etag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(etag) && !isEncoded(response.headers) ? etag : undefined
}

/**
 * Returns the headers of a download request. Requests the missing range if `isForBytes` is `true` and the download can
 * be resumed. Disables content encodings, because they change the size and the offsets. RFC 9110, 14.2 and 13.1.5.
 *
 * @internal
 */
export const downloadHeaders = (
  { canResume, etag, receivedBytes }: DownloadState,
  isForBytes: boolean
): { readonly [name: string]: string } => ({
  "accept-encoding": "identity",
  ...(receivedBytes === 0 || !canResume || !isForBytes
    ? {}
    : { range: `bytes=${receivedBytes}-`, ...(etag === undefined ? {} : { "if-range": etag }) })
})

/** @internal Returns the offset of a response in the file and the size of the file, in bytes. */
export const contentRange = (
  response: HttpClientResponse.HttpClientResponse
): { readonly offset: number | undefined; readonly size: number | undefined } => {
  if (response.status !== 206) return { offset: 0, size: parseContentLength(response.headers) }
  const [, offset, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers["content-range"] ?? "") ?? []
  return { offset: parseWholeNumber(offset), size: parseWholeNumber(size) }
}

/** @internal Returns the file size that a 416 response declares, in bytes. */
export const unsatisfiedSize = ({ headers }: HttpClientResponse.HttpClientResponse): number | undefined => {
  const [, size] = /^bytes \*\/(\d+)$/.exec(headers["content-range"] ?? "") ?? []
  return parseWholeNumber(size)
}
