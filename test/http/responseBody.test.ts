/** Tests how response bodies are read up to a limit. */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { readBody } from "../../src/internal/http/responseBody.js"

const request = HttpClientRequest.get("https://api.modelroute.ai/v1/executions/exec_1")

/** Returns a response that can only be read as a stream. */
const makeStreamedResponse = (size: number, headers: Record<string, string>) => {
  const response = HttpClientResponse.fromWeb(request, new Response(new Uint8Array(size), { headers }))
  const whole = Effect.dieMessage("the body was read in one piece")
  return new Proxy(response, {
    get: (target, name) =>
      name === "arrayBuffer" || name === "text" || name === "json" ? whole : Reflect.get(target, name, target)
  })
}

describe("readBody", () => {
  for (const [size, headers] of [
    [65_537, { "content-length": "65537" }],
    [1_000_000, { "content-length": "1000000" }],
    [100, {}],
    [1_000_000, {}],
    [100, { "content-length": "1e2" }]
  ] as const) {
    it.effect(`reads a body of ${size} bytes with the headers ${JSON.stringify(headers)} as a stream`, () =>
      Effect.gen(function* () {
        const { bytes, end } = yield* readBody(makeStreamedResponse(size, headers), 2_000_000)
        assert.deepStrictEqual([bytes.length, end], [size, "complete"])
      })
    )
  }

  it.effect("reads a body of up to 64 KiB in one piece", () =>
    Effect.gen(function* () {
      const response = HttpClientResponse.fromWeb(
        request,
        new Response(new Uint8Array(65_536), { headers: { "content-length": "65536" } })
      )
      const whole = new Proxy(response, {
        get: (target, name) =>
          name === "stream" ? Stream.dieMessage("the body was read in pieces") : Reflect.get(target, name, target)
      })
      const { bytes, end } = yield* readBody(whole, 2_000_000)
      assert.deepStrictEqual([bytes.length, end], [65_536, "complete"])
    })
  )

  it.effect("does not read a body beyond the limit", () =>
    Effect.gen(function* () {
      let pulled = 0
      const endless = Stream.repeatEffect(
        Effect.sync(() => {
          pulled += 1
          return new Uint8Array(1000)
        })
      )
      const response = HttpClientResponse.fromWeb(request, new Response())
      const { bytes, end } = yield* readBody(
        new Proxy(response, {
          get: (target, name) => (name === "stream" ? endless : Reflect.get(target, name, target))
        }),
        10_000
      )
      assert.deepStrictEqual([bytes.length, end, pulled], [10_000, "too large", 11])
    })
  )
})
