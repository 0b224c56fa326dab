/**
 * Reads the body of a request into memory up to a limit.
 *
 * @internal
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { concatBytes } from "../data/bytes.js"

/** @internal Result of reading a body. `Truncated` means that the connection closed before the body was complete. */
export type RequestBody =
  | { readonly _tag: "Complete"; readonly bytes: Uint8Array }
  | { readonly _tag: "TooLarge" }
  | { readonly _tag: "Truncated" }

/**
 * Reads the body of a request. Counts the received bytes and ignores `Content-Length`, because a sender can declare
 * another length. Returns `TooLarge` after more than `limitBytes` bytes. In this case, discards up to `limitBytes` more
 * bytes in the background. Without this, Node would close the connection before the sender receives the response.
 *
 * @internal
 */
export const read = (request: HttpServerRequest.HttpServerRequest, limitBytes: number): Effect.Effect<RequestBody> =>
  Effect.gen(function* () {
    const body = yield* Deferred.make<RequestBody>()
    const chunks: Array<Uint8Array> = []
    let size = 0
    /** Returns `true` if the next chunk must be read. */
    const onChunk = (chunk: Uint8Array) =>
      Effect.suspend(() => {
        size += chunk.length
        if (size <= limitBytes) {
          chunks.push(chunk)
          return Effect.succeed(true)
        }
        chunks.length = 0
        return Effect.as(Deferred.succeed(body, { _tag: "TooLarge" }), size <= 2 * limitBytes)
      })
    const reader = yield* request.stream.pipe(
      Stream.runForEachWhile(onChunk),
      Effect.matchCause({
        onSuccess: (): RequestBody => ({ _tag: "Complete", bytes: concatBytes(chunks) }),
        // The platform fails if a request has no body. Therefore a failure before the first byte counts as an empty
        // body.
        onFailure: (): RequestBody =>
          size === 0 ? { _tag: "Complete", bytes: new Uint8Array(0) } : { _tag: "Truncated" }
      }),
      Effect.flatMap((end) => Deferred.succeed(body, end)),
      Effect.forkDaemon
    )
    return yield* Effect.onInterrupt(Deferred.await(body), () => Fiber.interrupt(reader))
  })
