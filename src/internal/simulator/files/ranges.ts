/**
 * Full and partial responses with the content of a file.
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

/** Returns undefined unless the header has one valid range. The full content is sent then (RFC 9110, section 14.2). */
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

/** @internal Returns the full content. */
export const fullResponse = (content: Content): ResponseData =>
  bytesResponse(200, { "content-type": content.contentType, etag: content.etag() }, content.read())

/** @internal Returns the requested range, the full content without a valid range, or a 416. */
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
