/**
 * Builds full and partial responses with the content of a file.
 *
 * @internal
 */
import type { RequestData } from "../http/request.js"
import { bytesResponse, type ResponseData, storageError, withHeaders } from "../http/response.js"
import type { Content } from "./content.js"

interface Range {
  /** Offset of the first byte. */
  readonly from: number
  /** Offset after the last byte. */
  readonly to: number
}

/**
 * Parses a Range header with one range (RFC 9110, section 14.2). Returns `undefined` if the header is invalid or has
 * several ranges. In these cases, the storage sends the full content.
 */
const parseRange = (header: string, size: number): Range | undefined => {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? []
  if (first === "") {
    return last === "" ? undefined : { from: Math.max(0, size - Number(last)), to: size }
  }
  const from = Number(first)
  const to = last === "" ? size : Math.min(size, Number(last) + 1)
  return last !== "" && Number(last) < from ? undefined : { from, to }
}

const getRequestedRange = ({ headers }: RequestData, content: Content): Range | undefined => {
  const { range, "if-range": validator } = headers
  return range === undefined || (validator !== undefined && validator !== content.etag())
    ? undefined
    : parseRange(range, content.size)
}

/** @internal Returns a 200 with the full content. */
export const fullResponse = (content: Content): ResponseData =>
  bytesResponse(200, { "content-type": content.contentType, etag: content.etag() }, content.read())

/**
 * Returns a 206 with the requested range. Returns the full content if the request has no valid range. Returns a 416 if
 * the range starts after the end of the content.
 *
 * @internal
 */
export const rangeResponse = (request: RequestData, content: Content): ResponseData => {
  const range = getRequestedRange(request, content)
  if (range === undefined) {
    return withHeaders(fullResponse(content), { "accept-ranges": "bytes" })
  }
  const { from, to } = range
  if (from >= content.size) {
    const error = storageError(416, "InvalidRange", "The requested range is not satisfiable")
    return withHeaders(error, { "content-range": `bytes */${content.size}` })
  }
  return bytesResponse(
    206,
    {
      "content-type": content.contentType,
      "content-range": `bytes ${from}-${to - 1}/${content.size}`,
      etag: content.etag(),
      "accept-ranges": "bytes"
    },
    content.read().subarray(from, to)
  )
}
