/**
 * Reads bodies with a Content-Length.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { RequestHead } from "./request.js"

/** @internal Returns the Content-Length in bytes, or `undefined` if the header is missing or invalid. */
export const contentLength = (headers: RequestHead["headers"]): number | undefined => {
  const length = headers["content-length"]
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/**
 * Returns bytes that are in an `ArrayBuffer`, because `Request` and `Response` require this type. Copies the bytes only
 * if the bytes are in a `SharedArrayBuffer`.
 *
 * @internal
 */
export const toArrayBufferBytes = ({ buffer, byteLength, byteOffset }: Uint8Array): Uint8Array<ArrayBuffer> =>
  buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(buffer, byteOffset, byteLength).slice()

/**
 * Reads a stream of exactly `length` bytes into one array. Returns `None` if the stream is shorter or longer. Stops
 * after the first chunk that exceeds `length`.
 *
 * @internal
 */
export const readExactly = <E>(
  stream: Stream.Stream<Uint8Array, E>,
  length: number
): Effect.Effect<Option.Option<Uint8Array>, E> =>
  Effect.suspend(() => {
    const bytes = new Uint8Array(length)
    let received = 0
    const append = (chunk: Uint8Array) =>
      Effect.sync(() => {
        if (received + chunk.length <= length) {
          bytes.set(chunk, received)
        }
        received += chunk.length
        return received <= length
      })
    return Effect.map(Stream.runForEachWhile(stream, append), () =>
      received === length ? Option.some(bytes) : Option.none()
    )
  })
