/** Tests for file uploads, including options, retries, progress and errors. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Chunk, Data, Deferred, Effect, Exit, Fiber, Option, Stream, TestClock } from "effect"
import { File, type ModelRouteError, RetryPolicy } from "effect-modelroute"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient } from "../utils/fake.js"
import { apiKey, httpDate, runToEnd, silent, start } from "../utils/harness.js"
import { spansOf } from "../utils/tracing.js"
import { clientWithStorage, digits, fakeUploadApi, pathsOf, upload, uploadUrl } from "../utils/uploads.js"
import { runInVirtualTime } from "../utils/virtualTime.js"

const MiB = 1024 * 1024

const [linkPath, putPath, confirmPath] = ["/v1/files/upload", "/uploads/file_1", "/v1/files/confirm"]
const allPaths = [linkPath, putPath, confirmPath]

const seconds = (at: ReadonlyArray<number>) => at.map((instant) => (instant - start) / 1000)

const denied = { status: 403, text: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>" }

describe("files.upload", { concurrent: true }, () => {
  it.effect("requests an upload URL, sends the bytes, and confirms the upload", () =>
    Effect.gen(function* () {
      const api = fakeUploadApi()
      assert.strictEqual(valueOf(yield* upload(api)), "file_1")
      assert.deepStrictEqual(pathsOf(api.urls), allPaths)
      assert.deepStrictEqual(api.bodies, ['{"purpose":"INPUT"}', "0123456789", '{"file_id":"file_1"}'])
      assert.deepStrictEqual(api.headers[1], { "content-length": "10" })
      assert.deepStrictEqual(
        api.headers.map((headers) => headers["authorization"]),
        [`Bearer ${apiKey}`, undefined, `Bearer ${apiKey}`]
      )
      assert.isTrue(api.headers.every((headers) => headers["idempotency-key"] === undefined))
    })
  )

  it.effect("sends purpose, region and ttlDays", () =>
    Effect.gen(function* () {
      const api = fakeUploadApi()
      yield* upload(api, digits, { purpose: "UPLOAD", region: "EU", ttlDays: 365 })
      assert.deepStrictEqual(JSON.parse(api.bodies[0] ?? ""), { purpose: "UPLOAD", region: "EU", ttl_days: 365 })
    })
  )

  it.effect("sends the legacy format without a confirmation by default", () =>
    Effect.gen(function* () {
      const api = fakeUploadApi()
      const legacy = { contentType: "text/plain" }
      assert.strictEqual(valueOf(yield* upload(api, digits, { legacy, region: "EU" })), "file_1")
      assert.deepStrictEqual(pathsOf(api.urls), allPaths.slice(0, 2))
      assert.deepStrictEqual(JSON.parse(api.bodies[0] ?? ""), {
        filename: "digits.txt",
        content_type: "text/plain",
        size_bytes: 10
      })
      assert.deepStrictEqual(api.headers[1], { "content-length": "10", "content-type": "text/plain" })
      const renamed = fakeUploadApi()
      yield* upload(renamed, digits, { legacy: { ...legacy, filename: "n.txt" }, confirm: true })
      assert.strictEqual(JSON.parse(renamed.bodies[0] ?? "").filename, "n.txt")
      assert.deepStrictEqual(pathsOf(renamed.urls), allPaths)
    })
  )

  it.effect('ignores a 404 or 405 of the confirmation request only if confirm is "optional"', () =>
    Effect.gen(function* () {
      const none = fakeUploadApi()
      yield* upload(none, digits, { confirm: false })
      assert.deepStrictEqual(pathsOf(none.urls), allPaths.slice(0, 2))
      for (const status of [404, 405]) {
        const absent = { status, text: "no such page" }
        assert.strictEqual(
          valueOf(yield* upload(fakeUploadApi({ confirm: () => absent }), digits, { confirm: "optional" })),
          "file_1"
        )
        const error = failureOf(yield* upload(fakeUploadApi({ confirm: () => absent }), digits))
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, status)
      }
      const missing = { status: 400, json: { error: { code: "FILE_NOT_FOUND", message: "nothing there" } } }
      const error = failureOf(yield* upload(fakeUploadApi({ confirm: () => missing }), digits, { confirm: "optional" }))
      assert.strictEqual(error._tag, "FileNotFound")
      assert.strictEqual(error.attempts, 3)
      // A confirmation succeeds with any 2xx status, even without a body.
      assert.strictEqual(valueOf(yield* upload(fakeUploadApi({ confirm: () => ({ status: 204 }) }))), "file_1")
    })
  )

  for (const [field, source, options] of [
    ["size", { ...digits, size: Number.NaN }, {}],
    ["size", { ...digits, size: -1 }, {}],
    ["size", { ...digits, size: 1.5 }, {}],
    ["ttlDays", digits, { ttlDays: 0 }],
    ["ttlDays", digits, { ttlDays: 366 }],
    ["ttlDays", digits, { ttlDays: 1.5 }],
    ["maxSize", digits, { maxSize: Number.NaN }],
    ["maxSize", digits, { maxSize: -1 }],
    ["legacy.contentType", digits, { legacy: { contentType: "png" } }],
    ["legacy.filename", { ...digits, name: undefined }, { legacy: { contentType: "image/png" } }]
  ] as const) {
    it.effect(`rejects an invalid ${field} before the first request: ${JSON.stringify([source.size, options])}`, () =>
      Effect.gen(function* () {
        const api = fakeUploadApi()
        const error = failureOf(yield* upload(api, source, options))
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
    it.effect(`${isValid ? "sends" : "rejects"} the content type ${JSON.stringify(contentType)}`, () =>
      Effect.gen(function* () {
        const api = fakeUploadApi()
        const exit = yield* upload(api, digits, { legacy: { contentType } })
        if (isValid) {
          assert.strictEqual(valueOf(exit), "file_1")
          return assert.strictEqual(api.headers[1]?.["content-type"], contentType)
        }
        const error = failureOf(exit)
        assert.deepStrictEqual([error._tag === "InvalidRequest" && error.field, api.urls], ["legacy.contentType", []])
      })
    )
  }

  it.effect("succeeds if the retry of the confirmation request receives a 409", () => {
    let confirms = 0
    const api = makeFakeClient((url) => {
      if (url.endsWith("/upload")) return { status: 200, json: { file_id: "file_1", upload_url: uploadUrl(1) } }
      if (!url.endsWith("/confirm")) return { status: 200 }
      confirms += 1
      return confirms === 1 ? { status: 502 } : { status: 409, json: { error: { code: "CONFLICT", message: "done" } } }
    })
    return Effect.gen(function* () {
      assert.strictEqual(valueOf(yield* upload(api)), "file_1")
      assert.strictEqual(confirms, 2)
    })
  })

  it.effect("fails if the first confirmation request receives a 409", () =>
    Effect.gen(function* () {
      const conflict = { status: 409, json: { error: { code: "CONFLICT", message: "not uploaded" } } }
      const error = failureOf(yield* upload(fakeUploadApi({ confirm: () => conflict })))
      assert.deepStrictEqual(
        [error._tag, "fileId" in error && error.fileId, error.attempts],
        ["UnrecognizedError", File.FileId.make("file_1"), 3]
      )
    })
  )

  const failures: ReadonlyArray<readonly [string, () => ReturnType<typeof fakeUploadApi>, string]> = [
    ["a rejection by storage", () => fakeUploadApi({ put: () => ({ status: 403 }) }), "UnexpectedResponse"],
    ["a 503 from storage", () => fakeUploadApi({ put: () => ({ status: 503 }) }), "UnexpectedResponse"],
    ["a 503 from the confirmation", () => fakeUploadApi({ confirm: () => ({ status: 503 }) }), "UnexpectedResponse"],
    ["a 401 from the confirmation", () => fakeUploadApi({ confirm: () => ({ status: 401 }) }), "Unauthorized"],
    [
      "a rejected confirmation",
      () =>
        fakeUploadApi({
          confirm: () => ({ status: 400, json: { error: { code: "FILE_FORMAT_UNSUPPORTED", message: "no" } } })
        }),
      "FileFormatUnsupported"
    ],
    [
      "a confirmation that is rate limited for an hour",
      () => fakeUploadApi({ confirm: () => ({ status: 429, headers: { "retry-after": "3600" } }) }),
      "RateLimited"
    ]
  ]
  for (const [name, api, tag] of failures) {
    it.effect(`includes the file id in the error after ${name}`, () =>
      Effect.gen(function* () {
        const error = failureOf(yield* upload(api()))
        assert.deepStrictEqual([error._tag, "fileId" in error && error.fileId], [tag, File.FileId.make("file_1")])
      })
    )
  }

  it.effect("fails with FileTooLarge if the file exceeds 150 MiB or maxSize", () =>
    Effect.gen(function* () {
      const sized = (size: number) => File.fromStream(Stream.die("read"), { size })
      for (const [size, maxSize] of [
        [150 * MiB + 1, undefined],
        [11, 10]
      ] as const) {
        const api = fakeUploadApi()
        const error = failureOf(yield* upload(api, sized(size), { maxSize }))
        assert.strictEqual(error._tag, "FileTooLarge")
        if (error._tag !== "FileTooLarge") return
        assert.deepStrictEqual([error.size, error.limit, error.attempts], [size, maxSize ?? 150 * MiB, 0])
        assert.isFalse(error.retryable)
        assert.deepStrictEqual(api.urls, [])
      }
      assert.strictEqual(valueOf(yield* upload(fakeUploadApi(), digits, { maxSize: 10 })), "file_1")
      // A source at the limit passes the size check and fails only when it is read.
      assert.isTrue(Exit.isFailure(yield* upload(fakeUploadApi(), sized(150 * MiB))))
    })
  )

  for (const [found, chunks, size, sent] of [
    ["more than its 10 bytes", ["01234", "56789", "x"], 10, "01234"],
    ["more than its 10 bytes", ["0123456789x"], 10, ""],
    ["only 10 of its 11 bytes", ["01234", "56789"], 11, "0123456789"],
    ["only 0 of its 1 bytes", [], 1, ""]
  ] as const) {
    it.effect(`does not confirm the upload if the source has ${found}`, () =>
      Effect.gen(function* () {
        const api = fakeUploadApi()
        const stream = Stream.map(Stream.fromIterable(chunks), (chunk) => new TextEncoder().encode(chunk)).pipe(
          Stream.rechunk(1)
        )
        const error = failureOf(yield* upload(api, File.fromStream(stream, { size })))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "source")
        assert.include(error.message, found)
        assert.strictEqual(error.attempts, 2)
        assert.deepStrictEqual(pathsOf(api.urls), allPaths.slice(0, 2))
        assert.strictEqual(api.bodies[1], sent)
        assert.isBelow(sent.length, size)
      })
    )
  }

  it.effect("fails with InvalidRequest if the stream of the source is empty when it is run again", () =>
    Effect.gen(function* () {
      let runs = 0
      const readableOnce = Stream.suspend(() => (++runs === 1 ? digits.stream : Stream.empty))
      const error = failureOf(
        yield* upload(fakeUploadApi({ put: () => ({ status: 503 }) }), File.fromStream(readableOnce, { size: 10 }))
      )
      assert.strictEqual(error._tag === "InvalidRequest" && error.field, "source")
      assert.include(error.message, "only 0 of its 10 bytes when it is run again")
    })
  )

  it.effect("accepts empty chunks and empty files", () =>
    Effect.gen(function* () {
      const api = fakeUploadApi()
      const parts = ["", "0123456789", "", ""].map((part) => new TextEncoder().encode(part))
      yield* upload(api, File.fromStream(Stream.fromIterable(parts), { size: 10 }))
      assert.strictEqual(api.bodies[1], "0123456789")
      const empty = fakeUploadApi()
      assert.strictEqual(valueOf(yield* upload(empty, File.fromBytes(new Uint8Array(0)))), "file_1")
      assert.strictEqual(empty.headers[1]?.["content-length"], "0")
    })
  )

  class Unreadable extends Data.TaggedError("Unreadable")<{ readonly page: number }> {}

  it.effect("fails immediately with the typed error of the source", () =>
    Effect.gen(function* () {
      const broken = File.fromStream(
        Stream.concat(Stream.make(new TextEncoder().encode("01")), new Unreadable({ page: 7 })),
        { size: 10 }
      )
      expectTypeOf(broken).toEqualTypeOf<File.Source<Unreadable>>()
      const api = fakeUploadApi()
      const { files } = yield* api.client
      const effect = files.upload(broken)
      expectTypeOf(effect).toEqualTypeOf<Effect.Effect<File.FileId, ModelRouteError.UploadFailure | Unreadable>>()
      expectTypeOf(files.upload(digits)).toEqualTypeOf<Effect.Effect<File.FileId, ModelRouteError.UploadFailure>>()
      yield* TestClock.setTime(start)
      const error = failureOf(yield* runToEnd(effect))
      assert.strictEqual(error._tag === "Unreadable" && error.page, 7)
      assert.deepStrictEqual(pathsOf(api.urls), allPaths.slice(0, 2))
      assert.strictEqual((yield* Effect.clock).unsafeCurrentTimeMillis(), start)
      const died = yield* upload(fakeUploadApi(), File.fromStream(Stream.die("a bug"), { size: 10 }))
      assert.include(String(died), "a bug")
    })
  )

  it.effect("resends all bytes after a 503 from storage", () =>
    Effect.gen(function* () {
      const api = fakeUploadApi({
        put: (n) => (n < 3 ? { status: 503, text: "<Code>SlowDown</Code>" } : { status: 200 })
      })
      const reported: Array<number> = []
      const large = File.fromBytes(new Uint8Array(200_000).fill(65))
      const onProgress = ({ sent, size }: File.Progress) =>
        Effect.sync(() => {
          assert.strictEqual(size, 200_000)
          reported.push(sent)
        })
      assert.strictEqual(valueOf(yield* upload(api, large, { onProgress })), "file_1")
      assert.deepStrictEqual(pathsOf(api.urls), [linkPath, putPath, putPath, putPath, confirmPath])
      assert.deepStrictEqual(
        api.bodies.slice(1, 4).map(({ length }) => length),
        [200_000, 200_000, 200_000]
      )
      assert.deepStrictEqual(reported, [65_536, 131_072, 196_608, 200_000])
      assert.deepStrictEqual(
        api.at.map((instant) => instant - start),
        [0, 0, 1000, 3000, 3000]
      )
    })
  )

  it.effect("calls onProgress once for an empty file", () =>
    Effect.gen(function* () {
      const reported: Array<File.Progress> = []
      const onProgress = (progress: File.Progress) => Effect.sync(() => void reported.push(progress))
      yield* upload(fakeUploadApi(), File.fromBytes(new Uint8Array(0)), { onProgress })
      assert.deepStrictEqual(reported, [{ sent: 0, size: 0 }])
    })
  )

  const expired = {
    status: 403,
    text: "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
  }

  it.effect("requests a new upload URL only once if the upload URL has expired", () =>
    Effect.gen(function* () {
      const once = fakeUploadApi({ put: (n) => (n === 1 ? expired : { status: 200 }) })
      assert.strictEqual(valueOf(yield* upload(once)), "file_2")
      assert.deepStrictEqual(pathsOf(once.urls), [
        "/v1/files/upload",
        "/uploads/file_1",
        "/v1/files/upload",
        "/uploads/file_2",
        "/v1/files/confirm"
      ])
      assert.strictEqual(once.bodies[4], '{"file_id":"file_2"}')

      const always = fakeUploadApi({ put: () => expired })
      const error = failureOf(yield* upload(always))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)
      assert.strictEqual(error.attempts, 4)
      assert.lengthOf(always.urls, 4)

      const rejecting = fakeUploadApi({ put: () => denied })
      const rejected = failureOf(yield* upload(rejecting))
      assert.strictEqual(rejected._tag === "UnexpectedResponse" && rejected.status, 403)
      assert.include(rejected.message, "storage rejected the request (HTTP 403")
      assert.notInclude(rejected.message, "base URL")
      assert.lengthOf(rejecting.urls, 2)

      // After the expiry, any rejection by storage counts as an expired URL.
      const late = fakeUploadApi({
        put: (n) => (n === 1 ? { status: 503 } : n === 2 ? denied : { status: 200 }),
        expiresIn: 1000
      })
      assert.strictEqual(valueOf(yield* upload(late)), "file_2")
      const inTime = fakeUploadApi({ put: (n) => (n === 1 ? { status: 503 } : denied), expiresIn: 1001 })
      assert.strictEqual(failureOf(yield* upload(inTime))._tag, "UnexpectedResponse")
      assert.lengthOf(inTime.urls, 3)
    })
  )

  it.effect("redacts the URL signature and the file name in the error", () =>
    Effect.gen(function* () {
      const quoting = fakeUploadApi({
        put: () => ({ status: 400, text: `<Error>canary0123456789 in ${uploadUrl(1)}</Error>` })
      })
      const error = failureOf(yield* upload(quoting))
      assert.include(JSON.stringify(error), "<Error>")
      assert.notInclude(JSON.stringify(error), "canary")
      const named = makeFakeClient(() => ({
        status: 400,
        json: { error: { code: "INPUT_VALIDATION_ERROR", message: "my-secret-plan.pdf is bad" } }
      }))
      const legacy = { contentType: "application/pdf", filename: "my-secret-plan.pdf" }
      const invalid = failureOf(yield* upload(named, digits, { legacy }))
      assert.strictEqual(invalid._tag, "InputValidationError")
      assert.notInclude(JSON.stringify(invalid), "secret-plan")
    })
  )

  it.effect("fails with UnexpectedResponse if the response has no valid upload URL", () =>
    Effect.gen(function* () {
      const otherNames = makeFakeClient((url) =>
        url.endsWith("/upload") ? { status: 200, json: { id: "file_9", url: uploadUrl(9) } } : { status: 200 }
      )
      assert.strictEqual(valueOf(yield* upload(otherNames)), "file_9")
      for (const json of [
        { file_id: "file_1" },
        { upload_url: uploadUrl(1) },
        { file_id: "file_1", upload_url: "ftp://x" }
      ]) {
        const error = failureOf(yield* upload(makeFakeClient(() => ({ status: 200, json }))))
        assert.strictEqual(error._tag, "UnexpectedResponse")
        assert.include(error.message, "the response lacks a valid upload URL")
      }
    })
  )

  it.effect("does not retry after a 503 from storage with RetryPolicy.none", () =>
    Effect.gen(function* () {
      const down = fakeUploadApi({ put: () => ({ status: 503 }) })
      const { files } = yield* down.client
      const error = failureOf(yield* runToEnd(RetryPolicy.withPolicy(files.upload(digits), RetryPolicy.none)))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.lengthOf(down.urls, 2)
      const redirecting = fakeUploadApi({
        put: () => ({ status: 307, headers: { location: "https://elsewhere.example/" } })
      })
      assert.strictEqual(failureOf(yield* upload(redirecting))._tag, "UnexpectedResponse")
      assert.lengthOf(redirecting.urls, 2)
    })
  )

  it.effect("creates one span that contains the file id", () =>
    Effect.gen(function* () {
      const api = fakeUploadApi()
      const { files } = yield* api.client
      const spans = yield* spansOf(files.upload(digits))
      assert.deepStrictEqual(
        spans.map(({ attributes, name }) => [name, Object.fromEntries(attributes)]),
        [
          [
            "modelroute.files.upload",
            {
              "modelroute.operation": "files.upload",
              "modelroute.attempts": 3,
              "modelroute.file_id": "file_1"
            }
          ]
        ]
      )
      const broken = files.upload(File.fromStream(Stream.fail("no"), { size: 1 }))
      const [span] = yield* spansOf(Effect.ignore(broken))
      assert.strictEqual(span?.attributes.get("error.type"), "CallerFailure")
    })
  )
})

const stallAfter = (count: number) => (bytes: Stream.Stream<Uint8Array, unknown>) =>
  Stream.runDrain(Stream.zipRight(Stream.take(bytes, count), Stream.never))

const fileId = File.FileId.make("file_1")

/** Returns the value of an effect and its end time in milliseconds after `start`. */
const withEndTime = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.flatMap(effect, (value) =>
    Effect.map(Effect.clock, (clock) => [value, clock.unsafeCurrentTimeMillis() - start] as const)
  )

describe("files.upload with stalled storage", { concurrent: true }, () => {
  const large = File.fromBytes(new Uint8Array(1_000_000))

  it.effect("fails an attempt if storage reads no bytes for the duration of the attempt timeout", () =>
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
      assert.deepStrictEqual(valueOf(yield* runInVirtualTime(silent(withEndTime(files.upload(large))), start)), [
        fileId,
        32_000 + 16 * 9000
      ])
      // Attempt 1 takes a chunk at 9 s, times out at 19 s, and waits 1 s. Attempt 2 times out after 10 s and waits 2 s.
      assert.deepStrictEqual(puts, [0, 20_000, 32_000])
    })
  )

  it.effect("applies the attempt timeout to the wait for the response after the last byte", () =>
    Effect.gen(function* () {
      const { client, puts } = clientWithStorage((bytes) => Effect.zipRight(Stream.runDrain(bytes), Effect.never))
      const { files } = yield* client
      const error = failureOf(yield* runInVirtualTime(silent(files.upload(large)), start))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "timeout")
      assert.include(error.message, "10 s")
      assert.deepStrictEqual(puts, [0, 11_000, 23_000, 37_000])
    })
  )

  it.effect("does not apply the attempt timeout to the wait for bytes of the source", () =>
    Effect.gen(function* () {
      const { client, puts } = clientWithStorage(Stream.runDrain)
      const slow = Stream.range(1, 3).pipe(
        Stream.mapEffect(() => Effect.delay(Effect.succeed(new Uint8Array(1)), "1 hour")),
        Stream.rechunk(1)
      )
      const { files } = yield* client
      const exit = yield* runInVirtualTime(withEndTime(files.upload(File.fromStream(slow, { size: 3 }))), start)
      assert.deepStrictEqual(valueOf(exit), [fileId, 3 * 3_600_000])
      assert.deepStrictEqual(puts, [0])
    })
  )

  it.effect("ends the storage request and the source immediately after an interruption", () =>
    Effect.gen(function* () {
      const released = yield* Deferred.make<string>()
      const { client, puts } = clientWithStorage(stallAfter(2))
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

describe("files.uploadProgress", { concurrent: true }, () => {
  it.effect("emits Uploaded with the file id after the last byte", () =>
    Effect.gen(function* () {
      const { files } = yield* fakeUploadApi().client
      const reported: Array<number> = []
      const options = { onProgress: ({ sent }: File.Progress) => Effect.sync(() => void reported.push(sent)) }
      const steps = yield* Stream.runCollect(files.uploadProgress(File.fromBytes(new Uint8Array(100_000)), options))
      assert.deepStrictEqual(Chunk.toReadonlyArray(steps), [
        File.Upload.Sending({ sent: 65_536, size: 100_000 }),
        File.Upload.Sending({ sent: 100_000, size: 100_000 }),
        File.Upload.Uploaded({ fileId: File.FileId.make("file_1"), size: 100_000 })
      ])
      assert.deepStrictEqual(reported, [65_536, 100_000])
    })
  )

  it.effect("emits Uploaded even if the consumer is slow", () =>
    Effect.gen(function* () {
      const { client, puts } = clientWithStorage(Stream.runDrain)
      const { files } = yield* client
      const bytes = File.fromBytes(new Uint8Array(100 * 65_536))
      const steps: Array<File.Upload> = []
      const fiber = yield* Effect.fork(
        Stream.runForEach(files.uploadProgress(bytes), (step) =>
          Effect.delay(
            Effect.sync(() => void steps.push(step)),
            "1 second"
          )
        )
      )
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.lengthOf(puts, 1)
      assert.isBelow(steps.length, 40)
      assert.deepStrictEqual(
        steps.at(-1),
        File.Upload.Uploaded({ fileId: File.FileId.make("file_1"), size: bytes.size })
      )
      const sent = steps.flatMap((step) => (step._tag === "Sending" ? [step.sent] : []))
      assert.deepStrictEqual(
        sent,
        sent.toSorted((a, b) => a - b)
      )
    })
  )

  it.effect("fails with the error of the upload", () =>
    Effect.gen(function* () {
      const { files } = yield* fakeUploadApi({ put: () => ({ status: 403, text: "no" }) }).client
      const error = failureOf(yield* Effect.exit(Stream.runDrain(files.uploadProgress(digits))))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, 403)

      const ended = yield* Deferred.make<void>()
      const { client } = clientWithStorage((bytes) =>
        Effect.onInterrupt(stallAfter(3)(bytes), () => Deferred.succeed(ended, undefined))
      )
      const large = File.fromBytes(new Uint8Array(1_000_000))
      const first = yield* Stream.runHead((yield* client).files.uploadProgress(large))
      assert.deepStrictEqual(Option.getOrUndefined(first), File.Upload.Sending({ sent: 65_536, size: 1_000_000 }))
      yield* Deferred.await(ended)
    })
  )
})

describe("upload URL of files.upload", { concurrent: true }, () => {
  for (const skew of [-3_600_000, 3_600_000]) {
    it.effect(`expires according to the server's clock if the clock skew is ${skew / 1000} s`, () =>
      Effect.gen(function* () {
        const headers = { date: httpDate(start + skew) }
        // Storage rejects the upload one second after the API issued the link.
        const put = (n: number) => (n === 1 ? { status: 503 } : n === 2 ? denied : { status: 200 })
        const late = fakeUploadApi({ put, expiresIn: skew + 1000, headers })
        assert.strictEqual(valueOf(yield* upload(late)), "file_2")
        const inTime = fakeUploadApi({ put, expiresIn: skew + 1001, headers })
        assert.strictEqual(failureOf(yield* upload(inTime))._tag, "UnexpectedResponse")
        assert.deepStrictEqual(pathsOf(inTime.urls), [linkPath, putPath, putPath])
      })
    )
  }

  it.effect('counts as expired if the storage error contains "expired" in any letter case', () =>
    Effect.gen(function* () {
      const text = "<Error><Code>ExpiredToken</Code></Error>"
      const api = fakeUploadApi({ put: (n) => (n === 1 ? { status: 400, text } : { status: 200 }) })
      assert.strictEqual(valueOf(yield* upload(api)), "file_2")
    })
  )

  it.effect("does not count as expired after a redirect or a 5xx response from storage", () =>
    Effect.gen(function* () {
      for (const [status, requests] of [
        [307, 1],
        [501, 1],
        [503, 4]
      ] as const) {
        const api = fakeUploadApi({ put: () => ({ status, text: "expired" }), expiresIn: 0 })
        const error = failureOf(yield* upload(api))
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, status)
        assert.strictEqual(pathsOf(api.urls).filter((path) => path === linkPath).length, 1)
        assert.strictEqual(pathsOf(api.urls).filter((path) => path === putPath).length, requests)
      }
    })
  )

  it.effect("is requested again if the API responds with a 502", () =>
    Effect.gen(function* () {
      const api = fakeUploadApi({
        link: (n) => (n === 1 ? { status: 502 } : undefined),
        confirm: (n) => (n === 1 ? { status: 502 } : { status: 200, json: {} })
      })
      assert.strictEqual(valueOf(yield* upload(api)), "file_2")
      assert.deepStrictEqual(pathsOf(api.urls), [linkPath, linkPath, "/uploads/file_2", confirmPath, confirmPath])
      // The link request and the confirmation are each retried after 1 s.
      assert.deepStrictEqual(seconds(api.at), [0, 1, 1, 1, 2])
    })
  )

  it.effect("is read from upload_url even if the response also contains url", () =>
    Effect.gen(function* () {
      const json = {
        id: "req_1",
        file_id: "file_1",
        url: "https://modelroute.example/files/1",
        upload_url: uploadUrl(1)
      }
      const api = fakeUploadApi({ link: () => ({ status: 200, json }) })
      assert.strictEqual(valueOf(yield* upload(api)), "file_1")
      assert.strictEqual(api.urls[1], uploadUrl(1))
    })
  )
})

describe("storage request of files.upload", { concurrent: true }, () => {
  it.effect("has the Content-Type of the option legacy.contentType", () =>
    Effect.gen(function* () {
      for (const contentType of ["text/plain; charset=utf-8", "image/svg+xml", "application/vnd.ms-excel"]) {
        const api = fakeUploadApi()
        valueOf(yield* upload(api, digits, { legacy: { contentType } }))
        assert.strictEqual(JSON.parse(api.bodies[0] ?? "").content_type, contentType)
        assert.strictEqual(api.headers[1]?.["content-type"], contentType)
      }
      for (const contentType of ["text/", "text/plain charset=utf-8", "text/plain\r\nx: y"]) {
        const error = failureOf(yield* upload(fakeUploadApi(), digits, { legacy: { contentType } }))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "legacy.contentType")
      }
    })
  )

  it.effect("does not count against the API rate limit", () =>
    Effect.gen(function* () {
      const window = { "x-ratelimit-limit": "2", "x-ratelimit-reset": String(start / 1000 + 60) }
      const api = fakeUploadApi({ headers: { ...window, "x-ratelimit-remaining": "1" } })
      valueOf(yield* upload(api))
      assert.deepStrictEqual(pathsOf(api.urls), [linkPath, putPath, confirmPath])
      assert.deepStrictEqual(seconds(api.at), [0, 0, 0])
    })
  )

  it.effect("does not delay API requests if storage returns rate limit headers", () =>
    Effect.gen(function* () {
      const slow = { "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "60" }
      const api = fakeUploadApi({ put: () => ({ status: 200, headers: slow }) })
      valueOf(yield* upload(api))
      assert.deepStrictEqual(seconds(api.at), [0, 0, 0])
    })
  )

  it.effect("succeeds only after the storage response has been read completely", () =>
    Effect.gen(function* () {
      let read = 0
      // The body is larger than the buffer of a client.
      const body = Stream.tap(Stream.repeatValue(new Uint8Array(65_536)).pipe(Stream.rechunk(1), Stream.take(50)), () =>
        Effect.sync(() => (read += 1))
      )
      const complete = fakeUploadApi({ put: () => ({ status: 200, body }) })
      assert.strictEqual(valueOf(yield* upload(complete)), "file_1")
      assert.strictEqual(read, 50)
      const truncated = fakeUploadApi({
        put: (n) => ({ status: 200, ...(n === 1 ? { body: Stream.die("cut") } : {}) })
      })
      assert.strictEqual(valueOf(yield* upload(truncated)), "file_1")
      assert.deepStrictEqual(pathsOf(truncated.urls), [linkPath, putPath, putPath, confirmPath])
    })
  )
})

describe("File.Source", { concurrent: true }, () => {
  it.effect("is run again if the connection breaks while storage reads it", () =>
    Effect.gen(function* () {
      let runs = 0
      let released = 0
      const slow = Stream.acquireRelease(
        Effect.sync(() => (runs += 1)),
        () => Effect.sync(() => (released += 1))
      ).pipe(Stream.flatMap(() => Stream.fromEffect(Effect.delay(Effect.succeed(new Uint8Array(3)), "2 seconds"))))
      const api = clientWithStorage((bytes, n) =>
        n === 1
          ? Effect.raceFirst(Stream.runDrain(bytes), Effect.delay(Effect.fail("reset"), "1 second"))
          : Stream.runDrain(bytes)
      )
      assert.strictEqual(valueOf(yield* upload(api, File.fromStream(slow, { size: 3 }))), "file_1")
      assert.deepStrictEqual(api.puts, [0, 2000])
      assert.deepStrictEqual([runs, released], [2, 2])
    })
  )

  it.effect("is reported as complete only after its stream has ended", () =>
    Effect.gen(function* () {
      const parts = [3, 7].map((length) => new Uint8Array(length))
      const reportsOf = (stream: Stream.Stream<Uint8Array>, size: number) =>
        Effect.gen(function* () {
          const reported: Array<number> = []
          const onProgress = ({ sent }: File.Progress) => Effect.sync(() => void reported.push(sent))
          const exit = yield* upload(fakeUploadApi(), File.fromStream(stream, { size }), { onProgress })
          return [Exit.isSuccess(exit), reported] as const
        })
      // The cases are one chunk with two parts, two chunks, and a single part. The last case has an additional byte.
      assert.deepStrictEqual(yield* reportsOf(Stream.fromIterable(parts), 10), [true, [3, 10]])
      assert.deepStrictEqual(yield* reportsOf(Stream.rechunk(Stream.fromIterable(parts), 1), 10), [true, [3, 10]])
      assert.deepStrictEqual(yield* reportsOf(Stream.make(new Uint8Array(10)), 10), [true, [10]])
      const longer = Stream.concat(Stream.fromIterable(parts), Stream.make(new Uint8Array(1)))
      assert.deepStrictEqual(yield* reportsOf(longer, 10), [false, [3]])
    })
  )

  it.effect("passes no empty chunks to the transport", () =>
    Effect.gen(function* () {
      const lengths: Array<number> = []
      const api = clientWithStorage((bytes) =>
        Stream.runForEach(bytes, ({ length }) => Effect.sync(() => lengths.push(length)))
      )
      const single = Stream.rechunk(Stream.make(new Uint8Array(1), new Uint8Array(2), new Uint8Array(1)), 1)
      valueOf(yield* upload(api, File.fromStream(single, { size: 4 })))
      assert.isTrue(lengths.every((length) => length > 0))
      assert.strictEqual(
        lengths.reduce((sum, length) => sum + length, 0),
        4
      )
    })
  )

  it.effect("splits bytes into chunks of at most 64 KiB", () =>
    Effect.gen(function* () {
      for (const [size, expected] of [
        [0, []],
        [65_536, [65_536]],
        [131_073, [65_536, 65_536, 1]]
      ] as const) {
        const { stream } = File.fromBytes(new Uint8Array(size))
        const lengths = yield* Stream.runCollect(Stream.map(stream, ({ length }) => length))
        assert.deepStrictEqual([...lengths], [...expected])
      }
    })
  )

  it.effect("has the name that File.fromBytes or File.fromStream received", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(1)
      const legacy = { contentType: "image/png" }
      for (const named of [
        File.fromBytes(bytes, { name: "fox.png" }),
        File.fromStream(Stream.make(bytes), { size: 1, name: "fox.png" })
      ]) {
        assert.strictEqual(named.name, "fox.png")
        const api = fakeUploadApi()
        valueOf(yield* upload(api, named, { legacy }))
        assert.strictEqual(JSON.parse(api.bodies[0] ?? "").filename, "fox.png")
      }
      assert.notProperty(File.fromBytes(bytes), "name")
      assert.isTrue(Exit.isFailure(yield* upload(fakeUploadApi(), File.fromBytes(bytes), { legacy })))
    })
  )
})
