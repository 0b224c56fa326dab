/** Faults that send wrong, damaged or unusual responses. */
import { gzipSync } from "node:zlib"
import * as Effect from "effect/Effect"
import { always, chunked, type Fault, half, malformed, once, type OnRequest, send } from "./fault.js"
import { type ApiResponse, encodeChunk, encodeHead, encodeResponse } from "./http.js"

const withLengths = (response: ApiResponse, ...lengths: ReadonlyArray<number>): Buffer =>
  encodeResponse(
    response,
    lengths.map((length) => `content-length: ${length}`)
  )

export const wrongLengths: ReadonlyArray<Fault> = [
  {
    name: "Content-Length too large",
    isOnce: true,
    onRequest: send((response) => withLengths(response, response.body.length * 2), "finish")
  },
  malformed("Content-Length one byte too small", (response) => withLengths(response, response.body.length - 1)),
  malformed("Content-Length too small", (response) => withLengths(response, response.body.length >> 1)),
  { name: "no Content-Length", isOnce: true, onRequest: send((response) => withLengths(response), "finish") },
  malformed("the same Content-Length twice", (response) =>
    withLengths(response, response.body.length, response.body.length)
  ),
  malformed("two different Content-Lengths", (response) =>
    withLengths(response, response.body.length, response.body.length + 1)
  )
]

const encodeChunks = (response: ApiResponse, ...parts: ReadonlyArray<Uint8Array>): Buffer =>
  Buffer.concat([encodeHead(response, chunked), ...parts])

export const wrongChunks: ReadonlyArray<Fault> = [
  once("chunked body", (response) =>
    encodeChunks(response, encodeChunk(response.body), encodeChunk(new Uint8Array(0)))
  ),
  {
    name: "chunked body without its last chunk",
    isOnce: true,
    onRequest: send((response) => encodeChunks(response, encodeChunk(half(response.body))), "finish")
  },
  malformed("malformed chunk size", (response) =>
    encodeChunks(response, encodeChunk(half(response.body)), Buffer.from("zz\r\n"))
  )
]

const encodeGzip = (response: ApiResponse, status: number, body: Buffer): Buffer => {
  const headers = { ...response.headers, "content-encoding": "gzip" }
  return encodeResponse({ status, headers, body })
}

/** Replaces the data of a gzip body behind its header of 10 bytes. */
const damage = (body: Buffer): Buffer => Buffer.concat([body.subarray(0, 10), Buffer.alloc(body.length - 10, 0xff)])

let bombCache: Buffer | undefined

/** Encoded white space. Its decoded size exceeds the limits of 1 MiB and 64 MiB. */
const bomb = (): Buffer => (bombCache ??= gzipSync(Buffer.alloc(66 * 1024 * 1024, " "), { level: 1 }))

export const wrongEncodings: ReadonlyArray<Fault> = [
  once("gzip body", (response) => encodeGzip(response, response.status, gzipSync(response.body))),
  once("damaged gzip body", (response) => encodeGzip(response, response.status, damage(gzipSync(response.body)))),
  once("truncated gzip body", (response) => {
    const body = gzipSync(response.body)
    return encodeGzip(response, response.status, Buffer.from(half(body)))
  }),
  {
    ...once("gzip bomb", (response) => encodeGzip(response, 200, bomb())),
    // Each decoding takes a second of processor time.
    operations: ["executions.create", "files.download, storage"],
    isSlow: true
  },
  once("gzip bomb with status 400", (response) => encodeGzip(response, 400, bomb()))
]

export const unusualHeads: ReadonlyArray<Fault> = [
  once("103 Early Hints", (response) =>
    Buffer.concat([
      Buffer.from("HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n"),
      encodeResponse(response)
    ])
  ),
  once("unrequested 100 Continue", (response) =>
    Buffer.concat([Buffer.from("HTTP/1.1 100 Continue\r\n\r\n"), encodeResponse(response)])
  ),
  {
    name: "HTTP/1.0 response",
    isOnce: true,
    onRequest: send((response) => encodeResponse(response, undefined, "1.0"), "finish")
  },
  {
    name: "HTTP/1.0 response without Content-Length",
    isOnce: true,
    onRequest: send((response) => encodeResponse(response, [], "1.0"), "finish")
  },
  malformed("response header of 100 KB", (response) =>
    encodeResponse({ ...response, headers: { ...response.headers, "x-large": "a".repeat(100_000) } })
  ),
  malformed("text that is not HTTP", () => Buffer.from("SSH-2.0-OpenSSH_9.6\r\n\r\n"))
]

const redirect = (status: number): Fault => ({
  ...always(`redirect ${status} to another origin`, (_, { otherOrigin }) =>
    encodeResponse({ status, headers: { location: `${otherOrigin}/elsewhere` }, body: Buffer.from("Moved") })
  ),
  hasOtherOrigin: true
})

export const redirects: ReadonlyArray<Fault> = [redirect(301), redirect(307)]

/**
 * Responds before the body of the request is read, and reads nothing until the client has sent another request. The limit
 * of the attempt passes only if the transport cannot return the response earlier.
 */
const rejectEarly =
  (status: number, text: string): OnRequest =>
  (exchange) =>
    Effect.gen(function* () {
      const headers = { "content-type": "text/plain", connection: "close" }
      yield* exchange.write(encodeResponse({ status, headers, body: Buffer.from(text) }))
      yield* exchange.isResponseBlocked ? exchange.stopReading : exchange.pause
    })

export const earlyResponses: ReadonlyArray<Fault> = [
  {
    name: "403 before the request is read",
    isOnce: false,
    hasLargeUpload: true,
    onRequest: rejectEarly(403, "Forbidden")
  },
  {
    name: "413 before the request is read",
    isOnce: false,
    hasLargeUpload: true,
    onRequest: rejectEarly(413, "Too large")
  }
]
