/** Tests the `Content-Length` of streamed bodies with a fake `fetch`. `upload.runtimes.test.ts` tests uploads. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { withContentLength } from "../../src/internal/http/contentLength.js"
import { layerRuntime, setGlobal } from "../utils/runtimes.js"

const MiB = 1024 * 1024
const url = "https://storage.example/put"

interface Sent {
  readonly init: RequestInit
  readonly body: string
  readonly isCollected: boolean
}

/** Sends a request with `fetch` in the layer of the client. Returns what `fetch` received. */
const send = (request: HttpClientRequest.HttpClientRequest, length: number) => {
  const sent: Array<Sent> = []
  let isCollected = false
  const fetch: typeof globalThis.fetch = async (_, init = {}) => {
    const collected = isCollected
    sent.push({ init, body: await new Response(init.body ?? null).text(), isCollected: collected })
    return new Response("ok")
  }
  return Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const sized = yield* withContentLength(client, length, () => (isCollected = true))
    yield* sized.execute(request)
    assert.lengthOf(sent, 1)
    const { body, init, isCollected: collected } = sent[0] ?? assert.fail("no request")
    return { body, init, isCollected: collected, contentLength: new Headers(init.headers).get("content-length") }
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch)))
  )
}

const put = (...chunks: ReadonlyArray<string>) =>
  HttpClientRequest.put(url, { headers: { "content-type": "image/png" } }).pipe(
    HttpClientRequest.bodyStream(Stream.encodeText(Stream.fromIterable(chunks)), { contentType: "image/png" })
  )

describe("withContentLength", () => {
  for (const [length, redirect] of [
    [5, "manual"],
    [MiB, "manual"],
    [MiB + 1, "error"]
  ] as const) {
    it.effect(`sends ${length} bytes with the redirect mode ${redirect} in Node`, () =>
      Effect.gen(function* () {
        const { body, contentLength, init, isCollected } = yield* send(put("ab", "cde"), length)
        assert.deepStrictEqual([contentLength, init.redirect, body], [String(length), redirect, "abcde"])
        assert.strictEqual(new Headers(init.headers).get("content-type"), "image/png")
        assert.strictEqual(init.method, "PUT")
        assert.isFalse(isCollected)
      })
    )
  }

  it.scoped("sends a stream of a fixed length in Cloudflare Workers", () =>
    Effect.gen(function* () {
      yield* Layer.build(layerRuntime("Cloudflare Workers"))
      const { body, init, isCollected } = yield* send(put("ab", "cde"), 5)
      assert.instanceOf(init.body, ReadableStream)
      assert.deepStrictEqual([init.redirect, body, isCollected], ["manual", "abcde", false])
    })
  )

  for (const [chunks, isNull] of [
    [["ab", "cde"], false],
    [[], true]
  ] as const) {
    it.scoped(`collects a body of ${chunks.join("").length} bytes in Deno before it is sent`, () =>
      Effect.gen(function* () {
        yield* Layer.build(layerRuntime("Deno"))
        const { body, init, isCollected } = yield* send(put(...chunks), 5)
        assert.deepStrictEqual([init.redirect, body, isCollected], ["manual", chunks.join(""), true])
        assert.strictEqual(init.body === null, isNull)
        if (!isNull) assert.instanceOf(init.body, Blob)
      })
    )
  }

  it.effect("does not change a request whose body is not a stream", () =>
    Effect.gen(function* () {
      const { body, contentLength, init, isCollected } = yield* send(
        HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(url), 1),
        5
      )
      assert.deepStrictEqual([body, init.method, isCollected], ["1", "POST", false])
      assert.notStrictEqual(contentLength, "5")
      assert.isUndefined(init.redirect)
    })
  )

  it.scoped("calls the fetch of the caller, of the layer or of the runtime, in this order", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const fetchOf =
        (name: string): typeof globalThis.fetch =>
        async (_, init) => {
          calls.push(`${name} ${new Headers(init?.headers).get("content-length")}`)
          await new Response(init?.body ?? null).text()
          return new Response("ok")
        }
      yield* setGlobal("fetch", fetchOf("runtime"))
      const sendWith = (layer: Layer.Layer<HttpClient.HttpClient>) =>
        Effect.gen(function* () {
          const client = yield* HttpClient.HttpClient
          const sized = yield* withContentLength(client, 3, () => {})
          yield* sized.execute(put("abc"))
        }).pipe(Effect.scoped, Effect.provide(layer))
      yield* sendWith(FetchHttpClient.layer)
      const inLayer = Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetchOf("layer")))
      yield* sendWith(inLayer)
      yield* sendWith(inLayer).pipe(Effect.provideService(FetchHttpClient.Fetch, fetchOf("caller")))
      assert.deepStrictEqual(calls, ["runtime 3", "layer 3", "caller 3"])
    })
  )
})
