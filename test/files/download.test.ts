/** Downloads at their edges: what breaks off, changes or leads on, and what goes along. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Layer, Redacted, Stream, TestClock } from "effect"
import { File, IdempotencyKey, ModelRouteClient } from "effect-modelroute"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { apiKey, isoDate, runToEnd, silent, start } from "../utils/harness.js"

const id = File.FileId.make("file_1")
const link = "https://storage.example/files/file_1?X-Amz-Signature=canary0123456789"
const document = { url: link, expires_at: isoDate(start + 3_600_000) }
const parts = "0123456789"

const bytes = (text: string) => new TextEncoder().encode(text)

/** A body that comes in these chunks, and then breaks. */
const cut = (...chunks: ReadonlyArray<string>) => Stream.concat(inChunks(...chunks), Stream.die("cut"))
const inChunks = (...chunks: ReadonlyArray<string>) => Stream.rechunk(Stream.fromIterable(chunks.map(bytes)), 1)

/** An API that answers `api`, the n-th time, and a storage that answers each request in turn. */
const service = (
  storage: ReadonlyArray<FakeResponse>,
  api: (n: number) => FakeResponse = () => ({ status: 200, json: document })
) => {
  let asked = 0
  let fetched = 0
  return makeFakeClient((url) => {
    if (url.includes("/v1/")) return api((asked += 1))
    fetched += 1
    return storage[fetched - 1] ?? { status: 500, text: "asked once too often" }
  })
}

const downloading = ({ client }: Pick<ReturnType<typeof service>, "client">) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const { files } = yield* client
    const chunks = Effect.map(Stream.runCollect(files.download(id)), Chunk.toReadonlyArray)
    return yield* runToEnd(silent(Effect.map(chunks, (all) => Buffer.concat(all).toString())))
  })

const seconds = (at: ReadonlyArray<number>) => at.map((instant) => (instant - start) / 1000)

const asRange = (headers: ReadonlyArray<Readonly<Record<string, string>>>) =>
  headers.flatMap(({ authorization, range, "if-range": version }) => (authorization ? [] : [[range, version]]))

describe("a download that breaks off", () => {
  const etag = '"v1"'
  const rest = (from: number, headers: Record<string, string> = {}) => ({
    status: 206,
    headers: { "content-range": `bytes ${from}-9/10`, ...headers }
  })

  it.effect("leaves out what it has from as many chunks as that is in", () =>
    Effect.gen(function* () {
      for (const chunks of [["012", "345", "678", "9"], ["0", "123", "4567", "89"], [parts]]) {
        const api = service([
          { status: 200, headers: { "content-length": "10" }, body: cut("0123") },
          { status: 200, headers: { "content-length": "10" }, body: inChunks(...chunks) }
        ])
        assert.strictEqual(valueOf(yield* downloading(api)), parts)
      }
    })
  )

  it.effect("goes on with the version that it began with, also when an answer in between does not name it", () =>
    Effect.gen(function* () {
      const api = service([
        { status: 200, headers: { etag }, body: cut("0123") },
        { ...rest(4), body: cut("45") },
        { ...rest(6, { etag }), body: inChunks("6789") }
      ])
      assert.strictEqual(valueOf(yield* downloading(api)), parts)
      assert.deepStrictEqual(asRange(api.headers), [
        [undefined, undefined],
        ["bytes=4-", etag],
        ["bytes=6-", etag]
      ])
    })
  )

  it.effect("does not go by the version of an answer that was packed: it is that of other bytes", () =>
    Effect.gen(function* () {
      const api = service([
        { status: 200, headers: { etag, "content-encoding": "gzip", "content-length": "9" }, body: cut("0123") },
        { status: 200, headers: { etag: '"v2"' }, body: inChunks(parts) }
      ])
      assert.strictEqual(valueOf(yield* downloading(api)), parts)
      // Offsets in the encoded bytes are others, so all of it is asked for again.
      assert.deepStrictEqual(asRange(api.headers), [
        [undefined, undefined],
        [undefined, undefined]
      ])
    })
  )

  it.effect("has one policy for all of it: what the API refuses meanwhile counts as well", () =>
    Effect.gen(function* () {
      const api = service([{ status: 200, body: cut("0123") }], (n) =>
        n === 1 ? { status: 200, json: document } : { status: 503 }
      )
      assert.strictEqual(failureOf(yield* downloading(api))._tag, "UnexpectedResponse")
      assert.deepStrictEqual(seconds(api.at), [0, 0, 1, 3, 7])
    })
  )

  it.effect("lets go of an answer that is of another version", () =>
    Effect.gen(function* () {
      let released = 0
      const other = Stream.ensuring(
        Stream.concat(inChunks("abc"), Stream.never),
        Effect.sync(() => (released += 1))
      )
      const api = service([
        { status: 200, headers: { etag }, body: cut("0123") },
        { status: 200, headers: { etag: '"v2"' }, body: other }
      ])
      const error = failureOf(yield* downloading(api))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.strictEqual(released, 1)
    })
  )
})

describe("a link", () => {
  it.effect("leads on five times, the API's own redirect among them, and not six", () =>
    Effect.gen(function* () {
      const hop = { status: 302, headers: { location: "/next" } }
      const first = () => ({ status: 302, headers: { location: link } })
      const hops = (count: number) => Array.from({ length: count - 1 }, () => hop)
      const five = service([...hops(5), { status: 200, text: parts }], first)
      assert.strictEqual(valueOf(yield* downloading(five)), parts)
      const six = service([...hops(6), { status: 200, text: parts }], first)
      const error = failureOf(yield* downloading(six))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 302)
      assert.lengthOf(six.urls, 6)
    })
  )

  it.effect("leads nowhere when it is no address, and that is an answer like any other", () =>
    Effect.gen(function* () {
      const nowhere = { status: 302, headers: { location: "https://[" } }
      const first = { status: 302, headers: { location: link } }
      for (const [api, requests] of [
        [service([], () => nowhere), 1],
        [service([nowhere], () => first), 2]
      ] as const) {
        const error = failureOf(yield* downloading(api))
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 302)
        assert.lengthOf(api.urls, requests)
      }
    })
  )

  it.effect("promises a size that holds beyond the storage's own redirects", () =>
    Effect.gen(function* () {
      const body = () => ({ status: 200, body: inChunks("012") })
      const hop = { status: 307, headers: { location: "/next" } }
      const api = service([hop, body(), hop, body(), hop, body(), hop, body()], () => ({
        status: 200,
        json: { ...document, size_bytes: 5 }
      }))
      const error = failureOf(yield* downloading(api))
      assert.include(error.message, "3 of 5 bytes")
    })
  )

  it.effect("is one whatever the case of its media type", () =>
    Effect.gen(function* () {
      const api = service([{ status: 200, text: parts }], () => ({
        status: 200,
        json: document,
        headers: { "content-type": "Application/JSON; charset=utf-8" }
      }))
      assert.strictEqual(valueOf(yield* downloading(api)), parts)
    })
  )
})

describe("fetch", () => {
  it.effect("keeps the caller's own options, and follows no redirect", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const http = HttpClient.make((request, url) =>
        Effect.map(Effect.serviceOption(FetchHttpClient.RequestInit), (init) => {
          seen.push(init._tag === "Some" ? init.value : undefined)
          return HttpClientResponse.fromWeb(
            request,
            url.pathname.includes("/v1/") ? Response.json(document) : new Response(parts)
          )
        })
      )
      const { files } = yield* ModelRouteClient.make({ apiKey: Redacted.make(apiKey) }).pipe(
        Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layerSequence("key")))
      )
      yield* Stream.runDrain(files.download(id)).pipe(
        Effect.provideService(FetchHttpClient.RequestInit, { credentials: "include", redirect: "follow" })
      )
      const init = { credentials: "include", redirect: "manual" }
      assert.deepStrictEqual(seen, [init, init])
    })
  )
})
