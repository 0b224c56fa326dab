/**
 * Reads a request's body into memory, never more of it than a limit.
 *
 * @internal
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { join } from "../data/bytes.js"

/** @internal `cut`: the connection ended before the body did. */
export type Body =
  { readonly _tag: "Whole"; readonly bytes: Uint8Array } | { readonly _tag: "Overlong" } | { readonly _tag: "Cut" }

/**
 * Goes by the bytes that arrive, whatever the headers say. What is over the limit is not kept, but read on as far as the limit
 * again: to stop at once closes the connection on Node, and the sender would never see the answer.
 *
 * @internal
 */
export const read = (request: HttpServerRequest.HttpServerRequest, limit: number): Effect.Effect<Body> =>
  Effect.gen(function* () {
    const body = yield* Deferred.make<Body>()
    const chunks: Array<Uint8Array> = []
    let size = 0
    const take = (chunk: Uint8Array) =>
      Effect.suspend(() => {
        size += chunk.length
        if (size <= limit) {
          chunks.push(chunk)
          return Effect.succeed(true)
        }
        chunks.length = 0
        return Effect.as(Deferred.succeed(body, { _tag: "Overlong" }), size <= 2 * limit)
      })
    const reading = yield* request.stream.pipe(
      Stream.runForEachWhile(take),
      Effect.matchCause({
        onSuccess: (): Body => ({ _tag: "Whole", bytes: join(chunks) }),
        // The platform has an error for a body that is not there at all.
        onFailure: (): Body => (size === 0 ? { _tag: "Whole", bytes: join([]) } : { _tag: "Cut" })
      }),
      Effect.flatMap((end) => Deferred.succeed(body, end)),
      Effect.forkDaemon
    )
    return yield* Effect.onInterrupt(Deferred.await(body), () => Fiber.interrupt(reading))
  })
