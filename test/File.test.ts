import { assert, describe, it } from "@effect/vitest"
import { Chunk, DateTime, Effect, Redacted, Stream, TestClock } from "effect"
import { File, type ModelRouteClient } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import { failureOf, valueOf } from "./utils/exit.js"
import { answering } from "./utils/fake.js"
import { apiKey, arrivals, image, isoDate, layer, runToEnd, start, withClient } from "./utils/harness.js"

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
        const { client } = answering(() => ({ status: 200, json: { ...document, url } }))
        const error = failureOf(yield* Effect.exit((yield* client).files.url(id)))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the answer lacks a download URL")
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

  it.effect("gives a stored file that is JSON itself, even one with a url in it", () =>
    Effect.gen(function* () {
      for (const stored of [{ a: 1 }, { url: "https://example.com" }, { ...document, expires_at: undefined }, [link]]) {
        const { client, urls } = answering(() => ({ status: 200, json: stored }))
        assert.strictEqual(yield* collect((yield* client).files.download(id)), JSON.stringify(stored))
        assert.lengthOf(urls, 1)
      }
    })
  )

  it.effect("follows redirects of the storage, but not for ever, and takes nothing of ours along", () =>
    Effect.gen(function* () {
      const hops = (count: number) =>
        answering((_, n) =>
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
    const { client } = answering((_, n) =>
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
    const { client } = answering((_, n) => (n === 1 ? { status: 200, json: document } : { status: 200, text: "abc" }))
    return Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit(collect((yield* client).files.download(id))))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
      assert.include(error.message, "3 of 5 bytes")
    })
  })

  it.effect("retries until bytes come; what breaks after that is a retryable failure of the stream", () =>
    withClient((client) =>
      Effect.gen(function* () {
        const file = yield* finished(client)
        const { inject } = yield* Simulator
        yield* inject(
          Fault.on("files.download", Fault.envelope("SERVICE_UNAVAILABLE")),
          Fault.on("storage.get", Fault.badGateway)
        )
        assert.include(valueOf(yield* runToEnd(collect(client.files.download(file)))).slice(0, 8), "PNG")
        const at = (yield* arrivals("files.download")).map((instant) => instant - 9500)
        assert.deepStrictEqual(at, [0, 1000, 3000])
        yield* inject(Fault.on("storage.get", Fault.cutBody()))
        const error = failureOf(yield* runToEnd(collect(client.files.download(file))))
        assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
        assert.isTrue(error.retryable)
      })
    ).pipe(Effect.provide(layer()))
  )

  it.effect("gives each chunk the time limit of an attempt", () => {
    const chunks = Stream.range(1, 5).pipe(
      Stream.mapEffect((n) =>
        Effect.delay(Effect.succeed(new TextEncoder().encode(String(n))), n < 5 ? "20 seconds" : "1 hour")
      )
    )
    const { client } = answering(() => ({ status: 200, headers: { "content-type": "image/png" }, body: chunks }))
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
