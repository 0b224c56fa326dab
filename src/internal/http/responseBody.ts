/**
 * Reads a response body into memory, up to a limit in bytes. Decodes the body if the transport has not decoded the
 * body.
 *
 * @internal
 */
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { concatBytes } from "../data/bytes.js"
import { compressionOf, decodeBody, isDecodedByTransport, isEncoded } from "./contentEncoding.js"
import { type ReadResult, readTransportBody } from "./transportBody.js"
import { transportBodyOf } from "./transports.js"

type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<HttpClientError.ResponseError>>

const collectChunks = (pull: Pull, maxBytes: number): Effect.Effect<ReadResult> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  const finish = (end: ReadResult["end"]): Effect.Effect<ReadResult> =>
    Effect.sync(() => ({ bytes: concatBytes(chunks).subarray(0, maxBytes), end }))
  const next: Effect.Effect<ReadResult> = Effect.matchEffect(pull, {
    onSuccess: (pulled) => {
      for (const bytes of pulled) {
        chunks.push(bytes)
        size += bytes.length
      }
      return size > maxBytes ? finish("too large") : next
    },
    onFailure: Option.match({
      onNone: () => finish("complete"),
      // `EmptyBody` is not a failure, because `@effect/platform` reports `EmptyBody` for every response without a body.
      onSome: (error) => finish(error.reason === "EmptyBody" ? "complete" : "truncated")
    })
  })
  return next
}

/** The statuses of responses that never have a body. */
const bodilessStatuses: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Returns `true` if an encoded body is empty, although the response must have a body. `fetch` reports no error if the
 * connection ends before the first decoded byte.
 */
const lacksAnnouncedBytes = (response: HttpClientResponse.HttpClientResponse, { bytes, end }: ReadResult): boolean =>
  end === "complete" &&
  bytes.length === 0 &&
  isDecodedByTransport(response) &&
  response.headers["content-length"] !== "0" &&
  response.request.method !== "HEAD" &&
  !bodilessStatuses.has(response.status)

/**
 * Reads a body as a `Stream`. The stream is pulled directly, because `Stream.run` starts a fiber that logs the failure
 * of the stream.
 */
const readStream = (response: HttpClientResponse.HttpClientResponse, maxBytes: number): Effect.Effect<ReadResult> => {
  const onDamage = (cause: unknown) =>
    new HttpClientError.ResponseError({ request: response.request, response, reason: "Decode", cause })
  return Effect.scoped(
    Effect.flatMap(Stream.toPull(decodeBody(response, response.stream, onDamage)), (pull) =>
      collectChunks(pull, maxBytes)
    )
  )
}

/**
 * Returns the length of a body in bytes from the `Content-Length` header. Returns `undefined` for an encoded body,
 * because the header contains the encoded length.
 *
 * @internal
 */
export const parseContentLength = (headers: { readonly [name: string]: string | undefined }): number | undefined => {
  const length = headers["content-length"]
  return length !== undefined && /^\d{1,15}$/.test(length) && !isEncoded(headers) ? Number(length) : undefined
}

const isShorterThanDeclared = (response: HttpClientResponse.HttpClientResponse, { bytes, end }: ReadResult): boolean =>
  end === "complete" && response.request.method !== "HEAD" && bytes.length < (parseContentLength(response.headers) ?? 0)

/**
 * Decompresses a body that the transport has not decompressed. If the body is damaged, `end` of the result is
 * `truncated`.
 */
const decompress = (
  response: HttpClientResponse.HttpClientResponse,
  encoded: ReadResult,
  maxBytes: number
): Effect.Effect<ReadResult> => {
  const format = compressionOf(response, encoded.bytes)
  if (format === undefined) return Effect.succeed(encoded)
  const decoded = new Blob([Uint8Array.from(encoded.bytes)]).stream().pipeThrough(new DecompressionStream(format))
  return Effect.map(readTransportBody(decoded, maxBytes), ({ bytes, end }) => ({
    bytes,
    end: encoded.end === "complete" ? end : encoded.end
  }))
}

/**
 * Reads and decodes at most `maxBytes` bytes of a body. Never fails. If the body is damaged or incomplete, `end` of the
 * result is `truncated`. A `Stream` is used only if the transport is unknown, because a `Stream` is slow.
 *
 * @internal
 */
export const readBody = (
  response: HttpClientResponse.HttpClientResponse,
  maxBytes: number
): Effect.Effect<ReadResult> => {
  const body = transportBodyOf(response)
  const read =
    body === undefined
      ? readStream(response, maxBytes)
      : Effect.flatMap(readTransportBody(body, maxBytes), (encoded) => decompress(response, encoded, maxBytes))
  return Effect.map(read, (result) =>
    lacksAnnouncedBytes(response, result) || isShorterThanDeclared(response, result)
      ? { ...result, end: "truncated" }
      : result
  )
}
