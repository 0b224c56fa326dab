/** Uploads at their edges: other clocks, other words, answers that come early or late, and files in odd places. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream, TestClock } from "effect"
import { File, type ModelRouteClient } from "effect-modelroute"
import { failureOf, valueOf } from "../utils/exit.js"
import { makeFakeClient, type FakeResponse } from "../utils/fake.js"
import { httpDate, isoDate, runToEnd, silent, start } from "../utils/harness.js"
import { uploadUrl, clientWithStorage, pathsOf } from "../utils/uploads.js"

const source = File.fromBytes(new TextEncoder().encode("0123456789"), { name: "digits.txt" })

interface Script {
  /** What goes for a new link, the n-th time; without one, a link. */
  readonly link?: (n: number) => FakeResponse | undefined
  readonly put?: (n: number) => FakeResponse
  readonly confirm?: (n: number) => FakeResponse
  readonly expiresIn?: number
  readonly headers?: Record<string, string>
}

const service = ({ confirm, expiresIn = 3_600_000, headers = {}, link, put }: Script = {}) => {
  const asked = { link: 0, put: 0, confirm: 0 }
  return makeFakeClient((url) => {
    if (url.endsWith("/v1/files/upload")) {
      const n = (asked.link += 1)
      const json = { file_id: `file_${n}`, upload_url: uploadUrl(n), expires_at: isoDate(start + expiresIn) }
      return link?.(n) ?? { status: 201, headers, json }
    }
    if (url.endsWith("/v1/files/confirm")) return confirm?.((asked.confirm += 1)) ?? { status: 200, json: {} }
    return put?.((asked.put += 1)) ?? { status: 200 }
  })
}

const uploading = (
  { client }: Pick<ReturnType<typeof service>, "client">,
  what: File.Source = source,
  options?: ModelRouteClient.UploadOptions
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const { files } = yield* client
    return yield* runToEnd(silent(files.upload(what, options)))
  })

const seconds = (at: ReadonlyArray<number>) => at.map((instant) => (instant - start) / 1000)

const [ask, put, confirm] = ["/v1/files/upload", "/uploads/file_1", "/v1/files/confirm"]

const denied = { status: 403, text: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>" }

describe("the link of an upload", () => {
  for (const skew of [-3_600_000, 3_600_000]) {
    it.effect(`expires on the server's clock, which is ${skew / 1000} s ahead`, () =>
      Effect.gen(function* () {
        const headers = { date: httpDate(start + skew) }
        // Refused a second after it was given.
        const refusals = (n: number) => (n === 1 ? { status: 503 } : n === 2 ? denied : { status: 200 })
        const late = service({ put: refusals, expiresIn: skew + 1000, headers })
        assert.strictEqual(valueOf(yield* uploading(late)), "file_2")
        const inTime = service({ put: refusals, expiresIn: skew + 1001, headers })
        assert.strictEqual(failureOf(yield* uploading(inTime))._tag, "UnexpectedResponse")
        assert.deepStrictEqual(pathsOf(inTime.urls), [ask, put, put])
      })
    )
  }

  it.effect("has expired by any spelling of the word", () =>
    Effect.gen(function* () {
      const text = "<Error><Code>ExpiredToken</Code></Error>"
      const api = service({ put: (n) => (n === 1 ? { status: 400, text } : { status: 200 }) })
      assert.strictEqual(valueOf(yield* uploading(api)), "file_2")
    })
  )

  it.effect("has not expired where storage redirects or is out of order, whatever that says and however late", () =>
    Effect.gen(function* () {
      for (const [status, requests] of [
        [307, 1],
        [501, 1],
        [503, 4]
      ] as const) {
        const api = service({ put: () => ({ status, text: "expired" }), expiresIn: 0 })
        const error = failureOf(yield* uploading(api))
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.status, status)
        assert.strictEqual(pathsOf(api.urls).filter((path) => path === ask).length, 1)
        assert.strictEqual(pathsOf(api.urls).filter((path) => path === put).length, requests)
      }
    })
  )

  it.effect("is asked for again when the API is out of order, and so is the confirmation", () =>
    Effect.gen(function* () {
      const api = service({
        link: (n) => (n === 1 ? { status: 502 } : undefined),
        confirm: (n) => (n === 1 ? { status: 502 } : { status: 200, json: {} })
      })
      assert.strictEqual(valueOf(yield* uploading(api)), "file_2")
      assert.deepStrictEqual(pathsOf(api.urls), [ask, ask, "/uploads/file_2", confirm, confirm])
      // One policy for each of the three requests.
      assert.deepStrictEqual(seconds(api.at), [0, 1, 1, 1, 2])
    })
  )

  it.effect("goes by the newer names where an answer has both", () =>
    Effect.gen(function* () {
      const json = {
        id: "req_1",
        file_id: "file_1",
        url: "https://modelroute.example/files/1",
        upload_url: uploadUrl(1)
      }
      const api = service({ link: () => ({ status: 200, json }) })
      assert.strictEqual(valueOf(yield* uploading(api)), "file_1")
      assert.strictEqual(api.urls[1], uploadUrl(1))
    })
  )
})

describe("the bytes of an upload", () => {
  it.effect("have any type that is one, parameters and all", () =>
    Effect.gen(function* () {
      for (const contentType of ["text/plain; charset=utf-8", "image/svg+xml", "application/vnd.ms-excel"]) {
        const api = service()
        valueOf(yield* uploading(api, source, { legacy: { contentType } }))
        assert.strictEqual(JSON.parse(api.bodies[0] ?? "").content_type, contentType)
        assert.strictEqual(api.headers[1]?.["content-type"], contentType)
      }
      for (const contentType of ["text/", "text/plain charset=utf-8", "text/plain\r\nx: y"]) {
        const error = failureOf(yield* uploading(service(), source, { legacy: { contentType } }))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "legacy.contentType")
      }
    })
  )

  it.effect("take no place at the API's rate limit", () =>
    Effect.gen(function* () {
      const window = { "x-ratelimit-limit": "2", "x-ratelimit-reset": String(start / 1000 + 60) }
      const api = service({ headers: { ...window, "x-ratelimit-remaining": "1" } })
      valueOf(yield* uploading(api))
      assert.deepStrictEqual(pathsOf(api.urls), [ask, put, confirm])
      assert.deepStrictEqual(seconds(api.at), [0, 0, 0])
    })
  )

  it.effect("do not slow down the API's requests when storage says that it is busy", () =>
    Effect.gen(function* () {
      const slow = { "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "60" }
      const api = service({ put: () => ({ status: 200, headers: slow }) })
      valueOf(yield* uploading(api))
      assert.deepStrictEqual(seconds(api.at), [0, 0, 0])
    })
  )

  it.effect("have arrived when storage's answer has been read to its end", () =>
    Effect.gen(function* () {
      let read = 0
      // More than anybody would read ahead.
      const body = Stream.tap(Stream.repeatValue(new Uint8Array(65_536)).pipe(Stream.rechunk(1), Stream.take(50)), () =>
        Effect.sync(() => (read += 1))
      )
      const whole = service({ put: () => ({ status: 200, body }) })
      assert.strictEqual(valueOf(yield* uploading(whole)), "file_1")
      assert.strictEqual(read, 50)
      const cut = service({ put: (n) => ({ status: 200, ...(n === 1 ? { body: Stream.die("cut") } : {}) }) })
      assert.strictEqual(valueOf(yield* uploading(cut)), "file_1")
      assert.deepStrictEqual(pathsOf(cut.urls), [ask, put, put, confirm])
    })
  )
})

describe("a source", () => {
  it.effect("is not at fault when the connection breaks while it is at work: it is run again", () =>
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
      assert.strictEqual(valueOf(yield* uploading(api, File.fromStream(slow, { size: 3 }))), "file_1")
      assert.deepStrictEqual(api.puts, [0, 2000])
      assert.deepStrictEqual([runs, released], [2, 2])
    })
  )

  it.effect("is told of as far as it has been handed over: never as complete before it has ended", () =>
    Effect.gen(function* () {
      const parts = [3, 7].map((length) => new Uint8Array(length))
      const toldOf = (stream: Stream.Stream<Uint8Array>, size: number) =>
        Effect.gen(function* () {
          const told: Array<number> = []
          const onProgress = ({ sent }: File.Progress) => Effect.sync(() => void told.push(sent))
          const exit = yield* uploading(service(), File.fromStream(stream, { size }), { onProgress })
          return [Exit.isSuccess(exit), told] as const
        })
      // All at once, one by one, and with a byte too many that comes later.
      assert.deepStrictEqual(yield* toldOf(Stream.fromIterable(parts), 10), [true, [3, 10]])
      assert.deepStrictEqual(yield* toldOf(Stream.rechunk(Stream.fromIterable(parts), 1), 10), [true, [3, 10]])
      assert.deepStrictEqual(yield* toldOf(Stream.make(new Uint8Array(10)), 10), [true, [10]])
      const longer = Stream.concat(Stream.fromIterable(parts), Stream.make(new Uint8Array(1)))
      assert.deepStrictEqual(yield* toldOf(longer, 10), [false, [3]])
    })
  )

  it.effect("gives no part of nothing to the transport", () =>
    Effect.gen(function* () {
      const lengths: Array<number> = []
      const api = clientWithStorage((bytes) =>
        Stream.runForEach(bytes, ({ length }) => Effect.sync(() => lengths.push(length)))
      )
      const single = Stream.rechunk(Stream.make(new Uint8Array(1), new Uint8Array(2), new Uint8Array(1)), 1)
      valueOf(yield* uploading(api, File.fromStream(single, { size: 4 })))
      assert.isTrue(lengths.every((length) => length > 0))
      assert.strictEqual(
        lengths.reduce((sum, length) => sum + length, 0),
        4
      )
    })
  )

  it.effect("of bytes is cut into chunks of 64 KiB, none of them empty", () =>
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

  it.effect("has the name that it was given, by whichever constructor", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(1)
      const older = { contentType: "image/png" }
      for (const named of [
        File.fromBytes(bytes, { name: "fox.png" }),
        File.fromStream(Stream.make(bytes), { size: 1, name: "fox.png" })
      ]) {
        assert.strictEqual(named.name, "fox.png")
        const api = service()
        valueOf(yield* uploading(api, named, { legacy: older }))
        assert.strictEqual(JSON.parse(api.bodies[0] ?? "").filename, "fox.png")
      }
      assert.notProperty(File.fromBytes(bytes), "name")
      assert.isTrue(Exit.isFailure(yield* uploading(service(), File.fromBytes(bytes), { legacy: older })))
    })
  )
})
