/** Tests for file downloads, redirects, and resumed downloads. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Redacted, Stream, TestClock } from "effect"
import { File, IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { collectText, createImage, fileId, imageLinkJson, linkJson, storageUrl } from "../utils/downloads.js"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { apiKey, arrivalTimes, layer, runToEnd, silent, start, withClient, isoDate } from "../utils/harness.js"

const content = "0123456789"
const etag = '"v1"'

describe("files.download", { concurrent: true }, () => {
  for (const download of ["json", "bytes", "redirect"] as const) {
    it.effect(`downloads a file if the simulator option download is ${JSON.stringify(download)}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const file = yield* createImage(client)
          const bytes = yield* collectText(client.files.download(file))
          assert.include(bytes.slice(0, 8), "PNG")
          const { requests } = yield* Simulator
          const storage = (yield* requests).filter(({ operation }) => operation === "storage.get")
          assert.lengthOf(storage, download === "bytes" ? 0 : 1)
          for (const { headers } of storage) assert.notProperty(headers, "authorization")
        })
      ).pipe(Effect.provide(layer({ simulator: { download } })))
    )
  }

  it.effect("returns JSON from the API as a file only if its Content-Disposition is attachment", () =>
    Effect.gen(function* () {
      const stored = [{ a: 1 }, [storageUrl], { url: "ftp://storage.example/file" }, { file: imageLinkJson }]
      for (const json of stored) {
        const { client, urls } = makeFakeClient(() => ({ status: 200, json }))
        const error = failureOf(yield* Effect.exit(collectText((yield* client).files.download(fileId))))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response lacks a valid download URL")
        assert.strictEqual(error.fileId, fileId)
        assert.lengthOf(urls, 1)
      }
      for (const json of [...stored, imageLinkJson]) {
        const headers = { "content-disposition": 'attachment; filename="a.json"' }
        const { client, urls } = makeFakeClient(() => ({ status: 200, json, headers }))
        assert.strictEqual(yield* collectText((yield* client).files.download(fileId)), JSON.stringify(json))
        assert.lengthOf(urls, 1)
      }
    })
  )

  it.effect("returns a JSON file from storage unchanged", () =>
    Effect.gen(function* () {
      const stored = { url: "http://169.254.169.254/latest/meta-data", expires_at: "2026-03-20T11:30:00Z" }
      const { client, urls } = makeFakeClient((url) =>
        url.startsWith("https://storage") ? { status: 200, json: stored } : { status: 200, json: { url: storageUrl } }
      )
      assert.strictEqual(yield* collectText((yield* client).files.download(fileId)), JSON.stringify(stored))
      assert.lengthOf(urls, 2)
    })
  )

  it.effect("requests the download URL again if its response is truncated", () =>
    Effect.gen(function* () {
      const gone = { error: { code: "FILE_NOT_FOUND", message: "expired" } }
      const missing = makeFakeClient(() => ({ status: 200, json: gone }))
      const error = failureOf(yield* Effect.exit(collectText((yield* missing.client).files.download(fileId))))
      assert.strictEqual(error._tag, "FileNotFound")
      const truncated = makeFakeClient((url, n) =>
        url.startsWith("https://storage")
          ? { status: 200, text: "01234" }
          : n === 1
            ? {
                status: 200,
                text: JSON.stringify(imageLinkJson).slice(0, -9),
                headers: { "content-type": "application/json" }
              }
            : { status: 200, json: imageLinkJson }
      )
      assert.strictEqual(
        valueOf(yield* runToEnd(collectText((yield* truncated.client).files.download(fileId)))),
        "01234"
      )
      assert.lengthOf(truncated.urls, 3)
    })
  )

  it.effect("sends the API key to a redirect target within the API", () =>
    Effect.gen(function* () {
      const canonical = "https://api.modelroute.ai/v1/files/file_1/content"
      const { client, headers, urls } = makeFakeClient((url) =>
        url.startsWith("https://storage")
          ? { status: 200, text: "01234" }
          : url === canonical
            ? { status: 200, json: imageLinkJson }
            : { status: 302, headers: { location: "/v1/files/file_1/content" } }
      )
      assert.strictEqual(yield* collectText((yield* client).files.download(fileId)), "01234")
      assert.deepStrictEqual(urls.slice(1), [canonical, storageUrl])
      assert.deepStrictEqual(
        headers.map(({ authorization }) => authorization),
        [`Bearer ${apiKey}`, `Bearer ${apiKey}`, undefined]
      )
    })
  )

  it.effect("fails with UnexpectedResponse if the response is an HTML page", () =>
    Effect.gen(function* () {
      const page = { status: 200, text: "<html>login</html>", headers: { "content-type": "text/html; charset=utf-8" } }
      const fromApi = makeFakeClient(() => page)
      const error = failureOf(yield* Effect.exit(collectText((yield* fromApi.client).files.download(fileId))))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      const fromStorage = makeFakeClient((url) =>
        url.startsWith("https://storage") ? page : { status: 200, json: { url: storageUrl, content_type: "image/png" } }
      )
      const other = failureOf(yield* Effect.exit(collectText((yield* fromStorage.client).files.download(fileId))))
      assert.strictEqual(other._tag, "UnexpectedResponse")
      assert.include(other.message, "the response is an HTML page instead of a file of type image/png")
    })
  )

  for (const location of [
    "ftp://storage.example/x",
    "data:text/plain,abc",
    "file:///etc/passwd",
    "http://10.0.0.1/x"
  ]) {
    it.effect(`does not follow a redirect to ${location}`, () =>
      Effect.gen(function* () {
        const direct = makeFakeClient(() => ({ status: 302, headers: { location } }))
        const viaStorage = makeFakeClient((url) =>
          url.startsWith("https://storage")
            ? { status: 302, headers: { location } }
            : { status: 200, json: { url: storageUrl, expires_at: "2026-03-20T11:30:00Z" } }
        )
        for (const { client, urls } of [direct, viaStorage]) {
          const error = failureOf(yield* Effect.exit(collectText((yield* client).files.download(fileId))))
          assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 302)
          assert.isTrue(urls.every((url) => url.startsWith("https://")))
        }
      })
    )
  }

  it.effect.each([
    ["inside a chunk", 2500],
    ["after a complete chunk", 3000]
  ] as const)("fails at the first byte beyond size_bytes %s", ([, size]) =>
    Effect.gen(function* () {
      let pulled = 0
      const endless = Stream.repeatEffect(
        Effect.sync(() => {
          pulled += 1
          return new Uint8Array(1000)
        })
      )
      const { client } = makeFakeClient((url) =>
        url.startsWith("https://storage")
          ? { status: 200, body: endless }
          : { status: 200, json: { url: storageUrl, size_bytes: size } }
      )
      let received = 0
      const counted = Stream.runForEach((yield* client).files.download(fileId), (bytes) =>
        Effect.sync(() => {
          received += bytes.length
        })
      )
      const error = failureOf(yield* Effect.exit(counted))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.isAtMost(received, size)
      assert.isBelow(pulled, 20)
    })
  )

  it.effect("succeeds after a 416 response to a range request if all bytes have arrived", () =>
    Effect.gen(function* () {
      const broken = Stream.concat(Stream.make(new TextEncoder().encode("01234")), Stream.die("connection lost"))
      const { client, headers } = makeFakeClient((url, n) => {
        if (!url.startsWith("https://storage")) return { status: 200, json: { url: storageUrl } }
        return n === 2
          ? { status: 200, body: broken }
          : { status: 416, text: "<Error/>", headers: { "content-range": "bytes */5" } }
      })
      assert.strictEqual(valueOf(yield* runToEnd(collectText((yield* client).files.download(fileId)))), "01234")
      assert.deepStrictEqual(
        headers.map(({ range }) => range),
        [undefined, undefined, undefined, "bytes=5-"]
      )
    })
  )

  it.effect("follows storage redirects without sending the API key", () =>
    Effect.gen(function* () {
      const hops = (count: number) =>
        makeFakeClient((_, n) =>
          n <= count
            ? { status: 302, headers: { location: n % 2 === 0 ? "/next" : storageUrl } }
            : { status: 200, text: "bytes", headers: { "content-type": "image/png" } }
        )
      const few = hops(4)
      assert.strictEqual(yield* collectText((yield* few.client).files.download(fileId)), "bytes")
      assert.deepStrictEqual(few.urls.slice(1), [
        storageUrl,
        "https://storage.example/next",
        storageUrl,
        "https://storage.example/next"
      ])
      assert.deepStrictEqual(
        few.headers.map((headers) => headers["authorization"]),
        [`Bearer ${apiKey}`, undefined, undefined, undefined, undefined]
      )
      const many = hops(99)
      const error = failureOf(yield* Effect.exit(collectText((yield* many.client).files.download(fileId))))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.isAtMost(many.urls.length, 7)
    })
  )

  it.effect("redacts the URL signature in the error if storage rejects the request", () => {
    const { client } = makeFakeClient((_, n) =>
      n === 1
        ? { status: 200, json: imageLinkJson }
        : {
            status: 403,
            text: "<Error><Code>AccessDenied</Code><SignatureProvided>canary0123456789</SignatureProvided></Error>"
          }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit(collectText((yield* client).files.download(fileId))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)
      assert.isFalse(error.retryable)
      assert.include(JSON.stringify(error), "AccessDenied")
      assert.notInclude(JSON.stringify(error), "canary")
    })
  })

  it.effect("fails if the body is shorter than size_bytes", () => {
    const { client } = makeFakeClient((_, n) =>
      n === 1 ? { status: 200, json: imageLinkJson } : { status: 200, text: "abc" }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* runToEnd(collectText((yield* client).files.download(fileId))))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
      assert.include(error.message, "3 of 5 bytes")
    })
  })

  it.effect("retries API errors and storage errors before the first byte", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const file = yield* createImage(client)
        const { inject } = yield* Simulator
        yield* inject(
          Fault.on("files.download", Fault.apiError("SERVICE_UNAVAILABLE")),
          Fault.on("storage.get", Fault.badGateway)
        )
        assert.include(valueOf(yield* runToEnd(collectText(client.files.download(file)))).slice(0, 8), "PNG")
        const at = (yield* arrivalTimes("files.download")).map((instant) => instant - 9500)
        assert.deepStrictEqual(at, [0, 1000, 3000])
      })
    ).pipe(Effect.provide(layer()))
  )

  /** Creates a client. Storage breaks the connection after `step` bytes of each response. */
  const makeBreakingClient = (
    step: number,
    respond: (from: number, n: number) => Partial<FakeResponse> & { readonly text: string },
    first: FakeResponse = { status: 200, json: { ...imageLinkJson, size_bytes: content.length } }
  ) => {
    let n = 0
    return makeFakeClient((url, _, { range }) => {
      if (url.includes("/v1/")) return first
      n += 1
      const { text, ...rest } = respond(Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0), n)
      const broken = Stream.concat(
        Stream.make(new TextEncoder().encode(text.slice(0, step))),
        Stream.die("connection lost")
      )
      return { status: 200, ...(text.length > step ? { body: broken } : { text }), ...rest }
    })
  }
  const partial = (from: number) => ({
    status: 206,
    text: content.slice(from),
    headers: { etag, "content-range": `bytes ${from}-9/10` }
  })
  const whole = { text: content, headers: { etag } }

  it.effect("resumes a broken download with range requests", () =>
    Effect.gen(function* () {
      const { at, client, headers } = makeBreakingClient(4, (from) => (from === 0 ? whole : partial(from)))
      yield* TestClock.setTime(start)
      const bytes = valueOf(yield* runToEnd(collectText((yield* client).files.download(fileId))))
      assert.strictEqual(bytes, content)
      // Each retry requests a new link and then the missing range.
      assert.deepStrictEqual(
        headers.map(({ range, ...others }) => [range, others["if-range"]]),
        [
          [undefined, undefined],
          [undefined, undefined],
          [undefined, undefined],
          ["bytes=4-", etag],
          [undefined, undefined],
          ["bytes=8-", etag]
        ]
      )
      assert.deepStrictEqual(
        at.map((instant) => instant - start),
        [0, 0, 1000, 1000, 3000, 3000]
      )
      const slow = makeBreakingClient(1, (from) => (from === 0 ? whole : partial(from)))
      const error = failureOf(yield* runToEnd(collectText((yield* slow.client).files.download(fileId))))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
      assert.isTrue(error.retryable)
      assert.strictEqual(slow.urls.length, 8)
      const none = makeBreakingClient(4, (from) => (from === 0 ? whole : partial(from)))
      const once = collectText((yield* none.client).files.download(fileId)).pipe(
        RetryPolicy.withPolicy(RetryPolicy.none)
      )
      assert.strictEqual(failureOf(yield* runToEnd(once))._tag, "TransportError")
      assert.strictEqual(none.urls.length, 2)
    })
  )

  it.effect("fails with UnexpectedResponse if the file changes during the download", () =>
    Effect.gen(function* () {
      const again = makeBreakingClient(4, (_, n) => ({
        ...whole,
        ...(n < 3 ? {} : { body: Stream.make(new TextEncoder().encode(content)) })
      }))
      assert.strictEqual(valueOf(yield* runToEnd(collectText((yield* again.client).files.download(fileId)))), content)
      for (const other of [
        { text: "abcdefghij", headers: { etag: '"v2"' } },
        { text: "abcdefghijk", headers: { "content-length": "11" } },
        { ...partial(4), headers: { "content-range": "bytes 5-9/10" } },
        { ...partial(4), headers: { "content-range": "bytes 4-9/11" } },
        { ...partial(4), headers: {} }
      ]) {
        const { client } = makeBreakingClient(4, (_, n) => (n === 1 ? whole : other))
        const error = failureOf(yield* runToEnd(collectText((yield* client).files.download(fileId))))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response contains another file")
      }
      // A weak ETag is not sent, because only a strong ETag guarantees identical bytes.
      const weak = makeBreakingClient(4, (from) =>
        from === 0 ? { text: content, headers: { etag: 'W/"v1"' } } : partial(from)
      )
      assert.strictEqual(valueOf(yield* runToEnd(collectText((yield* weak.client).files.download(fileId)))), content)
      assert.isTrue(weak.headers.every((headers) => headers["if-range"] === undefined || headers["if-range"] === etag))
    })
  )

  it.effect("fails with UnexpectedResponse if the file in storage is not size_bytes long", () =>
    Effect.gen(function* () {
      const declared = (length: number) => ({ "content-length": String(length) })
      for (const stored of [
        { status: 200, text: "<html>login</html>", headers: declared(18) },
        { status: 200, text: "", headers: declared(0) },
        // Storage declares no length, so the mismatch is detected in the body.
        { status: 200, text: "0123456789x" }
      ]) {
        const api = makeFakeClient((url) =>
          url.includes("/v1/") ? { status: 200, json: { ...imageLinkJson, size_bytes: 10 } } : stored
        )
        const error = failureOf(yield* runToEnd(collectText((yield* api.client).files.download(fileId))))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response contains another file")
        assert.lengthOf(api.urls, 2)
      }
    })
  )

  it.effect("succeeds if the connection breaks after the last byte", () => {
    const { client, urls } = makeBreakingClient(9, () => ({
      ...whole,
      body: Stream.concat(Stream.make(new TextEncoder().encode(content)), Stream.die("connection lost"))
    }))
    return Effect.gen(function* () {
      assert.strictEqual(valueOf(yield* runToEnd(collectText((yield* client).files.download(fileId)))), content)
      assert.strictEqual(urls.length, 2)
    })
  })

  it.effect("applies the attempt timeout to each chunk of the body", () => {
    const chunks = Stream.range(1, 5).pipe(
      Stream.mapEffect((n) =>
        Effect.delay(Effect.succeed(new TextEncoder().encode(String(n))), n < 5 ? "20 seconds" : "1 hour")
      )
    )
    const { client } = makeFakeClient(() => ({ status: 200, headers: { "content-type": "image/png" }, body: chunks }))
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const seen: Array<number> = []
      const { files } = yield* client
      const download = Stream.runForEach(files.download(fileId), (chunk) =>
        Effect.map(Effect.clock, (clock) => {
          seen.push(chunk.length, clock.unsafeCurrentTimeMillis() - start)
        })
      )
      const error = failureOf(yield* runToEnd(download))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "timeout")
      assert.deepStrictEqual(seen, [1, 20_000, 1, 40_000, 1, 60_000, 1, 80_000])
    })
  })
})

const bytes = (text: string) => new TextEncoder().encode(text)

/** Returns a body that emits the chunks and then breaks the connection. */
const brokenAfter = (...chunks: ReadonlyArray<string>) =>
  Stream.concat(inChunks(...chunks), Stream.die("connection lost"))
const inChunks = (...chunks: ReadonlyArray<string>) => Stream.rechunk(Stream.fromIterable(chunks.map(bytes)), 1)

/** Creates a client. Storage returns the given responses in order. */
const clientOver = (
  storage: ReadonlyArray<FakeResponse>,
  api: (n: number) => FakeResponse = () => ({ status: 200, json: linkJson })
) => {
  let apiRequests = 0
  let storageRequests = 0
  return makeFakeClient((url) => {
    if (url.includes("/v1/")) return api((apiRequests += 1))
    storageRequests += 1
    return storage[storageRequests - 1] ?? { status: 500, text: "unexpected request" }
  })
}

const runDownload = ({ client }: Pick<ReturnType<typeof clientOver>, "client">) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const { files } = yield* client
    return yield* runToEnd(silent(collectText(files.download(fileId))))
  })

const seconds = (at: ReadonlyArray<number>) => at.map((instant) => (instant - start) / 1000)

const rangesOf = (headers: ReadonlyArray<Readonly<Record<string, string>>>) =>
  headers.flatMap(({ authorization, range, "if-range": version }) => (authorization ? [] : [[range, version]]))

describe("files.download after a broken connection", { concurrent: true }, () => {
  const rest = (from: number, headers: Record<string, string> = {}) => ({
    status: 206,
    headers: { "content-range": `bytes ${from}-9/10`, ...headers }
  })

  it.effect("skips the bytes that it has already received if storage sends the whole file again", () =>
    Effect.gen(function* () {
      for (const chunks of [["012", "345", "678", "9"], ["0", "123", "4567", "89"], [content]]) {
        const api = clientOver([
          { status: 200, headers: { "content-length": "10" }, body: brokenAfter("0123") },
          { status: 200, headers: { "content-length": "10" }, body: inChunks(...chunks) }
        ])
        assert.strictEqual(valueOf(yield* runDownload(api)), content)
      }
    })
  )

  it.effect("sends the first ETag in If-Range even if a later response has no ETag", () =>
    Effect.gen(function* () {
      const api = clientOver([
        { status: 200, headers: { etag }, body: brokenAfter("0123") },
        { ...rest(4), body: brokenAfter("45") },
        { ...rest(6, { etag }), body: inChunks("6789") }
      ])
      assert.strictEqual(valueOf(yield* runDownload(api)), content)
      assert.deepStrictEqual(rangesOf(api.headers), [
        [undefined, undefined],
        ["bytes=4-", etag],
        ["bytes=6-", etag]
      ])
    })
  )

  it.effect("sends no range request after a response with a Content-Encoding", () =>
    Effect.gen(function* () {
      const api = clientOver(
        [
          {
            status: 200,
            headers: { etag, "content-encoding": "gzip", "content-length": "9" },
            body: brokenAfter("0123")
          },
          { status: 200, headers: { etag: '"v2"' }, body: inChunks(content) }
        ],
        () => ({ status: 200, json: { ...linkJson, size_bytes: content.length } })
      )
      assert.strictEqual(valueOf(yield* runDownload(api)), content)
      // The next request has no range, because offsets would refer to the encoded bytes.
      assert.deepStrictEqual(rangesOf(api.headers), [
        [undefined, undefined],
        [undefined, undefined]
      ])
    })
  )

  it.effect("counts retries after API failures and storage failures together", () =>
    Effect.gen(function* () {
      const api = clientOver([{ status: 200, body: brokenAfter("0123") }], (n) =>
        n === 1 ? { status: 200, json: linkJson } : { status: 503 }
      )
      assert.strictEqual(failureOf(yield* runDownload(api))._tag, "UnexpectedResponse")
      assert.deepStrictEqual(seconds(api.at), [0, 0, 1, 3, 7])
    })
  )

  it.effect("closes the storage response if its ETag has changed", () =>
    Effect.gen(function* () {
      let released = 0
      const other = Stream.ensuring(
        Stream.concat(inChunks("abc"), Stream.never),
        Effect.sync(() => (released += 1))
      )
      const api = clientOver([
        { status: 200, headers: { etag }, body: brokenAfter("0123") },
        { status: 200, headers: { etag: '"v2"' }, body: other }
      ])
      const error = failureOf(yield* runDownload(api))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.strictEqual(released, 1)
    })
  )
})

describe("files.download", { concurrent: true }, () => {
  it.effect("follows at most five redirects", () =>
    Effect.gen(function* () {
      const hop = { status: 302, headers: { location: "/next" } }
      const first = () => ({ status: 302, headers: { location: storageUrl } })
      const hops = (count: number) => Array.from({ length: count - 1 }, () => hop)
      const five = clientOver([...hops(5), { status: 200, text: content }], first)
      assert.strictEqual(valueOf(yield* runDownload(five)), content)
      const six = clientOver([...hops(6), { status: 200, text: content }], first)
      const error = failureOf(yield* runDownload(six))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 302)
      assert.lengthOf(six.urls, 6)
    })
  )

  it.effect("fails with UnexpectedResponse if the redirect URL is invalid", () =>
    Effect.gen(function* () {
      const invalidRedirect = { status: 302, headers: { location: "https://[" } }
      const first = { status: 302, headers: { location: storageUrl } }
      for (const [api, requests] of [
        [clientOver([], () => invalidRedirect), 1],
        [clientOver([invalidRedirect], () => first), 2]
      ] as const) {
        const error = failureOf(yield* runDownload(api))
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 302)
        assert.lengthOf(api.urls, requests)
      }
    })
  )

  it.effect("fails if the body is shorter than size_bytes after storage redirects", () =>
    Effect.gen(function* () {
      const body = () => ({ status: 200, body: inChunks("012") })
      const hop = { status: 307, headers: { location: "/next" } }
      const api = clientOver([hop, body(), hop, body(), hop, body(), hop, body()], () => ({
        status: 200,
        json: { ...linkJson, size_bytes: 5 }
      }))
      const error = failureOf(yield* runDownload(api))
      assert.include(error.message, "3 of 5 bytes")
    })
  )

  it.effect("reads the download URL from a JSON response with a Content-Type in any letter case", () =>
    Effect.gen(function* () {
      const api = clientOver([{ status: 200, text: content }], () => ({
        status: 200,
        json: linkJson,
        headers: { "content-type": "Application/JSON; charset=utf-8" }
      }))
      assert.strictEqual(valueOf(yield* runDownload(api)), content)
    })
  )
})

describe("files.download with fetch", { concurrent: true }, () => {
  it.effect("keeps the RequestInit of the caller except for the redirect mode", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const http = HttpClient.make((request, url) =>
        Effect.map(Effect.serviceOption(FetchHttpClient.RequestInit), (init) => {
          seen.push(init._tag === "Some" ? init.value : undefined)
          return HttpClientResponse.fromWeb(
            request,
            url.pathname.includes("/v1/") ? Response.json(linkJson) : new Response(content)
          )
        })
      )
      const { files } = yield* ModelRouteClient.make({ apiKey: Redacted.make(apiKey) }).pipe(
        Effect.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, http), IdempotencyKey.layerSequence("key")))
      )
      yield* Stream.runDrain(files.download(fileId)).pipe(
        Effect.provideService(FetchHttpClient.RequestInit, { credentials: "include", redirect: "follow" })
      )
      const init = { credentials: "include", redirect: "manual" }
      assert.deepStrictEqual(seen, [init, init])
    })
  )
})

describe("ModelRouteClient with fetch", { concurrent: true }, () => {
  it.effect("keeps the RequestInit of the transport's layer except for the redirect mode", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const fetch: typeof globalThis.fetch = (input, init) => {
        seen.push([new URL(String(input)).pathname, init?.credentials, init?.redirect])
        const isLink = String(input).includes("/v1/")
        return Promise.resolve(
          isLink ? Response.json({ ...linkJson, file_id: "file_1", upload_url: storageUrl }) : new Response(content)
        )
      }
      const http = FetchHttpClient.layer.pipe(
        Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch)),
        Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { credentials: "include", redirect: "follow" }))
      )
      for (const transformClient of [undefined, (client: HttpClient.HttpClient) => client]) {
        const { files } = yield* ModelRouteClient.make({ apiKey: Redacted.make(apiKey), transformClient }).pipe(
          Effect.provide(Layer.merge(http, IdempotencyKey.layerSequence("key")))
        )
        yield* Stream.runDrain(files.download(fileId))
        yield* Stream.runDrain(files.download(fileId)).pipe(
          Effect.provideService(FetchHttpClient.RequestInit, { credentials: "omit" })
        )
        yield* Effect.exit(files.upload(File.fromBytes(new Uint8Array(1)), { confirm: false }))
      }
      const download = (credentials: string) => [
        ["/v1/files/file_1/download", credentials, "manual"],
        ["/files/file_1", credentials, "manual"]
      ]
      const upload = [
        ["/v1/files/upload", "include", "manual"],
        ["/files/file_1", "include", "manual"]
      ]
      const each = [...download("include"), ...download("omit"), ...upload]
      assert.deepStrictEqual(seen, [...each, ...each])
    })
  )
})

describe("files.download", { concurrent: true }, () => {
  const png = { "content-type": "image/png" }

  it.effect("fails if an unencoded body is shorter than its Content-Length", () =>
    Effect.gen(function* () {
      const short = { status: 200, text: "abc", headers: { ...png, "content-length": "5" } }
      for (const first of [short, { status: 302, headers: { location: storageUrl } }]) {
        const { client } = makeFakeClient((_, n) => (n === 1 ? first : short))
        const error = failureOf(yield* runToEnd(collectText((yield* client).files.download(fileId))))
        assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
        assert.include(error.message, "3 of 5 bytes")
      }
      const encoded = makeFakeClient((url) =>
        url.includes("/v1/")
          ? { status: 200, json: { ...linkJson, size_bytes: 3 } }
          : { ...short, headers: { ...short.headers, "content-encoding": "gzip" } }
      )
      assert.strictEqual(yield* collectText((yield* encoded.client).files.download(fileId)), "abc")
    })
  )

  it.effect("fails if the body is one byte shorter than its Content-Length", () => {
    const { client } = makeFakeClient(() => ({
      status: 200,
      text: "abcd",
      headers: { "content-type": "image/png", "content-length": "5" }
    }))
    return Effect.gen(function* () {
      const error = failureOf(yield* runToEnd(Stream.runDrain((yield* client).files.download(fileId))))
      assert.include(error.message, "4 of 5 bytes")
    })
  })

  it.effect("redacts the signatures of redirect URLs in the error", () => {
    const { client } = makeFakeClient((_, n) =>
      n < 3
        ? { status: 302, headers: { location: n === 1 ? storageUrl : "/next?sig=other0123456789" } }
        : { status: 403, text: "<Error>canary0123456789 other0123456789</Error>" }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit(collectText((yield* client).files.download(fileId))))
      assert.notInclude(JSON.stringify(error), "canary")
      assert.notInclude(JSON.stringify(error), "other0123")
    })
  })

  it.effect("reads a download URL only from an application/json response, regardless of its size", () =>
    Effect.gen(function* () {
      for (const type of ["application/geo+json", "application/jsonl"]) {
        const { client, urls } = makeFakeClient(() => ({
          status: 200,
          json: linkJson,
          headers: { "content-type": type }
        }))
        assert.strictEqual(yield* collectText((yield* client).files.download(fileId)), JSON.stringify(linkJson))
        assert.lengthOf(urls, 1)
      }
      const large = { ...linkJson, size_bytes: 3, pad: "x".repeat(70_000) }
      const { client, urls } = makeFakeClient((_, n) =>
        n === 1 ? { status: 200, json: large } : { status: 200, text: "abc" }
      )
      assert.strictEqual(yield* collectText((yield* client).files.download(fileId)), "abc")
      assert.lengthOf(urls, 2)
    })
  )

  it.effect("accepts an empty file", () =>
    Effect.gen(function* () {
      const rejecting = makeFakeClient(() => ({ status: 403, text: "no", headers: { location: storageUrl } }))
      const error = failureOf(yield* Effect.exit(collectText((yield* rejecting.client).files.download(fileId))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)
      assert.lengthOf(rejecting.urls, 1)
      const empty = makeFakeClient(() => ({ status: 204 }))
      assert.strictEqual(yield* collectText((yield* empty.client).files.download(fileId)), "")
    })
  )

  for (const url of ["https://", "http://[", "https://a b"]) {
    it.effect(`fails without a defect if the download URL is ${url}`, () => {
      const { client } = makeFakeClient(() => ({ status: 200, json: { url, expires_at: isoDate(start) } }))
      return Effect.gen(function* () {
        const exit = yield* Effect.exit(Stream.runDrain((yield* client).files.download(fileId)))
        assert.isFalse(Exit.isFailure(exit) && Cause.isDie(exit.cause), String(exit))
      })
    })
  }
})
