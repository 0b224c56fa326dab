/**
 * Decodes response bodies with a `Content-Encoding` (RFC 9110, section 8.4) if the transport does not decode these
 * bodies.
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
 * Returns `true` if the body is encoded. In this case, sizes and offsets in the headers refer to the encoded bytes.
 *
 * @internal
 */
export const isEncoded = (headers: Headers): boolean => !["", "identity"].includes(encodingName(headers))

/** @internal Returns `true` if the body has no encoding, or an encoding that this module can decode. */
export const isDecodable = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  !isEncoded(headers) || encodings[encodingName(headers)] !== undefined

/**
 * Returns `true` if the transport decodes the body. `fetch` decodes bodies and reports no error if the encoded bytes
 * are incomplete.
 *
 * @internal
 */
export const isDecodedByTransport = (response: HttpClientResponse.HttpClientResponse): boolean =>
  isEncoded(response.headers) && !keepsContentEncoding(response)

/** Number of leading bytes that identify the format of a body. */
const magicLength = 2

/**
 * Returns the format of a body from its first bytes (RFC 1950, RFC 1952). Returns `undefined` if the body is not
 * encoded. `deflate` is a zlib stream, but some servers send raw deflate data (RFC 9110, section 8.4.1.2).
 */
const formatOf = (encoding: Encoding, start: Uint8Array): CompressionFormat | undefined => {
  const [first = 0, second] = start
  if (encoding === "gzip") return first === 0x1f && (second ?? 0x8b) === 0x8b ? "gzip" : undefined
  return (first & 0x0f) === 8 && (first * 256 + (second ?? 0)) % 31 === 0 ? "deflate" : "deflate-raw"
}

/**
 * Returns the format of a complete body. Returns `undefined` if the bytes are not encoded or the transport decodes the
 * body.
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

/** Decodes a stream of encoded bytes. Fails with `onDamage` if the bytes are truncated or damaged. */
const decompress = <E>(
  encoded: Stream.Stream<Uint8Array, E>,
  format: CompressionFormat,
  onDamage: (cause: unknown) => E
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    // The decoder replaces a failure of its input with a decoding error. `onError` restores the original failure.
    let failure = Option.none<E>()
    const input = encoded.pipe(
      Stream.map((bytes) => Uint8Array.from(bytes)),
      Stream.tapError((error) => Effect.sync(() => (failure = Option.some(error))))
    )
    return Stream.unwrap(
      // The fiber that reads the input must not log its failure because the stream returns the same failure.
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
 * Returns the decoded bytes of a response body. Emits no bytes before the format of the body is detected. Fails with
 * `onDamage` if the bytes cannot be decoded.
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
