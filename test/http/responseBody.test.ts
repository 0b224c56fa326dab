import { gzipSync } from "node:zlib"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { parseContentLength, readBody } from "../../src/internal/http/responseBody.js"
import { fetchResponse } from "../utils/responses.js"

const request = HttpClientRequest.get("https://api.modelroute.ai/v1/executions/exec_1")

describe("readBody", () => {
  for (const [size, headers] of [
    [65_536, { "content-length": "65536" }],
    [65_537, { "content-length": "65537" }],
    [1_000_000, { "content-length": "1000000" }],
    [100, {}],
    [1_000_000, {}],
    [100, { "content-length": "1e2" }]
  ] as const) {
    it.effect(
      `reads a body of ${size} bytes directly from the transport if the headers are ${JSON.stringify(headers)}`,
      () =>
        Effect.gen(function* () {
          const unused = Effect.dieMessage("the body was not read from the transport")
          const response = fetchResponse(new Uint8Array(size), headers, {
            arrayBuffer: unused,
            json: unused,
            stream: Stream.dieMessage("the body was read as a stream"),
            text: unused
          })
          const { bytes, end } = yield* readBody(response, 2_000_000)
          assert.deepStrictEqual([bytes.length, end], [size, "complete"])
        })
    )
  }

  it.effect('returns the end "truncated" if the body is shorter than its Content-Length', () =>
    Effect.gen(function* () {
      const { bytes, end } = yield* readBody(fetchResponse("abc", { "content-length": "4" }), 100)
      assert.deepStrictEqual([bytes.length, end], [3, "truncated"])
    })
  )

  /** A response that replaces the stream of the response of `fetch`. */
  const streamed = (
    stream: Stream.Stream<Uint8Array, HttpClientError.ResponseError>
  ): HttpClientResponse.HttpClientResponse =>
    Object.create(HttpClientResponse.fromWeb(request, new Response("encrypted")), { stream: { value: stream } })

  it.effect("reads the new stream if transformClient has replaced the stream of the response", () =>
    Effect.gen(function* () {
      const response = streamed(Stream.make(Uint8Array.of(1), Uint8Array.of(2, 3)))
      assert.deepStrictEqual(yield* readBody(response, 100), { bytes: Uint8Array.of(1, 2, 3), end: "complete" })
    })
  )

  it.effect("does not read a stream of transformClient beyond the size limit", () =>
    Effect.gen(function* () {
      let pulled = 0
      const endless = Stream.repeatEffect(
        Effect.sync(() => {
          pulled += 1
          return new Uint8Array(1000)
        })
      )
      const { bytes, end } = yield* readBody(streamed(endless), 10_000)
      assert.deepStrictEqual([bytes.length, end, pulled], [10_000, "too large", 11])
    })
  )

  const text = "a lighthouse in a storm ".repeat(3)
  const encoded = { "content-encoding": "gzip" }
  const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

  it.effect('returns the end "too large" if the body has its Content-Length and exceeds the limit', () =>
    Effect.gen(function* () {
      const { bytes, end } = yield* readBody(fetchResponse("abcdef", { "content-length": "6" }), 5)
      assert.deepStrictEqual([textOf(bytes), end], ["abcde", "too large"])
    })
  )

  it.effect("accepts a response without a body for a HEAD request", () =>
    Effect.gen(function* () {
      const head = HttpClientRequest.head("https://api.modelroute.ai/v1/x")
      for (const headers of [{ "content-length": "5" }, encoded]) {
        const { bytes, end } = yield* readBody(fetchResponse("", headers, { request: head }), 100)
        assert.deepStrictEqual([bytes.length, end], [0, "complete"])
      }
    })
  )

  for (const [what, headers, status, end] of [
    ["without a length", {}, 200, "truncated"],
    ["with a length", { "content-length": "20" }, 200, "truncated"],
    ["with the length 0", { "content-length": "0" }, 200, "complete"],
    ["with the status 204", {}, 204, "complete"],
    ["with the status 205", {}, 205, "complete"],
    ["with the status 304", {}, 304, "complete"],
    ["with the status 500", {}, 500, "truncated"]
  ] as const) {
    it.effect(`returns the end "${end}" if fetch returns no bytes of an encoded body ${what}`, () =>
      Effect.gen(function* () {
        const result = yield* readBody(fetchResponse("", { ...encoded, ...headers }, { status }), 100)
        assert.deepStrictEqual([result.bytes.length, result.end], [0, end])
      })
    )
  }

  it.effect("accepts a decoded body of fetch, and an empty body without an encoding", () =>
    Effect.gen(function* () {
      const decoded = yield* readBody(fetchResponse("abc", { ...encoded, "content-length": "20" }), 100)
      assert.deepStrictEqual([textOf(decoded.bytes), decoded.end], ["abc", "complete"])
      assert.strictEqual((yield* readBody(fetchResponse("abc", encoded), 0)).end, "too large")
      assert.strictEqual((yield* readBody(fetchResponse("", {}), 100)).end, "complete")
    })
  )

  /** A response of a transport that does not decode bodies. */
  const undecoded = (chunks: ReadonlyArray<Uint8Array>, isBroken = false) => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const chunk of chunks) controller.enqueue(chunk)
        if (!isBroken) controller.close()
      },
      pull: (controller) => controller.error(new Error("reset"))
    })
    return fetchResponse("", encoded, { source: { statusCode: 200, body } })
  }

  for (const [what, chunks, isBroken, expected] of [
    ["a whole body", [gzipSync(text)], false, [text, "complete"]],
    ["a body that is not compressed", [Buffer.from(text)], false, [text, "complete"]],
    ["a whole body before the connection breaks", [gzipSync(text)], true, [text, "truncated"]],
    ["an empty body", [], false, ["", "complete"]]
  ] as const) {
    it.live(`decompresses ${what}`, () =>
      Effect.gen(function* () {
        const { bytes, end } = yield* readBody(undecoded(chunks, isBroken), 100)
        assert.deepStrictEqual<ReadonlyArray<string>>([textOf(bytes), end], expected)
      })
    )
  }

  it.live('returns the end "truncated" if the compressed body is cut, and "too large" beyond the limit', () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* readBody(undecoded([gzipSync(text).subarray(0, -9)]), 100)).end, "truncated")
      const { bytes, end } = yield* readBody(undecoded([gzipSync(text)]), 60)
      assert.deepStrictEqual([textOf(bytes), end], [text.slice(0, 60), "too large"])
    })
  )

  /** A response that replaces the stream of a response that is not decoded. */
  const derived = (
    stream: Stream.Stream<Uint8Array, HttpClientError.ResponseError>
  ): HttpClientResponse.HttpClientResponse =>
    Object.create(fetchResponse("", encoded, { source: { statusCode: 200 } }), { stream: { value: stream } })

  it.live("decompresses the stream of transformClient", () =>
    Effect.gen(function* () {
      const whole = yield* readBody(derived(Stream.make(gzipSync(text))), 100)
      assert.deepStrictEqual([textOf(whole.bytes), whole.end], [text, "complete"])
      const cut = yield* readBody(derived(Stream.make(gzipSync(text).subarray(0, -9))), 100)
      assert.strictEqual(cut.end, "truncated")
    })
  )

  for (const [reason, end] of [
    ["EmptyBody", "complete"],
    ["Decode", "truncated"]
  ] as const) {
    it.effect(`returns the end "${end}" if the stream of transformClient fails with ${reason}`, () =>
      Effect.gen(function* () {
        const response = fetchResponse("", {})
        const error = new HttpClientError.ResponseError({ request, response, reason })
        const result = yield* readBody(streamed(Stream.concat(Stream.make(Uint8Array.of(1)), Stream.fail(error))), 100)
        assert.deepStrictEqual(result, { bytes: Uint8Array.of(1), end })
      })
    )
  }
})

describe("parseContentLength", () => {
  for (const [length, encoding, expected] of [
    [undefined, undefined, undefined],
    ["0", undefined, 0],
    ["15", undefined, 15],
    ["15", "identity", 15],
    ["15", "gzip", undefined],
    ["", undefined, undefined],
    ["-1", undefined, undefined],
    ["1e2", undefined, undefined],
    ["15, 15", undefined, undefined],
    ["x15", undefined, undefined],
    ["999999999999999", undefined, 999_999_999_999_999],
    ["9999999999999999", undefined, undefined]
  ] as const) {
    it(`returns ${expected} for the length ${length} and the encoding ${encoding}`, () => {
      const headers = { "content-length": length, "content-encoding": encoding }
      assert.strictEqual(parseContentLength(headers), expected)
    })
  }
})
