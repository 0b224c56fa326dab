/**
 * Reads a response body into memory, up to a limit, and decodes it if the transport has not.
 *
 * @internal
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { join } from "../data/bytes.js"
import { decodeBody } from "./contentEncoding.js"

/** @internal */
export interface BodyRead {
  readonly bytes: Uint8Array
  /** `cut`: the connection ended before the body did. `overlong`: the body beyond the limit was not read. */
  readonly end: "whole" | "cut" | "overlong"
}

type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<HttpClientError.ResponseError>>

const collectChunks = (pull: Pull, limit: number): Effect.Effect<BodyRead> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  const body = (end: BodyRead["end"]): Effect.Effect<BodyRead> =>
    Effect.sync(() => ({ bytes: join(chunks).subarray(0, limit), end }))
  const next: Effect.Effect<BodyRead> = Effect.matchEffect(pull, {
    onSuccess: (pulled) => {
      for (const bytes of pulled) {
        chunks.push(bytes)
        size += bytes.length
      }
      return size > limit ? body("overlong") : next
    },
    onFailure: Option.match({
      onNone: () => body("whole"),
      // The platform has an error for a response without a body.
      onSome: (error) => body(error.reason === "EmptyBody" ? "whole" : "cut")
    })
  })
  return next
}

/** A `Stream.run` would fork a fiber, which logs its failure. */
const readStream = (response: HttpClientResponse.HttpClientResponse, limit: number): Effect.Effect<BodyRead> =>
  Effect.scoped(Effect.flatMap(Stream.toPull(decodeBody(response)), (pull) => collectChunks(pull, limit)))

/** The platform's `node:http` client copies the body with every chunk, so a large body is read as a stream. */
const maxSinglePieceBytes = 64 * 1024

const readWhole = (response: HttpClientResponse.HttpClientResponse, length: number): Effect.Effect<BodyRead> =>
  Effect.match(response.arrayBuffer, {
    onSuccess: (buffer): BodyRead => ({
      bytes: new Uint8Array(buffer),
      end: buffer.byteLength < length && response.request.method !== "HEAD" ? "cut" : "whole"
    }),
    onFailure: (): BodyRead => ({ bytes: new Uint8Array(0), end: "cut" })
  })

/** @internal The length of the body, unless the response is encoded: then the header has the encoded length. */
export const parseContentLength = (headers: { readonly [name: string]: string | undefined }): number | undefined => {
  const length = headers["content-length"]
  return length !== undefined && /^\d{1,15}$/.test(length) && headers["content-encoding"] === undefined
    ? Number(length)
    : undefined
}

/**
 * Never fails: a body that ends early is `cut`. A small body of known length is read in one piece, which costs a fraction of a
 * stream.
 *
 * @internal
 */
export const readBody = (response: HttpClientResponse.HttpClientResponse, limit: number): Effect.Effect<BodyRead> => {
  const length = parseContentLength(response.headers)
  return length !== undefined && length <= Math.min(limit, maxSinglePieceBytes)
    ? readWhole(response, length)
    : readStream(response, limit)
}
