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
  /** Indicates whether a retry may use a `Range` header to request only the missing bytes. */
  canResume: boolean
  /**
   * Indicates whether the API itself returns the bytes of the file. If the API returns a link, a `Range` header is sent
   * only to storage.
   */
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
 * Returns the `ETag` of a response if the `ETag` is strong, because `If-Range` does not allow a weak `ETag`. Returns
 * `undefined` for an encoded response, because its `ETag` identifies the encoded bytes.
 *
 * @internal
 */
export const strongEtag = (response: HttpClientResponse.HttpClientResponse): string | undefined => {
  const etag = response.headers["etag"]
  return etag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(etag) && !isEncoded(response.headers) ? etag : undefined
}

/**
 * Returns the headers of a download request. `isForBytes` is `true` if the response contains the bytes of the file
 * instead of a link. In this case, the headers request only the missing bytes if the download can be resumed. The
 * headers disable content encodings, because an encoding would change the size and the offsets of the bytes. RFC 9110,
 * 14.2 and 13.1.5.
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

/**
 * Returns the offset of the first byte of a response in the file, and the size of the file. Both are in bytes.
 *
 * @internal
 */
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
