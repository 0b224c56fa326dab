/** Tests unusual servers over real sockets. All three transports must behave in the same way. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { gzipSync } from "node:zlib"
import { assert } from "@effect/vitest"
import { Chunk, Deferred, Effect, Logger, LogLevel, Stream } from "effect"
import { Execution, File, RetryPolicy } from "effect-modelroute"
import { serve } from "../utils/server.js"
import { makeClientAt, overEachTransport } from "../utils/transports.js"
import { numRuns } from "../utils/suite.js"

const id = Execution.ExecutionId.make("exec_1")
const fileId = File.FileId.make("file_1")
const MiB = 1024 * 1024

const json = (response: ServerResponse, body: unknown) =>
  void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))

/** Starts an API server that receives uploads at its own URL and confirms every upload. */
const serveUploads = (put: (response: ServerResponse, request: IncomingMessage) => void, query = "") =>
  serve((response, request) => {
    if (request.url?.startsWith("/put")) return put(response, request)
    return json(response, { file_id: "file_1", upload_url: `http://${request.headers.host}/put${query}` })
  })

const collectBytes = (download: Stream.Stream<Uint8Array, unknown>) =>
  Effect.map(Stream.runCollect(download), (chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)))

const noRetry = { retry: RetryPolicy.none }

/** Declares the full length of a body and closes the connection after `kept` bytes. */
const sendTruncated = (response: ServerResponse, headers: Record<string, string>, body: Uint8Array, kept: number) => {
  response.writeHead(200, { ...headers, "content-length": String(body.length) })
  response.write(body.subarray(0, kept))
  response.socket?.destroySoon()
}

const execution = { id: "exec_1", status: "COMPLETED", output: { text: "é".repeat(50_000) } }
const gzipped = gzipSync(JSON.stringify(execution))

overEachTransport((test, name) => {
  test(
    "files.download closes the connection if the caller stops reading",
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const server = yield* serve((response) => {
        response.on("close", () => Deferred.unsafeDone(closed, Effect.void))
        response.writeHead(200, { "content-type": "image/png", "content-length": MiB }).write(Buffer.alloc(1000))
      })
      const { files } = yield* makeClientAt(server.url, noRetry)
      const chunks = yield* Stream.runCollect(Stream.take(files.download(fileId), 1))
      assert.strictEqual(Buffer.concat(Chunk.toReadonlyArray(chunks)).length, 1000)
      yield* Effect.timeout(Deferred.await(closed), "20 seconds")
    })
  )

  test(
    "executions.get decodes a gzip response",
    Effect.gen(function* () {
      const server = yield* serve((response) => {
        response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(gzipped)
      })
      const { output } = yield* (yield* makeClientAt(server.url)).executions.get(id)
      assert.deepStrictEqual(output, execution.output)
    })
  )

  for (const [how, body] of [
    ["of declared length", undefined],
    ["in chunks", "chunked"]
  ] as const) {
    test(
      `executions.get fails with TransportError if a gzip response ${how} is truncated`,
      Effect.gen(function* () {
        const server = yield* serve((response) => {
          const headers = { "content-type": "application/json", "content-encoding": "gzip" }
          if (body === undefined) return sendTruncated(response, headers, gzipped, gzipped.length - 20)
          // The transfer is complete, but the gzip stream is truncated.
          return void response.writeHead(200, headers).end(gzipped.subarray(0, gzipped.length - 20))
        })
        const error = yield* Effect.flip((yield* makeClientAt(server.url, noRetry)).executions.get(id))
        assert.strictEqual(error._tag === "TransportError" && error.reason, "truncated")
        assert.isTrue(error.retryable)
      })
    )
  }

  test(
    "executions.get decodes a gzip error response",
    Effect.gen(function* () {
      const error = gzipSync(JSON.stringify({ error: { code: "INSUFFICIENT_BALANCE", message: "Top up." } }))
      const server = yield* serve((response) => {
        response.writeHead(402, { "content-type": "application/json", "content-encoding": "gzip" }).end(error)
      })
      const failure = yield* Effect.flip((yield* makeClientAt(server.url)).executions.get(id))
      assert.strictEqual(failure._tag === "InsufficientBalance" && failure.apiMessage, "Top up.")
    })
  )

  test(
    "files.download decodes an encoded response",
    Effect.gen(function* () {
      const server = yield* serve((response, request) => {
        if (request.url !== "/file") {
          return json(response, { url: `http://${request.headers.host}/file`, size_bytes: "<svg/>".length })
        }
        const stored = gzipSync("<svg/>")
        const headers = { "content-type": "image/svg+xml", "content-encoding": "gzip" }
        return void response.writeHead(200, { ...headers, "content-length": String(stored.length) }).end(stored)
      })
      const { files } = yield* makeClientAt(server.url)
      assert.strictEqual(String(yield* collectBytes(files.download(fileId))), "<svg/>")
      assert.deepStrictEqual(
        server.received.map(({ headers }) => headers["accept-encoding"]),
        ["identity", "identity"]
      )
    })
  )

  test(
    "files.download fails if an encoded response is truncated",
    Effect.gen(function* () {
      const stored = gzipSync(Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * n) % 251)))
      const server = yield* serve((response) => {
        const headers = { "content-type": "application/octet-stream", "content-encoding": "gzip" }
        response.writeHead(200, headers).end(stored.subarray(0, stored.length - 100))
      })
      const { files } = yield* makeClientAt(server.url, noRetry)
      const error = yield* Effect.flip(collectBytes(files.download(fileId)))
      if (name !== "fetch") return assert.propertyVal(error, "reason", "truncated")
      assert.include(String(error), "Only undici and node:http can check whether such a file is complete")
    })
  )

  for (const location of ["ftp://127.0.0.1/x", "data:text/plain,secret", "file:///etc/hostname", "javascript:0"]) {
    test(
      `files.download does not follow a redirect to ${location}`,
      Effect.gen(function* () {
        const server = yield* serve((response) => {
          response.writeHead(302, { location }).end()
        })
        const { files } = yield* makeClientAt(server.url, noRetry)
        const error = yield* Effect.flip(collectBytes(files.download(fileId)))
        assert.propertyVal(error, "_tag", "UnexpectedResponse")
        assert.lengthOf(server.received, 1)
      })
    )
  }

  test(
    "files.upload fails if storage responds before the upload is complete",
    Effect.gen(function* () {
      const server = yield* serveUploads((response, request) => {
        request.pause()
        response.writeHead(200, { "content-length": "0" }).end()
      })
      const { files } = yield* makeClientAt(server.url, noRetry)
      const error = yield* Effect.flip(files.upload(File.fromBytes(new Uint8Array(50 * MiB))))
      assert.propertyVal(error, "_tag", "TransportError")
      assert.propertyVal(error, "fileId", "file_1")
      assert.notInclude(
        server.received.map(({ url }) => url),
        "/v1/files/confirm"
      )
    })
  )

  for (const [what, text, expectedLinks] of [
    ["requests a new URL if storage rejects an expired URL early", "Request has expired", 2],
    ["fails with the response if storage rejects the signature early", "The signature does not match", 1]
  ] as const) {
    test(
      `files.upload ${what}`,
      Effect.gen(function* () {
        let links = 0
        const server = yield* serve((response, request) => {
          if (request.url === "/put1") {
            return void response.writeHead(403).end(`<Error><Message>${text}</Message></Error>`)
          }
          if (request.url === "/put2") return void request.on("end", () => response.writeHead(200).end())
          if (request.url === "/v1/files/confirm") return json(response, {})
          links += 1
          return json(response, { file_id: "file_1", upload_url: `http://${request.headers.host}/put${links}` })
        })
        const { files } = yield* makeClientAt(server.url, { attemptTimeout: "1 second" })
        const upload = yield* Effect.either(files.upload(File.fromBytes(new Uint8Array(20 * MiB))))
        assert.strictEqual(links, expectedLinks)
        if (upload._tag === "Right") return assert.strictEqual(expectedLinks, 2)
        assert.propertyVal(upload.left, "_tag", "UnexpectedResponse")
        assert.propertyVal(upload.left, "status", 403)
        // The platform's `node:http` client loses the response of the first attempt. The request for the upload URL is
        // also an attempt.
        assert.isAtMost("attempts" in upload.left ? upload.left.attempts : 0, 3)
      })
    )
  }

  test(
    "files.upload fails if the confirmation reports a smaller size",
    Effect.gen(function* () {
      const server = yield* serve((response, request) => {
        if (request.url === "/put") return void request.on("end", () => response.writeHead(200).end())
        return json(response, {
          file_id: "file_1",
          upload_url: `http://${request.headers.host}/put`,
          size_bytes: 9
        })
      })
      const { files } = yield* makeClientAt(server.url, noRetry)
      const error = yield* Effect.flip(files.upload(File.fromBytes(new Uint8Array(10))))
      assert.propertyVal(error, "fileId", "file_1")
      assert.include(String(error), "the stored file has 9 bytes instead of 10")
    })
  )

  const piece = new Uint8Array(65_536)
  const sources = [
    ["with endless data", Stream.repeatValue(piece)],
    ["that waits for more data", Stream.concat(Stream.make(piece), Stream.never)]
  ] as const
  // The platform's `node:http` client reads the response only after the source ends or the connection closes.
  for (const [what, content] of name === "node:http" ? sources.slice(0, 1) : sources) {
    test(
      `files.upload finalizes a source ${what} if storage rejects the upload early`,
      Effect.gen(function* () {
        const finalized = yield* Deferred.make<void>()
        const server = yield* serveUploads((response, request) => {
          request.once("data", () => {
            request.pause()
            response.writeHead(403, { "content-type": "application/xml" }).end("<Error/>")
          })
        })
        const { files } = yield* makeClientAt(server.url, noRetry)
        const source = Stream.ensuring(content, Deferred.succeed(finalized, undefined))
        yield* Effect.flip(files.upload(File.fromStream(source, { size: 50 * MiB })))
        yield* Deferred.await(finalized)
      })
    )
  }

  const canary = "canarysignature0123456789"
  for (const [what, put] of [
    ["a PUT request with status 204", (response, request) => request.on("end", () => response.writeHead(204).end())],
    ["a broken connection", (_, request) => request.once("data", () => request.socket.resetAndDestroy())],
    ["a rejected PUT request", (response) => response.writeHead(403).end(`<Error>${canary}</Error>`)]
  ] satisfies ReadonlyArray<readonly [string, (response: ServerResponse, request: IncomingMessage) => void]>) {
    test(
      `files.upload omits the URL signature from logs and errors after ${what}`,
      Effect.gen(function* () {
        const server = yield* serveUploads(put, `?X-Amz-Signature=${canary}&X-Amz-Expires=60`)
        const lines: Array<string> = []
        const log = Logger.replace(
          Logger.defaultLogger,
          Logger.map(Logger.structuredLogger, (line) => void lines.push(JSON.stringify(line)))
        )
        const { files } = yield* makeClientAt(server.url, noRetry)
        const source = File.fromStream(Stream.repeatValue(new Uint8Array(65_536)).pipe(Stream.take(160)), {
          size: 160 * 65_536
        })
        const exit = yield* Effect.exit(files.upload(source)).pipe(
          Logger.withMinimumLogLevel(LogLevel.All),
          Effect.provide(log)
        )
        // A fiber in the background can write a log line when the fiber ends.
        yield* Effect.sleep("20 millis")
        assert.notInclude(JSON.stringify([exit, lines]), canary)
        assert.strictEqual(exit._tag, what.includes("204") ? "Success" : "Failure")
      })
    )
  }

  test(
    "files.upload excludes the user name and password of the upload URL from errors",
    Effect.gen(function* () {
      const server = yield* serve((response, request) =>
        json(response, { file_id: "file_1", upload_url: `http://canaryuser:canarypass@${request.headers.host}/put` })
      )
      const { files } = yield* makeClientAt(server.url, noRetry)
      const exit = yield* Effect.exit(files.upload(File.fromBytes(new Uint8Array(10))))
      assert.notMatch(JSON.stringify(exit), /canary(user|pass)/)
    })
  )

  const storageUrls = ({ received }: { readonly received: ReadonlyArray<{ readonly url: string }> }) =>
    received.map(({ url }) => url).filter((url) => !url.startsWith("/v1/"))

  test(
    "files.upload and files.download do not send the fragment of a URL",
    Effect.gen(function* () {
      const storage = yield* serve((response) => {
        response.writeHead(302, { location: "/file?b=2#canary2" }).end()
      })
      const server = yield* serve((response, request) => {
        if (request.url?.startsWith("/put")) return void request.on("end", () => response.writeHead(200).end())
        if (request.url?.startsWith("/file")) return void response.end("bytes")
        const link = request.url?.endsWith("/download") ? "/file" : "/put"
        const url = `http://${request.headers.host}${link}?a=1#canary`
        return json(response, { file_id: "file_1", upload_url: url, url })
      })
      const { files } = yield* makeClientAt(server.url, noRetry)
      yield* files.upload(File.fromBytes(new Uint8Array(10)))
      assert.strictEqual(String(yield* collectBytes(files.download(fileId))), "bytes")
      assert.deepStrictEqual(storageUrls(server), ["/put?a=1", "/file?a=1"])

      const redirected = yield* makeClientAt(storage.url, noRetry)
      yield* Effect.exit(collectBytes(redirected.files.download(fileId)))
      assert.strictEqual(storageUrls(storage)[0], "/file?b=2")
    })
  )

  for (const user of ["canaryuser", "canaryuser:canarypass", ":canarypass"]) {
    test(
      `files.upload and files.download reject a URL with the user information ${user}`,
      Effect.gen(function* () {
        const server = yield* serve((response, request) => {
          const url = `http://${user}@${request.headers.host}/file`
          if (request.url === "/v1/files/redirected/download") {
            return void response.writeHead(302, { location: url }).end()
          }
          return json(response, { file_id: "file_1", upload_url: url, url })
        })
        const { files } = yield* makeClientAt(server.url, noRetry)
        const failures = [
          yield* Effect.flip(files.upload(File.fromBytes(new Uint8Array(10)))),
          yield* Effect.flip(collectBytes(files.download(fileId))),
          yield* Effect.flip(collectBytes(files.download(File.FileId.make("redirected"))))
        ]
        for (const failure of failures) {
          assert.propertyVal(failure, "_tag", "UnexpectedResponse")
          assert.notInclude(JSON.stringify(failure), "canary")
        }
        assert.include(String(failures[2]), "the redirect leads to a URL with a user name or password")
        assert.deepStrictEqual(storageUrls(server), [])
      })
    )
  }

  test(
    "files.download fails at the first byte beyond the known size",
    Effect.gen(function* () {
      let written = 0
      const chunk = Buffer.alloc(10_000)
      const server = yield* serve((response, request) => {
        if (request.url !== "/file")
          return json(response, { url: `http://${request.headers.host}/file`, size_bytes: 40_000 })
        response.writeHead(200, { "content-type": "image/png" })
        const more = (): void => {
          while (written < 200 * MiB && !response.destroyed) {
            written += chunk.length
            if (!response.write(chunk)) return void response.once("drain", more)
          }
          response.end()
        }
        return more()
      })
      const { files } = yield* makeClientAt(server.url, noRetry)
      let received = 0
      const error = yield* Effect.flip(
        Stream.runForEach(files.download(fileId), (bytes) => Effect.sync(() => void (received += bytes.length)))
      )
      assert.propertyVal(error, "_tag", "UnexpectedResponse")
      assert.isAtMost(received, 40_000)
      // The bound includes the buffers of the sockets on both sides.
      assert.isBelow(written, 20 * MiB)
    })
  )

  test(
    "executions.get reads a large JSON body of declared length completely",
    Effect.gen(function* () {
      const large = { id: "exec_1", status: "COMPLETED", output: { data: "x".repeat(numRuns(5, 25) * MiB) } }
      const server = yield* serve((response) => {
        const body = Buffer.from(JSON.stringify(large))
        response.writeHead(200, { "content-type": "application/json", "content-length": String(body.length) }).end(body)
      })
      const { output } = yield* (yield* makeClientAt(server.url, { attemptTimeout: "10 minutes" })).executions.get(id)
      assert.isTrue(JSON.stringify(output) === JSON.stringify(large.output), name)
    })
  )
})
