import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { read } from "../../src/internal/webhooks/requestBody.js"

const requestWith = (body: ReadableStream) => {
  const init = { method: "POST", body, duplex: "half" }
  return HttpServerRequest.fromWeb(new Request("http://127.0.0.1/", init))
}

describe("requestBody.read", () => {
  it.effect("closes the body if the reading fiber is interrupted", () =>
    Effect.gen(function* () {
      const pulled = yield* Deferred.make<void>()
      let isCancelled = false
      const body = new ReadableStream({
        pull: () => Deferred.unsafeDone(pulled, Effect.void),
        cancel: () => {
          isCancelled = true
        }
      })
      const fiber = yield* Effect.fork(read(requestWith(body), 1000))
      yield* Deferred.await(pulled)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(isCancelled)
    })
  )
})
