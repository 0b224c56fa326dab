/** Tests the decoding of encoded bodies without a server. `contentEncoding.test.ts` tests each transport. */
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Logger, LogLevel, Option, Stream } from "effect"
import {
  compressionOf,
  decodeBody,
  isDecodable,
  isDecodedByTransport,
  isEncoded
} from "../../src/internal/http/contentEncoding.js"
import { fetchResponse } from "../utils/responses.js"

/** A response of a transport that does not decode bodies, such as undici. */
const undecoded = (encoding?: string) =>
  fetchResponse("", encoding === undefined ? {} : { "content-encoding": encoding }, { source: { statusCode: 200 } })

/** A response of `fetch`, which decodes bodies. */
const decoded = (encoding: string) => fetchResponse("", { "content-encoding": encoding })

describe("Content-Encoding of a response", () => {
  for (const [encoding, encoded, decodable] of [
    [undefined, false, true],
    ["", false, true],
    ["identity", false, true],
    [" Identity ", false, true],
    ["gzip", true, true],
    [" GZIP", true, true],
    ["x-gzip", true, true],
    ["deflate", true, true],
    ["br", true, false],
    ["gzip, br", true, false]
  ] as const) {
    it(`${decodable ? "is" : "is not"} decodable: ${encoding}`, () => {
      const response = undecoded(encoding)
      assert.strictEqual(isEncoded(response.headers), encoded)
      assert.strictEqual(isDecodable(response), decodable)
      assert.isFalse(isDecodedByTransport(response))
      assert.strictEqual(isDecodedByTransport(decoded(encoding ?? "")), encoded)
    })
  }
})

describe("compressionOf", () => {
  for (const [encoding, start, format] of [
    ["gzip", [0x1f, 0x8b, 8], "gzip"],
    ["x-gzip", [0x1f], "gzip"],
    ["gzip", [0x1f, 0x00], undefined],
    ["gzip", [0x7b, 0x8b], undefined],
    ["deflate", [0x78, 0x9c], "deflate"],
    ["deflate", [0x78, 0x9d], "deflate-raw"],
    ["deflate", [0x78], "deflate-raw"],
    // A multiple of 31 whose compression method is not deflate.
    ["deflate", [0x79, 0x18], "deflate-raw"],
    ["deflate", [], undefined],
    ["gzip", [], undefined],
    ["br", [0x1f, 0x8b], undefined],
    [undefined, [0x1f, 0x8b], undefined]
  ] as const) {
    it(`returns ${format} for the encoding ${encoding} and the bytes ${start.join()}`, () => {
      assert.strictEqual(compressionOf(undecoded(encoding), Uint8Array.from(start)), format)
    })
  }

  it("returns undefined if the transport has decoded the body", () => {
    assert.isUndefined(compressionOf(decoded("gzip"), Uint8Array.of(0x1f, 0x8b)))
  })
})

describe("decodeBody", () => {
  const text = "a lighthouse in a storm ".repeat(3)

  const decode = (response: ReturnType<typeof decoded>, body: Stream.Stream<Uint8Array, string>) =>
    Effect.map(Stream.runCollect(decodeBody(response, body, (cause) => `damaged: ${String(cause)}`)), (chunks) =>
      Buffer.concat(Chunk.toReadonlyArray(chunks)).toString()
    )

  const inPieces = (bytes: Uint8Array, length: number): Stream.Stream<Uint8Array> =>
    Stream.fromIterable(
      Array.from({ length: Math.ceil(bytes.length / length) }, (_, n) => bytes.subarray(n * length, (n + 1) * length))
    )

  for (const [encoding, bytes] of [
    ["gzip", gzipSync(text)],
    ["x-gzip", gzipSync(text)],
    ["deflate", deflateSync(text)],
    ["deflate", deflateRawSync(text)],
    // A body that is not compressed.
    ["gzip", Buffer.from(text)],
    ["br", Buffer.from(text)],
    [undefined, Buffer.from(text)]
  ] as const) {
    it.live(`decodes a body with the encoding ${encoding} that begins with ${bytes.toString("hex", 0, 2)}`, () =>
      Effect.gen(function* () {
        for (const length of [1, 7, 10_000]) {
          assert.strictEqual(yield* decode(undecoded(encoding), inPieces(bytes, length)), text)
        }
      })
    )
  }

  it.live("returns a body of less than two bytes", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* decode(undecoded("gzip"), Stream.empty), "")
      assert.strictEqual(yield* decode(undecoded("deflate"), Stream.empty), "")
      assert.strictEqual(yield* decode(undecoded("gzip"), Stream.make(new Uint8Array(0))), "")
      assert.strictEqual(yield* decode(undecoded("gzip"), Stream.make(Buffer.from("x"))), "x")
    })
  )

  it.live("does not change a body that the transport has decoded", () =>
    Effect.gen(function* () {
      const bytes = gzipSync(text)
      assert.strictEqual(yield* decode(decoded("gzip"), Stream.make(bytes)), bytes.toString())
    })
  )

  it.live("emits the first bytes after two bytes have arrived", () =>
    Effect.gen(function* () {
      for (const [arrived, isEmitted] of [
        ["x", false],
        ["xy", true]
      ] as const) {
        const body = Stream.concat(Stream.make(Buffer.from(arrived)), Stream.fail("broken"))
        const exit = yield* Effect.exit(Stream.runHead(decodeBody(undecoded("gzip"), body, String)))
        assert.strictEqual(exit._tag, isEmitted ? "Success" : "Failure")
      }
    })
  )

  for (const [what, make] of [
    ["truncated", (bytes: Uint8Array) => bytes.subarray(0, -10)],
    ["damaged", (bytes: Uint8Array) => bytes.map((byte, at) => (at === 12 ? byte ^ 0xff : byte))]
  ] as const) {
    it.live(`fails with the error of onDamage if the body is ${what}`, () =>
      Effect.gen(function* () {
        assert.match(
          yield* Effect.flip(decode(undecoded("gzip"), inPieces(make(gzipSync(text)), 9))),
          /^damaged: .*Error/
        )
      })
    )
  }

  it.live("fails with the error of the body, and does not log this error", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make<unknown, void>(({ message }) => void lines.push(message))
    return Effect.gen(function* () {
      for (const kept of [1, 20]) {
        const body = Stream.concat(inPieces(gzipSync(text).subarray(0, kept), 10), Stream.fail("broken"))
        // `Stream.run` would log the failure itself.
        const pull = Stream.toPull(decodeBody(undecoded("gzip"), body, (cause) => `damaged: ${String(cause)}`))
        const error = yield* Effect.flip(Effect.scoped(Effect.flatMap(pull, Effect.forever)))
        assert.deepStrictEqual(error, Option.some("broken"))
      }
      yield* Effect.sleep("5 millis")
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All))
  })
})
