import { assert, describe, it } from "@effect/vitest"
import { Chunk, DateTime, Effect, Redacted, Stream, TestClock } from "effect"
import { File, type ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "./utils/exit.js"
import { makeFakeClient, type FakeResponse } from "./utils/fake.js"
import { apiKey, arrivalTimes, image, isoDate, layer, runToEnd, start, withClient } from "./utils/harness.js"

const id = File.FileId.make("file_1")
const link = "https://storage.example/files/file_1?X-Amz-Signature=canary0123456789"
const document = { url: link, expires_at: isoDate(start + 3_600_000), content_type: "image/png", size_bytes: 5 }

const collect = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) =>
  Effect.map(Stream.runCollect(stream), (chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)).toString())

/** A finished image in the simulator. */
const finished = (client: ModelRouteClient.Service) =>
  Effect.gen(function* () {
    const { fileIds } = valueOf(yield* runToEnd(client.executions.run(image)))
    return fileIds[0] ?? File.FileId.make("file_none")
  })

describe("url", () => {
  it.effect("gives a link, its end, type and size, and shows it to no log", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const file = yield* finished(client)
        const found = yield* client.files.url(file)
        assert.match(
          Redacted.value(found.url),
          /^https:\/\/storage\.modelroute\.example\/files\/file_.*X-Amz-Signature=/
        )
        assert.strictEqual(found.contentType, "image/png")
        assert.isAbove(found.size ?? 0, 1000)
        // Asked for 9.5 s after the start, in whole seconds, and valid for an hour.
        assert.strictEqual(found.expiresAt && DateTime.toEpochMillis(found.expiresAt), start + 9000 + 3_600_000)
        assert.notInclude(JSON.stringify(found), "X-Amz")
        assert.notInclude(String(found), "X-Amz")
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("fails with FileNotFound, and with UnexpectedResponse for what is no link", () =>
    Effect.gen(function* () {
      const unknown = withClient((client) => Effect.exit(client.files.url(id))).pipe(Effect.provide(layer()))
      assert.strictEqual(failureOf(yield* unknown)._tag, "FileNotFound")
      for (const url of ["ftp://x", "", 7, undefined]) {
        const { client } = makeFakeClient(() => ({ status: 200, json: { ...document, url } }))
        const error = failureOf(yield* Effect.exit((yield* client).files.url(id)))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response lacks a download URL")
      }
    })
  )
})

describe("download", () => {
  for (const download of ["json", "bytes", "redirect"] as const) {
    it.effect(`gives the bytes of a file that comes as ${download}`, () =>
      withClient((client) =>
        Effect.gen(function* () {
          const file = yield* finished(client)
          const bytes = yield* collect(client.files.download(file))
          assert.include(bytes.slice(0, 8), "PNG")
          const { requests } = yield* Simulator
          const storage = (yield* requests).filter(({ operation }) => operation === "storage.get")
          assert.lengthOf(storage, download === "bytes" ? 0 : 1)
          for (const { headers } of storage) assert.notProperty(headers, "authorization")
        })
      ).pipe(Effect.provide(layer({ simulator: { download } })))
    )
  }

  it.effect("takes JSON of the API's host for a link or an error, and for content only if the API says so", () =>
    Effect.gen(function* () {
      const stored = [{ a: 1 }, [link], { url: "ftp://storage.example/file" }, { file: document }]
      for (const json of stored) {
        const { client, urls } = makeFakeClient(() => ({ status: 200, json }))
        const error = failureOf(yield* Effect.exit(collect((yield* client).files.download(id))))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response lacks a download URL")
        assert.strictEqual(error.fileId, id)
        assert.lengthOf(urls, 1)
      }
      for (const json of [...stored, document]) {
        const headers = { "content-disposition": 'attachment; filename="a.json"' }
        const { client, urls } = makeFakeClient(() => ({ status: 200, json, headers }))
        assert.strictEqual(yield* collect((yield* client).files.download(id)), JSON.stringify(json))
        assert.lengthOf(urls, 1)
      }
    })
  )

  it.effect("does not take a link of the storage for a link: stored JSON is content", () =>
    Effect.gen(function* () {
      const stored = { url: "http://169.254.169.254/latest/meta-data", expires_at: "2026-03-20T11:30:00Z" }
      const { client, urls } = makeFakeClient((url) =>
        url.startsWith("https://storage") ? { status: 200, json: stored } : { status: 200, json: { url: link } }
      )
      assert.strictEqual(yield* collect((yield* client).files.download(id)), JSON.stringify(stored))
      assert.lengthOf(urls, 2)
    })
  )

  it.effect("fails with the error of an envelope in a success, and asks again for a link that is cut", () =>
    Effect.gen(function* () {
      const gone = { error: { code: "FILE_NOT_FOUND", message: "expired" } }
      const refused = makeFakeClient(() => ({ status: 200, json: gone }))
      const error = failureOf(yield* Effect.exit(collect((yield* refused.client).files.download(id))))
      assert.strictEqual(error._tag, "FileNotFound")
      const cut = makeFakeClient((url, n) =>
        url.startsWith("https://storage")
          ? { status: 200, text: "01234" }
          : n === 1
            ? {
                status: 200,
                text: JSON.stringify(document).slice(0, -9),
                headers: { "content-type": "application/json" }
              }
            : { status: 200, json: document }
      )
      assert.strictEqual(valueOf(yield* runToEnd(collect((yield* cut.client).files.download(id)))), "01234")
      assert.lengthOf(cut.urls, 3)
    })
  )

  it.effect("follows a redirect to another path of the API with the key, and takes its JSON for a link", () =>
    Effect.gen(function* () {
      const canonical = "https://api.modelroute.ai/v1/files/file_1/content"
      const { client, headers, urls } = makeFakeClient((url) =>
        url.startsWith("https://storage")
          ? { status: 200, text: "01234" }
          : url === canonical
            ? { status: 200, json: document }
            : { status: 302, headers: { location: "/v1/files/file_1/content" } }
      )
      assert.strictEqual(yield* collect((yield* client).files.download(id)), "01234")
      assert.deepStrictEqual(urls.slice(1), [canonical, link])
      assert.deepStrictEqual(
        headers.map(({ authorization }) => authorization),
        [`Bearer ${apiKey}`, `Bearer ${apiKey}`, undefined]
      )
    })
  )

  it.effect("does not take a page for the file", () =>
    Effect.gen(function* () {
      const page = { status: 200, text: "<html>login</html>", headers: { "content-type": "text/html; charset=utf-8" } }
      const ofApi = makeFakeClient(() => page)
      const error = failureOf(yield* Effect.exit(collect((yield* ofApi.client).files.download(id))))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      const ofStorage = makeFakeClient((url) =>
        url.startsWith("https://storage") ? page : { status: 200, json: { url: link, content_type: "image/png" } }
      )
      const other = failureOf(yield* Effect.exit(collect((yield* ofStorage.client).files.download(id))))
      assert.strictEqual(other._tag, "UnexpectedResponse")
      assert.include(other.message, "the response is a page, not the file of type image/png")
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
            : { status: 200, json: { url: link, expires_at: "2026-03-20T11:30:00Z" } }
        )
        for (const { client, urls } of [direct, viaStorage]) {
          const error = failureOf(yield* Effect.exit(collect((yield* client).files.download(id))))
          assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 302)
          assert.isTrue(urls.every((url) => url.startsWith("https://")))
        }
      })
    )
  }

  it.effect("stops at the first byte too many", () =>
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
          : { status: 200, json: { url: link, size_bytes: 2500 } }
      )
      let received = 0
      const counted = Stream.runForEach((yield* client).files.download(id), (bytes) =>
        Effect.sync(() => {
          received += bytes.length
        })
      )
      const error = failureOf(yield* Effect.exit(counted))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.isAtMost(received, 2500)
      assert.isBelow(pulled, 20)
    })
  )

  it.effect("is complete when storage has no bytes after those that have arrived", () =>
    Effect.gen(function* () {
      const cut = Stream.concat(Stream.make(new TextEncoder().encode("01234")), Stream.die("cut"))
      const { client, headers } = makeFakeClient((url, n) => {
        if (!url.startsWith("https://storage")) return { status: 200, json: { url: link } }
        return n === 2
          ? { status: 200, body: cut }
          : { status: 416, text: "<Error/>", headers: { "content-range": "bytes */5" } }
      })
      assert.strictEqual(valueOf(yield* runToEnd(collect((yield* client).files.download(id)))), "01234")
      assert.deepStrictEqual(
        headers.map(({ range }) => range),
        [undefined, undefined, undefined, "bytes=5-"]
      )
    })
  )

  it.effect("follows redirects of the storage, but not for ever, and takes nothing of ours along", () =>
    Effect.gen(function* () {
      const hops = (count: number) =>
        makeFakeClient((_, n) =>
          n <= count
            ? { status: 302, headers: { location: n % 2 === 0 ? "/next" : link } }
            : { status: 200, text: "bytes", headers: { "content-type": "image/png" } }
        )
      const few = hops(4)
      assert.strictEqual(yield* collect((yield* few.client).files.download(id)), "bytes")
      assert.deepStrictEqual(few.urls.slice(1), [
        link,
        "https://storage.example/next",
        link,
        "https://storage.example/next"
      ])
      assert.deepStrictEqual(
        few.headers.map((headers) => headers["authorization"]),
        [`Bearer ${apiKey}`, undefined, undefined, undefined, undefined]
      )
      const many = hops(99)
      const error = failureOf(yield* Effect.exit(collect((yield* many.client).files.download(id))))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.isAtMost(many.urls.length, 7)
    })
  )

  it.effect("does not show the signature when the storage refuses and quotes it", () => {
    const { client } = makeFakeClient((_, n) =>
      n === 1
        ? { status: 200, json: document }
        : {
            status: 403,
            text: "<Error><Code>AccessDenied</Code><SignatureProvided>canary0123456789</SignatureProvided></Error>"
          }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit(collect((yield* client).files.download(id))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)
      assert.isFalse(error.retryable)
      assert.include(JSON.stringify(error), "AccessDenied")
      assert.notInclude(JSON.stringify(error), "canary")
    })
  })

  it.effect("notices a body that is shorter than it should be", () => {
    const { client } = makeFakeClient((_, n) =>
      n === 1 ? { status: 200, json: document } : { status: 200, text: "abc" }
    )
    return Effect.gen(function* () {
      const error = failureOf(yield* runToEnd(collect((yield* client).files.download(id))))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
      assert.include(error.message, "3 of 5 bytes")
    })
  })

  it.effect("retries until bytes come", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const file = yield* finished(client)
        const { inject } = yield* Simulator
        yield* inject(
          Fault.on("files.download", Fault.envelope("SERVICE_UNAVAILABLE")),
          Fault.on("storage.get", Fault.badGateway)
        )
        assert.include(valueOf(yield* runToEnd(collect(client.files.download(file)))).slice(0, 8), "PNG")
        const at = (yield* arrivalTimes("files.download")).map((instant) => instant - 9500)
        assert.deepStrictEqual(at, [0, 1000, 3000])
      })
    ).pipe(Effect.provide(layer()))
  )

  const parts = "0123456789"
  const etag = '"v1"'
  /** Storage that breaks off after `step` bytes of each answer. */
  const breaking = (
    step: number,
    answer: (from: number, n: number) => Partial<FakeResponse> & { readonly text: string },
    first: FakeResponse = { status: 200, json: { ...document, size_bytes: parts.length } }
  ) => {
    let n = 0
    return makeFakeClient((url, _, { range }) => {
      if (url.includes("/v1/")) return first
      n += 1
      const { text, ...rest } = answer(Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0), n)
      const cut = Stream.concat(Stream.make(new TextEncoder().encode(text.slice(0, step))), Stream.die("cut"))
      return { status: 200, ...(text.length > step ? { body: cut } : { text }), ...rest }
    })
  }
  const partial = (from: number) => ({
    status: 206,
    text: parts.slice(from),
    headers: { etag, "content-range": `bytes ${from}-9/10` }
  })
  const whole = { text: parts, headers: { etag } }

  it.effect("goes on where it broke off, by a range of the same version, as often as the policy allows", () =>
    Effect.gen(function* () {
      const { at, client, headers } = breaking(4, (from) => (from === 0 ? whole : partial(from)))
      yield* TestClock.setTime(start)
      const bytes = valueOf(yield* runToEnd(collect((yield* client).files.download(id))))
      assert.strictEqual(bytes, parts)
      // Each time a new link, then what is missing.
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
      const slow = breaking(1, (from) => (from === 0 ? whole : partial(from)))
      const error = failureOf(yield* runToEnd(collect((yield* slow.client).files.download(id))))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
      assert.isTrue(error.retryable)
      assert.strictEqual(slow.urls.length, 8)
      const none = breaking(4, (from) => (from === 0 ? whole : partial(from)))
      const once = collect((yield* none.client).files.download(id)).pipe(RetryPolicy.withPolicy(RetryPolicy.none))
      assert.strictEqual(failureOf(yield* runToEnd(once))._tag, "TransportError")
      assert.strictEqual(none.urls.length, 2)
    })
  )

  it.effect("leaves out what it has where the storage knows no ranges, and gives no two versions in one", () =>
    Effect.gen(function* () {
      const again = breaking(4, (_, n) => ({
        ...whole,
        ...(n < 3 ? {} : { body: Stream.make(new TextEncoder().encode(parts)) })
      }))
      assert.strictEqual(valueOf(yield* runToEnd(collect((yield* again.client).files.download(id)))), parts)
      for (const other of [
        { text: "abcdefghij", headers: { etag: '"v2"' } },
        { text: "abcdefghijk", headers: { "content-length": "11" } },
        { ...partial(4), headers: { "content-range": "bytes 5-9/10" } },
        { ...partial(4), headers: { "content-range": "bytes 4-9/11" } },
        { ...partial(4), headers: {} }
      ]) {
        const { client } = breaking(4, (_, n) => (n === 1 ? whole : other))
        const error = failureOf(yield* runToEnd(collect((yield* client).files.download(id))))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response is not the file")
      }
      // Only a strong tag names the same bytes.
      const weak = breaking(4, (from) => (from === 0 ? { text: parts, headers: { etag: 'W/"v1"' } } : partial(from)))
      assert.strictEqual(valueOf(yield* runToEnd(collect((yield* weak.client).files.download(id)))), parts)
      assert.isTrue(weak.headers.every((headers) => headers["if-range"] === undefined || headers["if-range"] === etag))
    })
  )

  it.effect("takes nothing for the file that has another size than the API has told", () =>
    Effect.gen(function* () {
      const declared = (length: number) => ({ "content-length": String(length) })
      for (const stored of [
        { status: 200, text: "<html>login</html>", headers: declared(18) },
        { status: 200, text: "", headers: declared(0) },
        // Found out at the end where storage announces no length.
        { status: 200, text: "0123456789x" }
      ]) {
        const api = makeFakeClient((url) =>
          url.includes("/v1/") ? { status: 200, json: { ...document, size_bytes: 10 } } : stored
        )
        const error = failureOf(yield* runToEnd(collect((yield* api.client).files.download(id))))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response is not the file")
        assert.lengthOf(api.urls, 2)
      }
    })
  )

  it.effect("is content when the connection breaks after the last byte", () => {
    const { client, urls } = breaking(9, () => ({
      ...whole,
      body: Stream.concat(Stream.make(new TextEncoder().encode(parts)), Stream.die("cut"))
    }))
    return Effect.gen(function* () {
      assert.strictEqual(valueOf(yield* runToEnd(collect((yield* client).files.download(id)))), parts)
      assert.strictEqual(urls.length, 2)
    })
  })

  it.effect("gives each chunk the time limit of an attempt", () => {
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
      const download = Stream.runForEach(files.download(id), (chunk) =>
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
