/**
 * Reads a response body into memory, up to a limit, and decodes its content encoding if the transport has not.
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
import { decodeBody, isDecodedByTransport, isEncoded } from "./contentEncoding.js"

/** @internal */
export interface ReadResult {
  readonly bytes: Uint8Array
  /** `truncated`: the connection ended before the body did. `too large`: the part beyond the limit was not read. */
  readonly end: "complete" | "truncated" | "too large"
}

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
      // The platform fails with `EmptyBody` for a response without a body.
      onSome: (error) => finish(error.reason === "EmptyBody" ? "complete" : "truncated")
    })
  })
  return next
}

/** Statuses of responses without a body. */
const bodilessStatuses: ReadonlySet<number> = new Set([204, 205, 304])

/** `fetch` decodes a body that ends within its first bytes to an empty one, without an error. */
const lacksAnnouncedBytes = (response: HttpClientResponse.HttpClientResponse, { bytes, end }: ReadResult): boolean =>
  end === "complete" &&
  bytes.length === 0 &&
  isDecodedByTransport(response) &&
  response.headers["content-length"] !== "0" &&
  response.request.method !== "HEAD" &&
  !bodilessStatuses.has(response.status)

/** Pulls the stream by hand, because `Stream.run` forks a fiber that logs its failure. */
const readStream = (response: HttpClientResponse.HttpClientResponse, maxBytes: number): Effect.Effect<ReadResult> => {
  const onDamage = (cause: unknown) =>
    new HttpClientError.ResponseError({ request: response.request, response, reason: "Decode", cause })
  return Effect.scoped(
    Effect.flatMap(Stream.toPull(decodeBody(response, response.stream, onDamage)), (pull) =>
      collectChunks(pull, maxBytes)
    )
  ).pipe(Effect.map((result) => (lacksAnnouncedBytes(response, result) ? { ...result, end: "truncated" } : result)))
}

/** A larger body is read as a stream, because the platform's `node:http` client copies the body with every chunk. */
const maxSinglePieceBytes = 64 * 1024

const readSinglePiece = (response: HttpClientResponse.HttpClientResponse, length: number): Effect.Effect<ReadResult> =>
  Effect.match(response.arrayBuffer, {
    onSuccess: (buffer): ReadResult => ({
      bytes: new Uint8Array(buffer),
      end: buffer.byteLength < length && response.request.method !== "HEAD" ? "truncated" : "complete"
    }),
    onFailure: (): ReadResult => ({ bytes: new Uint8Array(0), end: "truncated" })
  })

/** @internal Returns the length of the body. An encoded response declares the encoded length, which is not returned. */
export const parseContentLength = (headers: { readonly [name: string]: string | undefined }): number | undefined => {
  const length = headers["content-length"]
  return length !== undefined && /^\d{1,15}$/.test(length) && !isEncoded(headers) ? Number(length) : undefined
}

/**
 * Reads the body. Never fails. A small body of known length is read in one piece, which costs a fraction of a stream.
 *
 * @internal
 */
export const readBody = (
  response: HttpClientResponse.HttpClientResponse,
  maxBytes: number
): Effect.Effect<ReadResult> => {
  const length = parseContentLength(response.headers)
  return length !== undefined && length <= Math.min(maxBytes, maxSinglePieceBytes)
    ? readSinglePiece(response, length)
    : readStream(response, maxBytes)
}
