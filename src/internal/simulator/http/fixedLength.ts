/**
 * Bodies whose length is known before they come.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Head } from "./response.js"

/** @internal The length that a body is said to have; undefined when nothing is said, or nothing sensible. */
export const announcedLength = (headers: Head["headers"]): number | undefined => {
  const length = headers["content-length"]
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/** @internal The same bytes where they are, for the web's classes, which copy what they are given. */
export const plain = ({ buffer, byteLength, byteOffset }: Uint8Array): Uint8Array<ArrayBuffer> =>
  buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(buffer, byteOffset, byteLength).slice()

/** @internal All of a stream, copied once; none when it is shorter or longer, and a longer one is not read to its end. */
export const ofLength = <E>(
  stream: Stream.Stream<Uint8Array, E>,
  length: number
): Effect.Effect<Option.Option<Uint8Array>, E> =>
  Effect.suspend(() => {
    const whole = new Uint8Array(length)
    let received = 0
    const keep = (chunk: Uint8Array) =>
      Effect.sync(() => {
        if (received + chunk.length <= length) {
          whole.set(chunk, received)
        }
        received += chunk.length
        return received <= length
      })
    return Effect.map(Stream.runForEachWhile(stream, keep), () =>
      received === length ? Option.some(whole) : Option.none()
    )
  })
