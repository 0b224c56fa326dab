import { Readable } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { isNodeReadable, readTransportBody } from "../../src/internal/http/transportBody.js"
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

describe("isNodeReadable", () => {
  const members = { on: () => {}, destroy: () => {}, readableEnded: false }
  const { destroy, on, readableEnded } = members

  it("requires the members on, destroy and readableEnded", () => {
    assert.isTrue(isNodeReadable(members))
    assert.isTrue(isNodeReadable(new Readable()))
    for (const value of [
      null,
      undefined,
      "text",
      {},
      new ReadableStream(),
      { destroy, readableEnded },
      { on: 1, destroy, readableEnded },
      { on, readableEnded },
      { on, destroy: 1, readableEnded },
      { on, destroy },
      { destroy },
      { on },
      { readableEnded }
    ]) {
      assert.isFalse(isNodeReadable(value))
    }
  })
})

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

  it.live("removes its listeners at the end of each read", () =>
    Effect.gen(function* () {
      for (const end of ["end", "error", "close", "limit", "interruption"] as const) {
        const body = new Readable({ read: () => {}, emitClose: end !== "error" })
        body.on("error", () => {})
        const counts = () => ["data", "end", "error", "close"].map((event) => body.listenerCount(event))
        const before = counts()
        const fiber = yield* Effect.fork(readTransportBody(body, 5))
        yield* Effect.yieldNow()
        assert.deepStrictEqual(
          counts().map((count, i) => count - (before[i] ?? 0)),
          [1, 1, 1, 1]
        )
        if (end === "end") body.push(null)
        else if (end === "error") body.destroy(new Error("reset"))
        else if (end === "close") body.destroy()
        else if (end === "limit") body.push(new Uint8Array(6))
        else yield* Fiber.interrupt(fiber)
        yield* Fiber.await(fiber)
        assert.deepStrictEqual(counts(), before, end)
      }
    })
  )
})
