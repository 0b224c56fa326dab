/**
 * Decodes `Content-Encoding` (RFC 9110, 8.4). `fetch` decodes the body and keeps the header. undici and node:http return the encoded
 * bytes.
 *
 * @internal
 */
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { concatBytes } from "../data/bytes.js"

type Bytes = Stream.Stream<Uint8Array, HttpClientError.ResponseError>

const compressionFormats: { readonly [encoding: string]: CompressionFormat } = {
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate"
}

/** Whether the bytes begin like the format (RFC 1952, RFC 1950). JSON and text do not begin with these bytes. */
const isEncoded = (format: CompressionFormat, [first = 0, second = 0]: Uint8Array): boolean =>
  format === "gzip" ? first === 0x1f && second === 0x8b : (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0

const magicByteCount = 2

/** Fails with a `ResponseError` if the body is truncated or damaged. */
const decompress = (
  encoded: Bytes,
  format: CompressionFormat,
  response: HttpClientResponse.HttpClientResponse
): Bytes =>
  Stream.unwrap(
    // The fiber that feeds the decoder must not log its failure, because the stream fails with it.
    Effect.withUnhandledErrorLogLevel(
      Effect.map(Effect.runtime<never>(), (runtime) =>
        Stream.fromReadableStream({
          evaluate: () =>
            Stream.toReadableStreamRuntime(
              Stream.map(encoded, (bytes) => Uint8Array.from(bytes)),
              runtime
            ).pipeThrough(new DecompressionStream(format)),
          onError: (cause) =>
            new HttpClientError.ResponseError({ request: response.request, response, reason: "Decode", cause })
        })
      ),
      Option.none()
    )
  )

const encodingOf = ({ headers }: HttpClientResponse.HttpClientResponse): string =>
  headers["content-encoding"]?.trim().toLowerCase() ?? ""

/** @internal Whether this module can decode the body. */
export const isDecodable = (response: HttpClientResponse.HttpClientResponse): boolean =>
  ["", "identity", ...Object.keys(compressionFormats)].includes(encodingOf(response))

/** @internal A decoded body. */
export interface DecodedBody {
  readonly bytes: Bytes
  /** Whether `fetch` decoded the body. It then ends without an error even if the encoded body is truncated. */
  readonly isDecodedByTransport: boolean
}

/** @internal Reads the first bytes of the body to detect whether the transport has decoded it. */
export const openBody = (
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<DecodedBody, never, Scope.Scope> => {
  const format = compressionFormats[encodingOf(response)]
  if (format === undefined) return Effect.succeed({ bytes: response.stream, isDecodedByTransport: false })
  return Effect.gen(function* () {
    const pull = yield* Stream.toPull(response.stream)
    const start: Array<Uint8Array> = []
    const needsMore = () => start.reduce((sum, { length }) => sum + length, 0) < magicByteCount
    const readStart = Effect.map(pull, (chunk) => void start.push(...chunk)).pipe(Effect.repeat({ while: needsMore }))
    const end = yield* Effect.option(Effect.flip(readStart))
    const completeBody = Stream.concat(
      Stream.fromIterable(start),
      Option.match(end, {
        onNone: () => Stream.repeatEffectChunkOption(pull),
        onSome: Option.match({ onNone: () => Stream.empty, onSome: Stream.fail })
      })
    )
    return isEncoded(format, concatBytes(start))
      ? { bytes: decompress(completeBody, format, response), isDecodedByTransport: false }
      : { bytes: completeBody, isDecodedByTransport: true }
  })
}

/** @internal Returns the decoded bytes of a response. */
export const decodeBody = (response: HttpClientResponse.HttpClientResponse): Bytes =>
  Stream.unwrapScoped(Effect.map(openBody(response), ({ bytes }) => bytes))
