/**
 * State of a download, and the range requests that resume it.
 *
 * @internal
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { declaredLength } from "../http/responseBody.js"

/** How much of a file has arrived, and of which version of it. */
export interface Part {
  received: number
  size: number | undefined
  /** Only a strong one: a weak one does not promise the same bytes. */
  etag: string | undefined
  /** Whether a request can ask for the rest alone. */
  canResume: boolean
  /** Whether the API itself has sent the bytes, not a link to them. */
  isFromApi: boolean
}

/** @internal */
export const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

/** @internal */
export const isEncoded = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  headers["content-encoding"] !== undefined

/** Sent back in `If-Range`, so it must be a valid header. */
export const etagOf = (response: HttpClientResponse.HttpClientResponse): string | undefined => {
  const etag = response.headers["etag"]
  return etag !== undefined && /^"[\x21\x23-\x7e]*"$/.test(etag) && !isEncoded(response) ? etag : undefined
}

// RFC 9110, 14.2 and 13.1.5. A stored file is never encoded on the way: its size and its parts would be others.
export const downloadHeaders = (
  { canResume, etag, received }: Part,
  isForBytes: boolean
): { readonly [name: string]: string } => ({
  "accept-encoding": "identity",
  ...(received === 0 || !canResume || !isForBytes
    ? {}
    : { range: `bytes=${received}-`, ...(etag === undefined ? {} : { "if-range": etag }) })
})

/** Where a response begins in the file, and how large the file is. */
export const placeOf = (
  response: HttpClientResponse.HttpClientResponse
): { readonly from: number | undefined; readonly size: number | undefined } => {
  if (response.status !== 206) return { from: 0, size: declaredLength(response.headers) }
  const [, from, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers["content-range"] ?? "") ?? []
  return { from: wholeNumber(from), size: wholeNumber(size) }
}

/** @internal */
export const differ = (a: string | number | undefined, b: string | number | undefined): boolean =>
  a !== undefined && b !== undefined && a !== b
