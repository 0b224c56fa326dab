/** The simulator's files: uploads in both editions, and what its storage takes and gives. */
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
import { call, type Json, describeError, type ApiResponse, send, test } from "../utils/rawApi.js"

const { Fault } = Simulator
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3, 4)
const hour = 3_600_000

const upload = (body: unknown = { purpose: "INPUT" }) => call("POST", "/files/upload", body)
const confirm = (id: unknown) => call("POST", "/files/confirm", { file_id: id })
const linkOf = (json: Json) => String(json["upload_url"])
const idOf = (json: Json) => String(json["file_id"])

/** As storage is told of bytes: with their length, and without a content type. */
const put = (link: string, bytes: Uint8Array = png, headers: Readonly<Record<string, string>> = {}) =>
  send(HttpClientRequest.put(link, { headers, body: HttpBody.raw(bytes) }))

const putStream = (link: string, stream: Stream.Stream<Uint8Array, unknown>, contentLength?: number) =>
  send(HttpClientRequest.put(link).pipe(HttpClientRequest.bodyStream(stream, { contentLength })))

const get = (link: unknown, headers: Readonly<Record<string, string>> = {}) =>
  send(HttpClientRequest.get(String(link), { headers }))

const codeOf = (reply: ApiResponse) => [reply.status, /<Code>(\w+)<\/Code>/.exec(reply.text)?.[1]]

const withInput = (id: string) =>
  Effect.map(call("POST", "/executions", { model: "m", input: { image: id } }), ({ status }) => status)

/** A file of these bytes that is ready. */
const ready = (bytes: Uint8Array = png) =>
  Effect.gen(function* () {
    const { json } = yield* upload()
    yield* put(linkOf(json), bytes)
    yield* confirm(json["file_id"])
    return idOf(json)
  })

const downloadLink = (id: string) => Effect.map(call("GET", `/files/${id}/url`), ({ json }) => String(json["url"]))

describe("an upload", () => {
  test(
    "goes up, is confirmed, is an input, and comes down as it was",
    { clockSkew: 1500 },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const asked = yield* upload({ purpose: "UPLOAD", region: "EU" })
      const id = idOf(asked.json)
      assert.match(id, /^file_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.deepStrictEqual(asked.json, {
        file_id: id,
        upload_url: linkOf(asked.json),
        expires_at: "2026-03-20T11:30:01Z"
      })
      assert.match(
        linkOf(asked.json),
        new RegExp(
          `^https://storage\\.modelroute\\.example/uploads/${id}\\?X-Amz-Date=20260320T103001Z&X-Amz-Expires=3600&X-Amz-Signature=[0-9a-f]{64}$`
        )
      )
      const record = { id, edition: "current", purpose: "UPLOAD", region: "EU" } as const
      assert.deepStrictEqual(yield* simulator.files, [{ ...record, confirmed: false }])
      assert.isTrue(Option.isNone(yield* simulator.fileBytes(id)))
      assert.deepStrictEqual(describeError(yield* confirm(id)), [400, "FILE_NOT_FOUND"])

      const stored = yield* put(linkOf(asked.json))
      assert.deepStrictEqual([stored.status, stored.text], [200, ""])
      assert.match(String(stored.headers["etag"]), /^"[0-9a-f]{32}"$/)
      assert.deepStrictEqual(describeError(yield* call("GET", `/files/${id}/download`)), [400, "FILE_NOT_FOUND"])
      assert.strictEqual(yield* withInput(id), 400)

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
      assert.strictEqual(yield* withInput(id), 202)

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

  const wrong: ReadonlyArray<readonly [body: unknown, details: ReadonlyArray<string>]> = [
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
  for (const [body, details] of wrong) {
    test(
      `refuses ${JSON.stringify(body)}`,
      {},
      Effect.gen(function* () {
        assert.deepStrictEqual(describeError(yield* upload(body)), [400, "INPUT_VALIDATION_ERROR", ...details])
        assert.lengthOf(yield* (yield* Simulator.Simulator).files, 0)
      })
    )
  }

  test(
    "takes the largest of what it may, and a purpose makes it the newer edition",
    {},
    Effect.gen(function* () {
      const older = { filename: "a.png", content_type: "image/png", size_bytes: 104_857_600 }
      assert.strictEqual((yield* upload(older)).status, 200)
      assert.strictEqual((yield* upload({ ...older, purpose: "INPUT", ttl_days: 365 })).status, 200)
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
    "of the older edition has to be what was declared, and counts without a confirm",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { json } = yield* upload({ filename: "a.png", content_type: "image/x-own", size_bytes: png.length })
      const link = linkOf(json)
      const type = { "content-type": "image/x-own" }
      assert.deepStrictEqual(codeOf(yield* put(link)), [403, "SignatureDoesNotMatch"])
      assert.deepStrictEqual(codeOf(yield* put(link, png, { "content-type": "image/png" })), [
        403,
        "SignatureDoesNotMatch"
      ])
      assert.deepStrictEqual(codeOf(yield* put(link, png.slice(1), type)), [400, "EntityTooSmall"])
      assert.deepStrictEqual(codeOf(yield* put(link, new Uint8Array(png.length + 1), type)), [400, "EntityTooLarge"])
      assert.strictEqual(yield* withInput(idOf(json)), 400)
      assert.strictEqual((yield* put(link, png, type)).status, 200)
      assert.strictEqual(yield* withInput(idOf(json)), 202)
      const file = yield* get(yield* downloadLink(idOf(json)))
      assert.deepStrictEqual([file.headers["content-type"], file.bytes], ["image/x-own", png])
      assert.deepInclude((yield* simulator.files)[0], { edition: "legacy", filename: "a.png", confirmed: false })
    })
  )

  test(
    "counts at once on a server that knows no confirm",
    { confirm: "absent" },
    Effect.gen(function* () {
      const { json } = yield* upload()
      yield* put(linkOf(json))
      assert.deepStrictEqual(describeError(yield* confirm(idOf(json))), [404, "NOT_FOUND"])
      assert.strictEqual(yield* withInput(idOf(json)), 202)
    })
  )

  test(
    "can be repeated before the confirm; what is not there cannot be confirmed",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { json } = yield* upload()
      const first = yield* put(linkOf(json), Uint8Array.of(1, 2, 3))
      const second = yield* put(linkOf(json), Uint8Array.of(1, 2, 4))
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
    "is gone after its days",
    {},
    Effect.gen(function* () {
      const { json } = yield* upload({ purpose: "INPUT", ttl_days: 2 })
      yield* put(linkOf(json))
      yield* confirm(idOf(json))
      const [file] = yield* (yield* Simulator.Simulator).files
      assert.deepStrictEqual(file?.expiresAt, DateTime.unsafeMake(start + 48 * hour))
      yield* TestClock.setTime(start + 48 * hour - 1)
      const link = yield* downloadLink(idOf(json))
      assert.strictEqual(yield* withInput(idOf(json)), 202)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* withInput(idOf(json)), 400)
      assert.deepStrictEqual(describeError(yield* confirm(idOf(json))), [400, "FILE_NOT_FOUND"])
      assert.deepStrictEqual(codeOf(yield* get(link)), [404, "NoSuchKey"])
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
    "is what its first bytes say",
    {},
    Effect.gen(function* () {
      for (const [type, ...parts] of kinds) {
        const bytes = Buffer.concat(
          parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part, "latin1")))
        )
        const { json } = yield* upload()
        yield* put(linkOf(json), bytes)
        assert.strictEqual((yield* confirm(idOf(json))).json["content_type"], type, String(parts))
      }
    })
  )

  test(
    "has a fault for each of its steps",
    {
      faults: [
        Fault.on("files.upload", Fault.dropAfter),
        Fault.on("storage.put", Fault.raw({ status: 503, body: "SlowDown", phase: "after" })),
        Fault.on("files.confirm", Fault.dropAfter)
      ]
    },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      yield* Effect.flip(upload())
      assert.lengthOf(yield* simulator.files, 1)
      const { json } = yield* upload()
      assert.strictEqual((yield* put(linkOf(json))).status, 503)
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), png)
      yield* Effect.flip(confirm(idOf(json)))
      assert.deepStrictEqual(
        (yield* simulator.files).map(({ confirmed }) => confirmed),
        [false, true]
      )
    })
  )
})

describe("a presigned URL", () => {
  test(
    "to put lives an hour on the server's clock, for one file, one verb and nobody with a key",
    { clockSkew: -500 },
    Effect.gen(function* () {
      const { json } = yield* upload()
      const link = linkOf(json)
      const other = linkOf((yield* upload()).json)
      const query = (from: string) => from.slice(from.indexOf("?"))
      assert.deepStrictEqual(codeOf(yield* put(link, png, { authorization: "Bearer sk_test" })), [
        400,
        "InvalidArgument"
      ])
      assert.deepStrictEqual(codeOf(yield* put(link.replace(/\?.*/, query(other)))), [403, "SignatureDoesNotMatch"])
      assert.deepStrictEqual(codeOf(yield* put(link.replace("=3600", "=7200"))), [403, "SignatureDoesNotMatch"])
      assert.deepStrictEqual(codeOf(yield* put(link.replace(/\?.*/, ""))), [403, "SignatureDoesNotMatch"])
      assert.strictEqual((yield* put(link)).status, 200)
      yield* confirm(idOf(json))
      const read = yield* downloadLink(idOf(json))
      assert.deepStrictEqual(codeOf(yield* put(link.replace(/\?.*/, query(read)))), [403, "SignatureDoesNotMatch"])
      assert.deepStrictEqual(codeOf(yield* get(read.replace(/\?.*/, query(link)))), [403, "SignatureDoesNotMatch"])
      assert.deepStrictEqual(codeOf(yield* put(read)), [405, "MethodNotAllowed"])
      assert.deepStrictEqual(codeOf(yield* get(link)), [405, "MethodNotAllowed"])
      assert.deepStrictEqual(codeOf(yield* get(link.replace("uploads", "elsewhere"))), [404, "NoSuchKey"])
      // signed at 10:29:59 by the server's clock, which is half a second behind
      yield* TestClock.setTime(start + hour - 501)
      assert.strictEqual((yield* put(link)).status, 200)
      yield* TestClock.adjust("1 millis")
      const late = yield* put(link)
      assert.deepStrictEqual(codeOf(late), [403, "AccessDenied"])
      assert.include(late.text, "Request has expired")
    })
  )
})

describe("the body of an upload", () => {
  test(
    "needs its length, and not more than is allowed",
    { maxUpload: 10 },
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { json } = yield* upload()
      const link = linkOf(json)
      assert.deepStrictEqual(codeOf(yield* putStream(link, Stream.make(png))), [411, "MissingContentLength"])
      assert.deepStrictEqual(codeOf(yield* put(link, new Uint8Array(11))), [400, "EntityTooLarge"])
      const endless = Stream.repeatValue(new Uint8Array(1024))
      assert.deepStrictEqual(codeOf(yield* putStream(link, endless, 1e12)), [400, "EntityTooLarge"])
      assert.isTrue(Option.isNone(yield* simulator.fileBytes(idOf(json))))
      assert.strictEqual((yield* put(link, new Uint8Array(10))).status, 200)
      assert.strictEqual((yield* put(link, new Uint8Array(0))).status, 200)
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), new Uint8Array(0))
    })
  )

  test(
    "as a stream has to be as long as it says; one that breaks never arrives",
    {},
    Effect.gen(function* () {
      const simulator = yield* Simulator.Simulator
      const { json } = yield* upload()
      const link = linkOf(json)
      const pieces = Stream.make(png.slice(0, 5), png.slice(5, 6), png.slice(6))
      assert.strictEqual((yield* putStream(link, pieces, png.length)).status, 200)
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), png)
      const before = yield* simulator.requests
      const broken = Stream.concat(pieces, Stream.fail("the disk is gone"))
      for (const [stream, length] of [
        [pieces, png.length + 1],
        [pieces, png.length - 1],
        [Stream.forever(pieces), png.length],
        [broken, png.length + 5],
        [Stream.empty, png.length]
      ] as const) {
        const error = yield* Effect.flip(putStream(link, stream, length))
        assert.deepInclude(error, { _tag: "RequestError", reason: "Transport" })
      }
      assert.deepStrictEqual(yield* simulator.requests, before)
      assert.deepStrictEqual(Option.getOrUndefined(yield* simulator.fileBytes(idOf(json))), png)
    })
  )

  test(
    "is the server's own from then on",
    {},
    Effect.gen(function* () {
      const { json } = yield* upload()
      const bytes = png.slice()
      yield* put(linkOf(json), bytes)
      bytes.fill(0)
      assert.deepStrictEqual(Option.getOrUndefined(yield* (yield* Simulator.Simulator).fileBytes(idOf(json))), png)
    })
  )

  it.scoped("that is not what its length says is incomplete, where the connection lets it through", () =>
    Effect.gen(function* () {
      const { handle } = yield* Simulator.make()
      const head = { origin: "https://api.test", storage: "https://storage.test", method: "POST" }
      const ask = { url: "/v1/files/upload", headers: { authorization: "Bearer k" } }
      const { body } = yield* handle({ ...head, ...ask, body: Buffer.from('{"purpose":"INPUT"}') })
      const link = new URL(/"upload_url":"([^"]+)"/.exec(new TextDecoder().decode(body))?.[1] ?? "")
      const answers = yield* Effect.forEach(["11", "13", "12"], (length) =>
        handle({
          origin: link.origin,
          storage: link.origin,
          method: "PUT",
          url: link.pathname + link.search,
          headers: { "content-length": length },
          body: png
        })
      )
      assert.deepStrictEqual(
        answers.map((answer) => [answer.status, new TextDecoder().decode(answer.body).includes("IncompleteBody")]),
        [
          [400, true],
          [400, true],
          [200, false]
        ]
      )
    })
  )

  test(
    "of 150 MiB goes up in pieces, and costs little time",
    {},
    Effect.gen(function* () {
      const { json } = yield* upload()
      const piece = Uint8Array.from({ length: 1024 * 1024 }, (_, at) => at % 251)
      const stream = Stream.repeatValue(piece).pipe(Stream.take(150), Stream.rechunk(1))
      assert.strictEqual((yield* putStream(linkOf(json), stream, 157_286_400)).status, 200)
      assert.deepStrictEqual(codeOf(yield* putStream(linkOf(json), stream, 157_286_401)), [400, "EntityTooLarge"])
      const bytes = Option.getOrThrow(yield* (yield* Simulator.Simulator).fileBytes(idOf(json)))
      assert.strictEqual(bytes.length, 157_286_400)
      assert.deepStrictEqual(bytes.subarray(-3), piece.subarray(-3))
      const [, record] = yield* (yield* Simulator.Simulator).requests
      assert.deepInclude(record, { bodySize: 157_286_400, body: new Uint8Array(0) })
    })
  )
})

describe("a range", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, at) => at)

  const rangeOf = (link: string, range: string, ifRange?: string) =>
    Effect.map(get(link, { range, ...(ifRange === undefined ? {} : { "if-range": ifRange }) }), (reply) => [
      reply.status,
      reply.headers["content-range"],
      reply.status < 300 ? [reply.bytes[0], reply.bytes.length] : codeOf(reply)[1]
    ])

  test(
    "of a file is a part of it",
    {},
    Effect.gen(function* () {
      const link = yield* downloadLink(yield* ready(bytes))
      const whole = yield* get(link)
      assert.deepInclude(whole.headers, { "accept-ranges": "bytes", "content-length": "100" })
      const etag = String(whole.headers["etag"])
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
        assert.deepStrictEqual(yield* rangeOf(link, range, ifRange), [...expected], range)
      }
      const part = yield* get(link, { range: "bytes=5-9" })
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
    "of a picture fits to the others",
    {},
    Effect.gen(function* () {
      const created = yield* call("POST", "/executions", { model: "m", input: { width: 256, height: 256 } })
      yield* TestClock.adjust("10 seconds")
      const { json } = yield* call("GET", `/executions/${String(created.json["id"])}`)
      const link = yield* downloadLink(/"(file_[0-9a-f-]{36})"/.exec(JSON.stringify(json))?.[1] ?? "")
      const whole = yield* get(link)
      const rest = yield* get(link, { range: "bytes=1000-", "if-range": String(whole.headers["etag"]) })
      assert.deepStrictEqual(rest.bytes, whole.bytes.slice(1000))
    })
  )

  test(
    "is not to be had where it is switched off",
    { ranges: false },
    Effect.gen(function* () {
      const link = yield* downloadLink(yield* ready(bytes))
      assert.deepStrictEqual(yield* rangeOf(link, "bytes=10-19"), [200, undefined, [0, 100]])
      const { headers } = yield* get(link)
      assert.property(headers, "etag")
      assert.notProperty(headers, "accept-ranges")
    })
  )
})

describe("what a client sends", () => {
  const type = (
    body: HttpBody.HttpBody
  ): Effect.Effect<unknown, unknown, Simulator.Simulator | HttpClient.HttpClient> =>
    Effect.gen(function* () {
      yield* send(HttpClientRequest.post("https://api.test/v1/files/upload", { body }))
      const { body: got, headers } = (yield* (yield* Simulator.Simulator).requests).at(-1) ?? {}
      return [
        headers?.["content-type"]?.replace(/boundary=.*/, ""),
        headers?.["content-length"] === String(got?.length)
      ]
    })

  test(
    "has the length and the type that fetch would give it",
    {},
    Effect.gen(function* () {
      const form = new FormData()
      form.set("a", "b")
      assert.deepStrictEqual(yield* type(HttpBody.raw(png)), [undefined, true])
      assert.deepStrictEqual(yield* type(HttpBody.uint8Array(png, "image/png")), ["image/png", true])
      assert.deepStrictEqual(yield* type(HttpBody.raw("text")), ["text/plain;charset=UTF-8", true])
      assert.deepStrictEqual(yield* type(HttpBody.raw(new Blob([png], { type: "image/x-blob" }))), [
        "image/x-blob",
        true
      ])
      assert.deepStrictEqual(yield* type(HttpBody.formData(form)), ["multipart/form-data; ", true])
      assert.deepStrictEqual(yield* type(HttpBody.empty), [undefined, true])
      assert.deepStrictEqual(yield* type(HttpBody.stream(Stream.make(png), "x/y")), ["x/y", false])
    })
  )
})
