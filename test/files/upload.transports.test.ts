/** Tests for uploads over real sockets with fetch, undici and node:http. */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { createWriteStream } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Deferred,
  Effect,
  Fiber,
  Layer,
  Option,
  Redacted,
  Schema,
  type Scope,
  Stream,
  TestClock,
  TestContext
} from "effect"
import { File, IdempotencyKey, ModelRouteClient, RetryPolicy } from "effect-modelroute"
import { Fault, Simulator } from "effect-modelroute/Simulator"
import * as SimulatorServer from "effect-modelroute/SimulatorServer"
import { apiKey } from "../utils/harness.js"
import { serve } from "../utils/server.js"
import { makeClientAt, overEachTransport } from "../utils/transports.js"

const MiB = 1024 * 1024
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** Returns pseudo-random bytes. */
const noise = (size: number): Uint8Array => {
  const bytes = new Uint32Array(Math.ceil(size / 4))
  let state = 1
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = state
  }
  return new Uint8Array(bytes.buffer, 0, size)
}

const Report = Schema.parseJson(
  Schema.Struct({
    fileId: Schema.String,
    idle: Schema.Number,
    peak: Schema.Number,
    steps: Schema.Number,
    last: Schema.Number,
    monotonic: Schema.Boolean
  })
)

/** Runs a script in another process and returns its output. Kills the process when the scope closes. */
const runScript = (args: ReadonlyArray<string>): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--expose-gc", "--import", "tsx", ...args], { stdio: ["ignore", "pipe", "inherit"] })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  ).pipe(
    Effect.flatMap((child) =>
      Effect.async<string>((resume) => {
        let text = ""
        child.stdout.on("data", (chunk) => (text += chunk))
        child.on("close", () => resume(Effect.succeed(text)))
      })
    )
  )

/** Responds with an upload URL on the same server. */
const respondWithLink = (response: ServerResponse, { headers }: IncomingMessage) => {
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify({ file_id: "file_1", upload_url: `http://${headers.host}/put` }))
}

overEachTransport((test, name) => {
  const startSimulator = (options: SimulatorServer.Options = {}) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(SimulatorServer.layer({ rateLimit: false, ...options }))
      const { url } = yield* Effect.provide(SimulatorServer.SimulatorServer, context)
      const simulator = yield* Effect.provide(Simulator, context)
      const client = yield* makeClientAt(url, { propagateTraceContext: true })
      return { client, simulator, url }
    })

  for (const size of [0, 1, 5 * MiB]) {
    test(
      `uploads ${size} bytes without API headers on the storage request`,
      Effect.gen(function* () {
        const { client, simulator } = yield* startSimulator()
        const bytes = noise(size)
        const steps = yield* Stream.runCollect(client.files.uploadProgress(File.fromBytes(bytes))).pipe(
          Effect.withSpan("caller")
        )
        const last = Option.getOrThrow(Chunk.last(steps))
        assert.strictEqual(last._tag, "Uploaded")
        if (last._tag !== "Uploaded") return
        const stored = Option.getOrThrow(yield* simulator.fileBytes(last.fileId))
        assert.strictEqual(sha256(stored), sha256(bytes))
        const requests = yield* simulator.requests
        assert.deepStrictEqual(
          requests.map(({ operation, outcome }) => [operation, outcome]),
          [
            ["files.upload", 200],
            ["storage.put", 200],
            ["files.confirm", 200]
          ]
        )
        // The API request must have trace headers. Otherwise the check of the storage headers would have no effect.
        assert.isDefined(requests[0]?.headers["traceparent"])
        const headers = requests[1]?.headers ?? {}
        assert.strictEqual(headers["content-length"], String(size))
        const transportHeaders = [
          "host",
          "connection",
          "content-length",
          "accept",
          "accept-language",
          "accept-encoding"
        ]
        assert.deepStrictEqual(
          Object.keys(headers).filter(
            (header) => ![...transportHeaders, "sec-fetch-mode", "user-agent"].includes(header)
          ),
          []
        )
        const downloaded = yield* Stream.runCollect(client.files.download(last.fileId))
        assert.strictEqual(sha256(Buffer.concat(Chunk.toReadonlyArray(downloaded))), sha256(bytes))
      })
    )
  }

  test.full(
    "uploads 150 MiB from a path with less than 100 MiB of memory",
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const path = `${folder}/large.bin`
      const piece = noise(MiB)
      const hash = createHash("sha256")
      yield* Effect.async<void>((resume) => {
        const file = createWriteStream(path)
        for (let n = 0; n < 150; n++) {
          piece[0] = n
          hash.update(piece)
          file.write(piece.slice())
        }
        file.end(() => resume(Effect.void))
      })
      const { simulator, url } = yield* startSimulator()
      const text = yield* runScript(["test/utils/uploader.ts", name, url, path])
      const report = yield* Schema.decode(Report)(text)
      const stored = Option.getOrThrow(yield* simulator.fileBytes(report.fileId))
      assert.strictEqual(sha256(stored), hash.digest("hex"))
      assert.strictEqual(report.last, 150 * MiB)
      assert.isTrue(report.monotonic)
      assert.isAtLeast(report.steps, 500)
      const grown = (report.peak - report.idle) / MiB
      yield* Effect.sync(() =>
        process.stdout.write(`${name}: ${grown.toFixed(1)} MiB above ${(report.idle / MiB).toFixed(0)} MiB\n`)
      )
      assert.isBelow(grown, 100)
    })
  )

  test(
    "resends all bytes if the connection breaks",
    Effect.gen(function* () {
      const { client, simulator } = yield* startSimulator()
      yield* simulator.inject(Fault.on("storage.put", Fault.dropBefore), Fault.on("storage.put", Fault.dropAfter))
      const bytes = noise(3 * MiB)
      const fileId = yield* client.files.upload(File.fromBytes(bytes))
      assert.strictEqual(sha256(Option.getOrThrow(yield* simulator.fileBytes(fileId))), sha256(bytes))
      const puts = (yield* simulator.requests).filter(({ operation }) => operation === "storage.put")
      assert.deepStrictEqual(
        puts.map(({ outcome }) => outcome),
        ["dropped", "dropped", 200]
      )
    })
  )

  test(
    "does not confirm the upload if the source has more or fewer bytes than declared",
    Effect.gen(function* () {
      const { client, simulator } = yield* startSimulator()
      const bytes = noise(MiB)
      for (const size of [MiB - 1, MiB + 1]) {
        const source = File.fromStream(File.fromBytes(bytes).stream, { size })
        const error = yield* Effect.flip(client.files.upload(source))
        assert.strictEqual(error._tag === "InvalidRequest" && error.field, "source")
      }
      const files = yield* simulator.files
      assert.deepStrictEqual(
        files.map(({ size }) => size),
        [undefined, undefined]
      )
      assert.isTrue((yield* simulator.requests).every(({ operation }) => operation !== "files.confirm"))
    })
  )

  test(
    "does not request another URL if storage rejects the upload early",
    Effect.gen(function* () {
      let links = 0
      const server = yield* serve((response, request) => {
        if (request.url === "/v1/files/upload") {
          links += 1
          return respondWithLink(response, request)
        }
        request.pause()
        return response.writeHead(403, { connection: "close" }).end("<Error><Code>AccessDenied</Code></Error>")
      })
      const client = yield* makeClientAt(server.url)
      const error = yield* Effect.flip(client.files.upload(File.fromBytes(new Uint8Array(20 * MiB))))
      assert.include(["UnexpectedResponse", "TransportError"], error._tag)
      assert.strictEqual(links, 1)
      assert.isAtMost(server.received.length, 5)
    })
  )

  test(
    "applies backpressure to the source until the attempt timeout",
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const server = yield* serve((response, request) => {
        if (request.url === "/v1/files/upload") return respondWithLink(response, request)
        request.pause()
        return Deferred.unsafeDone(arrived, Effect.void)
      })
      const client = yield* makeClientAt(server.url, { retry: RetryPolicy.none })
      let read = 0
      const source = Stream.repeatEffect(
        Effect.sync(() => {
          read += 65_536
          return new Uint8Array(65_536)
        })
      )
      const upload = client.files.upload(File.fromStream(source, { size: 100 * MiB }))
      const error = yield* Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.flip(upload))
        yield* Deferred.await(arrived)
        // The timeout is 30 s on the test clock. The timeout starts after storage has taken the last bytes.
        const passSecond = Effect.zipRight(TestClock.adjust("1 second"), Effect.yieldNow())
        yield* Effect.repeat(passSecond, { while: () => fiber.unsafePoll() === null })
        return yield* Fiber.join(fiber)
      }).pipe(Effect.provide(TestContext.TestContext))
      assert.strictEqual(error._tag === "TransportError" && error.reason, "timeout")
      // The socket buffers on both sides can hold several MiB.
      assert.isBelow(read, 16 * MiB)
      assert.lengthOf(server.received, 2)
    })
  )

  test(
    "closes the socket immediately when the upload is interrupted",
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const closed = yield* Deferred.make<void>()
      const server = yield* serve((response, request) => {
        if (request.url === "/v1/files/upload") return respondWithLink(response, request)
        request.on("close", () => Deferred.unsafeDone(closed, Effect.void))
        return Deferred.unsafeDone(arrived, Effect.void)
      })
      const client = yield* makeClientAt(server.url)
      const endless = File.fromStream(Stream.repeatValue(new Uint8Array(65_536)), { size: 100 * MiB })
      const fiber = yield* Effect.fork(client.files.upload(endless))
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(closed)
      assert.lengthOf(server.received, 2)
    })
  )
})

describe("files.upload with fetch", () => {
  it.scopedLive("sends all three requests with the service FetchHttpClient.Fetch", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(SimulatorServer.layer({ rateLimit: false }))
      const { url } = yield* Effect.provide(SimulatorServer.SimulatorServer, context)
      const requests: Array<string> = []
      const fetch: typeof globalThis.fetch = (input, init) => {
        // The length of a JSON body is in the headers only with old versions of @effect/platform.
        const length = init?.method === "PUT" ? new Headers(init.headers).get("content-length") : "JSON"
        requests.push(`${init?.method} ${new URL(String(input)).pathname.replace(/file_.*/, "file")} ${length}`)
        return globalThis.fetch(input, init)
      }
      const http = Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch))
      const { files } = yield* ModelRouteClient.make({ apiKey: Redacted.make(apiKey), baseUrl: url }).pipe(
        Effect.provide([http, IdempotencyKey.layer])
      )
      yield* files.upload(File.fromBytes(new Uint8Array(7)))
      assert.deepStrictEqual(requests, [
        "POST /v1/files/upload JSON",
        "PUT /storage/uploads/file 7",
        "POST /v1/files/confirm JSON"
      ])
    })
  )
})
