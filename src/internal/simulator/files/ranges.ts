/**
 * A file, or the part of it that a Range header asks for.
 *
 * @internal
 */
import type { Answer, Request } from "../http/response.js"
import * as AnswerOf from "../http/response.js"
import type { Content } from "./content.js"

interface Range {
  /** Offset of the first byte. */
  readonly from: number
  /** Offset of the byte after the last. */
  readonly to: number
}

/** Undefined for what is no single range: then the whole is sent, as RFC 9110 wants it. */
const parse = (header: string, size: number): Range | undefined => {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? []
  if (first === "") {
    return last === "" ? undefined : { from: Math.max(0, size - Number(last)), to: size }
  }
  const from = Number(first)
  const to = last === "" ? size : Math.min(size, Number(last) + 1)
  return last !== "" && Number(last) < from ? undefined : { from, to }
}

const asked = ({ headers }: Request, content: Content): Range | undefined => {
  const { range, "if-range": validator } = headers
  return range === undefined || (validator !== undefined && validator !== content.etag())
    ? undefined
    : parse(range, content.size)
}

/** @internal */
export const whole = (content: Content): Answer =>
  AnswerOf.bytes(200, { "content-type": content.contentType, etag: content.etag() }, content.read())

/** @internal */
export const answer = (request: Request, content: Content): Answer => {
  const range = asked(request, content)
  if (range === undefined) {
    return AnswerOf.withHeaders(whole(content), { "accept-ranges": "bytes" })
  }
  const { from, to } = range
  if (from >= content.size) {
    const refused = AnswerOf.storageError(416, "InvalidRange", "The requested range is not satisfiable")
    return AnswerOf.withHeaders(refused, { "content-range": `bytes */${content.size}` })
  }
  return AnswerOf.bytes(
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
