import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { readTransportBody } from "../../src/internal/http/transportBody.js"
import { bodyForms, chunk, makeReadable } from "../utils/transportBodies.js"

for (const [name, make] of bodyForms) {
  describe(`readTransportBody of ${name}`, () => {
    it.live("concatenates the chunks", () =>
      Effect.gen(function* () {
        const { body } = make({ chunks: [chunk(1), chunk(3)], end: "ends" })
        assert.deepStrictEqual(yield* readTransportBody(body, 100), {
          bytes: Uint8Array.of(1, 3, 3, 3),
          end: "complete"
        })
      })
    )

    it.live("returns no bytes for an empty body", () =>
      Effect.gen(function* () {
        const { body } = make({ chunks: [], end: "ends" })
        assert.deepStrictEqual(yield* readTransportBody(body, 100), { bytes: new Uint8Array(0), end: "complete" })
      })
    )

    it.live("returns the bytes that arrived before the connection was lost", () =>
      Effect.gen(function* () {
        const { body } = make({ chunks: [chunk(2)], end: "breaks" })
        assert.deepStrictEqual(yield* readTransportBody(body, 100), { bytes: Uint8Array.of(2, 2), end: "truncated" })
      })
    )

    it.live("closes a body whose size is larger than the limit", () =>
      Effect.gen(function* () {
        const source = make({ chunks: Array.from({ length: 100 }, () => chunk(10)), end: "stays open" })
        const { bytes, end } = yield* readTransportBody(source.body, 25)
        assert.deepStrictEqual([bytes.length, end], [25, "too large"])
        assert.isTrue(source.isClosed())
        assert.isAtMost(source.chunksRead(), 4)
      })
    )

    it.live("accepts a body whose size is equal to the limit", () =>
      Effect.gen(function* () {
        const { body } = make({ chunks: [chunk(10), chunk(15)], end: "ends" })
        const { bytes, end } = yield* readTransportBody(body, 25)
        assert.deepStrictEqual([bytes.length, end], [25, "complete"])
      })
    )

    it.live("closes the body on interruption", () =>
      Effect.gen(function* () {
        const source = make({ chunks: [chunk(2)], end: "stays open" })
        const fiber = yield* Effect.fork(readTransportBody(source.body, 100))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => source.chunksRead() === 1 })
        yield* Fiber.interrupt(fiber)
        assert.isTrue(source.isClosed())
      })
    )
  })
}

describe("readTransportBody of a Node.js Readable", () => {
  it.live('returns the end "truncated" if the body was destroyed before the read', () =>
    Effect.gen(function* () {
      const { body } = makeReadable({ chunks: [chunk(2)], end: "ends" })
      if ("destroy" in body) {
        body.destroy()
        yield* Effect.async<void>((resume) => void body.on("close", () => resume(Effect.void)))
      }
      assert.deepStrictEqual(yield* readTransportBody(body, 100), { bytes: new Uint8Array(0), end: "truncated" })
    })
  )
})
