/**
 * Runs the simulator in memory as an `HttpClient`. The client runs the server in the fiber of the caller, and returns
 * the same responses as the `fetch` client.
 *
 * @internal
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as FixedLength from "./fixedLength.js"
import type { RequestHead } from "./request.js"
import * as RequestBody from "./requestBody.js"
import type { ResponseData } from "./response.js"
import type { Server } from "./server.js"

const defaultStorageOrigin = "https://storage.modelroute.example"

const emptyBytes = new Uint8Array(0)

const connectionReset = (): Error => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })

/** Returns a body that ends with a connection reset. */
const toCutStream = (bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> => {
  let rest = bytes
  return new ReadableStream({
    // Fails on the second pull, because an immediate error would discard the enqueued bytes.
    pull: (controller) => {
      if (rest.length === 0) {
        controller.error(connectionReset())
      } else {
        controller.enqueue(rest)
        rest = rest.subarray(rest.length)
      }
    }
  })
}

const statusesWithoutBody = new Set([204, 205, 304])

/** Returns a web `Response`. Decodes a gzip body, as `fetch` does. */
const toWebResponse = ({ headers, status }: ResponseData, body: BodyInit | null): Response => {
  if (statusesWithoutBody.has(status)) {
    return new Response(null, { status, headers })
  }
  const response = new Response(body, { status, headers })
  return headers["content-encoding"] === "gzip" && response.body !== null
    ? new Response(response.body.pipeThrough(new DecompressionStream("gzip")), { status, headers })
    : response
}

const sendResponse = (request: HttpClientRequest.HttpClientRequest, response: ResponseData) => {
  switch (response.transmission._tag) {
    case "Dropped":
      return Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause: connectionReset() }))
    case "Cut": {
      const body = toCutStream(response.body.slice(0, response.transmission.after))
      return Effect.succeed(HttpClientResponse.fromWeb(request, toWebResponse(response, body)))
    }
    case "Chunked":
    case "Complete": {
      const body = FixedLength.toArrayBufferBytes(response.body)
      return Effect.succeed(HttpClientResponse.fromWeb(request, toWebResponse(response, body)))
    }
  }
}

/**
 * Reads the body of an upload. Discards a body of more than `limit` bytes, because the storage rejects such a body.
 * Does not read a stream if its Content-Length is missing or exceeds `limit`. Copies a body that is in memory, because
 * the caller can change its bytes later.
 */
const readUpload = (request: HttpClientRequest.HttpClientRequest, limit: number) => {
  const isStream = request.body._tag === "Stream"
  if (isStream && (FixedLength.contentLength(request.headers) ?? Infinity) > limit) {
    return Effect.succeed({ bytes: emptyBytes, headers: request.headers })
  }
  return Effect.map(RequestBody.read(request), ({ bytes, headers }) => {
    const accepted = bytes.length > limit ? emptyBytes : bytes
    return { bytes: isStream ? accepted : accepted.slice(), headers }
  })
}

/**
 * Returns an `HttpClient` that sends all requests to the simulator. Uses the host of a URL only to detect storage
 * requests.
 *
 * @internal
 */
export const make = ({ handle, uploadLimit }: Server): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const head: RequestHead = {
        method: request.method,
        url: `${url.pathname}${url.search}`,
        headers: request.headers,
        origin: url.origin,
        storage: defaultStorageOrigin
      }
      const limit = uploadLimit(head)
      const { bytes, headers } = yield* limit === undefined ? RequestBody.read(request) : readUpload(request, limit)
      return yield* sendResponse(request, yield* handle({ ...head, headers, body: bytes }))
    })
  )
