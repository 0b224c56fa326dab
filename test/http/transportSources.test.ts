/** Tests how the differences between transports are detected, without a server. */
import { Readable } from "node:stream"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { startFiber } from "../../src/internal/http/childFiber.js"
import * as transports from "../../src/internal/http/transports.js"
import { fetchResponse } from "../utils/responses.js"
import { spansOf } from "../utils/tracing.js"

/** Returns a `fetch` function and the options that it receives. */
const recordFetch = () => {
  const received: Array<RequestInit> = []
  const fetch: typeof globalThis.fetch = async (_, init = {}) => {
    received.push(init)
    return new Response("ok")
  }
  return { fetch, received }
}

const layerOf = (fetch: typeof globalThis.fetch, options?: RequestInit) =>
  Layer.provide(
    FetchHttpClient.layer,
    Layer.merge(
      Layer.succeed(FetchHttpClient.Fetch, fetch),
      options === undefined ? Layer.empty : Layer.succeed(FetchHttpClient.RequestInit, options)
    )
  )

const get = (client: HttpClient.HttpClient) => Effect.scoped(client.get("https://api.example/x"))

describe("findLayerService", () => {
  it.effect("returns the service of the layer without a request, and ignores the service of the caller", () => {
    const { fetch, received } = recordFetch()
    return Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const found = yield* transports.findLayerService(client, FetchHttpClient.Fetch)
      assert.strictEqual(Option.getOrUndefined(found), fetch)
      assert.deepStrictEqual(received, [])
    }).pipe(
      Effect.provide(layerOf(fetch)),
      Effect.provideService(FetchHttpClient.Fetch, () => Promise.reject(new Error("not this fetch")))
    )
  })

  it.effect("returns None if only the caller has the service", () =>
    Effect.gen(function* () {
      const client = HttpClient.make((request) =>
        Effect.sync(() => HttpClientResponse.fromWeb(request, new Response("ok")))
      )
      const found = yield* transports.findLayerService(client, FetchHttpClient.Fetch)
      assert.isTrue(Option.isNone(found))
    }).pipe(Effect.provideService(FetchHttpClient.Fetch, globalThis.fetch))
  )
})

describe("withoutRedirects", () => {
  const sent = (layerOptions: RequestInit | undefined, callerOptions: RequestInit | undefined) => {
    const { fetch, received } = recordFetch()
    return Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const options = yield* transports.findFetchOptions(client)
      const call = get(transports.withoutRedirects(client, options))
      yield* callerOptions === undefined
        ? call
        : Effect.provideService(call, FetchHttpClient.RequestInit, callerOptions)
      return received.map(({ cache, credentials, redirect }) => ({ cache, credentials, redirect }))
    }).pipe(Effect.provide(layerOf(fetch, layerOptions)))
  }

  for (const [what, layerOptions, callerOptions, expected] of [
    ["without options", undefined, undefined, { cache: undefined, credentials: undefined }],
    ["with the options of the layer", { cache: "no-store" }, undefined, { cache: "no-store", credentials: undefined }],
    [
      "with the options of the caller instead of the options of the layer",
      { cache: "no-store", redirect: "follow" },
      { credentials: "include", redirect: "follow" },
      { cache: undefined, credentials: "include" }
    ]
  ] as const) {
    it.effect(`sets the redirect mode of a request ${what}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* sent(layerOptions, callerOptions), [{ ...expected, redirect: "manual" }])
      })
    )
  }
})

describe("storageClient", () => {
  it.effect("creates no span and sets the redirect mode", () => {
    const { fetch, received } = recordFetch()
    return Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      assert.lengthOf(yield* spansOf(get(client)), 1)
      assert.deepStrictEqual(yield* spansOf(get(transports.storageClient(client, Option.none()))), [])
      assert.deepStrictEqual(
        received.map(({ redirect }) => redirect),
        [undefined, "manual"]
      )
    }).pipe(Effect.provide(layerOf(fetch)))
  })
})

describe("attemptFiberOptions", () => {
  it.effect("sets the redirect mode and prevents spans in the fiber of an attempt", () => {
    const { fetch, received } = recordFetch()
    return Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const options = transports.attemptFiberOptions(yield* transports.findFetchOptions(client))
      const attempt = Effect.withFiberRuntime<unknown>((parent) =>
        Effect.orDie(Fiber.join(startFiber(parent, get(client), options)))
      )
      assert.deepStrictEqual(yield* spansOf(attempt), [])
      assert.deepStrictEqual(
        received.map(({ cache, redirect }) => [cache, redirect]),
        [["no-store", "manual"]]
      )
    }).pipe(Effect.provide(layerOf(fetch, { cache: "no-store" })))
  })
})

const makeReadable = (): Readable => new Readable({ read: () => {} })

describe("transportBodyOf", () => {
  it("returns the stream of a fetch response", () => {
    const response = fetchResponse("abc", {})
    const body = transports.transportBodyOf(response)
    assert.instanceOf(body, ReadableStream)
    assert.strictEqual(transports.transportBodyOf(fetchResponse("", {}, { source: { body } })), body)
  })

  it("returns the readable of a node:http or undici response", () => {
    const body = makeReadable()
    assert.strictEqual(transports.transportBodyOf(fetchResponse("", {}, { source: body })), body)
    assert.strictEqual(transports.transportBodyOf(fetchResponse("", {}, { source: { body } })), body)
  })

  it("returns the body of a response that the platform has wrapped", () => {
    const body = makeReadable()
    const inner = fetchResponse("", {}, { source: { body } })
    const wrapped: HttpClientResponse.HttpClientResponse = Object.assign(Object.create(inner), { original: inner })
    assert.strictEqual(transports.transportBodyOf(wrapped), body)
  })

  it("returns undefined if the response is derived from another response", () => {
    const derived: HttpClientResponse.HttpClientResponse = Object.create(fetchResponse("abc", {}))
    assert.isUndefined(transports.transportBodyOf(derived))
  })

  it("returns undefined if the transport is unknown", () => {
    for (const source of [undefined, null, "text", {}, { body: null }, { body: "text" }]) {
      assert.isUndefined(transports.transportBodyOf(fetchResponse("", {}, { source })))
    }
  })

  it("returns undefined if another reader has opened or read the body", async () => {
    const locked = new Response("abc")
    locked.body?.getReader()
    assert.isUndefined(transports.transportBodyOf(fetchResponse("", {}, { source: locked })))
    const ended = Readable.from([Buffer.from("abc")])
    for await (const _ of ended);
    assert.isUndefined(transports.transportBodyOf(fetchResponse("", {}, { source: ended })))
  })
})

describe("response of a transport", () => {
  for (const [transport, source, keepsContentEncoding, losesEarlyResponses] of [
    ["fetch", new Response(), false, false],
    ["undici", { statusCode: 200, body: makeReadable() }, true, false],
    ["node:http", Object.assign(makeReadable(), { statusCode: 200, rawHeaders: [] }), true, true]
  ] as const) {
    it(`has the properties of ${transport}`, () => {
      const inner = fetchResponse("", {}, { source })
      const wrapped: HttpClientResponse.HttpClientResponse = Object.assign(Object.create({}), { original: inner })
      for (const response of [inner, wrapped]) {
        assert.strictEqual(transports.keepsContentEncoding(response), keepsContentEncoding)
        assert.strictEqual(transports.losesEarlyResponses(response), losesEarlyResponses)
      }
    })
  }
})
