/**
 * Decodes `Content-Encoding` (RFC 9110, 8.4). `fetch` decodes by itself and keeps the header; undici and node:http hand out the
 * encoded bytes.
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

const formats: { readonly [encoding: string]: CompressionFormat } = {
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate"
}

/** The first bytes of each format (RFC 1952, RFC 1950). Neither JSON nor text begins with them. */
const isEncoded = (format: CompressionFormat, [first = 0, second = 0]: Uint8Array): boolean =>
  format === "gzip" ? first === 0x1f && second === 0x8b : (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0

const magicLength = 2

/** A body that ends early or is damaged fails with a `ResponseError`. */
const decompress = (
  encoded: Bytes,
  format: CompressionFormat,
  response: HttpClientResponse.HttpClientResponse
): Bytes =>
  Stream.unwrap(
    // The fiber that feeds the decoder hands its failure on, so it does not log it.
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

/** @internal Whether every transport hands out the decoded bytes. */
export const isDecodable = (response: HttpClientResponse.HttpClientResponse): boolean =>
  ["", "identity", ...Object.keys(formats)].includes(encodingOf(response))

/** @internal A body without its encoding. */
export interface DecodedBody {
  readonly bytes: Bytes
  /** `fetch` has decoded the body. It ends without an error where the encoded body is incomplete. */
  readonly isDecodedByTransport: boolean
}

/** @internal Reads the beginning of the body, to see whether it is still encoded. */
export const openBody = (
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<DecodedBody, never, Scope.Scope> => {
  const format = formats[encodingOf(response)]
  if (format === undefined) return Effect.succeed({ bytes: response.stream, isDecodedByTransport: false })
  return Effect.gen(function* () {
    const pull = yield* Stream.toPull(response.stream)
    const start: Array<Uint8Array> = []
    const isShort = () => start.reduce((sum, { length }) => sum + length, 0) < magicLength
    const readStart = Effect.map(pull, (chunk) => void start.push(...chunk)).pipe(Effect.repeat({ while: isShort }))
    const end = yield* Effect.option(Effect.flip(readStart))
    const whole = Stream.concat(
      Stream.fromIterable(start),
      Option.match(end, {
        onNone: () => Stream.repeatEffectChunkOption(pull),
        onSome: Option.match({ onNone: () => Stream.empty, onSome: Stream.fail })
      })
    )
    return isEncoded(format, concatBytes(start))
      ? { bytes: decompress(whole, format, response), isDecodedByTransport: false }
      : { bytes: whole, isDecodedByTransport: true }
  })
}

/** @internal The bytes of a response without the encoding that its headers name. */
export const decodeBody = (response: HttpClientResponse.HttpClientResponse): Bytes =>
  Stream.unwrapScoped(Effect.map(openBody(response), ({ bytes }) => bytes))
