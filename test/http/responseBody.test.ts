import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { readBody } from "../../src/internal/http/responseBody.js"
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
  const streamed = (stream: Stream.Stream<Uint8Array>): HttpClientResponse.HttpClientResponse =>
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
})
