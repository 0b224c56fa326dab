/** Tests the files of the simulator: uploads in both editions of the API, and the storage. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Simulator from "effect-modelroute/Simulator"
import { start } from "../utils/harness.js"
import { call, describeError, describeStorageError, type Json, send, test } from "../utils/rawApi.js"

const { Fault } = Simulator
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3, 4)
const hourMillis = 3_600_000

const startUpload = (body: unknown = { purpose: "INPUT" }) => call("POST", "/files/upload", body)
const confirm = (id: unknown) => call("POST", "/files/confirm", { file_id: id })
const uploadUrlOf = (json: Json) => String(json["upload_url"])
const idOf = (json: Json) => String(json["file_id"])

/** Sends bytes to the storage with a Content-Length. Adds no content type. */
const put = (url: string, bytes: Uint8Array = png, headers: Readonly<Record<string, string>> = {}) =>
  send(HttpClientRequest.put(url, { headers, body: HttpBody.raw(bytes) }))

const putStream = (url: string, stream: Stream.Stream<Uint8Array, unknown>, contentLength?: number) =>
  send(HttpClientRequest.put(url).pipe(HttpClientRequest.bodyStream(stream, { contentLength })))

const get = (url: unknown, headers: Readonly<Record<string, string>> = {}) =>
  send(HttpClientRequest.get(String(url), { headers }))

/** Creates an execution with the file as input and returns the response status. */
const createWithFile = (id: string) =>
  Effect.map(call("POST", "/executions", { model: "m", input: { image: id } }), ({ status }) => status)

/** Uploads and confirms a file. Returns the file id. */
const uploadFile = (bytes: Uint8Array = png) =>
  Effect.gen(function* () {
    const { json } = yield* startUpload()
    yield* put(uploadUrlOf(json), bytes)
    yield* confirm(json["file_id"])
    return idOf(json)
  })

const getDownloadUrl = (id: string) => Effect.map(call("GET", `/files/${id}/url`), ({ json }) => String(json["url"]))

describe("Simulator upload", () => {
  test(
    "is available as input after a confirm request",
    { clockSkew: 1500 },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const started = yield* startUpload({ purpose: "UPLOAD", region: "EU" })
      const id = idOf(started.json)
      assert.match(id, /^file_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.deepStrictEqual(started.json, {
        file_id: id,
        upload_url: uploadUrlOf(started.json),
        expires_at: "2026-03-20T11:30:01Z"
      })
      assert.match(
        uploadUrlOf(started.json),
        new RegExp(
          `^https://storage\\.modelroute\\.example/uploads/${id}\\?X-Amz-Date=20260320T103001Z&X-Amz-Expires=3600&X-Amz-Signature=[0-9a-f]{64}$`
        )
      )
      const record = { id, edition: "current", purpose: "UPLOAD", region: "EU" } as const
      assert.deepStrictEqual(yield* simulator.files, [{ ...record, confirmed: false }])
      assert.isTrue(Option.isNone(yield* simulator.fileBytes(id)))
      assert.deepStrictEqual(describeError(yield* confirm(id)), [400, "FILE_NOT_FOUND"])

      const stored = yield* put(uploadUrlOf(started.json))
      assert.deepStrictEqual([stored.status, stored.text], [200, ""])
      assert.match(String(stored.headers["etag"]), /^"[0-9a-f]{32}"$/)
      assert.deepStrictEqual(describeError(yield* call("GET", `/files/${id}/download`)), [400, "FILE_NOT_FOUND"])
      assert.strictEqual(yield* createWithFile(id), 400)

      const confirmed = yield* confirm(id)
      assert.strictEqual(confirmed.status, 200)
      assert.deepStrictEqual(confirmed.json, {
        file_id: id,
        content_type: "image/png",
        size_bytes: png.length,
        status: "READY"
      })
      assert.deepStrictEqual((yield* confirm(id)).json, confirmed.json)
      assert.deepStrictEqual(yield* simulator.files, [
        { ...record, contentType: "image/png", size: png.length, confirmed: true }
      ])
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(id)), png)
      assert.strictEqual(yield* createWithFile(id), 202)

      const { json } = yield* call("GET", `/files/${id}/download`)
      assert.deepInclude(json, { content_type: "image/png", size_bytes: png.length })
      const file = yield* get(json["url"])
      assert.deepStrictEqual(file.bytes, png)
      assert.deepInclude(file.headers, { "content-type": "image/png", etag: stored.headers["etag"] })
      assert.deepStrictEqual(
        (yield* simulator.requests).map(({ body, bodySize, operation, outcome }) =>
          operation === "storage.put" ? [operation, outcome, body.length, bodySize] : [operation, outcome, bodySize]
        ),
        [
          ["files.upload", 200, undefined],
          ["files.confirm", 400, undefined],
          ["storage.put", 200, 0, png.length],
          ["files.download", 400, undefined],
          ["executions.create", 400, undefined],
          ["files.confirm", 200, undefined],
          ["files.confirm", 200, undefined],
          ["executions.create", 202, undefined],
          ["files.download", 200, undefined],
          ["storage.get", 200, undefined]
        ]
      )
    })
  )

  const invalid: ReadonlyArray<readonly [body: unknown, details: ReadonlyArray<string>]> = [
    [{}, ["purpose REQUIRED"]],
    [[], [" INVALID_TYPE"]],
    [{ purpose: "OUTPUT", region: "MARS" }, ["purpose INVALID_VALUE", "region INVALID_VALUE"]],
    [{ purpose: "INPUT", ttl_days: 0 }, ["ttl_days OUT_OF_RANGE"]],
    [{ purpose: "INPUT", ttl_days: 366 }, ["ttl_days OUT_OF_RANGE"]],
    [{ purpose: "INPUT", ttl_days: 1.5 }, ["ttl_days INVALID_TYPE"]],
    [{ filename: "a.png" }, ["content_type REQUIRED", "size_bytes REQUIRED"]],
    [
      { filename: "", content_type: "png", size_bytes: 104_857_601 },
      ["filename REQUIRED", "content_type INVALID_VALUE", "size_bytes OUT_OF_RANGE"]
    ]
  ]
  for (const [body, details] of invalid) {
    test(
      `rejects the request body ${JSON.stringify(body)}`,
      {},
      Effect.gen(function* () {
        assert.deepStrictEqual(describeError(yield* startUpload(body)), [400, "INPUT_VALIDATION_ERROR", ...details])
        assert.lengthOf(yield* (yield* Simulator.Simulator).files, 0)
      })
    )
  }

  test(
    "accepts the maximum size and the maximum `ttl_days`",
    {},
    Effect.gen(function* () {
      const legacy = { filename: "a.png", content_type: "image/png", size_bytes: 104_857_600 }
      assert.strictEqual((yield* startUpload(legacy)).status, 200)
      assert.strictEqual((yield* startUpload({ ...legacy, purpose: "INPUT", ttl_days: 365 })).status, 200)
      assert.deepStrictEqual(
        (yield* (yield* Simulator.Simulator).files).map(({ edition, filename, region }) => [edition, filename, region]),
        [
          ["legacy", "a.png", undefined],
          ["current", undefined, "US"]
        ]
      )
    })
  )

  test(
    "rejects legacy bytes that differ from the declared type or size",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { json } = yield* startUpload({ filename: "a.png", content_type: "image/x-own", size_bytes: png.length })
      const url = uploadUrlOf(json)
      const type = { "content-type": "image/x-own" }
      assert.deepStrictEqual(describeStorageError(yield* put(url)), [403, "SignatureDoesNotMatch"])
      assert.deepStrictEqual(describeStorageError(yield* put(url, png, { "content-type": "image/png" })), [
        403,
        "SignatureDoesNotMatch"
      ])
      assert.deepStrictEqual(describeStorageError(yield* put(url, png.slice(1), type)), [400, "EntityTooSmall"])
      assert.deepStrictEqual(describeStorageError(yield* put(url, new Uint8Array(png.length + 1), type)), [
        400,
        "EntityTooLarge"
      ])
      assert.strictEqual(yield* createWithFile(idOf(json)), 400)
      assert.strictEqual((yield* put(url, png, type)).status, 200)
      assert.strictEqual(yield* createWithFile(idOf(json)), 202)
      const file = yield* get(yield* getDownloadUrl(idOf(json)))
      assert.deepStrictEqual([file.headers["content-type"], file.bytes], ["image/x-own", png])
      assert.deepInclude((yield* simulator.files)[0], { edition: "legacy", filename: "a.png", confirmed: false })
    })
  )

  test(
    "is usable without a confirm request if the option `confirm` is `absent`",
    { confirm: "absent" },
    Effect.gen(function* () {
      const { json } = yield* startUpload()
      yield* put(uploadUrlOf(json))
      assert.deepStrictEqual(describeError(yield* confirm(idOf(json))), [404, "NOT_FOUND"])
      assert.strictEqual(yield* createWithFile(idOf(json)), 202)
    })
  )

  test(
    "replaces the stored bytes if the client repeats the PUT request",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { json } = yield* startUpload()
      const first = yield* put(uploadUrlOf(json), Uint8Array.of(1, 2, 3))
      const second = yield* put(uploadUrlOf(json), Uint8Array.of(1, 2, 4))
      assert.notStrictEqual(first.headers["etag"], second.headers["etag"])
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), Uint8Array.of(1, 2, 4))
      assert.deepInclude((yield* confirm(idOf(json))).json, {
        content_type: "application/octet-stream",
        size_bytes: 3
      })
      assert.deepStrictEqual(describeError(yield* confirm("file_none")), [400, "FILE_NOT_FOUND"])
      assert.deepStrictEqual(describeError(yield* confirm(undefined)), [
        400,
        "INPUT_VALIDATION_ERROR",
        "file_id REQUIRED"
      ])
    })
  )

  test(
    "expires after `ttl_days`",
    {},
    Effect.gen(function* () {
      const { json } = yield* startUpload({ purpose: "INPUT", ttl_days: 2 })
      yield* put(uploadUrlOf(json))
      yield* confirm(idOf(json))
      const [file] = yield* (yield* Simulator.Simulator).files
      assert.deepStrictEqual(file?.expiresAt, DateTime.unsafeMake(start + 48 * hourMillis))
      yield* TestClock.setTime(start + 48 * hourMillis - 1)
      const url = yield* getDownloadUrl(idOf(json))
      assert.strictEqual(yield* createWithFile(idOf(json)), 202)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* createWithFile(idOf(json)), 400)
      assert.deepStrictEqual(describeError(yield* confirm(idOf(json))), [400, "FILE_NOT_FOUND"])
      assert.deepStrictEqual(describeStorageError(yield* get(url)), [404, "NoSuchKey"])
    })
  )

  const kinds: ReadonlyArray<readonly [type: string, ...bytes: ReadonlyArray<string | number>]> = [
    ["image/png", 0x89, "PNG\r\n", 0x1a, "\n"],
    ["image/jpeg", 0xff, 0xd8, 0xff, 0xe0],
    ["image/gif", "GIF89a"],
    ["image/gif", "GIF87a"],
    ["image/webp", "RIFF", 0, 0, 0, 0, "WEBPVP8 "],
    ["audio/wav", "RIFF", 0, 0, 0, 0, "WAVEfmt "],
    ["application/pdf", "%PDF-1.7"],
    ["video/mp4", 0, 0, 0, 0x18, "ftypisom"],
    ["audio/mpeg", "ID3", 4],
    ["audio/mpeg", 0xff, 0xfb, 0x90],
    ["application/octet-stream", "RIFF", 0, 0, 0, 0, "AVI "],
    ["application/octet-stream", "PNG"],
    ["application/octet-stream"]
  ]
  test(
    "detects the content type from the first bytes",
    {},
    Effect.gen(function* () {
      for (const [type, ...parts] of kinds) {
        const bytes = Buffer.concat(
          parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part, "latin1")))
        )
        const { json } = yield* startUpload()
        yield* put(uploadUrlOf(json), bytes)
        assert.strictEqual((yield* confirm(idOf(json))).json["content_type"], type, String(parts))
      }
    })
  )

  test(
    "applies a scripted fault to each request",
    {
      faults: [
        Fault.on("files.upload", Fault.dropAfter),
        Fault.on("storage.put", Fault.raw({ status: 503, body: "SlowDown", phase: "after" })),
        Fault.on("files.confirm", Fault.dropAfter)
      ]
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* Effect.flip(startUpload())
      assert.lengthOf(yield* simulator.files, 1)
      const { json } = yield* startUpload()
      assert.strictEqual((yield* put(uploadUrlOf(json))).status, 503)
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), png)
      yield* Effect.flip(confirm(idOf(json)))
      assert.deepStrictEqual(
        (yield* simulator.files).map(({ confirmed }) => confirmed),
        [false, true]
      )
    })
  )
})

describe("Simulator presigned URL", () => {
  test(
    "allows one method on one file for one hour",
    { clockSkew: -500 },
    Effect.gen(function* () {
      const { json } = yield* startUpload()
      const url = uploadUrlOf(json)
      const other = uploadUrlOf((yield* startUpload()).json)
      const query = (from: string) => from.slice(from.indexOf("?"))
      assert.deepStrictEqual(describeStorageError(yield* put(url, png, { authorization: "Bearer sk_test" })), [
        400,
        "InvalidArgument"
      ])
      assert.deepStrictEqual(describeStorageError(yield* put(url.replace(/\?.*/, query(other)))), [
        403,
        "SignatureDoesNotMatch"
      ])
      assert.deepStrictEqual(describeStorageError(yield* put(url.replace("=3600", "=7200"))), [
        403,
        "SignatureDoesNotMatch"
      ])
      assert.deepStrictEqual(describeStorageError(yield* put(url.replace(/\?.*/, ""))), [403, "SignatureDoesNotMatch"])
      assert.strictEqual((yield* put(url)).status, 200)
      yield* confirm(idOf(json))
      const read = yield* getDownloadUrl(idOf(json))
      assert.deepStrictEqual(describeStorageError(yield* put(url.replace(/\?.*/, query(read)))), [
        403,
        "SignatureDoesNotMatch"
      ])
      assert.deepStrictEqual(describeStorageError(yield* get(read.replace(/\?.*/, query(url)))), [
        403,
        "SignatureDoesNotMatch"
      ])
      assert.deepStrictEqual(describeStorageError(yield* put(read)), [405, "MethodNotAllowed"])
      assert.deepStrictEqual(describeStorageError(yield* get(url)), [405, "MethodNotAllowed"])
      assert.deepStrictEqual(describeStorageError(yield* get(url.replace("uploads", "elsewhere"))), [404, "NoSuchKey"])
      // The URL was signed at 10:29:59, because the server's clock is half a second behind.
      yield* TestClock.setTime(start + hourMillis - 501)
      assert.strictEqual((yield* put(url)).status, 200)
      yield* TestClock.adjust("1 millis")
      const late = yield* put(url)
      assert.deepStrictEqual(describeStorageError(late), [403, "AccessDenied"])
      assert.include(late.text, "Request has expired")
    })
  )
})

describe("Simulator upload body", () => {
  test(
    "requires a Content-Length of at most `maxUpload`",
    { maxUpload: 10 },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { json } = yield* startUpload()
      const url = uploadUrlOf(json)
      assert.deepStrictEqual(describeStorageError(yield* putStream(url, Stream.make(png))), [
        411,
        "MissingContentLength"
      ])
      assert.deepStrictEqual(describeStorageError(yield* put(url, new Uint8Array(11))), [400, "EntityTooLarge"])
      const endless = Stream.repeatValue(new Uint8Array(1024))
      assert.deepStrictEqual(describeStorageError(yield* putStream(url, endless, 1e12)), [400, "EntityTooLarge"])
      assert.isTrue(Option.isNone(yield* simulator.fileBytes(idOf(json))))
      assert.strictEqual((yield* put(url, new Uint8Array(10))).status, 200)
      assert.strictEqual((yield* put(url, new Uint8Array(0))).status, 200)
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), new Uint8Array(0))
    })
  )

  test(
    "is rejected if its stream fails or differs from the Content-Length",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { json } = yield* startUpload()
      const url = uploadUrlOf(json)
      const chunks = Stream.make(png.slice(0, 5), png.slice(5, 6), png.slice(6))
      assert.strictEqual((yield* putStream(url, chunks, png.length)).status, 200)
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), png)
      const before = yield* simulator.requests
      const broken = Stream.concat(chunks, Stream.fail("the disk is gone"))
      for (const [stream, length] of [
        [chunks, png.length + 1],
        [chunks, png.length - 1],
        [Stream.forever(chunks), png.length],
        [broken, png.length + 5],
        [Stream.empty, png.length]
      ] as const) {
        const error = yield* Effect.flip(putStream(url, stream, length))
        assert.deepInclude(error, { _tag: "RequestError", reason: "Transport" })
      }
      assert.deepStrictEqual(yield* simulator.requests, before)
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), png)
    })
  )

  test(
    "is not affected when the caller changes the bytes later",
    {},
    Effect.gen(function* () {
      const { json } = yield* startUpload()
      const bytes = png.slice()
      yield* put(uploadUrlOf(json), bytes)
      bytes.fill(0)
      assert.deepStrictEqual(Option.getOrUndefined(yield* (yield* Simulator.Simulator).fileBytes(idOf(json))), png)
    })
  )

  it.scoped("is rejected as incomplete if its length differs from its Content-Length", () =>
    Effect.gen(function* () {
      const { handle } = yield* Simulator.make()
      const head = { origin: "https://api.test", storage: "https://storage.test", method: "POST" }
      const startRequest = { url: "/v1/files/upload", headers: { authorization: "Bearer k" } }
      const { body } = yield* handle({ ...head, ...startRequest, body: Buffer.from('{"purpose":"INPUT"}') })
      const url = new URL(/"upload_url":"([^"]+)"/.exec(new TextDecoder().decode(body))?.[1] ?? "")
      const responses = yield* Effect.forEach(["11", "13", "12"], (length) =>
        handle({
          origin: url.origin,
          storage: url.origin,
          method: "PUT",
          url: url.pathname + url.search,
          headers: { "content-length": length },
          body: png
        })
      )
      assert.deepStrictEqual(
        responses.map((response) => [
          response.status,
          new TextDecoder().decode(response.body).includes("IncompleteBody")
        ]),
        [
          [400, true],
          [400, true],
          [200, false]
        ]
      )
    })
  )

  test(
    "can be a stream of 150 MiB",
    {},
    Effect.gen(function* () {
      const { json } = yield* startUpload()
      const chunk = Uint8Array.from({ length: 1024 * 1024 }, (_, at) => at % 251)
      const stream = Stream.repeatValue(chunk).pipe(Stream.take(150), Stream.rechunk(1))
      assert.strictEqual((yield* putStream(uploadUrlOf(json), stream, 157_286_400)).status, 200)
      assert.deepStrictEqual(describeStorageError(yield* putStream(uploadUrlOf(json), stream, 157_286_401)), [
        400,
        "EntityTooLarge"
      ])
      const bytes = Option.getOrThrow(yield* (yield* Simulator.Simulator).fileBytes(idOf(json)))
      assert.strictEqual(bytes.length, 157_286_400)
      assert.deepStrictEqual(bytes.subarray(-3), chunk.subarray(-3))
      const [, record] = yield* (yield* Simulator.Simulator).requests
      assert.deepInclude(record, { bodySize: 157_286_400, body: new Uint8Array(0) })
    })
  )
})

describe("Simulator Range request", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, at) => at)

  const fetchRange = (url: string, range: string, ifRange?: string) =>
    Effect.map(get(url, { range, ...(ifRange === undefined ? {} : { "if-range": ifRange }) }), (response) => [
      response.status,
      response.headers["content-range"],
      response.status < 300 ? [response.bytes[0], response.bytes.length] : describeStorageError(response)[1]
    ])

  test(
    "returns the requested part of the file",
    {},
    Effect.gen(function* () {
      const url = yield* getDownloadUrl(yield* uploadFile(bytes))
      const full = yield* get(url)
      assert.deepInclude(full.headers, { "accept-ranges": "bytes", "content-length": "100" })
      const etag = String(full.headers["etag"])
      const cases: ReadonlyArray<readonly [string, string | undefined, ReadonlyArray<unknown>]> = [
        ["bytes=0-0", undefined, [206, "bytes 0-0/100", [0, 1]]],
        ["bytes=10-19", undefined, [206, "bytes 10-19/100", [10, 10]]],
        ["bytes=60-", undefined, [206, "bytes 60-99/100", [60, 40]]],
        ["bytes=60-1000", undefined, [206, "bytes 60-99/100", [60, 40]]],
        ["bytes=-30", undefined, [206, "bytes 70-99/100", [70, 30]]],
        ["bytes=99-", etag, [206, "bytes 99-99/100", [99, 1]]],
        ["bytes=99-", '"another"', [200, undefined, [0, 100]]],
        ["bytes=100-", undefined, [416, "bytes */100", "InvalidRange"]],
        ["bytes=9-3", undefined, [200, undefined, [0, 100]]],
        ["bytes=1-2,4-5", undefined, [200, undefined, [0, 100]]],
        ["lines=1-2", undefined, [200, undefined, [0, 100]]]
      ]
      for (const [range, ifRange, expected] of cases) {
        assert.deepStrictEqual(yield* fetchRange(url, range, ifRange), [...expected], range)
      }
      const part = yield* get(url, { range: "bytes=5-9" })
      assert.deepInclude(part.headers, {
        etag,
        "accept-ranges": "bytes",
        "content-length": "5",
        "content-type": "application/octet-stream"
      })
      assert.deepStrictEqual(part.bytes, bytes.slice(5, 10))
    })
  )

  test(
    "returns the same bytes as a full download of a picture",
    {},
    Effect.gen(function* () {
      const created = yield* call("POST", "/executions", { model: "m", input: { width: 256, height: 256 } })
      yield* TestClock.adjust("10 seconds")
      const { json } = yield* call("GET", `/executions/${String(created.json["id"])}`)
      const url = yield* getDownloadUrl(/"(file_[0-9a-f-]{36})"/.exec(JSON.stringify(json))?.[1] ?? "")
      const full = yield* get(url)
      const rest = yield* get(url, { range: "bytes=1000-", "if-range": String(full.headers["etag"]) })
      assert.deepStrictEqual(rest.bytes, full.bytes.slice(1000))
    })
  )

  test(
    "returns the full file if the option `ranges` is false",
    { ranges: false },
    Effect.gen(function* () {
      const url = yield* getDownloadUrl(yield* uploadFile(bytes))
      assert.deepStrictEqual(yield* fetchRange(url, "bytes=10-19"), [200, undefined, [0, 100]])
      const { headers } = yield* get(url)
      assert.property(headers, "etag")
      assert.notProperty(headers, "accept-ranges")
    })
  )
})

describe("Simulator request body headers", () => {
  const describeHeaders = (
    body: HttpBody.HttpBody
  ): Effect.Effect<unknown, unknown, Simulator.Simulator | HttpClient.HttpClient> =>
    Effect.gen(function* () {
      yield* send(HttpClientRequest.post("https://api.test/v1/files/upload", { body }))
      const { body: receivedBody, headers } = (yield* (yield* Simulator.Simulator).requests).at(-1) ?? {}
      return [
        headers?.["content-type"]?.replace(/boundary=.*/, ""),
        headers?.["content-length"] === String(receivedBody?.length)
      ]
    })

  test(
    "match the headers that fetch sends",
    {},
    Effect.gen(function* () {
      const form = new FormData()
      form.set("a", "b")
      assert.deepStrictEqual(yield* describeHeaders(HttpBody.raw(png)), [undefined, true])
      assert.deepStrictEqual(yield* describeHeaders(HttpBody.uint8Array(png, "image/png")), ["image/png", true])
      assert.deepStrictEqual(yield* describeHeaders(HttpBody.raw("text")), ["text/plain;charset=UTF-8", true])
      assert.deepStrictEqual(yield* describeHeaders(HttpBody.raw(new Blob([png], { type: "image/x-blob" }))), [
        "image/x-blob",
        true
      ])
      assert.deepStrictEqual(yield* describeHeaders(HttpBody.formData(form)), ["multipart/form-data; ", true])
      assert.deepStrictEqual(yield* describeHeaders(HttpBody.empty), [undefined, true])
      assert.deepStrictEqual(yield* describeHeaders(HttpBody.stream(Stream.make(png), "x/y")), ["x/y", false])
    })
  )
})
