/** What an upload sends, refuses, repeats and tells of. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Chunk, Data, Deferred, Effect, Exit, Fiber, Option, Stream, TestClock } from "effect"
import { File, type ModelRouteClient, type ModelRouteError, RetryPolicy } from "effect-modelroute"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { apiKey, isoDate, runToEnd, silent, start } from "../utils/harness.js"
import { spansOf } from "../utils/tracing.js"
import { uploadUrl, clientWithStorage, pathsOf } from "../utils/uploads.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

const MiB = 1024 * 1024
const text = "0123456789"
const source = File.fromBytes(new TextEncoder().encode(text), { name: "digits.txt" })

/** An API and its storage; `put` answers what goes to storage, the n-th time. */
const service = (
  put: (n: number) => FakeResponse = () => ({ status: 200 }),
  confirm: FakeResponse = { status: 200, json: {} },
  options: Partial<ModelRouteClient.Options> & { readonly expiresIn?: number } = {}
) => {
  let links = 0
  let puts = 0
  const { expiresIn = 3_600_000, ...rest } = options
  return makeFakeClient((url) => {
    if (url.endsWith("/v1/files/upload")) {
      links += 1
      return {
        status: 201,
        json: { file_id: `file_${links}`, upload_url: uploadUrl(links), expires_at: isoDate(start + expiresIn) }
      }
    }
    if (url.endsWith("/v1/files/confirm")) return confirm
    puts += 1
    return put(puts)
  }, rest)
}

const uploading = <E = never>(
  { client }: ReturnType<typeof service>,
  what?: File.Source<E>,
  options?: ModelRouteClient.UploadOptions
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const { files } = yield* client
    return yield* runToEnd(silent(files.upload(what ?? source, options)))
  })

const whole = ["/v1/files/upload", "/uploads/file_1", "/v1/files/confirm"]

describe("upload", () => {
  it.effect("asks for a URL, puts the bytes there with their length and nothing else, and confirms", () =>
    Effect.gen(function* () {
      const api = service()
      assert.strictEqual(valueOf(yield* uploading(api)), "file_1")
      assert.deepStrictEqual(pathsOf(api.urls), whole)
      assert.deepStrictEqual(api.bodies, ['{"purpose":"INPUT"}', text, '{"file_id":"file_1"}'])
      assert.deepStrictEqual(api.headers[1], { "content-length": "10" })
      assert.deepStrictEqual(
        api.headers.map((headers) => headers["authorization"]),
        [`Bearer ${apiKey}`, undefined, `Bearer ${apiKey}`]
      )
      assert.isTrue(api.headers.every((headers) => headers["idempotency-key"] === undefined))
    })
  )

  it.effect("sends purpose, region and days to keep it", () =>
    Effect.gen(function* () {
      const api = service()
      yield* uploading(api, source, { purpose: "UPLOAD", region: "EU", ttlDays: 365 })
      assert.deepStrictEqual(JSON.parse(api.bodies[0] ?? ""), { purpose: "UPLOAD", region: "EU", ttl_days: 365 })
    })
  )

  it.effect("knows the older edition: declared type and size, and nothing to confirm", () =>
    Effect.gen(function* () {
      const api = service()
      const older = { contentType: "text/plain" }
      assert.strictEqual(valueOf(yield* uploading(api, source, { legacy: older, region: "EU" })), "file_1")
      assert.deepStrictEqual(pathsOf(api.urls), whole.slice(0, 2))
      assert.deepStrictEqual(JSON.parse(api.bodies[0] ?? ""), {
        filename: "digits.txt",
        content_type: "text/plain",
        size_bytes: 10
      })
      assert.deepStrictEqual(api.headers[1], { "content-length": "10", "content-type": "text/plain" })
      const renamed = service()
      yield* uploading(renamed, source, { legacy: { ...older, filename: "n.txt" }, confirm: true })
      assert.strictEqual(JSON.parse(renamed.bodies[0] ?? "").filename, "n.txt")
      assert.deepStrictEqual(pathsOf(renamed.urls), whole)
    })
  )

  it.effect("confirms unless told otherwise, and does without where the API has no such endpoint only if told so", () =>
    Effect.gen(function* () {
      const none = service()
      yield* uploading(none, source, { confirm: false })
      assert.deepStrictEqual(pathsOf(none.urls), whole.slice(0, 2))
      for (const status of [404, 405]) {
        const absent = { status, text: "no such page" }
        assert.strictEqual(
          valueOf(yield* uploading(service(undefined, absent), source, { confirm: "optional" })),
          "file_1"
        )
        const error = failureOf(yield* uploading(service(undefined, absent), source))
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, status)
      }
      const refused = { status: 400, json: { error: { code: "FILE_NOT_FOUND", message: "nothing there" } } }
      const error = failureOf(yield* uploading(service(undefined, refused), source, { confirm: "optional" }))
      assert.strictEqual(error._tag, "FileNotFound")
      assert.strictEqual(error.attempts, 3)
      // Any 2xx will do, with or without a body.
      assert.strictEqual(valueOf(yield* uploading(service(undefined, { status: 204 }))), "file_1")
    })
  )

  for (const [field, what, options] of [
    ["size", { ...source, size: Number.NaN }, {}],
    ["size", { ...source, size: -1 }, {}],
    ["size", { ...source, size: 1.5 }, {}],
    ["ttlDays", source, { ttlDays: 0 }],
    ["ttlDays", source, { ttlDays: 366 }],
    ["ttlDays", source, { ttlDays: 1.5 }],
    ["maxSize", source, { maxSize: Number.NaN }],
    ["maxSize", source, { maxSize: -1 }],
    ["legacy.contentType", source, { legacy: { contentType: "png" } }],
    ["legacy.filename", { ...source, name: undefined }, { legacy: { contentType: "image/png" } }]
  ] as const) {
    it.effect(`refuses a wrong ${field} before anything is sent: ${JSON.stringify([what.size, options])}`, () =>
      Effect.gen(function* () {
        const api = service()
        const error = failureOf(yield* uploading(api, what, options))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, field)
        assert.strictEqual(error.attempts, 0)
        assert.deepStrictEqual(api.urls, [])
      })
    )
  }

  const mediaTypes: ReadonlyArray<readonly [string, boolean]> = [
    ["image/png", true],
    ["IMAGE/PNG", true],
    ["image/svg+xml", true],
    ["application/vnd.openxmlformats-officedocument.wordprocessingml.document", true],
    ["text/plain; charset=utf-8", true],
    ["text/plain;charset=utf-8", true],
    ['text/plain; charset="utf-8"', true],
    ['multipart/x; boundary="a b"; y=z', true],
    ["image/png; name=日本.png", false],
    ['image/png; name="日本.png"', false],
    ["image/png\r\nX-Injected: 1", false],
    ["image/png\n", false],
    ["image/png\u0000", false],
    ["image/pñg", false],
    ["image", false],
    ["image/", false],
    ["/png", false],
    ["", false],
    ["image/png,image/gif", false],
    ["image /png", false],
    ["text/plain; charset", false],
    ['text/plain; charset="utf-8', false]
  ]
  for (const [contentType, isValid] of mediaTypes) {
    it.effect(
      `${isValid ? "sends" : "rejects, before anything is sent,"} the type ${JSON.stringify(contentType)}`,
      () =>
        Effect.gen(function* () {
          const api = service()
          const exit = yield* uploading(api, source, { legacy: { contentType } })
          if (isValid) {
            assert.strictEqual(valueOf(exit), "file_1")
            return assert.strictEqual(api.headers[1]?.["content-type"], contentType)
          }
          const error = failureOf(exit)
          assert.deepStrictEqual([error._tag === "InvalidRequest" && error.field, api.urls], ["legacy.contentType", []])
        })
    )
  }

  it.effect("is complete if an earlier confirmation, whose response was lost, has been carried out", () => {
    let confirms = 0
    const api = makeFakeClient((url) => {
      if (url.endsWith("/upload")) return { status: 200, json: { file_id: "file_1", upload_url: uploadUrl(1) } }
      if (!url.endsWith("/confirm")) return { status: 200 }
      confirms += 1
      return confirms === 1 ? { status: 502 } : { status: 409, json: { error: { code: "CONFLICT", message: "done" } } }
    })
    return Effect.gen(function* () {
      assert.strictEqual(valueOf(yield* uploading(api)), "file_1")
      assert.strictEqual(confirms, 2)
    })
  })

  it.effect("fails if the first confirmation conflicts", () =>
    Effect.gen(function* () {
      const conflict = { status: 409, json: { error: { code: "CONFLICT", message: "not uploaded" } } }
      const error = failureOf(yield* uploading(service(undefined, conflict)))
      assert.deepStrictEqual(
        [error._tag, "fileId" in error && error.fileId, error.attempts],
        ["UnrecognizedError", File.FileId.make("file_1"), 3]
      )
    })
  )

  const failures: ReadonlyArray<readonly [string, () => ReturnType<typeof service>, string]> = [
    ["storage that rejects the bytes", () => service(() => ({ status: 403 })), "UnexpectedResponse"],
    ["storage that is out of service", () => service(() => ({ status: 503 })), "UnexpectedResponse"],
    ["a confirmation that is out of service", () => service(undefined, { status: 503 }), "UnexpectedResponse"],
    ["a confirmation for which the key is wrong", () => service(undefined, { status: 401 }), "Unauthorized"],
    [
      "a confirmation that the API rejects",
      () => service(undefined, { status: 400, json: { error: { code: "FILE_FORMAT_UNSUPPORTED", message: "no" } } }),
      "FileFormatUnsupported"
    ],
    [
      "a confirmation that is rate limited for an hour",
      () => service(undefined, { status: 429, headers: { "retry-after": "3600" } }),
      "RateLimited"
    ]
  ]
  for (const [name, api, tag] of failures) {
    it.effect(`names the file in the failure after ${name}`, () =>
      Effect.gen(function* () {
        const error = failureOf(yield* uploading(api()))
        assert.deepStrictEqual([error._tag, "fileId" in error && error.fileId], [tag, File.FileId.make("file_1")])
      })
    )
  }

  it.effect("refuses what is too large before anything is sent: more than 150 MiB, or what the caller says", () =>
    Effect.gen(function* () {
      const sized = (size: number) => File.fromStream(Stream.die("read"), { size })
      for (const [size, maxSize] of [
        [150 * MiB + 1, undefined],
        [11, 10]
      ] as const) {
        const api = service()
        const error = failureOf(yield* uploading(api, sized(size), { maxSize }))
        assert.strictEqual(error._tag, "FileTooLarge")
        if (error._tag !== "FileTooLarge") return
        assert.deepStrictEqual([error.size, error.limit, error.attempts], [size, maxSize ?? 150 * MiB, 0])
        assert.isFalse(error.retryable)
        assert.deepStrictEqual(api.urls, [])
      }
      assert.strictEqual(valueOf(yield* uploading(service(), source, { maxSize: 10 })), "file_1")
      // At the limit it is read.
      assert.isTrue(Exit.isFailure(yield* uploading(service(), sized(150 * MiB))))
    })
  )

  for (const [found, chunks, size, given] of [
    ["more than its 10 bytes", ["01234", "56789", "x"], 10, "01234"],
    ["more than its 10 bytes", ["0123456789x"], 10, ""],
    ["only 10 of its 11 bytes", ["01234", "56789"], 11, "0123456789"],
    ["only 0 of its 1 bytes", [], 1, ""]
  ] as const) {
    it.effect(`fails when the source has ${found}, and leaves no file behind`, () =>
      Effect.gen(function* () {
        const api = service()
        const stream = Stream.map(Stream.fromIterable(chunks), (chunk) => new TextEncoder().encode(chunk)).pipe(
          Stream.rechunk(1)
        )
        const error = failureOf(yield* uploading(api, File.fromStream(stream, { size })))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "source")
        assert.include(error.message, found)
        assert.strictEqual(error.attempts, 2)
        assert.deepStrictEqual(pathsOf(api.urls), whole.slice(0, 2))
        assert.strictEqual(api.bodies[1], given)
        assert.isBelow(given.length, size)
      })
    )
  }

  it.effect("says so when a retry finds the source used up", () =>
    Effect.gen(function* () {
      let runs = 0
      const once = Stream.suspend(() => (++runs === 1 ? source.stream : Stream.empty))
      const error = failureOf(
        yield* uploading(
          service(() => ({ status: 503 })),
          File.fromStream(once, { size: 10 })
        )
      )
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "source")
      assert.include(error.message, "only 0 of its 10 bytes when it is run again")
    })
  )

  it.effect("takes chunks of nothing for nothing", () =>
    Effect.gen(function* () {
      const api = service()
      const parts = ["", "0123456789", "", ""].map((part) => new TextEncoder().encode(part))
      yield* uploading(api, File.fromStream(Stream.fromIterable(parts), { size: 10 }))
      assert.strictEqual(api.bodies[1], text)
      const empty = service()
      assert.strictEqual(valueOf(yield* uploading(empty, File.fromBytes(new Uint8Array(0)))), "file_1")
      assert.strictEqual(empty.headers[1]?.["content-length"], "0")
    })
  )

  class Unreadable extends Data.TaggedError("Unreadable")<{ readonly page: number }> {}

  it.effect("fails as its source fails, at once, and by type", () =>
    Effect.gen(function* () {
      const broken = File.fromStream(
        Stream.concat(Stream.make(new TextEncoder().encode("01")), new Unreadable({ page: 7 })),
        { size: 10 }
      )
      expectTypeOf(broken).toEqualTypeOf<File.Source<Unreadable>>()
      const api = service()
      const { files } = yield* api.client
      const upload = files.upload(broken)
      expectTypeOf(upload).toEqualTypeOf<Effect.Effect<File.FileId, ModelRouteError.UploadFailure | Unreadable>>()
      expectTypeOf(files.upload(source)).toEqualTypeOf<Effect.Effect<File.FileId, ModelRouteError.UploadFailure>>()
      yield* TestClock.setTime(start)
      const error = failureOf(yield* runToEnd(upload))
      assert.strictEqual(error._tag === "Unreadable" && error.page, 7)
      assert.deepStrictEqual(pathsOf(api.urls), whole.slice(0, 2))
      assert.strictEqual((yield* Effect.clock).unsafeCurrentTimeMillis(), start)
      const died = yield* uploading(service(), File.fromStream(Stream.die("a bug"), { size: 10 }))
      assert.include(String(died), "a bug")
    })
  )

  it.effect("sends all of it again when the storage was out of service, and tells of no byte twice", () =>
    Effect.gen(function* () {
      const api = service((n) => (n < 3 ? { status: 503, text: "<Code>SlowDown</Code>" } : { status: 200 }))
      const told: Array<number> = []
      const large = File.fromBytes(new Uint8Array(200_000).fill(65))
      const onProgress = ({ sent, size }: File.Progress) =>
        Effect.sync(() => {
          assert.strictEqual(size, 200_000)
          told.push(sent)
        })
      assert.strictEqual(valueOf(yield* uploading(api, large, { onProgress })), "file_1")
      assert.deepStrictEqual(pathsOf(api.urls), [whole[0], whole[1], whole[1], ...whole.slice(1)])
      assert.deepStrictEqual(
        api.bodies.slice(1, 4).map(({ length }) => length),
        [200_000, 200_000, 200_000]
      )
      assert.deepStrictEqual(told, [65_536, 131_072, 196_608, 200_000])
      assert.deepStrictEqual(
        api.at.map((instant) => instant - start),
        [0, 0, 1000, 3000, 3000]
      )
    })
  )

  it.effect("tells of nothing at all, too: an empty file is complete", () =>
    Effect.gen(function* () {
      const told: Array<File.Progress> = []
      const onProgress = (progress: File.Progress) => Effect.sync(() => void told.push(progress))
      yield* uploading(service(), File.fromBytes(new Uint8Array(0)), { onProgress })
      assert.deepStrictEqual(told, [{ sent: 0, size: 0 }])
    })
  )

  const expired = {
    status: 403,
    text: "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
  }
  const denied = { status: 403, text: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>" }

  it.effect("asks once more for a URL that has expired, and takes a plain refusal at its word", () =>
    Effect.gen(function* () {
      const once = service((n) => (n === 1 ? expired : { status: 200 }))
      assert.strictEqual(valueOf(yield* uploading(once)), "file_2")
      assert.deepStrictEqual(pathsOf(once.urls), [
        "/v1/files/upload",
        "/uploads/file_1",
        "/v1/files/upload",
        "/uploads/file_2",
        "/v1/files/confirm"
      ])
      assert.strictEqual(once.bodies[4], '{"file_id":"file_2"}')

      const always = service(() => expired)
      const error = failureOf(yield* uploading(always))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)
      assert.strictEqual(error.attempts, 4)
      assert.lengthOf(always.urls, 4)

      const plain = service(() => denied)
      const refused = failureOf(yield* uploading(plain))
      assert.strictEqual(refused._tag === "UnexpectedResponse" && refused.status, 403)
      assert.include(refused.message, "storage rejected the request (HTTP 403")
      assert.notInclude(refused.message, "base URL")
      assert.lengthOf(plain.urls, 2)

      // In other words, but after its time.
      const late = service((n) => (n === 1 ? { status: 503 } : n === 2 ? denied : { status: 200 }), undefined, {
        expiresIn: 1000
      })
      assert.strictEqual(valueOf(yield* uploading(late)), "file_2")
      const inTime = service((n) => (n === 1 ? { status: 503 } : denied), undefined, { expiresIn: 1001 })
      assert.strictEqual(failureOf(yield* uploading(inTime))._tag, "UnexpectedResponse")
      assert.lengthOf(inTime.urls, 3)
    })
  )

  it.effect("shows no signature when the storage quotes it, and no name of the file when the API does", () =>
    Effect.gen(function* () {
      const quoting = service(() => ({ status: 400, text: `<Error>canary0123456789 in ${uploadUrl(1)}</Error>` }))
      const error = failureOf(yield* uploading(quoting))
      assert.include(JSON.stringify(error), "<Error>")
      assert.notInclude(JSON.stringify(error), "canary")
      const named = makeFakeClient(() => ({
        status: 400,
        json: { error: { code: "INPUT_VALIDATION_ERROR", message: "my-secret-plan.pdf is bad" } }
      }))
      const older = { contentType: "application/pdf", filename: "my-secret-plan.pdf" }
      const invalid = failureOf(yield* uploading(named, source, { legacy: older }))
      assert.strictEqual(invalid._tag, "InputValidationError")
      assert.notInclude(JSON.stringify(invalid), "secret-plan")
    })
  )

  it.effect("finds the link by other names, and fails where there is none", () =>
    Effect.gen(function* () {
      const otherwise = makeFakeClient((url) =>
        url.endsWith("/upload") ? { status: 200, json: { id: "file_9", url: uploadUrl(9) } } : { status: 200 }
      )
      assert.strictEqual(valueOf(yield* uploading(otherwise)), "file_9")
      for (const json of [
        { file_id: "file_1" },
        { upload_url: uploadUrl(1) },
        { file_id: "file_1", upload_url: "ftp://x" }
      ]) {
        const error = failureOf(yield* uploading(makeFakeClient(() => ({ status: 200, json }))))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response lacks an upload URL")
      }
    })
  )

  it.effect("goes by the policy in force, and follows no redirect of the storage", () =>
    Effect.gen(function* () {
      const down = service(() => ({ status: 503 }))
      const { files } = yield* down.client
      const error = failureOf(yield* runToEnd(RetryPolicy.withPolicy(files.upload(source), RetryPolicy.none)))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.lengthOf(down.urls, 2)
      const elsewhere = service(() => ({ status: 307, headers: { location: "https://elsewhere.example/" } }))
      assert.strictEqual(failureOf(yield* uploading(elsewhere))._tag, "UnexpectedResponse")
      assert.lengthOf(elsewhere.urls, 2)
    })
  )

  it.effect("is one span, with the file's id and no address of the storage", () =>
    Effect.gen(function* () {
      const api = service()
      const { files } = yield* api.client
      const spans = yield* spansOf(files.upload(source))
      assert.deepStrictEqual(
        spans.map(({ attributes, name }) => [name, Object.fromEntries(attributes)]),
        [
          [
            "modelroute.files.upload",
            {
              "modelroute.operation": "files.upload",
              "modelroute.attempts": 3,
              "modelroute.outcome": "ok",
              "modelroute.file_id": "file_1"
            }
          ]
        ]
      )
      const broken = files.upload(File.fromStream(Stream.fail("no"), { size: 1 }))
      const [span] = yield* spansOf(Effect.ignore(broken))
      assert.strictEqual(span?.attributes.get("modelroute.outcome"), "CallerFailure")
    })
  )
})

const take = (count: number) => (bytes: Stream.Stream<Uint8Array, unknown>) =>
  Stream.runDrain(Stream.zipRight(Stream.take(bytes, count), Stream.never))

const fileId = File.FileId.make("file_1")

/** With the milliseconds that it took. */
const timed = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.flatMap(effect, (value) =>
    Effect.map(Effect.clock, (clock) => [value, clock.unsafeCurrentTimeMillis() - start] as const)
  )

describe("an upload that gets stuck", () => {
  const large = File.fromBytes(new Uint8Array(1_000_000))

  it.effect("gives each attempt up when the storage has taken nothing for the time of an attempt", () =>
    Effect.gen(function* () {
      const { client, puts } = clientWithStorage((bytes, n) =>
        n === 1
          ? Stream.runForEach(Stream.take(bytes, 3), () => Effect.sleep("4500 millis")).pipe(
              Effect.zipRight(Effect.never)
            )
          : n === 2
            ? Effect.never
            : Stream.runForEach(bytes, () => Effect.sleep("4500 millis"))
      )
      const { files } = yield* client
      assert.deepStrictEqual(valueOf(yield* runInVirtualTime(silent(timed(files.upload(large))), start)), [
        fileId,
        32_000 + 16 * 9000
      ])
      // 10 s after the second chunk was taken at 9 s; 1 s of backoff; 10 s of silence; 2 s of backoff; 16 chunks in 2 parts.
      assert.deepStrictEqual(puts, [0, 20_000, 32_000])
    })
  )

  it.effect("waits for an answer to the last byte as long as for an answer", () =>
    Effect.gen(function* () {
      const { client, puts } = clientWithStorage((bytes) => Effect.zipRight(Stream.runDrain(bytes), Effect.never))
      const { files } = yield* client
      const error = failureOf(yield* runInVirtualTime(silent(files.upload(large)), start))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "timeout")
      assert.include(error.message, "10 s")
      assert.deepStrictEqual(puts, [0, 11_000, 23_000, 37_000])
    })
  )

  it.effect("is patient with a slow source", () =>
    Effect.gen(function* () {
      const { client, puts } = clientWithStorage(Stream.runDrain)
      const slow = Stream.range(1, 3).pipe(
        Stream.mapEffect(() => Effect.delay(Effect.succeed(new Uint8Array(1)), "1 hour")),
        Stream.rechunk(1)
      )
      const { files } = yield* client
      const exit = yield* runInVirtualTime(timed(files.upload(File.fromStream(slow, { size: 3 }))), start)
      assert.deepStrictEqual(valueOf(exit), [fileId, 3 * 3_600_000])
      assert.deepStrictEqual(puts, [0])
    })
  )

  it.effect("lets go at once when it is interrupted", () =>
    Effect.gen(function* () {
      const released = yield* Deferred.make<string>()
      const { client, puts } = clientWithStorage(take(2))
      const open = Stream.acquireRelease(Effect.void, () => Deferred.succeed(released, "source"))
      const { files } = yield* client
      const source = File.fromStream(
        Stream.flatMap(open, () => large.stream),
        { size: large.size }
      )
      const fiber = yield* Effect.fork(files.upload(source))
      yield* TestClock.adjust("1 second")
      assert.lengthOf(puts, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* Deferred.await(released), "source")
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(puts, 1)
    })
  )
})

describe("uploadProgress", () => {
  it.effect("tells how far it is, and last the id", () =>
    Effect.gen(function* () {
      const { files } = yield* service().client
      const told: Array<number> = []
      const options = { onProgress: ({ sent }: File.Progress) => Effect.sync(() => void told.push(sent)) }
      const steps = yield* Stream.runCollect(files.uploadProgress(File.fromBytes(new Uint8Array(100_000)), options))
      assert.deepStrictEqual(Chunk.toReadonlyArray(steps), [
        File.Upload.Sending({ sent: 65_536, size: 100_000 }),
        File.Upload.Sending({ sent: 100_000, size: 100_000 }),
        File.Upload.Uploaded({ fileId: File.FileId.make("file_1"), size: 100_000 })
      ])
      assert.deepStrictEqual(told, [65_536, 100_000])
    })
  )

  it.effect("does not wait for a slow consumer, who still hears of the end", () =>
    Effect.gen(function* () {
      const { client, puts } = clientWithStorage(Stream.runDrain)
      const { files } = yield* client
      const bytes = File.fromBytes(new Uint8Array(100 * 65_536))
      const seen: Array<File.Upload> = []
      const fiber = yield* Effect.fork(
        Stream.runForEach(files.uploadProgress(bytes), (step) =>
          Effect.delay(
            Effect.sync(() => void seen.push(step)),
            "1 second"
          )
        )
      )
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.lengthOf(puts, 1)
      assert.isBelow(seen.length, 40)
      assert.deepStrictEqual(
        seen.at(-1),
        File.Upload.Uploaded({ fileId: File.FileId.make("file_1"), size: bytes.size })
      )
      const sent = seen.flatMap((step) => (step._tag === "Sending" ? [step.sent] : []))
      assert.deepStrictEqual(
        sent,
        sent.toSorted((a, b) => a - b)
      )
    })
  )

  it.effect("fails as the upload does, and ends it when nobody looks any more", () =>
    Effect.gen(function* () {
      const { files } = yield* service(() => ({ status: 403, text: "no" })).client
      const error = failureOf(yield* Effect.exit(Stream.runDrain(files.uploadProgress(source))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)

      const ended = yield* Deferred.make<void>()
      const { client } = clientWithStorage((bytes) =>
        Effect.onInterrupt(take(3)(bytes), () => Deferred.succeed(ended, undefined))
      )
      const large = File.fromBytes(new Uint8Array(1_000_000))
      const first = yield* Stream.runHead((yield* client).files.uploadProgress(large))
      assert.deepStrictEqual(Option.getOrUndefined(first), File.Upload.Sending({ sent: 65_536, size: 1_000_000 }))
      yield* Deferred.await(ended)
    })
  )
})
