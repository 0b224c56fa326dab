/**
 * Tests bodies with a `Content-Encoding` over each transport. `fetch` decodes these bodies. undici and `node:http` do
 * not decode them.
 */
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import type { IncomingMessage, ServerResponse } from "node:http"
import { assert } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import { Execution, File, RetryPolicy, WebhookEndpoint } from "effect-modelroute"
import { serve } from "../utils/server.js"
import { makeClientAt, overEachTransport } from "../utils/transports.js"

const id = Execution.ExecutionId.make("exec_1")
const fileId = File.FileId.make("file_1")
const endpointId = WebhookEndpoint.EndpointId.make("wh_1")
const noRetry = { retry: RetryPolicy.none }

/** Allows many attempts, because a slow machine can exceed the timeout of several attempts. */
const shortAttempts = {
  attemptTimeout: 500,
  retry: RetryPolicy.backoff({ base: "100 millis", times: 50 })
}

/** File with a PNG signature and bytes that do not compress well. */
const file = Buffer.from("\x89PNG\r\n\x1a\n".padEnd(50_000), "latin1")
for (let at = 8, next = 1; at < file.length; at++) {
  next = (next * 48_271) % 2_147_483_647
  file[at] = next & 127
}

const encodings = [
  ["gzip", "gzip", gzipSync(file)],
  ["zlib", "deflate", deflateSync(file)],
  ["raw deflate", "deflate", deflateRawSync(file)]
] as const

const collect = (download: Stream.Stream<Uint8Array, unknown>) =>
  Effect.map(Stream.runCollect(download), (chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)))

/** Starts an API server with links to `storage`. `n` is the number of the request to `storage`, starting at 1. */
const serveFile = (
  link: { readonly size_bytes?: number },
  storage: (response: ServerResponse, n: number, request: IncomingMessage) => void
) => {
  let requests = 0
  return serve((response, request) => {
    if (request.url === "/file") return storage(response, (requests += 1), request)
    response.writeHead(200, { "content-type": "application/json" })
    return void response.end(JSON.stringify({ url: `http://${request.headers.host}/file`, ...link }))
  })
}

const send = (response: ServerResponse, encoding: string, body: Uint8Array) =>
  void response
    .writeHead(200, { "content-type": "image/png", "content-encoding": encoding, "content-length": body.length })
    .end(body)

/** Sends the first bytes of an encoded body and keeps the connection open. */
const stall = (response: ServerResponse, encoding: string, body: Uint8Array, sent: number) => {
  response.writeHead(200, { "content-encoding": encoding, "content-length": body.length })
  response.flushHeaders()
  if (sent > 0) response.write(body.subarray(0, sent))
}

overEachTransport((test, name) => {
  for (const [format, encoding, encoded] of encodings) {
    test(
      `files.download decodes a file in ${format}`,
      Effect.gen(function* () {
        const server = yield* serveFile({ size_bytes: file.length }, (response) => send(response, encoding, encoded))
        const { files } = yield* makeClientAt(server.url, noRetry)
        assert.isTrue(file.equals(yield* collect(files.download(fileId))))

        const other = yield* serveFile({ size_bytes: file.length - 1 }, (response) => send(response, encoding, encoded))
        const error = yield* Effect.flip(collect((yield* makeClientAt(other.url, noRetry)).files.download(fileId)))
        assert.propertyVal(error, "_tag", "UnexpectedResponse")
      })
    )

    test(
      `files.download fails with TransportError if a file in ${format} is truncated`,
      Effect.gen(function* () {
        const server = yield* serveFile({ size_bytes: file.length }, (response) =>
          send(response, encoding, encoded.subarray(0, encoded.length >> 1))
        )
        const { files } = yield* makeClientAt(server.url, noRetry)
        const error = yield* Effect.flip(collect(files.download(fileId)))
        assert.propertyVal(error, "_tag", "TransportError")
        assert.propertyVal(error, "reason", "truncated")
      })
    )

    test(
      `files.download ${name === "fetch" ? "rejects" : "accepts"} a file in ${format} without a known size`,
      Effect.gen(function* () {
        const server = yield* serveFile({}, (response) => send(response, encoding, encoded))
        const { files } = yield* makeClientAt(server.url, noRetry)
        const download = collect(files.download(fileId))
        if (name !== "fetch") return assert.isTrue(file.equals(yield* download))
        const error = yield* Effect.flip(download)
        assert.propertyVal(error, "_tag", "UnexpectedResponse")
        assert.include(String(error), "the file is encoded and its size is unknown")
      })
    )

    test(
      `files.download resumes a stalled download in ${format} after the attempt timeout`,
      Effect.forEach(
        [0, 1, 2, 3, 20_000],
        (sent) =>
          Effect.gen(function* () {
            const server = yield* serveFile({ size_bytes: file.length }, (response, n) =>
              n === 1 ? stall(response, encoding, encoded, sent) : send(response, encoding, encoded)
            )
            const { files } = yield* makeClientAt(server.url, shortAttempts)
            const bytes = yield* Effect.timeout(collect(files.download(fileId)), "60 seconds")
            assert.isTrue(file.equals(bytes), `after ${sent} bytes`)
            // On a slow machine, the timeout can also end other attempts.
            assert.isAtLeast(server.received.length, 4)
          }),
        { concurrency: "unbounded", discard: true }
      )
    )

    test(
      `files.download resumes a download in ${format} after a broken connection`,
      Effect.forEach(
        [0, 1, 2, 3, 20_000],
        (sent) =>
          Effect.gen(function* () {
            const server = yield* serveFile({ size_bytes: file.length }, (response, n) => {
              // The response to the resumed download can have no encoding.
              if (n > 1) return void response.writeHead(200, { "content-length": file.length }).end(file)
              stall(response, encoding, encoded, sent)
              return response.socket?.destroySoon()
            })
            const { files } = yield* makeClientAt(server.url)
            assert.isTrue(file.equals(yield* collect(files.download(fileId))), `after ${sent} bytes`)
          }),
        { concurrency: "unbounded", discard: true }
      )
    )

    test(
      `executions.get decodes a response in ${format}`,
      Effect.gen(function* () {
        const execution = { id: "exec_1", status: "COMPLETED", output: { text: "é".repeat(5000) } }
        const json = Buffer.from(JSON.stringify(execution))
        const body = format === "gzip" ? gzipSync(json) : format === "zlib" ? deflateSync(json) : deflateRawSync(json)
        const server = yield* serve((response) => send(response, encoding, body))
        const { output } = yield* (yield* makeClientAt(server.url, noRetry)).executions.get(id)
        assert.deepStrictEqual(output, execution.output)
      })
    )

    test(
      `webhookEndpoints.remove fails with TransportError if a response in ${format} is truncated`,
      Effect.forEach(
        [1, 2, 5],
        (sent) =>
          Effect.gen(function* () {
            const server = yield* serve((response) => send(response, encoding, encoded.subarray(0, sent)))
            const { webhookEndpoints } = yield* makeClientAt(server.url, noRetry)
            const error = yield* Effect.flip(webhookEndpoints.remove(endpointId))
            assert.propertyVal(error, "_tag", "TransportError", `after ${sent} bytes`)
            assert.propertyVal(error, "reason", "truncated")
          }),
        { discard: true }
      )
    )
  }

  test(
    "files.download does not resume a download with a range of encoded bytes",
    Effect.gen(function* () {
      const encoded = gzipSync(file)
      const server = yield* serveFile({}, (response, n, request) => {
        if (n === 1) return stall(response.setHeader("etag", '"v1"'), "identity", file, 5000)
        if (request.headers.range === undefined) return void response.end(file)
        const range = { "content-range": `bytes 5000-${encoded.length - 1}/${encoded.length}` }
        return void response.writeHead(206, { "content-encoding": "gzip", ...range }).end(encoded.subarray(5000))
      })
      const { files } = yield* makeClientAt(server.url, shortAttempts)
      assert.isTrue(file.equals(yield* collect(files.download(fileId))))
    })
  )

  test(
    "files.download accepts an empty encoded file",
    Effect.gen(function* () {
      const server = yield* serveFile({}, (response) => send(response, "gzip", new Uint8Array(0)))
      const { files } = yield* makeClientAt(server.url, noRetry)
      assert.lengthOf(yield* collect(files.download(fileId)), 0)
    })
  )

  for (const [what, headers, status] of [
    ["without a body", { "content-length": "0" }, 200],
    ["with the status 204", {}, 204]
  ] as const) {
    test(
      `webhookEndpoints.remove accepts an encoded response ${what}`,
      Effect.gen(function* () {
        const server = yield* serve((response) => {
          response.writeHead(status, { "content-encoding": "gzip", ...headers }).end()
        })
        yield* (yield* makeClientAt(server.url, noRetry)).webhookEndpoints.remove(endpointId)
      })
    )
  }
})
