/**
 * The face in memory: an `HttpClient` that asks the server in the calling fiber, and hands on what `fetch` would.
 *
 * @internal
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import type { Answer, Head } from "./response.js"
import * as RequestBody from "./requestBody.js"
import type { Handler } from "./server.js"
import * as Whole from "./fixedLength.js"

const storage = "https://storage.modelroute.example"

const connectionReset = (): Error => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })

const brokenOff = (bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> => {
  let rest = bytes
  return new ReadableStream({
    // an error at once would throw away the bytes before it
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

const withoutBody = new Set([204, 205, 304])

const response = (answer: Answer, body: BodyInit | null): Response => {
  const { status, headers } = answer
  if (withoutBody.has(status)) {
    return new Response(null, { status, headers })
  }
  const plain = new Response(body, { status, headers })
  return headers["content-encoding"] === "gzip" && plain.body !== null
    ? new Response(plain.body.pipeThrough(new DecompressionStream("gzip")), { status, headers })
    : plain
}

const nothing = new Uint8Array(0)

/** What the storage refuses by its length is not read, and what it keeps is not the caller's. */
const upload = (request: HttpClientRequest.HttpClientRequest, limit: number) => {
  const isStream = request.body._tag === "Stream"
  if (isStream && (Whole.announcedLength(request.headers) ?? Infinity) > limit) {
    return Effect.succeed({ bytes: nothing, headers: request.headers })
  }
  return Effect.map(RequestBody.read(request), ({ bytes, headers }) => {
    const taken = bytes.length > limit ? nothing : bytes
    return { bytes: isStream ? taken : taken.slice(), headers }
  })
}

/** @internal */
export const make = ({ handle, uploadLimit }: Handler): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const head: Head = {
        method: request.method,
        url: `${url.pathname}${url.search}`,
        headers: request.headers,
        origin: url.origin,
        storage
      }
      const limit = uploadLimit(head)
      const { bytes, headers } = yield* limit === undefined ? RequestBody.read(request) : upload(request, limit)
      const answer = yield* handle({ ...head, headers, body: bytes })
      switch (answer.delivery._tag) {
        case "Dropped":
          return yield* new HttpClientError.RequestError({ request, reason: "Transport", cause: connectionReset() })
        case "Cut":
          return HttpClientResponse.fromWeb(
            request,
            response(answer, brokenOff(answer.body.slice(0, answer.delivery.after)))
          )
        case "Chunked":
        case "Whole":
          return HttpClientResponse.fromWeb(request, response(answer, Whole.plain(answer.body)))
      }
    })
  )
