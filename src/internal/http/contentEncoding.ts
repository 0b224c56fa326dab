/**
 * Decodes response bodies with a `Content-Encoding` (RFC 9110, section 8.4). Some transports return such bodies without
 * decoding.
 *
 * @internal
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { concatBytes } from "../data/bytes.js"
import { keepsContentEncoding } from "./transports.js"

type Encoding = "gzip" | "deflate"

const encodings: { readonly [name: string]: Encoding } = { gzip: "gzip", "x-gzip": "gzip", deflate: "deflate" }

interface Headers {
  readonly [name: string]: string | undefined
}

const encodingName = (headers: Headers): string => headers["content-encoding"]?.trim().toLowerCase() ?? ""

/**
 * Returns `true` if the headers contain a `Content-Encoding` other than `identity`. Sizes and offsets in the headers
 * then refer to the encoded bytes.
 *
 * @internal
 */
export const isEncoded = (headers: Headers): boolean => !["", "identity"].includes(encodingName(headers))

/** @internal Returns `true` if the body has no encoding, or an encoding that this module can decode. */
export const isDecodable = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  !isEncoded(headers) || encodings[encodingName(headers)] !== undefined

/**
 * Returns `true` if the body is encoded and the transport decodes the body. `fetch` decodes bodies, and reports no
 * error if the encoded bytes are truncated.
 *
 * @internal
 */
export const isDecodedByTransport = (response: HttpClientResponse.HttpClientResponse): boolean =>
  isEncoded(response.headers) && !keepsContentEncoding(response)

/** The number of leading bytes that `formatOf` needs. */
const magicLength = 2

/**
 * Returns the compression format of a body from its first bytes (RFC 1950, RFC 1952). For the encoding `deflate`, the
 * body should be a zlib stream. Some servers send raw deflate data instead (RFC 9110, section 8.4.1.2). Returns
 * `undefined` for `gzip` if the body is not compressed.
 */
const formatOf = (encoding: Encoding, start: Uint8Array): CompressionFormat | undefined => {
  const [first = 0, second] = start
  if (encoding === "gzip") return first === 0x1f && (second ?? 0x8b) === 0x8b ? "gzip" : undefined
  return (first & 0x0f) === 8 && (first * 256 + (second ?? 0)) % 31 === 0 ? "deflate" : "deflate-raw"
}

/**
 * Returns the compression format of the bytes that a transport returned as the whole body. Returns `undefined` if these
 * bytes are not compressed, or if this module does not support their encoding.
 *
 * @internal
 */
export const compressionOf = (
  response: HttpClientResponse.HttpClientResponse,
  body: Uint8Array
): CompressionFormat | undefined => {
  const encoding = encodings[encodingName(response.headers)]
  return encoding === undefined || body.length === 0 || isDecodedByTransport(response)
    ? undefined
    : formatOf(encoding, body)
}

/** Decompresses a stream. Fails with the error of `onDamage` if the compressed bytes are truncated or damaged. */
const decompress = <E>(
  encoded: Stream.Stream<Uint8Array, E>,
  format: CompressionFormat,
  onDamage: (cause: unknown) => E
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    // If the input fails, `DecompressionStream` fails with its own error. `onError` therefore returns the failure of
    // the input.
    let failure = Option.none<E>()
    const input = encoded.pipe(
      Stream.map((bytes) => Uint8Array.from(bytes)),
      Stream.tapError((error) => Effect.sync(() => (failure = Option.some(error))))
    )
    return Stream.unwrap(
      // The returned stream already reports a failure of the input. The fiber that reads the input must not log the
      // failure as well.
      Effect.withUnhandledErrorLogLevel(
        Effect.map(Effect.runtime<never>(), (runtime) =>
          Stream.fromReadableStream({
            evaluate: () => Stream.toReadableStreamRuntime(input, runtime).pipeThrough(new DecompressionStream(format)),
            onError: (cause) => Option.getOrElse(failure, () => onDamage(cause))
          })
        ),
        Option.none()
      )
    )
  })

/**
 * Returns the decoded bytes of a response body. The first two bytes determine the compression format, so that no byte
 * is emitted before these bytes have arrived. Fails with the error of `onDamage` if the bytes cannot be decoded.
 *
 * @internal
 */
export const decodeBody = <E>(
  response: HttpClientResponse.HttpClientResponse,
  body: Stream.Stream<Uint8Array, E>,
  onDamage: (cause: unknown) => E
): Stream.Stream<Uint8Array, E> => {
  const encoding = encodings[encodingName(response.headers)]
  if (encoding === undefined || isDecodedByTransport(response)) return body
  return Stream.unwrapScoped(
    Effect.gen(function* () {
      const pull = yield* Stream.toPull(body)
      const next = Effect.catchAll(
        Effect.asSome(pull),
        Option.match({ onNone: () => Effect.succeedNone, onSome: (error: E) => Effect.fail(error) })
      )
      let start: Uint8Array = new Uint8Array(0)
      let isEnded = false
      while (start.length < magicLength && !isEnded) {
        const chunk = yield* next
        isEnded = Option.isNone(chunk)
        if (Option.isSome(chunk)) start = concatBytes([start, ...chunk.value])
      }
      if (start.length === 0) return Stream.empty
      const format = formatOf(encoding, start)
      const whole = Stream.concat(Stream.make(start), isEnded ? Stream.empty : Stream.repeatEffectChunkOption(pull))
      return format === undefined ? whole : decompress(whole, format, onDamage)
    })
  )
}
