import { Readable } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { readTransportBody, type TransportBody } from "../../src/internal/http/transportBody.js"

const chunk = (length: number): Uint8Array => new Uint8Array(length).fill(length)

interface Source {
  readonly body: TransportBody
  /** Returns `true` after the reader has closed the body. */
  readonly isClosed: () => boolean
  readonly chunksRead: () => number
}

interface Content {
  readonly chunks: ReadonlyArray<Uint8Array>
  readonly end: "ends" | "breaks" | "stays open"
}

const makeWebStream = ({ chunks, end }: Content): Source => {
  let next = 0
  let isClosed = false
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const value = chunks[next]
        if (value !== undefined) {
          next += 1
          controller.enqueue(value)
          return undefined
        }
        if (end === "ends") controller.close()
        if (end === "breaks") controller.error(new Error("reset"))
        return end === "stays open" ? new Promise<void>(() => {}) : undefined
      },
      cancel: () => {
        isClosed = true
      }
    },
    { highWaterMark: 0 }
  )
  return { body, isClosed: () => isClosed, chunksRead: () => next }
}

const makeReadable = ({ chunks, end }: Content): Source => {
  let next = 0
  const body = new Readable({
    highWaterMark: 1,
    read() {
      const value = chunks[next]
      if (value !== undefined) {
        next += 1
        this.push(value)
      } else if (end === "ends") this.push(null)
      else if (end === "breaks") this.destroy(new Error("reset"))
    }
  })
  // Like the clients of the platform.
  body.on("error", () => {})
  return { body, isClosed: () => body.destroyed, chunksRead: () => next }
}

for (const [name, make] of [
  ["a ReadableStream", makeWebStream],
  ["a Node.js Readable", makeReadable]
] as const) {
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

    it.live("returns the bytes before a lost connection", () =>
      Effect.gen(function* () {
        const { body } = make({ chunks: [chunk(2)], end: "breaks" })
        assert.deepStrictEqual(yield* readTransportBody(body, 100), { bytes: Uint8Array.of(2, 2), end: "truncated" })
      })
    )

    it.live("closes a body that is larger than the limit", () =>
      Effect.gen(function* () {
        const source = make({ chunks: Array.from({ length: 100 }, () => chunk(10)), end: "stays open" })
        const { bytes, end } = yield* readTransportBody(source.body, 25)
        assert.deepStrictEqual([bytes.length, end], [25, "too large"])
        assert.isTrue(source.isClosed())
        assert.isAtMost(source.chunksRead(), 4)
      })
    )

    it.live("accepts a body of exactly the limit", () =>
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
  it.live("returns truncated for a body that was destroyed before the read", () =>
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
