import { Readable } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type BodyReader, openBody, type Read } from "../../src/internal/http/bodyReader.js"
import { isNodeReadable } from "../../src/internal/http/transportBody.js"
import { bodyForms, chunk, makeReadable } from "../utils/transportBodies.js"

const next = (reader: BodyReader) =>
  Effect.async<Read>((resume) => void reader.next((read) => resume(Effect.succeed(read))))

/** Reads up to the end and describes each result. */
const readAll = (reader: BodyReader): Effect.Effect<ReadonlyArray<string>> =>
  Effect.flatMap(next(reader), (read) =>
    read._tag === "Bytes"
      ? Effect.map(readAll(reader), (rest) => [`${read.bytes.length} bytes`, ...rest])
      : Effect.succeed([read._tag === "Break" ? String(read.cause) : read._tag])
  )

for (const [name, make] of bodyForms) {
  describe(`openBody of ${name}`, () => {
    it.live("reads the chunks in order", () =>
      Effect.gen(function* () {
        const { body } = make({ chunks: [chunk(1), chunk(3)], end: "ends" })
        const reads = yield* readAll(openBody(body))
        assert.strictEqual(reads.at(-1), "End")
        assert.strictEqual(
          reads.slice(0, -1).reduce((sum, text) => sum + Number.parseInt(text), 0),
          4
        )
      })
    )

    it.live("reports the end of an empty body", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* readAll(openBody(make({ chunks: [], end: "ends" }).body)), ["End"])
      })
    )

    it.live("reports the cause of a lost connection", () =>
      Effect.gen(function* () {
        const { body } = make({ chunks: [], end: "breaks" })
        assert.deepStrictEqual(yield* readAll(openBody(body)), ["Error: reset"])
      })
    )

    it.live("closes a body that has not ended", () =>
      Effect.gen(function* () {
        const source = make({ chunks: [chunk(2)], end: "stays open" })
        const reader = openBody(source.body)
        yield* next(reader)
        assert.isFalse(source.isClosed())
        reader.close()
        assert.isTrue(source.isClosed())
      })
    )

    it.live("does not report the result of a cancelled read", () =>
      Effect.gen(function* () {
        const reader = openBody(make({ chunks: [], end: "breaks" }).body)
        let results = 0
        reader.next(() => (results += 1))()
        yield* Effect.sleep("20 millis")
        assert.strictEqual(results, 0)
      })
    )
  })
}

describe("openBody of a Node.js Readable", () => {
  const destroyed = (isOpenFirst: boolean) =>
    Effect.gen(function* () {
      const { body } = makeReadable({ chunks: [], end: "stays open" })
      if (!isNodeReadable(body)) throw new Error("the body is a Readable")
      const opened = isOpenFirst ? openBody(body) : undefined
      body.destroy()
      yield* Effect.sleep("10 millis")
      return yield* readAll(opened ?? openBody(body))
    })

  it.live("reports a connection that was closed before the reader was opened", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* destroyed(false), ["Error: the connection was closed"])
    })
  )

  it.live("reports a connection that was closed before the first read", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* destroyed(true), ["Error: the connection was closed"])
    })
  )

  it.live("reads a chunk that arrives after the read has started", () =>
    Effect.gen(function* () {
      const body = new Readable({ read: () => {} })
      const fiber = yield* Effect.fork(readAll(openBody(body)))
      yield* Effect.sleep("5 millis")
      body.push(chunk(2))
      yield* Effect.sleep("5 millis")
      body.push(null)
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["2 bytes", "End"])
    })
  )

  it.live("does not destroy a body that has ended", () =>
    Effect.gen(function* () {
      const body = new Readable({ autoDestroy: false, read: () => void body.push(null) })
      const reader = openBody(body)
      assert.deepStrictEqual(yield* readAll(reader), ["End"])
      reader.close()
      assert.isFalse(body.destroyed)
    })
  )

  it.live("removes its listeners when it is closed", () =>
    Effect.gen(function* () {
      const body = new Readable({ read: () => {} })
      body.on("error", () => {})
      const counts = () => ["readable", "end", "error", "close", "data"].map((event) => body.listenerCount(event))
      const before = counts()
      const reader = openBody(body)
      assert.deepStrictEqual(
        counts().map((count, i) => count - (before[i] ?? 0)),
        [1, 1, 1, 1, 0]
      )
      reader.close()
      assert.deepStrictEqual(counts(), before)
      assert.isTrue(body.destroyed)
    })
  )
})
