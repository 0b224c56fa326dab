/**
 * Reads an answer's body into memory, never more of it than a limit.
 *
 * @internal
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { join } from "./bytes.js"

/** @internal */
export interface Body {
  readonly bytes: Uint8Array
  /** `cut`: the connection ended before the body did. `overlong`: the rest beyond the limit was left unread. */
  readonly end: "whole" | "cut" | "overlong"
}

const streamed = (response: HttpClientResponse.HttpClientResponse, limit: number): Effect.Effect<Body> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    const body = (end: Body["end"]): Body => ({ bytes: join(chunks).subarray(0, limit), end })
    return response.stream.pipe(
      Stream.runForEachWhile((chunk) =>
        Effect.sync(() => {
          chunks.push(chunk)
          size += chunk.length
          return size <= limit
        })
      ),
      Effect.match({
        onSuccess: () => body(size > limit ? "overlong" : "whole"),
        // The platform has an error for a body that is not there at all.
        onFailure: (error) => body(error.reason === "EmptyBody" ? "whole" : "cut")
      })
    )
  })

/** @internal How many bytes are to come, unless they come packed. */
export const declaredLength = (headers: { readonly [name: string]: string | undefined }): number | undefined => {
  const length = headers["content-length"]
  return length !== undefined && /^\d{1,15}$/.test(length) && headers["content-encoding"] === undefined
    ? Number(length)
    : undefined
}

/**
 * Never fails: a body that cannot be read to its end is `cut`. One whose length is declared and within the limit is read
 * in one piece, which costs a small part of what a stream costs.
 *
 * @internal
 */
export const read = (response: HttpClientResponse.HttpClientResponse, limit: number): Effect.Effect<Body> => {
  const length = declaredLength(response.headers)
  if (length === undefined || length > limit) return streamed(response, limit)
  return Effect.match(response.arrayBuffer, {
    onSuccess: (buffer): Body => ({
      bytes: new Uint8Array(buffer),
      end: buffer.byteLength < length && response.request.method !== "HEAD" ? "cut" : "whole"
    }),
    onFailure: (): Body => ({ bytes: new Uint8Array(0), end: "cut" })
  })
}
